"""What cannot be read is a finding with its line, quick and harmless."""

from __future__ import annotations

import pytest

from strata_git.checks.documents import CONTRACTS, Reading, contract_of, read_document
from strata_git.checks.exhibit import Exhibit
from strata_git.repo.tree import MemoryTree
from tests.checks.judging import IRIS, judge, only, told
from tests.support import artifacts

METADATA = f"{IRIS.path}/metadata.yaml"


def with_metadata(data: bytes) -> list[tuple[str, str]]:
    """Rules and places told of a dataset whose metadata is `data`, sealed with it."""
    files = artifacts.sealed(artifacts.dataset() | {METADATA: data}, IRIS.path)
    return [(finding.rule, finding.path) for finding in judge(files).findings]


@pytest.mark.parametrize(
    "data",
    [
        b"a: [\n",
        b"a: " + b"[" * 100_000,
        b"name: x\nname: y\n",
        b"a: &a [x]\nb: *a\n",
        b"name: !!python/object/apply:os.system ['true']\n",
        b"a: 1\n---\nb: 2\n",
        b"a: \0\n",
        "name: x\n".encode("utf-16"),
    ],
)
def test_a_killer_is_a_finding(data: bytes) -> None:
    assert with_metadata(data) == [("STR-Y001", METADATA)]


def test_a_contract_file_that_is_too_large_is_not_read() -> None:
    assert with_metadata(b"a: b\n" * 300_000) == [("STR-Y004", METADATA)]


@pytest.mark.parametrize("data", [b"- a\n- b\n", b"text\n", b""])
def test_what_is_no_mapping(data: bytes) -> None:
    assert with_metadata(data) == [("STR-Y002", METADATA)]


def test_a_complaint_names_the_line_and_the_key() -> None:
    files = artifacts.dataset(metadata={"created": "yesterday"})
    finding = only(judge(files).findings)
    assert finding.rule == "STR-Y002"
    assert files[METADATA].splitlines()[finding.line - 1].startswith(b"created")
    assert "created" in finding.message


def test_a_missing_field() -> None:
    finding = only(judge(artifacts.dataset(metadata={"licence": artifacts.ABSENT})).findings)
    assert finding.rule == "STR-Y002"
    assert "licence" in finding.message


def test_a_pointer_in_place_of_the_text() -> None:
    from tests.checks.judging import pointer

    assert set(told(artifacts.dataset(replace={"metadata.yaml": pointer("0" * 64, 3)}))) == {"STR-C005", "STR-F002"}
    assert told(artifacts.dataset(replace={"CHECKSUMS.txt": pointer("0" * 64, 3)})) == ["STR-F002"]


@pytest.mark.parametrize("where", CONTRACTS)
def test_every_contract_named_exists(where: tuple[str, str]) -> None:
    assert contract_of(*where) is not None


def test_a_file_without_a_contract_may_be_any_mapping() -> None:
    exhibit = Exhibit.of(MemoryTree({f"{IRIS.path}/notes.yaml": b"any: thing\n"}), IRIS)
    reading = read_document(exhibit, "notes.yaml")
    assert (reading.legible, reading.findings, reading.value) == (True, (), {"any": "thing"})


def test_a_file_without_a_contract() -> None:
    assert contract_of("dataset", "readme.yaml") is None


def test_a_line_is_that_of_the_nearest_thing_known() -> None:
    reading = Reading("x", lines={("a",): 3, ("a", "b"): 4})
    assert (reading.line("a", "b"), reading.line("a", "c", 1), reading.line("z")) == (4, 3, 0)
