"""Tables lose nothing: what is written is read back by a markdown parser of somebody else's."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.refusal import Refused
from strata_git.pipeline.documents.tables import Rows, cell, table, value

PLAIN = (
    MarkdownIt("commonmark", {"html": True})
    .enable("table")
    .disable(["emphasis", "link", "image", "autolink", "entity", "backticks"])
)
SIGNS = st.text(alphabet="ab |\\\n<br>`*#-1é", max_size=12)


def read_back(text: str) -> list[list[str]]:
    """The cells that the parser sees, line breaks as line ends."""
    rows: list[list[str]] = []
    for token in PLAIN.parse(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            inner = token.children or []
            parts = ["\n" if one.type == "html_inline" and one.content == "<br>" else one.content for one in inner]
            rows[-1].append("".join(parts))
    return rows


@given(st.lists(st.tuples(SIGNS, SIGNS), min_size=1, max_size=4))
def test_every_cell_comes_back(rows: list[tuple[str, str]]) -> None:
    written = table(rows, ("first", "second"))
    assert [[one.strip() for one in row] for row in read_back(written)[1:]] == [
        [one.strip() for one in row] for row in rows
    ]


def test_a_table_looks_like_one() -> None:
    rows = [("a|b", None, "x\ny"), (1.5, True, date(2026, 1, 31)), ("C:\\new", "tail\\", "a<br>b")]
    assert table(rows, ("one", "two", "three")) == (
        "| one | two | three |\n| --- | --- | --- |\n| a\\|b |  | x<br>y |\n| 1.5 | true | 2026-01-31 |\n"
        "| C:\\new | tail\\\\ | a\\<br>b |\n"
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, ""), (False, "false"), (3.0, "3"), (0.1, "0.1"), (float("nan"), ""), (10**30, str(10**30)),
        (Decimal("1.50"), "1.50"), (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00+00:00"),
        (time(3, 4), "03:04:00"), (b"\x01\xff", "01ff"), ({"a": [1, None]}, '{"a": [1, null]}'),
    ],
)  # fmt: skip
def test_values_are_written_as_what_they_are(data: object, text: str) -> None:
    assert value(data) == text


def test_short_rows_are_filled_up() -> None:
    rows = Rows(Limits())
    for row in (["a"], ["b", "c", "d"], [""]):
        rows.add(row)
    assert list(rows.markdown()) == ["| a |  |  |", "| --- | --- | --- |", "| b | c | d |", "|  |  |  |"]


def test_limits_stop_a_table() -> None:
    narrow = Rows(Limits(columns=2))
    with pytest.raises(Refused, match="3 columns"):
        narrow.add(["a", "b", "c"])
    few = Rows(Limits(cells=3))
    few.add(["a", "b"])
    with pytest.raises(Refused, match="more than 3 cells"):
        few.add(["a", "b"])
    sparse = Rows(Limits(text=1000))
    for _ in range(50):
        sparse.add(["a"])
    sparse.add(["x"] * 100)
    with pytest.raises(Refused, match="characters"):
        list(sparse.markdown())


def test_a_plain_cell_is_untouched() -> None:
    assert cell("=1+1 * _x_ `c`") == "=1+1 * _x_ `c`"
