"""What is let pass without pydantic is what pydantic lets pass, and the table of shapes is that of the models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.shapes import TARGET, rendered
from strata_git.checks.documents import contract_of
from strata_git.contracts.base import ContractError, parse
from strata_git.contracts.shape import Shape, fits
from strata_git.contracts.shapes import SHAPES
from strata_git.load import Document, load_yaml

WORDS = {
    "name": ["iris", "a-b_c", "Iris", "a--b", "é", ""], "version": ["v1", "v12", "v0", "1", "v01"],
    "moment": ["2026-11-21T09:30:00Z", "2026-11-21T09:30:00.5Z", "2026-13-21T09:30:00Z", "2026-11-21", "٢026-11-21"],
    "day": ["2026-11-21", "2026-02-30", "2026-11-21T09:30:00Z", "yesterday"],
    "text": ["words", " ", "\n", "a\nb", "\ud800"],
    "label": ["one line", "two\nlines", "x" * 201, "\x1b[31m", "\ud800", " "],
    "content hash": ["sha256:" + "0" * 64, "sha256:" + "G" * 64, "0" * 64], "sha256": ["0" * 64, "A" * 64, "0" * 63],
    "object id": ["0" * 40, "0" * 64, "0" * 41], "run id": ["run-2026-11-21-001", "run-2026-11-21-1", "run-1"],
    "path inside": ["data/a.csv", ".", "../a", "/a", "a//b", "a\\b", "a/\u202eb"],
    "path or all": [".", "a", "..", "a/./b"],
}  # fmt: skip
REFERENCES = ["datasets/iris@v1", "iris@v1", "models/x@v2", "run-2026-11-21-001", "datasets/iris", "prompts/p#v1", "x"]
ODD = st.sampled_from(
    [None, True, 0, -1, 1.5, 10**400, float("inf"), "", "\ud800", [], {}, ["x"], {"x": 1}, {"\ud800": 1}]
)


def sound(shape: Shape) -> st.SearchStrategy[Any]:
    """Values that have a shape."""
    kind, *about = shape
    match kind:
        case "text":
            return st.sampled_from([word for word in WORDS[about[0]] if fits(shape, word)])
        case "reference":
            return st.sampled_from([word for word in REFERENCES if fits(shape, word)])
        case "one of":
            return st.sampled_from(about[0])
        case "whole" | "number":
            return st.sampled_from([value for value in (0, 1, 3, 0.5) if fits(shape, value)])
        case "flag":
            return st.booleans()
        case "null or":
            return st.none() | sound(about[0])
        case "list":
            return st.just([]) if about[0] == ("never",) else st.lists(sound(about[0]), min_size=about[1], max_size=3)
        case "keys":
            return st.dictionaries(sound(about[0]), sound(about[1]), min_size=about[2], max_size=2)
        case "record":
            return st.fixed_dictionaries(
                {name: sound(about[0][name]) for name in about[1]},
                optional={name: sound(part) for name, part in about[0].items() if name not in about[1]},
            )
    return st.sampled_from([None, 1, "x", {"a": [1]}])


@st.composite
def damaged(draw: st.DrawFn, shape: Shape) -> Any:
    """Values that have a shape but in a few places."""
    value = draw(sound(shape))
    for _ in range(draw(st.integers(0, 2))):
        value = _with_damage(draw, value)
    return value


def _with_damage(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, dict) and value and draw(st.booleans()):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: _with_damage(draw, value[key])}
    if isinstance(value, list) and value and draw(st.booleans()):
        return [_with_damage(draw, value[0]), *value[1:]]
    if isinstance(value, dict) and draw(st.booleans()):
        surplus = draw(st.sampled_from(["surplus", "\ud800", "B C"]))
        return dict(list(value.items())[1:]) if value and draw(st.booleans()) else {**value, surplus: draw(ODD)}
    return draw(ODD | st.sampled_from([word for words in WORDS.values() for word in words] + REFERENCES))


@pytest.mark.parametrize("contract", SHAPES, ids="/".join)
def test_pydantic_lets_pass_what_fits(contract: tuple[str, str]) -> None:
    model = contract_of(*contract)
    assert model is not None
    passed = []

    @given(damaged(SHAPES[contract]))
    def check(value: object) -> None:
        if fits(SHAPES[contract], value) and isinstance(value, dict):
            parse(model, Document(value, {}))
            passed.append(value)

    check()
    assert passed


VALID = {
    ("dataset", "metadata.yaml"): b"""\
kind: dataset
name: iris
version: v1
created: "2026-11-21T09:30:00Z"
description: Flowers.
licence: CC0
content_hash: sha256:0000000000000000000000000000000000000000000000000000000000000000
provenance: {source: here, retrieved: "2026-11-21", process: none, parents: []}
splits: {train: {path: data/train.csv, files: 1, rows: null, bytes: 0}}
schema: [{name: x, type: float64, shape: [null, 3]}]
""",
    ("model", "metrics.yaml"): b"metrics: {f1: {value: 0.5, direction: higher, tolerance: 0.01, split: test, n: 3}}\n",
    ("run", "metrics.json"): b"{f1: 0.5, loss: 1}\n",
}


@pytest.mark.parametrize("contract", VALID, ids="/".join)
def test_a_sound_document_needs_no_pydantic(contract: tuple[str, str]) -> None:
    assert fits(SHAPES[contract], load_yaml(VALID[contract]).value)


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (("never",), None), (("whole", 1, None), True), (("whole", 1, 3), 4), (("flag",), 1),
        (("text", "text"), "\ud800"),
        (("any",), {"a": ["\ud800"]}), (("any",), float("nan")), (("number", 0, None), -0.5),
        (("list", ("any",), 1), []),
        (("keys", ("text", "name"), ("any",), 0), {"A": 1}), (("record", {}, (), False), {"a": 1}),
        (("record", {"a": ("any",)}, ("a",), True), {"b": 1}), (("reference", ("dataset",)), "models/x@v1"),
    ],
)  # fmt: skip
def test_what_does_not_fit(shape: Shape, value: object) -> None:
    assert not fits(shape, value)


def test_a_complaint_is_pydantics_own() -> None:
    document = load_yaml(VALID[("dataset", "metadata.yaml")].replace(b"files: 1", b"files: 0"))
    assert not fits(SHAPES[("dataset", "metadata.yaml")], document.value)
    model = contract_of("dataset", "metadata.yaml")
    assert model is not None
    with pytest.raises(ContractError, match="must be at least 1"):
        parse(model, document)


@pytest.mark.extras
def test_the_table_is_up_to_date() -> None:
    assert Path(TARGET).read_text() == rendered(), "run: make man"
