"""Nothing that anybody writes into a repository becomes markup: read by a parser, page by page.

`test_browser` lets a real browser have a try at the same pages.
"""

from __future__ import annotations

import re

import pytest

from strata_git.dashboard.page import POLICY
from strata_git.dashboard.site import Site
from tests.dashboard.conftest import opened
from tests.dashboard.malice import PAYLOADS, line
from tests.dashboard.neighbours import federated
from tests.dashboard.parsed import TAGS, Parsed, parse
from tests.support.builder import RepositoryBuilder

ATTRIBUTES = {
    "action", "alt", "aria-current", "aria-hidden", "aria-label", "aria-labelledby", "autocomplete", "charset",
    "class", "content", "cx", "cy", "d", "data-canvas", "data-filtered", "data-key", "data-names", "data-root",
    "data-row", "data-sortable", "datetime", "defer", "for", "height", "href", "http-equiv", "id", "lang",
    "loading", "maxlength", "method", "name", "open", "placeholder", "r", "rel", "role", "rx", "scope",
    "spellcheck", "src", "start", "tabindex", "target", "title", "type", "viewbox", "width", "x", "y",
}  # fmt: skip
ADDRESS = re.compile(r"(?:\.\./)*[a-z0-9][a-z0-9_./-]*(?:#[a-z-]+)?|#[a-z-]+|(?:\.\./)+|")


@pytest.fixture(scope="module", params=["malice", "surrounded"])
def hostile(request: pytest.FixtureRequest) -> Site:
    """The site of one repository full of payloads, and that of several with a member that lies."""
    repo = request.getfixturevalue(request.param)
    return opened(repo, PAYLOADS[0]) if request.param == "malice" else federated(repo, PAYLOADS[0])


@pytest.fixture(scope="module")
def made(hostile: Site) -> dict[str, bytes]:
    return {path: make() for path, make in hostile.files.items()}


@pytest.fixture(scope="module")
def pages(made: dict[str, bytes]) -> dict[str, Parsed]:
    return {path: parse(path, data) for path, data in made.items() if path.endswith(".html")}


def test_there_are_enough_of_them(pages: dict[str, Parsed]) -> None:
    assert len(set(PAYLOADS)) >= 50
    told = " ".join(page.text() for page in pages.values())
    unseen = [text for number in range(len(PAYLOADS)) if (text := line(number)[:40]) not in told]
    assert unseen == []  # each of them really stands on a page, as text


def test_pages_hold_our_tags_and_attributes_only(pages: dict[str, Parsed]) -> None:
    for path, page in pages.items():
        assert page.wrong == [], path
        assert {tag for tag, _ in page.tags} <= TAGS, path
        assert {name for _, attributes in page.tags for name in attributes} <= ATTRIBUTES, path
        assert len(page.all("script")) == len(page.all("form")) == len(page.all("input")) == 1, path
        assert [a["content"] for a in page.all("meta") if "http-equiv" in a] == [POLICY], path


def test_links_lead_into_the_site_or_plainly_to_the_web(pages: dict[str, Parsed]) -> None:
    for path, page in pages.items():
        for tag, attributes in page.tags:
            for name in ("href", "src", "action"):
                value = attributes.get(name, "")
                if value.startswith("https://evil.example/"):
                    assert (tag, name) == ("a", "href"), path
                    assert attributes["rel"] == "noopener noreferrer nofollow"
                    assert "@" not in value.partition("//")[2].partition("/")[0]
                else:
                    assert ADDRESS.fullmatch(value), (path, tag, value)


def test_no_control_or_direction_character_is_left(made: dict[str, bytes]) -> None:
    for path, data in made.items():
        if path.endswith(".html"):
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]", data.decode()), path


def test_addresses_hold_nothing_that_leads_out(hostile: Site) -> None:
    for path in hostile.files:
        assert re.fullmatch(r"[a-z0-9][a-z0-9_.-]*(/[a-z0-9][a-z0-9_.-]*)*", path)
        assert ".." not in path


def test_the_script_of_names_is_one_plain_list(made: dict[str, bytes]) -> None:
    text = made["assets/names.js"].decode("ascii")
    assert re.fullmatch(r"window\.strataNames = \[[^<\n]*\];\n", text)


def test_what_only_says_it_is_a_picture_is_none(malice: RepositoryBuilder) -> None:
    site = opened(malice)
    site.files["runs/run-2026-01-05-001.html"]()
    assert site.pictures == {}
