"""Payload is stored with Git LFS where the settings say so; contract files never are."""

from __future__ import annotations

import hashlib

import pytest

from strata_git.checks.lfs import SHOWN, judge_storage
from tests.checks.judging import FOREST, IRIS, judge, only, pointer, rules, told
from tests.support import artifacts

DATA = b"1,2\n"
POINTER = pointer(hashlib.sha256(DATA).hexdigest(), len(DATA))


def dataset(stored: bytes) -> dict[str, bytes]:
    """A dataset of one file, stored as `stored`."""
    return artifacts.dataset(files={"train": {"train.csv": DATA}}, replace={"train.csv": stored})


def storage(files: dict[str, bytes], *, lfs: bool = True) -> list[str]:
    return rules(judge_storage(judge(files).summary, lfs=lfs))


def test_payload_as_a_pointer_is_silent() -> None:
    assert told(dataset(POINTER)) == []
    assert storage(dataset(POINTER)) == []


def test_payload_in_git_itself() -> None:
    finding = only(judge_storage(judge(dataset(DATA)).summary, lfs=True))
    assert (finding.rule, finding.path) == ("STR-F001", f"{IRIS.path}/train.csv")
    assert storage(dataset(DATA), lfs=False) == []


def test_text_and_prompts_stay_in_git() -> None:
    text = {"train": {"train.json": b"{}"}}
    assert storage(artifacts.dataset(files=text)) == []
    assert storage(artifacts.prompt()) == []
    assert storage(artifacts.model()) == ["STR-F001"]


@pytest.mark.parametrize(
    "stored",
    [
        POINTER + b"\n",
        POINTER.replace(b"\n", b"\r\n"),
        POINTER.replace(b"size", b"sise"),
        POINTER.replace(b"sha256:", b"sha512:"),
        b"version https://git-lfs.github.com/spec/v1\n",
    ],
)
def test_a_pointer_that_is_none(stored: bytes) -> None:
    assert storage(dataset(stored)) == ["STR-F003"]
    assert storage(dataset(stored), lfs=False) == []


@pytest.mark.parametrize(
    "name", ["metadata.yaml", "metrics.yaml", "card.md", "CHECKSUMS.txt", "SIGNATURE.asc", "model.sig"]
)
def test_contract_files_are_never_pointers(name: str) -> None:
    findings = judge(artifacts.model(replace={name: POINTER})).findings
    assert ("STR-F002", f"{FOREST.path}/{name}") in {(finding.rule, finding.path) for finding in findings}


def test_many_files_are_named_in_part_and_counted() -> None:
    files = {f"{n:03}.bin": b"x%d" % n for n in range(SHOWN + 5)}
    findings = list(
        judge_storage(judge(artifacts.dataset(files={"all": files}, metadata={"splits": {}})).summary, lfs=True)
    )
    assert len(findings) == SHOWN
    assert "5 more files" in findings[-1].message
    assert "more files" not in findings[0].message
