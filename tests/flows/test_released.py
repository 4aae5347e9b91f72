"""Released means never changed, where only history knows: merges, consistent rewrites, branches, signatures."""

from __future__ import annotations

import pytest

from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

PLACE = "datasets/iris/v1"
FILE = f"{PLACE}/train.csv"


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    """iris v1 is released and pushed; hooks are installed."""
    server = builder("server", bare=True)
    made = builder().workspace().install_hooks()
    made.dataset("iris")
    made.commit("Iris")
    made.git("remote", "add", "origin", server.path.as_uri())
    made.git("push", "-q", "-u", "origin", "main")
    return made


def change(repo: RepositoryBuilder) -> None:
    repo.write({FILE: repo.read(FILE) + b"x"})


def reseal(repo: RepositoryBuilder) -> None:
    """Everything changed so that it is consistent again: only history knows."""
    repo.write(
        artifacts.dataset("iris", files={"train": {"train.csv": b"a,b\n9,9\n"}, "test": {"test.csv": b"a\n1\n"}})
    )


def told(repo: RepositoryBuilder, *words: str, code: int = 2) -> set[tuple[str, str, str]]:
    """(rule, path, commit) of the errors the doctor finds."""
    found = repo.strata("doctor", "--format", "json", *words).expect(code).json()["findings"]
    assert isinstance(found, list)
    return {(f["rule"], f["path"], f["commit"]) for f in found if f["severity"] == "error"}


def assert_push_refused(
    repo: RepositoryBuilder, *texts: str, what: tuple[str, ...] = ("HEAD:refs/heads/main",)
) -> None:
    before = repo.git("ls-remote", "origin")
    refused = repo.try_git("push", "-q", "origin", *what)
    assert refused.code != 0, refused
    for text in (*texts, "refuses this push"):
        assert text in refused.clean().err
    assert repo.git("ls-remote", "origin") == before


def test_a_consistent_rewrite_is_still_one(repo: RepositoryBuilder) -> None:
    head = repo.head
    reseal(repo)
    repo.git("add", "--all")
    assert "STR-I001" in repo.try_git("commit", "-qm", "rewrite").err
    repo.git("commit", "-qnm", "rewrite")
    assert ("STR-I001", FILE, repo.head) in told(repo, "--range", f"{head}..HEAD")
    assert_push_refused(repo, "STR-I001", FILE, repo.head[:12])


def test_the_fix_named_is_the_fix(repo: RepositoryBuilder) -> None:
    change(repo)
    repo.git("add", "--all")
    line = next(line for line in repo.try_git("commit", "-m", "x").err.splitlines() if "fix: undo it" in line)
    command = line.partition("`")[2].partition("`")[0]
    assert command.startswith("git checkout ")
    repo.git(*command.split()[1:])
    assert repo.git("status", "--porcelain") == ""
    repo.strata("doctor").expect(0, 1)


def other(version: str = "v1") -> dict[str, bytes]:
    return artifacts.dataset("iris", version, files={"train": {"train.csv": b"a,b\n7,7\n"}})


def disagreeing(repo: RepositoryBuilder, base: str) -> str:
    """A branch from `base` on which the same version name stands for other content; its commit."""
    repo.git("checkout", "-q", "-b", "side", base)
    repo.write(other("v2"))
    repo.git("add", "--all")
    repo.git("commit", "-qnm", "v2, theirs")
    theirs = repo.head
    repo.git("checkout", "-q", "main")
    return theirs


def test_a_merge_that_buries_the_other_content(repo: RepositoryBuilder) -> None:
    """The published v2 wins in the tree, but the history brings another: one content for a name over all commits."""
    head = repo.head
    repo.dataset("iris", "v2")
    repo.commit("v2, ours")
    repo.git("push", "-q")
    base = repo.head
    theirs = disagreeing(repo, head)
    repo.git("merge", "-q", "-s", "ours", "--no-verify", "--no-edit", "side")
    assert ("STR-I006", "datasets/iris/v2", theirs) in told(repo, "--range", f"{base}..HEAD")
    assert_push_refused(repo, "STR-I006", theirs[:12])


def test_merging_what_was_published_elsewhere_is_fine(repo: RepositoryBuilder) -> None:
    head = repo.head
    repo.dataset("iris", "v2")
    repo.commit("v2")
    repo.git("push", "-q")
    repo.git("checkout", "-q", "-b", "topic", head)
    repo.dataset("tulips")
    repo.commit("tulips")
    repo.git("merge", "-q", "--no-edit", "main")
    repo.git("push", "-q", "origin", "topic")


@pytest.fixture
def fresh(repo: RepositoryBuilder) -> RepositoryBuilder:
    """HEAD introduces iris v2, which is on no remote."""
    repo.dataset("iris", "v2")
    repo.commit("v2")
    return repo


def test_a_second_commit_is_let_pass_and_then_refused_at_the_push(fresh: RepositoryBuilder) -> None:
    """The hook cannot know whether a commit amends; the push can."""
    fresh.write(artifacts.dataset("iris", "v2", metadata={"description": "told better"}))
    fresh.git("add", "--all")
    assert "STR-I008" in fresh.try_git("commit", "-qm", "second").expect(0).err
    assert_push_refused(fresh, "STR-I001", fresh.head[:12])


def test_signature_blocks_are_only_added(repo: RepositoryBuilder, keys: Keys) -> None:
    sums = repo.read(f"{PLACE}/CHECKSUMS.txt")
    alice, bob = keys.sign(sums, "alice"), keys.sign(sums, "bob")
    place = f"{PLACE}/SIGNATURE.asc"
    repo.commit("alice signs", {place: alice})
    repo.commit("bob signs too", {place: alice + bob})
    repo.git("push", "-q")
    head = repo.head
    for step, data in enumerate((bob, bob + b"\n", None)):
        repo.write({place: data})
        repo.git("add", "--all")
        refused = repo.try_git("commit", "-qm", "takes one back")
        assert refused.code != 0, step
        assert "STR-I007" in refused.err
        repo.git("reset", "-q", "--hard")
    repo.delete(place)
    repo.git("commit", "-qnam", "takes all back")
    assert ("STR-I007", place, repo.head) in told(repo, "--range", f"{head}..HEAD")
    assert_push_refused(repo, "STR-I007", repo.head[:12])
