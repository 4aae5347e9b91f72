"""What is read without a parser is what the parser reads, value by value and line by line; the rest is left to it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata_git import load
from strata_git.load import Document, Unloadable, dump_yaml
from strata_git.plain_yaml import read_plain
from tests.support import artifacts


def plain(text: str) -> Document | None:
    """The document as the plain reader has it, None where it leaves it."""
    read = read_plain(text, load._plain)
    return Document(*read) if read is not None else None


def parsed(text: str) -> Document | None:
    """The same by the parser; None where it refuses."""
    try:
        return load._parsed(text, 64)
    except Unloadable:
        return None


def require_same(text: str) -> None:
    try:
        read = plain(text)
    except Unloadable:
        assert parsed(text) is None
        return
    if read is not None:
        assert read == parsed(text), text


def test_the_metadata_that_people_and_we_write_needs_no_parser() -> None:
    for files in (artifacts.dataset("iris"), artifacts.model("forest")):
        for path, data in files.items():
            if path.endswith("metadata.yaml"):
                assert plain(data.decode()) is not None, path
                require_same(data.decode())


SAME = [
    "a: 1\nb: -2.5e3\nc: true\nd: no\ne: null\nf:\n",
    "a:\n  b:\n    c: x\n  d: y\ne: z",
    "a:\n- b\n- 'c d'\n- \"e: #f\"\ng: []\nh: {}\n",
    "a:\n  - name: x\n    type: int64\n  - name: y\n    tags:\n    - 1\n    - two\n",
    "# told\na: http://example.org:80/x\n\n  # told\nb: 2026-01-05T12:00:00Z\n",
    "a: b-c, d (e) 100%\nno: yes\n",
]
LEFT = [
    "", "a", "- a", "a: |\n  b\n", "a: >-\n  b\n", "a: [1, 2]\n", "a: {b: c}\n", "a: b\n  c\n", "a: b: c\n",
    "a: &x b\n", "a: ~\n", "a: *x\n", "a: !t b\n", "a: b # told\n", "a: 'it''s'\n", 'a: "\\n"\n', "a:\tb\n", "a: é\n",
    "a: 1\na: 2\n", "---\na: b\n", "a: b\n...\n", "1: b\n", "true: b\n", "<<: b\n", "a: b\n b: c\n", " a: b\n",
    "? a\n: b\n", "a: b:\n", "a:\n- - b\n", "a:\n-\n  b: c\n", "%YAML 1.1\na: b\n", "a: b\r\n", "a: @b\n", "a: -\n",
    "a: - b\n",
]  # fmt: skip


@pytest.mark.parametrize("text", SAME)
def test_plain_texts(text: str) -> None:
    assert plain(text) is not None
    require_same(text)


@pytest.mark.parametrize("text", LEFT)
def test_whatever_is_not_surely_plain_is_left(text: str) -> None:
    assert plain(text) is None


def test_a_number_out_of_range_is_refused_with_its_line() -> None:
    for text in ("a: 1\nb: 1e999\n", "a: 1\nb: " + "9" * 2000 + "\n"):
        with pytest.raises(Unloadable) as by_us:
            plain(text)
        with pytest.raises(Unloadable) as by_parser:
            load._parsed(text, 64)
        assert (by_us.value.message, by_us.value.line) == (by_parser.value.message, by_parser.value.line)


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-99, 99), st.floats(allow_nan=False, allow_infinity=False),
    st.text("ab: -#'\"{}[],.0e", max_size=6),
)  # fmt: skip
KEYS = st.text("abn_-01:# ", min_size=1, max_size=3)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=12,
)


@settings(max_examples=150)
@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
def test_what_we_write(value: dict[str, object]) -> None:
    require_same(dump_yaml(value).decode())


PIECES = st.sampled_from([
    "a:", "b: ", "a: x", "- ", "- a: 1", "- x", "  ", " ", "\n", "\n", "\n  ", "\n- ", "\n  - ", "c: 'd'", ' "e"', "[]",
    "{}", "#", " # f", ":", "...", "---", "1.5", "~", "true", "? ", "|", "\t", "&", "*a", "!t", "%", ",", "-", ".", "/",
])  # fmt: skip


@settings(max_examples=600)
@given(st.lists(PIECES, max_size=14).map("".join))
def test_any_text(text: str) -> None:
    require_same(text)
