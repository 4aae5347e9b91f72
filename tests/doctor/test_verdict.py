"""One verdict at every door: the disk, the index, a commit, a range; and what it does not cover is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strata_git.checks.finding import found
from strata_git.doctor.judge import judge_commit, judge_range, judge_staged, judge_worktree
from strata_git.doctor.verdict import Verdict, ordered
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

PLACE = "datasets/iris/v1"


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    """A dataset, a run and a model, committed."""
    made = builder().workspace()
    made.story()
    made.commit("Story")
    return made


def rules(verdict: Verdict, severity: str = "error") -> set[tuple[str, str]]:
    return {(f.rule, f.path) for f in verdict.findings if f.severity == severity}


def test_what_was_not_judged_counts_only_when_strict() -> None:
    assert Verdict("x", (), unjudged=("history",)).exit_code() == 0
    assert Verdict("x", (), unjudged=("history",)).exit_code(strict=True) == 2


def test_findings_come_once_and_the_worst_first() -> None:
    one = found("STR-L014", "a", "m")
    two = found("STR-L019", "b", "m")
    three = found("STR-C005", "z", "m")
    assert ordered([one, two, three, one]) == (three, two, one)


def test_names_of_any_bytes_come_out_as_json(repo: RepositoryBuilder) -> None:
    Path(os.fsdecode(os.fsencode(repo.path) + b"/datasets/\xff\x1b[2J.csv")).write_bytes(b"x")
    document = repo.strata("doctor", "--format", "json").expect(2).json()
    assert "\\\\udcff" in repr(document)
    text = repo.strata("doctor").expect(2)
    assert "\x1b" not in text.out + text.err


# --- the doors agree


def test_a_clean_checkout_is_judged_like_its_commit(repo: RepositoryBuilder) -> None:
    repo.write({f"{PLACE}/metadata.yaml": "kind: [\n"})
    repo.commit("broken")
    clone = repo.clone()
    opened = clone.repository()
    commit, disk, staged = judge_commit(opened, "HEAD"), judge_worktree(opened), judge_staged(opened)
    assert commit.findings == disk.findings == staged.findings
    assert rules(commit)
    assert (commit.artifacts, disk.artifacts, staged.artifacts) == (3, 3, 3)


def test_only_what_lies_below_a_path(repo: RepositoryBuilder) -> None:
    repo.write({f"{PLACE}/train.csv": "changed", "datasets/stray.csv": "x", "models/forest/v1/card.md": "changed"})
    assert judge_worktree(repo.repository(), [PLACE]).artifacts == 1
    assert {path for _, path in rules(judge_worktree(repo.repository(), [PLACE]))} == {
        f"{PLACE}/train.csv", f"{PLACE}/metadata.yaml",
    }  # fmt: skip
    assert ("STR-L010", "datasets/stray.csv") in rules(judge_worktree(repo.repository(), ["datasets"]))
    inside = repo.strata("doctor", ".", cwd="models").expect(2)
    assert "models/forest" in inside.out
    assert "datasets" not in inside.out
    assert repo.strata("doctor", "train.csv", cwd=PLACE).expect(2).err.startswith("the working tree: 1 artifacts")


def test_a_range_names_the_commit(repo: RepositoryBuilder) -> None:
    base = repo.head
    repo.dataset("tulips", seal=False)
    broken = repo.commit("no list")
    repo.write(artifacts.dataset("tulips"))
    repo.commit("list")
    verdict = judge_range(repo.repository(), base, "HEAD")
    assert {(f.rule, f.commit) for f in verdict.errors} == {("STR-C001", broken), ("STR-I003", repo.head)}
    assert f"(commit {broken[:12]})" in repo.strata("doctor", "--range", f"{base}..").expect(2).out
    repo.strata("doctor", "--range", "HEAD..HEAD").expect(0)


def test_before_the_first_commit(builder: Builder) -> None:
    repo = builder().workspace()
    repo.strata("doctor").expect(0)
    repo.dataset("iris", replace={"train.csv": b"x"})
    assert ("STR-C005", f"{PLACE}/train.csv") in rules(judge_worktree(repo.repository()))
    repo.git("add", "--all")
    repo.strata("doctor", "--staged").expect(2)
    assert "There is no commit yet" in repo.strata("doctor", "--at", "HEAD").expect(3).err


def test_sha256_repositories(builder: Builder) -> None:
    repo = builder(object_format="sha256").workspace()
    repo.story()
    repo.commit("Story")
    base = repo.head
    for words in ([], ["--staged"], ["--at", "HEAD"], ["--range", "HEAD..HEAD"]):
        repo.strata("doctor", *words).expect(0)
    repo.write({f"{PLACE}/train.csv": "changed"})
    repo.strata("doctor").expect(2)
    repo.commit("break")
    repo.strata("doctor", "--range", f"{base}..HEAD").expect(2)


def test_a_linked_directory_is_not_followed(repo: RepositoryBuilder, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (repo.path / "datasets/iris").rename(tmp_path / "elsewhere/iris")
    repo.symlink({"datasets/iris": str(tmp_path / "elsewhere/iris")})
    assert any(path.startswith("datasets/iris") for _, path in rules(judge_worktree(repo.repository())))


def test_signatures_that_are_not_staged_yet(repo: RepositoryBuilder, keys: Keys) -> None:
    repo.strata("sign", PLACE, "--key", keys.alice).expect(0)
    assert rules(judge_worktree(repo.repository())) == set()
    assert ("STR-S007", f"{PLACE}/SIGNATURE.asc") in rules(judge_worktree(repo.repository()), "info")


# --- what is not here


def test_two_shallow_branches(repo: RepositoryBuilder) -> None:
    """The commits judged have parents that are not here."""
    repo.git("checkout", "-qb", "side")
    repo.commit("aside", {"aside.txt": "x"})
    repo.git("checkout", "-q", "main")
    repo.dataset("tulips")
    repo.commit("tulips")
    clone = repo.clone("shallow", "--depth", "1", "--no-single-branch")
    told = clone.strata("doctor", "--range", "origin/side..HEAD").expect(0)
    assert "not judged: history" in told.err


def test_unsmudged_lfs_files_are_judged_by_their_pointers(lfs: RepositoryBuilder) -> None:
    lfs.dataset("iris")
    lfs.commit("Iris")
    clone = lfs.clone("pointers", "--config", "filter.lfs.smudge=cat", "--config", "filter.lfs.process=")
    assert clone.read(f"{PLACE}/train.csv").startswith(b"version https://git-lfs")
    clone.strata("doctor", "--strict").expect(0)
    clone.strata("doctor", "--at", "HEAD", "--strict").expect(0)
    other = artifacts.dataset("iris", files={"train": {"train.csv": b"other\n1\n"}})
    clone.write({f"{PLACE}/train.csv": other[f"{PLACE}/train.csv"]})
    clone.strata("doctor").expect(2)


# --- what stands in a version's place


@pytest.mark.parametrize("what", ["a file", "a link", "a repository", "a submodule"])
def test_what_stands_in_a_versions_place(builder: Builder, what: str) -> None:
    """It is no artifact, so nothing in it would be judged: every door says so, the commit hook too."""
    repo = builder().workspace().install_hooks()
    repo.commit("Workspace")
    match what:
        case "a file":
            repo.write({PLACE: "x"})
        case "a link":
            repo.symlink({PLACE: "/etc"})
        case _:
            repo.write(artifacts.dataset("iris"))
            repo.git("init", "-q", PLACE)
            repo.git("-C", PLACE, "add", "--all")
            repo.git("-C", PLACE, "commit", "-qm", "inside")
    if what != "a submodule":
        assert ("STR-L010", PLACE) in rules(judge_worktree(repo.repository()))
    repo.git("add", "--all")
    assert ("STR-L010", PLACE) in rules(judge_staged(repo.repository()))
    refused = repo.try_git("commit", "-qm", "in its place")
    assert refused.code != 0
    assert "STR-L010" in refused.err
    repo.git("commit", "-qnm", "in its place")
    assert ("STR-L010", PLACE) in rules(judge_commit(repo.repository(), "HEAD"))
    assert ("STR-L010", PLACE) in rules(judge_range(repo.repository(), "HEAD~1", "HEAD"))


def test_a_version_gone_from_the_disk_is_told(repo: RepositoryBuilder) -> None:
    repo.delete(*[path for path in repo.paths() if path.startswith(PLACE)])
    verdict = judge_worktree(repo.repository())
    assert ("STR-I005", PLACE) in rules(verdict, "warning")
    assert judge_worktree(repo.repository(), [PLACE]).exit_code() == 1


def test_however_deep(repo: RepositoryBuilder) -> None:
    """Deeper than Python's own limit."""
    repo.install_hooks()
    oid = repo.git("hash-object", "-w", "--stdin", stdin=b"x")
    deep = f"datasets/iris/v2/{'a/' * 1900}x"
    repo.git("update-index", "--add", "--cacheinfo", f"100644,{oid},{deep}")
    assert ("STR-Y005", "datasets/iris/v2/metadata.yaml") in rules(judge_staged(repo.repository()))
    assert "STR-Y005" in repo.try_git("commit", "-qm", "deep").clean().err


def test_damaged_directories_are_a_sentence(repo: RepositoryBuilder) -> None:
    garbage = repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=b"garbage")
    for depth in range(4):
        tree = garbage
        for name in ("v1", "iris", "datasets")[3 - depth :]:
            row = b"40000 %s\0" % name.encode() + bytes.fromhex(tree)
            tree = repo.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=row)
        commit = repo.git("commit-tree", "-m", "damaged", tree)
        told = repo.strata("doctor", "--at", commit)
        assert told.code == 3, told
