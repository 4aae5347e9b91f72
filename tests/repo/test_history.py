"""Commits and what they changed, against each of their parents."""

from __future__ import annotations

import pytest

from strata_git.errors import StrataError
from strata_git.repo.history import (
    first_appearances,
    is_ancestor,
    is_shallow,
    list_commits,
    parse_commit,
    read_commit,
    read_commits,
    steps,
)
from strata_git.repo.staged import changes_between
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


@pytest.fixture
def forked(builder: Builder) -> RepositoryBuilder:
    """main and side both add below d/; the merge of them changes one file more."""
    repo = builder()
    repo.commit("root", {"d/root": "r"})
    repo.git("checkout", "-qb", "side")
    repo.commit("side", {"d/side": "s"})
    repo.git("tag", "side-tip")
    repo.git("checkout", "-q", "main")
    repo.commit("main", {"d/main": "m"})
    repo.git("tag", "main-tip")
    repo.git("merge", "-q", "--no-commit", "side")
    repo.commit("merge", {"d/root": "evil"})
    return repo


def seen(repo: RepositoryBuilder, *revisions: str) -> dict[tuple[str, str], set[tuple[str, str]]]:
    opened = repo.repository()
    commits = list(read_commits(opened, list_commits(opened, *revisions)))
    subjects = {commit.oid: commit.subject for commit in commits} | {"": ""}
    return {
        (subjects[step.commit], subjects.get(step.parent, "?")): {(c.status, c.path) for c in step.changes}
        for step in steps(opened, commits, ["d"])
    }


def test_each_parent_is_compared(forked: RepositoryBuilder) -> None:
    assert seen(forked, forked.head) == {
        ("root", ""): {("A", "d/root")},
        ("side", "root"): {("A", "d/side")},
        ("main", "root"): {("A", "d/main")},
        ("merge", "main"): {("A", "d/side"), ("M", "d/root")},
        ("merge", "side"): {("A", "d/main"), ("M", "d/root")},
    }


def test_steps_that_changed_nothing_are_left_out(forked: RepositoryBuilder) -> None:
    forked.commit("elsewhere", {"other": "o"})
    assert ("elsewhere", "merge") not in seen(forked, forked.head)
    assert list(steps(forked.repository(), [], ["d"])) == []


def test_type_changes_and_deletions(builder: Builder) -> None:
    repo = builder()
    repo.commit("one", {"d/file": "f", "d/gone": "g", "d/run": "r"})
    repo.delete("d/file", "d/gone").symlink({"d/file": "x"}).chmod({"d/run": 0o755})
    repo.commit("two")
    assert seen(repo, "HEAD", "^HEAD~1") == {("two", "?"): {("T", "d/file"), ("D", "d/gone"), ("M", "d/run")}}


def test_parents_come_before_children(forked: RepositoryBuilder) -> None:
    opened = forked.repository()
    order = list_commits(opened, forked.head)
    for commit in read_commits(opened, order):
        assert all(order.index(parent) < order.index(commit.oid) for parent in commit.parents)
    assert list_commits(opened, forked.head, f"^{forked.head}~1") == [forked.git("rev-parse", "side"), forked.head]


def test_where_a_file_first_appeared(forked: RepositoryBuilder) -> None:
    """The branch's own commit, not the merge that brought it; and not the commit that brought it back."""
    forked.delete("d/side").commit("removed")
    forked.commit("back", {"d/side": "other"})
    found = first_appearances(forked.repository(), [forked.head], ["d"])
    names = {path: forked.git("show", "-s", "--format=%s", oid) for path, oid in found.items()}
    assert names == {"d/root": "root", "d/side": "side", "d/main": "main"}


def test_a_file_made_in_a_merge(forked: RepositoryBuilder) -> None:
    forked.git("checkout", "-q", "-b", "late", "side-tip")
    forked.git("merge", "-q", "--no-commit", "main-tip")
    made = forked.commit("born in a merge", {"d/born": "b"})
    assert first_appearances(forked.repository(), [made], ["d"])["d/born"] == made


def test_odd_names_in_raw_output(builder: Builder) -> None:
    repo = builder()
    names = {"d/:colon", "d/new\nline", "d/\x01one", "d/" + "0" * 40}
    repo.commit("one", dict.fromkeys(names, "x"))
    assert set(first_appearances(repo.repository(), ["HEAD"], ["d"])) == names
    assert {path for _, path in seen(repo, "HEAD")["one", ""]} == names
    empty = repo.repository().empty_tree
    assert {change.path for change in changes_between(repo.repository(), empty, repo.head)} == names


def test_a_commits_header(forked: RepositoryBuilder) -> None:
    forked.git("commit", "-q", "--allow-empty", "-m", "Subject\n\nbody", "--date", "2026-03-01T00:30:00 +0200")
    commit = read_commit(forked.repository(), forked.head)
    assert (commit.subject, commit.author, commit.authored) == (
        "Subject", "Ada Tester <ada@example.org>", "2026-02-28T22:30:00Z",
    )  # fmt: skip
    assert commit.tree == forked.git("rev-parse", "HEAD^{tree}")
    assert len(read_commit(forked.repository(), commit.parents[0]).parents) == 2


@pytest.mark.parametrize("person", ["", "nobody", "A <a> x y", "A <a> 99999999999999999999 +0000", "A <a> 1 +9999"])
def test_headers_that_git_would_not_write(person: str) -> None:
    commit = parse_commit("0" * 40, f"tree {'1' * 40}\nauthor {person}\nodd\n\nsubject\xff".encode("latin-1"))
    assert (commit.tree, commit.authored, commit.subject) == ("1" * 40, "", "subject\ufffd")


def test_what_is_no_commit_here(forked: RepositoryBuilder) -> None:
    opened = forked.repository()
    for oid in ("1" * 40, forked.git("rev-parse", "HEAD^{tree}")):
        with pytest.raises(StrataError, match="is not in this repository"):
            read_commit(opened, oid)


def test_ancestry(forked: RepositoryBuilder) -> None:
    opened = forked.repository()
    assert is_ancestor(opened, "side-tip", "HEAD")
    assert not is_ancestor(opened, "HEAD", "side-tip")


def test_a_shallow_boundary_has_no_parents(forked: RepositoryBuilder) -> None:
    clone = forked.clone("shallow", "--depth", "1")
    opened = clone.repository()
    assert is_shallow(opened)
    assert not is_shallow(forked.repository())
    commit = read_commit(opened, clone.head)
    assert commit.parents == ()
    assert [step.parent for step in steps(opened, [commit], ["d"])] == [""]
