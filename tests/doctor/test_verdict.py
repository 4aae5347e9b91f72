"""One verdict at every door: the disk, the index, a commit, a range; and what it does not cover is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strata_git.checks.finding import found
from strata_git.contracts.layout import Artifact
from strata_git.doctor.judge import judge_artifact_at, judge_commit, judge_range, judge_staged, judge_worktree
from strata_git.doctor.verdict import Verdict, ordered
from strata_git.errors import StrataError
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


# --- exit codes


def test_exit_codes(repo: RepositoryBuilder) -> None:
    repo.strata("doctor").expect(0)
    repo.strata("doctor", "--strict").expect(0)
    repo.write({".gitattributes": ""})
    repo.strata("doctor").expect(1)
    repo.strata("doctor", "--strict").expect(2)
    repo.write({f"{PLACE}/train.csv": "changed"})
    repo.strata("doctor").expect(2)


def test_what_was_not_judged_counts_only_when_strict() -> None:
    assert Verdict("x", (), unjudged=("history",)).exit_code() == 0
    assert Verdict("x", (), unjudged=("history",)).exit_code(strict=True) == 2


def test_findings_come_once_and_the_worst_first() -> None:
    one = found("STR-L014", "a", "m")
    two = found("STR-L019", "b", "m")
    three = found("STR-C005", "z", "m")
    assert ordered([one, two, three, one]) == (three, two, one)


def test_a_finding_says_where_why_and_what_to_do(repo: RepositoryBuilder) -> None:
    repo.write({f"{PLACE}/metadata.yaml": repo.read(f"{PLACE}/metadata.yaml").replace(b"CC-BY-4.0", b"")})
    text = repo.strata("doctor").expect(2)
    for told in (f"{PLACE}/metadata.yaml:", "error STR-Y002", "fix: ", "see: tfc/0006-validation.md#3.2"):
        assert told in text.out
    assert "artifacts judged" in text.err
    document = repo.strata("doctor", "--format", "json").expect(2).json()
    assert (document["schema"], document["exit_code"], document["artifacts"]) == ("strata/doctor/v1", 2, 3)
    assert document["unjudged"] == []
    assert document["subject"] == "the working tree"
    findings = document["findings"]
    assert isinstance(findings, list)
    assert all(set(f) == {"rule", "severity", "path", "line", "message", "fix", "anchor", "commit"} for f in findings)
    assert any(f["line"] > 0 and f["anchor"] == "tfc/0006-validation.md#3.2" for f in findings)


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


@pytest.mark.parametrize("words", [
    ["datasets/irsi/v1"], ["../outside"], ["--staged", "datasets"], ["--range", "HEAD..HEAD", "datasets"],
    ["--staged", "--at", "HEAD"], ["--range", "HEAD"], ["--range", "a...b"],
])  # fmt: skip
def test_what_would_judge_nothing_is_no_ok(repo: RepositoryBuilder, words: list[str]) -> None:
    repo.strata("doctor", *words).expect(64)


def test_an_older_commit(repo: RepositoryBuilder) -> None:
    good = repo.head
    repo.write({f"{PLACE}/train.csv": "changed"})
    repo.commit("broken")
    assert rules(judge_commit(repo.repository(), good)) == set()
    assert ("STR-C005", f"{PLACE}/train.csv") in rules(judge_commit(repo.repository(), "HEAD"))
    repo.strata("doctor", "--at", good).expect(0)
    repo.strata("doctor", "--at", "HEAD", PLACE).expect(2)
    repo.strata("doctor", "--at", "HEAD", "models").expect(0)
    assert judge_artifact_at(repo.repository(), good, Artifact("dataset", "iris", "v1")).artifacts == 1


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


@pytest.mark.parametrize("words", [["--at", "nowhere"], ["--range", "nowhere..HEAD"], ["--range", "HEAD..nowhere"]])
def test_revisions_that_are_not_there(repo: RepositoryBuilder, words: list[str]) -> None:
    assert "names no commit here" in repo.strata("doctor", *words).expect(3).err


def test_before_the_first_commit(builder: Builder) -> None:
    repo = builder().workspace()
    repo.strata("doctor").expect(0)
    repo.dataset("iris", replace={"train.csv": b"x"})
    assert ("STR-C005", f"{PLACE}/train.csv") in rules(judge_worktree(repo.repository()))
    repo.git("add", "--all")
    repo.strata("doctor", "--staged").expect(2)
    assert "There is no commit yet" in repo.strata("doctor", "--at", "HEAD").expect(3).err


def test_a_bare_repository_is_judged_at_its_head(repo: RepositoryBuilder) -> None:
    bare = repo.clone("bare", "--bare")
    assert "commit " in bare.strata("doctor").expect(0).err
    assert "bare repository" in bare.strata("doctor", "--staged").expect(3).err


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


def test_a_shallow_clone_says_so(repo: RepositoryBuilder) -> None:
    base = repo.head
    repo.commit("more", {"notes.txt": "x"})
    repo.dataset("tulips")
    repo.commit("tulips")
    clone = repo.clone("shallow", "--depth", "2")
    clone.strata("doctor").expect(0)
    told = clone.strata("doctor", "--range", "HEAD~1..HEAD").expect(0)
    assert "not judged: history before the shallow boundary" in told.err
    clone.strata("doctor", "--strict", "--range", "HEAD~1..HEAD").expect(2)
    clone.strata("doctor", "--range", f"{base}..HEAD").expect(3)


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


def test_absent_objects_are_never_fetched_and_never_ok(repo: RepositoryBuilder) -> None:
    base = repo.head
    repo.dataset("tulips")
    repo.commit("tulips")
    repo.git("config", "uploadpack.allowFilter", "true")
    clone = repo.clone("partial", "--no-checkout", "--filter=blob:none")
    for words in (["--at", "HEAD"], ["--range", f"{base}..HEAD"]):
        told = clone.strata("doctor", *words)
        assert told.code in (0, 1), told
        assert "not judged: " in told.err
        assert "nothing is wrong." not in told.err
        clone.strata("doctor", "--strict", *words).expect(2)
        document = clone.strata("doctor", "--format", "json", *words).json()
        assert document["unjudged"]
    clone.git("config", "remote.origin.url", "/nowhere")
    missing = clone.git("rev-list", "--objects", "--missing=print", "HEAD").count("?")
    assert missing > 10


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


def test_no_such_repository(tmp_path: Path, builder: Builder) -> None:
    repo = builder()
    lost = RepositoryBuilder(tmp_path, repo.environ)
    assert "is not in a git repository" in lost.strata("doctor").expect(3).err
    with pytest.raises(StrataError):
        lost.repository()
