"""Markdown made harmless."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from strata_git.dashboard.cards import LIMIT, card, outside
from strata_git.dashboard.html import render
from tests.dashboard.malice import PAYLOADS
from tests.dashboard.parsed import TAGS, Parsed, parse


def shown(text: str) -> Parsed:
    pages = {"datasets/iris/v1": "../../datasets/iris/v1.html", "models/forest/v1/metrics.yaml": "v1.html"}
    page = parse("x.html", render(card(text, "models/forest/v1", pages.get)).encode())
    assert page.wrong == []
    return page


def test_a_plain_card() -> None:
    page = shown("---\nlicense: mit\n---\n# Iris\n\nA *small* forest.\n\n| a | b |\n|--:|---|\n| 1 | 2 |\n\n~~old~~\n")
    assert [tag for tag, _ in page.tags][2] == "h3"
    assert "license" not in page.text()
    assert page.all("th")[0] == {"class": "to-right"}
    assert page.all("s") == [{}]


@pytest.mark.parametrize("target", ["https://example.org/a?b=c#d", "http://example.org"])
def test_links_to_the_web_say_that_they_leave(target: str) -> None:
    assert shown(f"[x]({target})").all("a") == [
        {"href": target, "rel": "noopener noreferrer nofollow", "target": "_blank"}
    ]


def test_links_to_artifacts_lead_to_their_pages() -> None:
    assert shown("[x](metrics.yaml) [y](../../../datasets/iris/v1)").all("a") == [
        {"href": "v1.html"},
        {"href": "../../datasets/iris/v1.html"},
    ]


@pytest.mark.parametrize(
    "target",
    ["javascript:x", "JAVASCRIPT:x", "data:text/html,x", "//example.org", "/etc/passwd", "../../../../x", "nothing.md",
     "file:///x", "mailto:x@example.org", "#top", "https://a:b@example.org", "https://", "%2e%2e/%2e%2e/x"],
)  # fmt: skip
def test_other_links_are_words(target: str) -> None:
    page = shown(f"[word](<{target}>)")
    assert page.all("a") == []
    assert "word" in page.text()


def test_pictures_are_named_and_not_loaded() -> None:
    page = shown("![a cat](https://example.org/cat.png)")
    assert page.all("img") == []
    assert "[picture: a cat]" in page.text()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_tags_are_shown_as_characters(payload: str) -> None:
    page = shown(payload)
    assert {tag for tag, _ in page.tags} <= TAGS - {"script", "form", "input", "img", "svg", "meta", "link"}
    assert {name for _, attributes in page.tags for name in attributes} <= {
        "class",
        "href",
        "rel",
        "target",
        "title",
        "start",
    }


@given(some.text(alphabet="<>[]()!`*_#|-:/\\\"'& \n\tjavscriptaonld=x1.", max_size=120))
def test_no_text_becomes_more_than_prose(text: str) -> None:
    assert {tag for tag, _ in shown(text).tags} <= TAGS - {"script", "form", "input", "img"}


def test_long_and_deep_cards_end() -> None:
    assert "longer than this" in shown("word " * LIMIT).text()
    shown(">" * 5000 + "x")
    shown("[" * 5000)
    shown("*" * 5001)


def test_only_plain_addresses_are_linked() -> None:
    assert outside("https://example.org/x") == "https://example.org/x"
    for bad in ("https://ex ample.org", "https:/example.org", "ftp://example.org", "https://[::1", 'https://x"y', ""):
        assert outside(bad) is None
