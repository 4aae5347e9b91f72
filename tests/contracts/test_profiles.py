"""Layers of plain data: what goes over what, and that every value keeps the number of its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.contracts.profiles import SHIPPED, broken, complaints, laid_over
from strata_git.load import Document, Path, load_yaml

KEYS = st.sampled_from(["connectors", "docs", "type", "a", "b"])
VALUES = st.recursive(
    st.sampled_from([1, "x", None]) | st.lists(st.integers(0, 2), max_size=2),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
LAYERS = st.dictionaries(KEYS, VALUES, max_size=4)


def numbered(value: object, number: int) -> Document:
    return Document(value, dict.fromkeys(paths(value), number))


def paths(value: object, path: Path = ()) -> list[Path]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(below for key, part in inner for below in paths(part, (*path, key)))]


def at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


@given(LAYERS, LAYERS)
def test_every_path_has_the_number_of_the_layer_that_said_it(lower: dict[str, Any], upper: dict[str, Any]) -> None:
    made = laid_over(numbered(lower, 1), numbered(upper, 2))
    assert set(made.lines) == set(paths(made.value))
    for path, number in made.lines.items():
        value = at(made.value, path)
        said = at({1: lower, 2: upper}[number], path)
        assert said == value or (isinstance(said, dict) and isinstance(value, dict))


@given(LAYERS, LAYERS)
def test_the_upper_layer_holds_and_the_lower_is_not_touched(lower: dict[str, Any], upper: dict[str, Any]) -> None:
    import copy

    before = copy.deepcopy((lower, upper))
    made = laid_over(numbered(lower, 1), numbered(upper, 2)).value
    for path in paths(upper):
        value = at(upper, path)
        assert at(made, path) == value or isinstance(value, dict)
    assert (lower, upper) == before
    assert laid_over(numbered(lower, 1), numbered({}, 2)).value == lower
    assert laid_over(numbered({}, 1), numbered(upper, 2)).value == upper


@pytest.mark.parametrize(
    ("section", "lower", "upper", "made"),
    [
        ("sinks", {"type": "files", "path": "x"}, {"type": "s3", "bucket": "b"}, {"type": "s3", "bucket": "b"}),
        ("sinks", {"type": "files", "path": "x"}, {"type": "files", "format": "csv"},
         {"type": "files", "path": "x", "format": "csv"}),
        ("sinks", {"type": "files", "path": "x"}, {"format": "csv"}, {"type": "files", "path": "x", "format": "csv"}),
        ("keys", {"from": "env", "name": "X"}, {"from": "dotenv"}, {"from": "dotenv"}),
        ("inference", {"provider": "openai", "model": "x"}, {"provider": "offline"},
         {"provider": "offline", "model": "x"}),
        ("sinks", {"path": "x"}, {"type": "files"}, {"path": "x", "type": "files"}),
    ],
)  # fmt: skip
def test_an_entry_of_another_type_is_another_entry(section: str, lower: Any, upper: Any, made: Any) -> None:
    said = laid_over(numbered({section: {"out": lower}}, 1), numbered({section: {"out": upper}}, 2))
    assert said.value == {section: {"out": made}}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_profiles_break_nothing(name: str) -> None:
    assert list(broken(numbered(SHIPPED[name], 0))) == []


def test_a_complaint_about_a_profile_stands_in_the_profile() -> None:
    text = b"""\
sinks:
  out: {type: files, path: ./out}
  bad: {type: files}
profiles:
  one:
    sinks: {out: {format: jsn}}
  two: {}
"""
    assert [(one.line, one.key) for one in complaints(load_yaml(text))] == [
        (3, "sinks.bad.path"),
        (6, "sinks.out.format"),
    ]
