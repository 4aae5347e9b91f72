"""Where pages lie, and how they point to each other."""

from __future__ import annotations

import posixpath
import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as some

from strata_git.contracts.layout import Artifact
from strata_git.dashboard.addresses import artifact_page, family_page, link, listing_page, pages_of, rule_page

addresses = some.from_regex(r"([a-z]{1,3}/){0,3}[a-z]{1,3}\.html", fullmatch=True)


@given(addresses, addresses)
def test_links_are_what_a_browser_resolves(source: str, target: str) -> None:
    here = link(source, target)
    assert posixpath.normpath(posixpath.join(posixpath.dirname(source), here)) == target


def test_fragments_stay() -> None:
    assert link("a/b.html", "c.html#part-1") == "../c.html#part-1"


@pytest.mark.parametrize(
    ("artifact", "page"),
    [
        (Artifact("model", "forest", "v2"), "models/forest/v2.html"),
        (Artifact("run", "run-2026-01-05-001"), "runs/run-2026-01-05-001.html"),
        (Artifact("service", "scoring"), "services/scoring.html"),
    ],
)
def test_pages_of_artifacts(artifact: Artifact, page: str) -> None:
    assert artifact_page(artifact) == page
    assert family_page("dataset", "iris") == "datasets/iris/index.html"
    assert rule_page("STR-I001", 2) == "findings/str-i001-2.html"


@given(some.text(min_size=1))
def test_no_name_leads_out_or_is_too_long(name: str) -> None:
    for page in (
        artifact_page(Artifact("model", name, "v1")),
        artifact_page(Artifact("run", name)),
        family_page("model", name),
    ):
        assert re.fullmatch(r"[a-z0-9][a-z0-9_./-]*", page)
        assert not {"..", "."} & set(page.split("/"))
        assert max(map(len, page.split("/"))) < 200
        assert unquote(link("x.html", page)) == page


def test_names_that_would_meet_do_not() -> None:
    pages = {artifact_page(Artifact("service", name)) for name in ("index", "Index", "a" * 121, "a" * 122, "a b", "a")}
    assert len(pages) == 6
    assert artifact_page(Artifact("dataset", "iris", "index")) != family_page("dataset", "iris")


def test_lists_are_cut_into_pages() -> None:
    assert [pages_of(count) for count in (0, 1, 500, 501, 10_000)] == [1, 1, 1, 2, 20]
    assert [listing_page("runs", number) for number in (1, 2)] == ["runs.html", "runs-2.html"]
