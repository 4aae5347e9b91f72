"""Splits are there, counted rightly, inside, and apart from each other."""

from __future__ import annotations

import pytest

from strata_git.checks.engine import judge_artifact
from tests.checks.judging import IRIS, WithoutObjects, judge, only, told
from tests.support import artifacts

SPLITS = {
    "train": {"path": "train.csv", "files": 1, "rows": None, "bytes": len(artifacts.TRAIN)},
    "test": {"path": "test.csv", "files": 1, "rows": None, "bytes": len(artifacts.TEST)},
}


def with_split(**changes: object) -> dict[str, bytes]:
    return artifacts.dataset(metadata={"splits": SPLITS | {"test": SPLITS["test"] | changes}})


def with_parents(*parents: object) -> dict[str, bytes]:
    provenance = {"source": "x", "retrieved": "2026-01-05", "process": "none", "parents": list(parents)}
    return artifacts.dataset(metadata={"provenance": provenance})


def test_a_valid_dataset_is_silent_and_summarised() -> None:
    judgement = judge(with_split())
    assert judgement.findings == ()
    assert judgement.summary["splits"] == {"train": 1, "test": 1}
    assert judgement.summary["files"] == 4


def test_a_split_without_files() -> None:
    finding = only(judge(with_split(path="missing")).findings)
    assert (finding.rule, finding.path) == ("STR-D001", f"{IRIS.path}/metadata.yaml")
    assert finding.line > 0


@pytest.mark.parametrize("changes", [{"files": 2}, {"bytes": 1}])
def test_a_split_that_counts_wrongly(changes: dict[str, object]) -> None:
    finding = only(judge(with_split(**changes)).findings)
    assert finding.rule == "STR-D002"
    assert f"git strata checksum {IRIS.path}" in finding.fix


@pytest.mark.parametrize("path", ["../lily/test.csv", "/etc/passwd", "a/../../b"])
def test_a_split_outside_its_dataset(path: str) -> None:
    assert "STR-D004" in told(with_split(path=path))


def test_directories_and_the_whole_are_splits_too() -> None:
    data = {"all/a.csv": b"1\n", "all/b.csv": b"22\n", "other.csv": b"333\n"}
    directory = {"path": "all", "files": 2, "rows": None, "bytes": 5}
    whole = {"path": ".", "files": 3, "rows": None, "bytes": 9}
    files = {"all": data}
    assert told(artifacts.dataset(files=files, metadata={"splits": {"all": directory}})) == []
    assert told(artifacts.dataset(files=files, metadata={"splits": {"all": whole}})) == []


def test_equal_content_in_two_splits_is_a_warning() -> None:
    leaking = {"train": {"train.csv": b"1\n"}, "test": {"test.csv": b"1\n"}}
    finding = only(judge(artifacts.dataset(files=leaking)).findings)
    assert (finding.rule, finding.severity) == ("STR-D003", "warning")


def test_empty_files_are_no_leak() -> None:
    empty = {"train": {"train.csv": b""}, "test": {"test.csv": b""}}
    assert told(artifacts.dataset(files=empty)) == []


def test_a_dataset_without_data() -> None:
    assert "STR-D005" in told(artifacts.dataset(extra={"train.csv": None, "test.csv": None}))


@pytest.mark.parametrize("parent", ["iris@v1", "datasets/iris", "../x", {"ref": "datasets/iris@latest"}])
def test_parents_are_named_in_full(parent: object) -> None:
    assert told(with_parents(parent)) == ["STR-D006"]


def test_parents_become_inputs() -> None:
    judgement = judge(with_parents("datasets/raw@v2", {"ref": "datasets/raw/v3", "digest": "sha256:" + "a" * 64}))
    assert judgement.findings == ()
    assert judgement.summary["inputs"] == [
        {"ref": "datasets/raw@v2"},
        {"ref": "datasets/raw@v3", "digest": "sha256:" + "a" * 64},
    ]


def test_bytes_are_not_counted_where_a_file_is_absent() -> None:
    tree = WithoutObjects(with_split(bytes=1), f"{IRIS.path}/test.csv")
    assert only(judge_artifact(tree, IRIS).findings).rule == "STR-Y003"


def test_nonsense_is_left_to_the_contract() -> None:
    assert set(told(artifacts.dataset(metadata={"splits": {"train": {"path": 7}, "test": "x"}}))) <= {
        "STR-D004",
        "STR-Y002",
    }
    assert "STR-Y002" in told(artifacts.dataset(metadata={"splits": []}))


def test_a_dataset_without_metadata() -> None:
    assert "STR-Y005" in told(artifacts.dataset(replace={"metadata.yaml": None}))
