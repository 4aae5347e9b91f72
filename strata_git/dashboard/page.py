"""A page as data, and the frame that stands around every one: head, navigation, search, footer. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from strata_git.dashboard.addresses import link
from strata_git.dashboard.html import Content, Element, Node, e, render

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types strata"
)
"""The Content-Security-Policy of every page: our own files and nothing else."""
STYLE, SCRIPT, ICON, NAMES = "assets/strata.css", "assets/strata.js", "assets/icon.svg", "assets/names.js"
SECTIONS = (
    ("overview", "Overview", "index.html"),
    ("models", "Models", "models.html"),
    ("runs", "Runs", "runs.html"),
    ("datasets", "Datasets", "datasets.html"),
    ("prompts", "Prompts", "prompts.html"),
    ("services", "Services", "services.html"),
    ("lineage", "Lineage", "lineage.html"),
    ("promotions", "Promotions", "promotions.html"),
    ("findings", "Findings", "findings.html"),
)
"""The navigation: key, words, page."""


FOOTER = (
    "Read-only pages of git-strata, computed from this repository's commits and signed tags alone; what is shown can "
    "be checked with git, sha256sum and gpg."
)


@dataclass(frozen=True, slots=True)
class Page:
    """One page below the site's root. `section` is where it belongs in the navigation, `above` the way back up:
    words and pages."""

    path: str
    title: str
    section: str
    body: tuple[Node, ...]
    lead: Content = None
    above: tuple[tuple[str, str], ...] = ()


def document(page: Page, site: str, footer: str = FOOTER) -> bytes:
    """The page as a whole HTML document, of a site with the title `site`; `footer` says what it is computed from."""
    title = site if page.path == "index.html" else f"{page.title} · {site}"
    head = e(
        "head",
        e("meta", charset="utf-8"),
        Element("meta", (("http-equiv", "Content-Security-Policy"), ("content", POLICY)), ()),
        e("meta", name="viewport", content="width=device-width, initial-scale=1"),
        e("meta", name="color-scheme", content="light dark"),
        e("meta", name="referrer", content="no-referrer"),
        e("title", title),
        e("link", rel="icon", href=link(page.path, ICON), type="image/svg+xml"),
        e("link", rel="stylesheet", href=link(page.path, STYLE)),
        e("script", src=link(page.path, SCRIPT), defer=True),
    )
    body = e(
        "body",
        e("a", "Skip to content", class_="skip", href="#main"),
        e("header", _brand(page, site), _search(page), class_="top"),
        _navigation(page),
        e("main", _heading(page), page.body, id="main", tabindex="-1"),
        e("footer", e("p", footer)),
    )  # fmt: skip
    return b"<!doctype html>\n" + render(e("html", head, body, lang="en")).encode() + b"\n"


def _brand(page: Page, site: str) -> Element:
    return e(
        "a", e("span", class_="mark", aria_hidden="true"), e("span", site, class_="site"),
        href=link(page.path, "index.html"), class_="brand",
    )  # fmt: skip


def _search(page: Page) -> Element:
    return e(
        "form",
        e("label", "Search names", for_="q", class_="hidden"),
        e("input", id="q", name="q", type="search", placeholder="Search names", autocomplete="off", spellcheck="false",
          maxlength="200"),
        role="search", action=link(page.path, "search.html"), method="get", class_="search",
        data_names=link(page.path, NAMES), data_root=link(page.path, "index.html").removesuffix("index.html"),
    )  # fmt: skip


def _navigation(page: Page) -> Element:
    rows = [
        e("li", e("a", words, href=link(page.path, target), aria_current=_current(page, key, target)))
        for key, words, target in SECTIONS
    ]
    return e("nav", e("ul", rows), aria_label="Pages", class_="pages")


def _current(page: Page, key: str, target: str) -> str | None:
    if page.section != key:
        return None
    return "page" if page.path == target else "true"


def _heading(page: Page) -> Element:
    trail = [e("li", e("a", words, href=link(page.path, target))) for words, target in page.above]
    above = e("nav", e("ol", trail), aria_label="Way back", class_="trail") if trail else None
    lead = page.lead if isinstance(page.lead, Element) else (e("p", page.lead, class_="lead") if page.lead else None)
    return e("div", above, e("h1", page.title), lead, class_="heading")
