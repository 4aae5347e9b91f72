"""`git strata doctor`: its formats, what it leaves out when asked, and what it writes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from strata_git.integrity.digest import sha256_files
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

PLACE = "datasets/iris/v1"
WRONG = {"splits": {"train": {"path": "train.csv", "files": 9, "bytes": 1}}}


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    """A workspace with one dataset in order, one that counts wrongly and a stray file."""
    made = builder().workspace()
    made.dataset("iris")
    made.write(artifacts.dataset("old", metadata=WRONG) | {"datasets/stray": b""})
    made.commit("Old")
    made.commit("Since", {"a.py": "x"})
    return made


def told(repo: RepositoryBuilder, *words: str, code: int = 2) -> set[str]:
    answer = repo.strata("doctor", "--format", "json", *words).expect(code).json()
    return {row["rule"] for row in answer["findings"] if row["severity"] != "info"}


# --- formats


def test_every_format_tells_the_same(repo: RepositoryBuilder) -> None:
    text = repo.strata("doctor").expect(2).out
    rules = {"STR-D002", "STR-L010"}
    assert told(repo) == rules
    assert all(rule in text for rule in rules)
    (sarif,) = json.loads(repo.strata("doctor", "--format", "sarif").expect(2).out)["runs"]
    assert {r["ruleId"] for r in sarif["results"] if r["level"] != "note"} == rules
    assert sarif["invocations"][0]["exitCode"] == 2
    github = repo.strata("doctor", "--format", "github").expect(2).out
    assert {line.partition("title=")[2][:8] for line in github.splitlines() if line.startswith("::error ")} == rules
    gitlab = json.loads(repo.strata("doctor", "--format", "gitlab").expect(2).out)
    assert {row["check_name"] for row in gitlab if row["severity"] != "info"} == rules
    junit = ET.fromstring(repo.strata("doctor", "--format", "junit").expect(2).out.encode())
    assert {case.get("classname") for case in junit.iter("testcase") if case.find("failure") is not None} == rules
    prints = {r["partialFingerprints"]["strataFinding/v1"] for r in sarif["results"]}
    assert prints == {row["fingerprint"] for row in gitlab}


@pytest.mark.parametrize("style", ["json", "sarif", "github", "gitlab", "junit", "markdown"])
def test_prose_stays_off_standard_output(repo: RepositoryBuilder, style: str) -> None:
    answer = repo.strata("doctor", "--format", style).expect(2)
    assert "artifacts judged," not in answer.out
    assert ("artifacts judged," in answer.err) == (style != "json")


def test_junit_is_as_strict_as_the_verdict(repo: RepositoryBuilder) -> None:
    repo.git("rm", "-rq", "datasets/old", "datasets/stray")
    repo.write({".gitattributes": ""})
    repo.commit("A warning")
    words = ("doctor", "--at", "HEAD", "--format", "junit")
    assert "<failure" not in repo.strata(*words).expect(1).out
    assert "<failure" in repo.strata(*words, "--strict").expect(2).out


# --- select and ignore


@pytest.mark.parametrize(
    ("words", "rules"),
    [
        (("--select", "STR-D"), {"STR-D002"}),
        (("--select", "d002"), {"STR-D002"}),
        (("--select", "STR-D,STR-L010"), {"STR-D002", "STR-L010"}),
        (("--select", "STR-D", "--select", "L010"), {"STR-D002", "STR-L010"}),
        (("--ignore", "STR-D"), {"STR-L010"}),
        (("--select", "STR-D", "--ignore", "STR-D002"), set()),
        (("--ignore", "STR-D,STR-L"), set()),
    ],
)
def test_rules_asked_for(repo: RepositoryBuilder, words: tuple[str, ...], rules: set[str]) -> None:
    code = 2 if rules else 0
    assert told(repo, *words, code=code) == rules
    assert told(repo, "--at", "HEAD", *words, code=code) == rules


def test_on_the_command_line_everything_can_be_left_out(repo: RepositoryBuilder) -> None:
    repo.write({f"{PLACE}/train.csv": "tampered\n"})
    assert "STR-I001" in told(repo)
    assert told(repo, "--ignore", "STR-I,STR-C,STR-D,STR-L", code=0) == set()
    answer = repo.strata("doctor", "--ignore", "STR-I,STR-C,STR-D,STR-L").expect(0)
    assert "nothing is wrong." not in answer.err
    assert "not told:" in answer.err
    assert "STR-I001" in answer.err


def test_settings_are_heard_and_overruled_by_select(repo: RepositoryBuilder) -> None:
    files = artifacts.workspace(lfs=False, settings={"doctor": {"ignore": ["STR-D", "STR-L010"]}})
    repo.write({"strata.yaml": files["strata.yaml"]})
    answer = repo.strata("doctor", "--format", "json").expect(0).json()
    assert answer["ignored"] == 3
    assert told(repo, "--select", "STR-D") == {"STR-D002"}


def test_settings_that_name_no_rule(repo: RepositoryBuilder) -> None:
    files = artifacts.workspace(lfs=False, settings={"doctor": {"ignore": ["STR-L016", "STR-Z9"]}})
    repo.write({"strata.yaml": files["strata.yaml"]})
    assert "STR-L016" in told(repo)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--select STR-Z", "no rule 'STR-Z'"),
        ("--ignore STR-D,E501", "no rule 'E501'"),
        ("--format xml", "xml"),
        ("--deep --staged", "--deep"),
        ("--deep --range HEAD~1..HEAD", "--deep"),
        ("--fix --at HEAD", "--fix"),
        ("--fix --staged", "--fix"),
        ("--staged --baseline", "--baseline"),
        ("--ignore STR-D --baseline", "--baseline"),
        ("models --baseline", "--baseline"),
        ("--baseline datasets", "among the artifacts"),
        ("--baseline datasets/iris/v1/metadata.yaml", "among the artifacts"),
        ("--baseline a.py", "is no baseline"),
        ("--baseline .git", "no plain file"),
    ],
)
def test_words_that_mean_nothing(repo: RepositoryBuilder, words: str, said: str) -> None:
    (repo.path / "models").mkdir()
    before = repo.git("status", "--porcelain")
    answer = repo.strata("doctor", *words.split()).expect(64)
    assert said in answer.err
    assert answer.out == ""
    assert repo.git("status", "--porcelain") == before


# --- baseline


def test_an_old_repository_is_taken_on(repo: RepositoryBuilder) -> None:
    answer = repo.strata("doctor", "--baseline").expect(0)
    assert "git add .strata/baseline.json && git commit" in answer.err
    first = repo.read(".strata/baseline.json")
    assert "known to the baseline" in repo.strata("doctor", "--strict").expect(0).err
    assert repo.strata("doctor", "--format", "json").expect(0).json()["baseline"] == 3
    repo.commit("Take on")
    repo.strata("doctor", "--at", "HEAD", "--strict").expect(0)
    repo.write(artifacts.dataset("new", metadata=WRONG))
    assert told(repo) == {"STR-D002"}
    repo.strata("doctor", "--baseline").expect(0)
    assert len(repo.read(".strata/baseline.json")) > len(first)


def test_the_baseline_shrinks(repo: RepositoryBuilder) -> None:
    repo.strata("doctor", "--baseline").expect(0)
    repo.git("rm", "-q", "datasets/stray")
    answer = repo.strata("doctor").expect(0)
    assert "STR-L022" in answer.out
    assert "STR-L010 at datasets/stray occurs no more" in answer.out
    repo.strata("doctor", "--baseline").expect(0)
    assert b"STR-L010" not in repo.read(".strata/baseline.json")
    assert "STR-L022" not in repo.strata("doctor").expect(0).out


def test_a_baseline_beside(repo: RepositoryBuilder) -> None:
    repo.strata("doctor", "--baseline", "kept.json").expect(0)
    assert not (repo.path / ".strata").exists()
    assert told(repo) == {"STR-D002", "STR-L010"}
    repo.strata("doctor", "--baseline=../kept.json", cwd="datasets").expect(0)


# --- fix


def test_fix_mends_and_then_judges(repo: RepositoryBuilder) -> None:
    repo.write(artifacts.dataset("new", seal=False, metadata=WRONG))
    before = repo.read("datasets/old/v1/metadata.yaml")
    answer = repo.strata("doctor", "--fix").expect(2)
    assert "fixed datasets/new/v1: metadata.yaml, CHECKSUMS.txt" in answer.err
    assert "datasets/new" not in answer.out
    assert "datasets/old" in answer.out
    assert repo.read("datasets/old/v1/metadata.yaml") == before
    assert "nothing to fix" in repo.strata("doctor", "--fix").expect(2).err


# --- deep


def object_of(lfs: RepositoryBuilder) -> Path:
    ((_, oid, _),) = sha256_files([str(lfs.path / PLACE / "train.csv")])
    return lfs.path / ".git/lfs/objects" / oid[:2] / oid[2:4] / oid


def test_deep_reads_what_pointers_stand_for(lfs: RepositoryBuilder) -> None:
    lfs.dataset("iris")
    lfs.commit("iris")
    stored = object_of(lfs)
    lfs.strata("doctor", "--at", "HEAD", "--deep", "--strict").expect(0)
    lfs.strata("doctor", "--deep", "--strict").expect(0)
    stored.chmod(0o644)
    stored.write_bytes(b"damaged")
    lfs.strata("doctor", "--at", "HEAD").expect(0)
    assert told(lfs, "--at", "HEAD", "--deep") == {"STR-C005"}
    stored.unlink()
    answer = lfs.strata("doctor", "--at", "HEAD", "--deep").expect(0)
    assert "not judged: the bytes of 1 files" in answer.err
    lfs.strata("doctor", "--at", "HEAD", "--deep", "--strict").expect(2)


def test_deep_reads_the_disk_behind_the_indexs_back(repo: RepositoryBuilder) -> None:
    """A file of the same size and time: git believes that nothing changed."""
    repo.git("config", "core.trustctime", "false")
    repo.git("config", "core.checkStat", "minimal")
    path = repo.path / PLACE / "train.csv"
    os.utime(path, (1_700_000_000, 1_700_000_000))
    repo.git("update-index", "--refresh")
    data = path.read_bytes()
    with path.open("r+b") as stream:
        stream.write(data[:-2] + b"X\n")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    rules = told(repo, "datasets/iris", "--deep")
    assert "STR-C005" in rules
