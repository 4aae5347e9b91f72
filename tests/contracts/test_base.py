"""Complaints of contracts: plain words, located, in order."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from strata_git.contracts import base
from strata_git.contracts.base import Cited, Complaint, ContractError, parse
from strata_git.contracts.dataset import DatasetMetadata
from strata_git.contracts.model import ModelMetrics
from strata_git.contracts.run import RunMetrics, RunRecord
from strata_git.load import Document, load_yaml


def complaints(model, text: str) -> list[tuple[int, str]]:
    with pytest.raises(ContractError) as caught:
        parse(model, load_yaml(text.encode()))
    return [(complaint.line, complaint.message) for complaint in caught.value.complaints]


def test_complaints_name_line_and_key_in_the_order_of_the_file():
    text = """kind: model
name: Iris
version: 1.0
created: yesterday
description: ""
content_hash: sha256:123
provenance: {source: x, retrieved: "2026-02-30", process: x, extra: 1, parents: [iris]}
splits:
  train: {path: /etc, files: 0, rows: 1.5, bytes: true}
  Bad Name: {path: a//b, files: 1, bytes: 1}
  test: here
schema: x
"""
    assert complaints(DatasetMetadata, text) == [
        (1, "kind: must be 'dataset'"),
        (1, "licence: is missing"),
        (2, "name: must be lower-case letters and digits, joined by single - or _"),
        (3, "version: must be text; put it in quotes"),
        (4, "created: must be a time in UTC such as 2026-11-21T09:30:00Z"),
        (5, "description: must not be empty"),
        (6, "content_hash: must be sha256: and 64 hex digits"),
        (7, "provenance.extra: is not a key of this contract"),
        (7, "provenance.parents.0: must refer to a dataset or run or model or prompt"),
        (7, "provenance.retrieved: is no day of the calendar"),
        (9, "splits.train.bytes: must be a whole number"),
        (9, "splits.train.files: must be at least 1"),
        (9, "splits.train.path: must be a path inside the directory of this file"),
        (9, "splits.train.rows: must be a whole number"),
        (10, "splits.Bad Name: must be lower-case letters and digits, joined by single - or _"),
        (10, "splits.Bad Name.path: must be a plain path such as data/train.csv"),
        (11, "splits.test: must be a mapping"),
        (12, "schema: must be a list"),
    ]


@pytest.mark.parametrize("text", ["", "[1, 2]", "just text", "null"])
def test_a_document_that_is_no_mapping_is_refused(text):
    (said,) = {message for _, message in complaints(ModelMetrics, text)}
    assert said == "must be a mapping of keys to values"


def test_a_model_wide_complaint_has_the_line_of_the_mapping():
    said = complaints(RunRecord, "# nothing\nid: 1\n")
    assert (2, "kind: is missing") in said


def test_an_empty_mapping_has_its_own_line():
    assert (2, "splits: must not be empty") in complaints(DatasetMetadata, "kind: dataset\nsplits: {}\n")


def test_there_is_an_end_to_complaints():
    text = "".join(f"m{number}: x\n" for number in range(base.COMPLAINTS + 10))
    assert len(complaints(RunMetrics, text)) == base.COMPLAINTS


def test_keys_are_escaped():
    assert complaints(ModelMetrics, '"\\e[2J": 1\nmetrics: {a: {}}\n')[0] == (
        1,
        "\\x1b[2J: is not a key of this contract",
    )


def test_an_error_reads_as_one_sentence():
    error = ContractError((Complaint(1, "a", "a: is missing"), Complaint(2, "b", "b: is missing")))
    assert str(error) == "a: is missing; b: is missing"


def test_lines_need_not_be_known():
    with pytest.raises(ContractError) as caught:
        parse(RunRecord, Document({"schema": "x"}))
    assert {complaint.line for complaint in caught.value.complaints} == {0}


def test_instances_do_not_change():
    cited = Cited(ref="datasets/iris@v1")
    with pytest.raises(ValidationError):
        cited.ref = "datasets/iris@v2"


def test_unknown_errors_are_told_in_one_line():
    class Odd(base.Contract):
        value: bytes

    assert complaints(Odd, "value: x\n") == [(1, "value: Input should be a valid bytes")]


GOOD = {
    "Moment": ["2026-11-21T09:30:00Z", "2024-02-29T23:59:59.123456Z"],
    "Day": ["2026-11-21", "2026-11-21T09:30:00Z"],
    "Version": ["v1", "v120"],
    "RunId": ["run-2026-11-21-001", "run-2026-11-21-1000"],
    "Name": ["a", "res-net_50"],
    "InsidePath": ["a", "data/train.csv", "a b/ü"],
    "SplitPath": [".", "train"],
    "ContentHash": ["sha256:" + "0a" * 32],
    "Sha256": ["0a" * 32],
    "ObjectId": ["0a" * 20, "0a" * 32],
    "Number": [0, -1.5, 10**300],
    "Label": ["x", "numpy.dtype", "é"],
}
BAD = {
    "Moment": ["2026-11-21", "2026-11-21T09:30:00", "2026-11-21 09:30:00Z",
               "2026-11-21T09:30:00+00:00", "2026-13-01T00:00:00Z", "٢026-11-21T09:30:00Z"],
    "Day": ["2026-02-30", "21.11.2026", "20261121", ""],
    "Version": ["1", "v0", "v01", "V1", "v1\n", "v"],
    "RunId": ["run-2026-11-21-01", "run-2026-11-21", "2026-11-21-001"],
    "Name": ["", "A", "a.b", "-a", "a--b", "a\n", "ä"],
    "InsidePath": ["", ".", "..", "/a", "a/", "a//b", "./a", "a/../b", "a\\b", "a\x1b", "a\udcff"],
    "SplitPath": ["./", "..", ""],
    "ContentHash": ["sha256:" + "0A" * 32, "0a" * 32, "sha256:" + "0a" * 31],
    "Sha256": ["sha256:" + "0a" * 32, ""],
    "ObjectId": ["0a" * 19, "HEAD"],
    "Number": [True, "1", None, float("nan"), float("inf"), 10**400, [1]],
    "Label": ["", " ", "a\nb", "x" * 201, "a\u202eb"],
}  # fmt: skip


@pytest.mark.parametrize(("word", "value"), [(word, value) for word, values in GOOD.items() for value in values])
def test_good_words(word, value):
    assert TypeAdapter(getattr(base, word)).validate_python(value, strict=True) == value


@pytest.mark.parametrize(("word", "value"), [(word, value) for word, values in BAD.items() for value in values])
def test_bad_words(word, value):
    with pytest.raises(ValidationError):
        TypeAdapter(getattr(base, word)).validate_python(value, strict=True)


@pytest.mark.parametrize("text", ["datasets/iris@v1", "run-2026-11-21-001", "services/scoring", "models/a/v2"])
def test_exact_references(text):
    assert Cited(ref=text).ref == text


@pytest.mark.parametrize("text", ["iris@v1", "datasets/iris", "models/a@production", "a@production", "Iris", ""])
def test_references_that_are_not_exact(text):
    with pytest.raises(ValidationError):
        Cited(ref=text)
