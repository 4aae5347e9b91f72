"""Markup as data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from strata_git.dashboard.html import Trusted, e, escape, render
from strata_git.errors import printable
from tests.dashboard.parsed import parse


@given(some.text(alphabet=some.characters(blacklist_categories=["Cs"]), max_size=60))
def test_text_comes_back_as_text(text: str) -> None:
    page = parse("x", render(e("p", text, title=text, data_x=text)).encode())
    assert [tag for tag, _ in page.tags] == ["p"]
    told = "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))
    assert page.text() == told
    assert page.tags[0][1] == {"title": told, "data-x": told}


def test_elements() -> None:
    made = e(
        "div",
        "a",
        None,
        ["b", e("br")],
        3,
        Trusted("<i>"),
        class_="x",
        aria_label="y",
        hidden=True,
        for_=None,
        id=False,
    )
    assert render(made) == '<div class="x" aria-label="y" hidden>ab<br>3<i></div>'
    assert render(e("img", alt="", src="x")) == '<img alt="" src="x">'


def test_undecodable_bytes_are_spelled_out() -> None:
    assert escape("a\udcff") == "a\\xff"


@pytest.mark.parametrize("name", ["onclick", "ONCLICK", "style", "x y", "x>"])
def test_attributes_that_run_or_break_out_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="attribute"):
        render(e("p", **{name: "x"}))


def test_tags_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="tag"):
        render(e("p onclick=x"))
