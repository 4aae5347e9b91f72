"""Expressions: one pass, and nothing that a document or an answer holds is ever read as one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.contracts.chain import When
from strata_git.pipeline.chain.scope import NoSuchValue, holds, paths, value_of

SCOPE: dict[str, Any] = {
    "chunk": {"text": "Hello", "index": 3},
    "document": {"name": "a.md"},
    "run": {"id": "run-2026-11-21-001"},
    "label": {"kind": "good", "score": 0.5, "tags": ["x"]},
    "unasked": None,
    "all": {"label": [{"kind": "good"}, None, {"kind": "bad"}]},
}
HOSTILE = st.text(st.sampled_from('${}.chunktexdolrs_()"\\ \n{{%}}') | st.characters(codec="utf-8"), max_size=80)


@given(HOSTILE, HOSTILE)
def test_what_a_document_holds_is_text(hostile: str, other: str) -> None:
    scope = {**SCOPE, "chunk": {"text": hostile, "index": 0}, "label": other}
    assert value_of("${chunk.text}", scope) == hostile
    assert value_of("a ${chunk.text} b ${label} $${x}", scope) == f"a {hostile} b {other} ${{x}}"


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("${chunk.index}", 3),
        ("${label}", SCOPE["label"]),
        (" ${label.tags} ", ["x"]),
        ("n: ${chunk.index}, ${label.tags}", 'n: 3, ["x"]'),
        ("${doc.name} ${document.name}", "a.md a.md"),
        ("${steps.label.kind}", "good"),
        ("${unasked}", None),
        ("<${unasked}>", "<>"),
        ("${unasked.part}", None),
        ("${all.label.kind}", ["good", "bad"]),
        ('${join(all.label.kind, ", ")}', "good, bad"),
        ({"a": ["${chunk.text}", 1]}, {"a": ["Hello", 1]}),
        (7, 7),
    ],
)
def test_values(said: Any, value: Any) -> None:
    assert value_of(said, SCOPE) == value


@pytest.mark.parametrize("said", ["${label.nothing}", "${label.kind.deeper}", "${all.label.nothing}"])
def test_a_part_that_is_not_there_is_named(said: str) -> None:
    with pytest.raises(NoSuchValue, match="has no '"):
        value_of(said, SCOPE)


@pytest.mark.parametrize(
    ("when", "true"),
    [
        ({"value": "${label.kind}", "equals": "good"}, True),
        ({"value": "${label.kind}", "one_of": ["bad", "worse"]}, False),
        ({"value": "${chunk.text}", "contains": "ell"}, True),
        ({"value": "${label.score}", "above": 0.4}, True),
        ({"value": "${label.score}", "below": 0.4}, False),
        ({"value": "${label.kind}", "above": 0}, False),
        ({"value": "${unasked}", "is_empty": True}, True),
        ({"value": "${chunk.text}", "is_empty": False}, True),
    ],
)
def test_conditions(when: dict[str, Any], true: bool) -> None:
    assert holds(When.model_validate(when), SCOPE) is true


def test_the_paths_of_an_input() -> None:
    assert paths({"a": "${chunk.text} ${doc.id}", "b": ["${all.x}"]}) == [
        ("chunk", "text"), ("document", "id"), ("all", "x"),
    ]  # fmt: skip
