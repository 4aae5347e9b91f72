"""Differences as values: files that add up, words that stay words, filters that are understood or refused."""

from __future__ import annotations

import contextlib
import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata_git.contracts.layout import Artifact
from strata_git.errors import UsageError
from strata_git.index.differ import tensor_changes
from strata_git.index.difference import compare_files, difference, labels_of, splits_of
from strata_git.index.difference_told import difference_markdown, difference_text, escaped, value_text
from strata_git.index.listing import Listed, cells, chosen
from strata_git.index.opened import Contents
from strata_git.index.records import ArtifactRecord, FileRecord
from strata_git.index.search import folded, hits
from strata_git.integrity.tensors import Tensor, TensorFile

FILES = st.dictionaries(st.sampled_from([f"f{n}" for n in range(6)]), st.sampled_from("abc"), max_size=6)
EVIL = "<b>&`|x`\n\x1b[0m [l](javascript:x) @team #1 ~~~ ```"


def files(named: dict[str, str]) -> list[FileRecord]:
    return [FileRecord(name, digest * 64, len(name), "blob") for name, digest in sorted(named.items())]


def dataset(version: str, payload: list[FileRecord], splits: object) -> Contents:
    record = ArtifactRecord(Artifact("dataset", "pets", version), version)
    return Contents(record, tuple(payload), {"metadata.yaml": {"splits": splits}}, {})


@given(FILES, FILES)
@settings(max_examples=200)
def test_what_is_told_leads_from_one_side_to_the_other(old: dict[str, str], new: dict[str, str]) -> None:
    found = compare_files(files(old), files(new))
    after = dict(old)
    for file in found.removed:
        del after[file.name]
    for change in found.renamed:
        assert change.before.sha256 == change.after.sha256
        after[change.after.name] = after.pop(change.before.name)
    for change in found.changed:
        assert change.before.name == change.after.name
        after[change.after.name] = new[change.after.name]
    after |= {file.name: new[file.name] for file in found.added}
    assert after == new
    assert found.kept == sum(old[name] == new.get(name) for name in old)
    gone, come = Counter(file.sha256 for file in found.removed), Counter(file.sha256 for file in found.added)
    assert not gone & come  # what moved is told as moved


def test_a_pointer_and_its_bytes_are_the_same_file_and_the_unknown_is_not() -> None:
    blob, pointer = FileRecord("a", "1" * 64, 5, "blob"), FileRecord("a", "1" * 64, 5, "pointer")
    assert compare_files([blob], [pointer]).kept == 1
    absent = FileRecord("a", None, 0, "absent")
    assert len(compare_files([absent], [absent]).changed) == 1


def test_splits_are_files_folders_and_everything() -> None:
    payload = [FileRecord(name, name[-1] * 64, 1, "blob") for name in ("train.csv", "t/cat/1", "t/dog/2", "training/3")]
    one = dataset("v1", payload, {"a": {"path": "train.csv"}, "b": {"path": "t/"}, "c": {"path": "."}, "d": 3})
    assert {name: [file.name for file in split] for name, split in splits_of(one).items()} == {
        "a": ["train.csv"], "b": ["t/cat/1", "t/dog/2"], "c": [file.name for file in payload]
    }  # fmt: skip
    assert labels_of(one, "b") == {"cat": 1, "dog": 1}
    assert labels_of(one, "a") == {}


def test_only_splits_of_different_names_leak_and_empty_files_never() -> None:
    def split(version: str, train: str, test: str) -> Contents:
        made = [FileRecord("train/x", train * 64, 3, "blob"), FileRecord("test/x", test * 64, 3, "pointer")]
        empty = [FileRecord(f"{name}/empty", "0" * 64, 0, "blob") for name in ("train", "test")]
        return dataset(version, made + empty, {name: {"path": name} for name in ("train", "test")})

    def told(one: Contents, other: Contents) -> list[tuple[str, str]]:
        return [(lap.before, lap.after) for lap in difference(one, other, ({}, {})).overlaps]

    assert told(split("v1", "1", "2"), split("v2", "1", "2")) == []
    assert told(split("v1", "1", "2"), split("v2", "2", "3")) == [("test", "train")]
    assert told(split("v1", "1", "2"), split("v2", "3", "1")) == [("train", "test")]


@pytest.mark.parametrize(
    "said", [None, 3, [], {"splits": [1]}, {"splits": {"a": {"path": 3}}}, {"schema": [1, {"name": 2}]}]
)
def test_documents_of_any_shape_are_compared(said: object) -> None:
    for kind in ("dataset", "model", "run", "prompt", "service"):
        documents = dict.fromkeys(("metadata.yaml", "prompt.yaml", "run.yaml", "config.yaml", "system.json"), said)
        record = ArtifactRecord(Artifact(kind, "run-2026-01-05-001" if kind == "run" else "x"), "t")
        one, other = Contents(record, (), documents, {}), Contents(record, (), {}, {})
        for found in (difference(one, other, ({}, {})), difference(other, one, ({}, {}))):
            assert difference_text(found)
            assert difference_markdown(found)


@given(st.text(max_size=80))
@settings(max_examples=150)
def test_nothing_in_markdown_is_more_than_a_word(text: str) -> None:
    made = escaped(text)
    assert not set(re.sub(r"&#[0-9]+;", "", made)) & set("<>`|[]()*_#@~\n\r\x1b")


def test_values_are_told_on_one_line() -> None:
    assert value_text({"a": [1, None]}) == '{"a": [1, null]}'
    assert "\n" not in value_text(EVIL)
    assert len(value_text("x" * 1000)) == 201


def test_tensors_that_came_went_changed_and_were_reshaped() -> None:
    def held(**tensors: tuple[tuple[int, ...], str]) -> TensorFile:
        return TensorFile({name: Tensor("F32", shape, digest) for name, (shape, digest) in tensors.items()}, "r")

    one = held(a=((1,), "1"), b=((2,), "2"), c=((3,), "3"), d=((4,), "4"))
    found = tensor_changes("m.onnx", one, held(b=((2,), "2"), c=((3,), "9"), d=((2, 2), "4"), e=((1,), "1")))
    assert (found.removed, found.added, found.changed, found.reshaped, found.kept, found.structure) == (
        ("a",), ("e",), ("c",), ("d",), 1, False
    )  # fmt: skip


@given(st.text(alphabet="abc.=!<>~ v1metrics\n\x1b", max_size=20), st.text(max_size=12))
@settings(max_examples=200)
def test_any_filter_is_understood_or_refused(text: str, column: str) -> None:
    row = Listed(ArtifactRecord(Artifact("model", "a", "v1"), "t", metrics={"a": 1.0}))
    for act in (lambda: chosen([row], [text], column), lambda: cells(row, [text])):
        with contextlib.suppress(UsageError):  # and nothing else
            assert act() is not None


def test_texts_are_found_whatever_their_case_form_and_spaces() -> None:
    record = ArtifactRecord(Artifact("prompt", "ask", "v1"), "t")
    text = {"prompt.yaml": "one\nStra\u00dfe  im  CAFE\u0301\n"}
    assert [(hit.path, hit.line) for hit in hits(record, text, folded("STRASSE im caf\u00e9"))] == [("prompt.yaml", 2)]
    assert [hit.path for hit in hits(record, {}, folded("ASK@V1"))] == [""]
    many = list(hits(record, {"prompt.yaml": "x\n" * 100}, "x"))
    assert len(many) == 20
