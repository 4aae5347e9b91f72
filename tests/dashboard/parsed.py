"""Pages as a parser sees them, to be judged by what they really hold."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

VOID = {"br", "hr", "img", "input", "link", "meta", "wbr"}
TAGS = {
    "a", "b", "blockquote", "body", "br", "button", "caption", "circle", "code", "dd", "del", "details", "div",
    "dl", "dt", "em", "figcaption", "figure", "footer", "form", "g", "h1", "h2", "h3", "h4", "h5", "h6", "head",
    "header", "hr", "html", "img", "input", "label", "li", "link", "main", "meta", "nav", "ol", "p", "path",
    "pre", "rect", "s", "script", "section", "span", "strong", "summary", "svg", "table", "tbody", "td", "text",
    "th", "thead", "time", "title", "tr", "ul",
}  # fmt: skip
"""Every tag that our pages are made of."""


@dataclass
class Parsed(HTMLParser):
    """One page: its tags with attributes, its text by tag, and what is wrong with its nesting."""

    path: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.wrong.append(f"<{tag}> has an attribute twice")
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of every such tag."""
        return [attributes for name, attributes in self.tags if name == tag]

    def text(self, tag: str = "") -> str:
        """All text, or that of one kind of tag."""
        return " ".join(data for inside, data in self.texts if tag in ("", inside))

    def links(self) -> list[str]:
        """Where everything leads or loads from, below the site's root; addresses of the web as they are."""
        wanted = [a.get("href") or a.get("src") or a.get("action") or "" for _, a in self.tags]
        return [self.resolved(link) for link in wanted if link]

    def resolved(self, link: str) -> str:
        if urlsplit(link).scheme or link.startswith("//"):
            return link
        return (
            posixpath.normpath(posixpath.join(posixpath.dirname(self.path), unquote(link.partition("#")[0])))
            if not link.startswith("#")
            else self.path
        )


def parse(path: str, data: bytes) -> Parsed:
    """The page at `path`, read to its end."""
    page = Parsed(path)
    page.feed(data.decode())
    page.close()
    if page.open:
        page.wrong.append(f"left open: {page.open}")
    return page
