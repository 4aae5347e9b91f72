"""Every page of the site, as a parser sees it: whole, reachable, readable without scripts, the same every time."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from strata_git.dashboard.page import POLICY, SECTIONS
from strata_git.dashboard.site import Site
from tests.dashboard.conftest import opened
from tests.dashboard.parsed import TAGS, Parsed, parse
from tests.support.builder import RepositoryBuilder


@pytest.fixture(scope="module")
def pages(site: Site) -> dict[str, Parsed]:
    return {path: parse(path, make()) for path, make in site.files.items() if path.endswith(".html")}


def test_there_is_a_page_for_everything(pages: dict[str, Parsed]) -> None:
    assert {target for _, _, target in SECTIONS} <= pages.keys()
    assert {
        "datasets/iris/index.html", "datasets/iris/v1.html", "datasets/iris/v2.html", "datasets/iris-clean/v1.html",
        "models/forest/index.html", "models/forest/v3.html", "prompts/summarise/v1.html", "services/scoring.html",
        "runs/run-2026-01-05-001.html", "search.html",
    } <= pages.keys()  # fmt: skip


def test_pages_are_well_formed_and_of_our_tags(pages: dict[str, Parsed]) -> None:
    assert {path: page.wrong for path, page in pages.items() if page.wrong} == {}
    assert {tag for page in pages.values() for tag, _ in page.tags} - TAGS == set()


def test_every_link_leads_somewhere(site: Site, pages: dict[str, Parsed]) -> None:
    broken = [
        (path, link) for path, page in pages.items() for link in page.links()
        if not link.startswith(("http://", "https://")) and link not in site.files and link not in site.pictures
    ]  # fmt: skip
    assert broken == []


def test_every_page_is_reached_from_the_first(pages: dict[str, Parsed]) -> None:
    seen, left = {"index.html"}, ["index.html"]
    while left:
        for link in pages[left.pop()].links():
            if link in pages and link not in seen:
                seen.add(link)
                left.append(link)
    assert pages.keys() - seen == set()


def test_fragments_and_ids_are_unique_and_there(pages: dict[str, Parsed]) -> None:
    for path, page in pages.items():
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), path
        named = [a[key] for _, a in page.tags for key in ("for", "aria-labelledby") if key in a]
        named += [a["href"][1:] for a in page.all("a") if a.get("href", "").startswith("#")]
        assert set(named) <= set(ids), path


def test_the_policy_stands_first_and_nothing_is_inline(pages: dict[str, Parsed]) -> None:
    for path, page in pages.items():
        assert page.all("meta")[1] == {"http-equiv": "Content-Security-Policy", "content": POLICY}, path
        assert [script.keys() for script in page.all("script")] == [{"src", "defer"}], path
        assert not page.text("script").strip(), path
        assert [a for _, a in page.tags for name in a if name.startswith("on") or name == "style"] == [], path
    assert "unsafe" not in POLICY
    assert POLICY.startswith("default-src 'none'")


def test_pages_say_what_they_are(pages: dict[str, Parsed]) -> None:
    for path, page in pages.items():
        assert page.all("html")[0]["lang"] == "en"
        assert (len(page.all("h1")), len(page.all("main"))) == (1, 1), path
        assert page.tags.index(("title", {})) < page.tags.index(("body", {})), path
        assert page.all("a")[0] == {"class": "skip", "href": "#main"}, path
        assert len(page.all("table")) == len(page.all("caption")), path
        assert all("scope" in a for a in page.all("th") if not _in_card(page)), path
        assert all(a.get("alt") for a in page.all("img")), path
        inputs = {a["id"] for a in page.all("input")}
        assert inputs == {a["for"] for a in page.all("label")}, path


def _in_card(page: Parsed) -> bool:
    return any("card" in a.get("class", "").split() for a in page.all("div"))


def test_headings_do_not_skip_a_level(pages: dict[str, Parsed]) -> None:
    for path, page in pages.items():
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        assert all(after - before <= 1 for before, after in pairwise(levels)), (path, levels)


def test_the_same_revision_gives_the_same_bytes(site: Site, story: RepositoryBuilder) -> None:
    again = opened(story)
    assert again.files.keys() == site.files.keys()
    assert [path for path in site.files if site.files[path]() != again.files[path]()] == []


def test_the_overview_tells_what_is_in_production(pages: dict[str, Parsed]) -> None:
    told = pages["index.html"].text()
    for words in ("forest@v2", "production", "Alice Tester", "valid", "test_accuracy", "12"):
        assert words in told
    assert "models/forest/v2.html" in pages["index.html"].links()


def test_a_model_tells_everything_about_itself(pages: dict[str, Parsed]) -> None:
    page = pages["models/forest/v2.html"]
    told = page.text()
    for words in (
        "A small forest.", "digests agree", "went to", "looked at", "test_log_loss", "lower", "model.skops",
        "sha256sum --strict -c CHECKSUMS.txt", "git verify-tag 'forest#production#", "scikit-learn 1.5.0",
    ):  # fmt: skip
        assert words in told, words
    assert {"runs/run-2026-01-06-006.html", "datasets/iris/v1.html", "services/scoring.html"} <= set(page.links())


def test_a_family_tells_its_history(pages: dict[str, Parsed]) -> None:
    page = pages["models/forest/index.html"]
    assert page.all("svg")[0]["class"] == "lanes"
    assert len([a for a in page.all("svg") if a["class"] == "spark"]) == 5
    assert page.text("b").count("best") + page.text("span").count("best") >= 4
    assert "v3" in page.text("a")


def test_a_run_a_prompt_a_dataset_and_a_service(pages: dict[str, Parsed]) -> None:
    run = pages["runs/run-2026-01-06-007.html"].text()
    assert all(
        words in run for words in ("failed", "ValueError: no data", "trees", "fitted", "numpy 2.0.0", "Add the data")
    )
    assert "with uncommitted changes" in pages["runs/run-2026-01-06-005.html"].text()
    assert "Summarise for {{ reader }}:" in pages["prompts/summarise/v1.html"].text("code")
    data = pages["datasets/iris-clean/v1.html"]
    assert "parent" in data.text()
    assert "https://example.org/iris" in data.links()
    assert "models/forest/v2.html" in pages["services/scoring.html"].links()


def test_runs_are_a_table_and_a_plot(pages: dict[str, Parsed]) -> None:
    page = pages["runs.html"]
    assert len([a for a in page.all("tr") if "data-row" in a]) == 12
    lines = [a for a in page.all("a") if a.get("class", "").startswith("run")]
    assert (len(lines), len([a for a in lines if "chosen" in a["class"]])) == (12, 3)


def test_findings_explain_themselves(story: RepositoryBuilder, pages: dict[str, Parsed]) -> None:
    rules = [path for path in pages if path.startswith("findings/")]
    assert rules
    for path in rules:
        told = pages[path].text()
        assert "The clause behind it" in told
        assert "git strata explain STR-" in told
        assert "To do:" in told


def test_searching_with_words(site: Site) -> None:
    page = parse("search.html", site.read("search.html", "IRIS clean") or b"")
    assert [link for link in page.links() if link.startswith("datasets/iris")] == [
        "datasets/iris-clean/index.html",
        "datasets/iris-clean/v1.html",
    ]
    assert "2 answers" in page.text("p")
    nothing = parse("search.html", site.read("search.html", "<script>") or b"")
    assert "0 answers to “<script>”" in nothing.text("p")
