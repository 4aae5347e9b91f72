"""Model cards and other Markdown, made harmless.

The text is parsed by markdown-it with HTML switched off: a tag is shown as the characters it is made of. Links go to
http, https or to artifacts of the same repository; pictures are named and never loaded.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from strata_git.dashboard.html import Node, Trusted, e
from strata_git.errors import MissingExtra, printable

if TYPE_CHECKING:
    from markdown_it.token import Token

LIMIT = 256 << 10
"""Longest card that is rendered, in characters; of a longer one the beginning is."""
_WEB = re.compile(r"https?://[^\s<>\"'\\^`{|}\x00-\x20]+", re.IGNORECASE)
_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?\r?\n)?---[ \t]*(?:\r?\n|\Z)", re.DOTALL)

Resolve = Callable[[str], str | None]
"""From a path in the repository to the address of its page, where it has one."""


def card(text: str, directory: str, resolve: Resolve) -> Node:
    """The card as HTML. `directory` is where the card lies in the repository: relative links start there."""
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        raise MissingExtra("dashboard", "Rendering cards") from None
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "xhtmlOut": False, "maxNesting": 20}).enable(
        ["table", "strikethrough"]
    )
    body = without_front_matter(text)
    tokens = parser.parse(printable_lines(body[:LIMIT]))
    _tame(tokens, directory, resolve)
    markup = parser.renderer.render(tokens, parser.options, {})
    told = [e("div", Trusted(str(markup)), class_="card prose")]
    if len(body) > LIMIT:
        told.append(e("p", "The card is longer than this; the file holds all of it.", class_="quiet"))
    return e("div", told)


def without_front_matter(text: str) -> str:
    """The Markdown behind a card's YAML front matter."""
    return text[found.end() :] if (found := _FRONT.match(text)) else text


def printable_lines(text: str) -> str:
    """Without control and direction-changing characters; they are spelled out."""
    return "\n".join(printable(line.replace("\t", "    ")) for line in text.replace("\r\n", "\n").split("\n"))


def outside(address: str) -> str | None:
    """`address` when it is one of the web that may be linked to."""
    if not _WEB.fullmatch(address):
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if parts.scheme.lower() in ("http", "https") and parts.hostname and "@" not in parts.netloc else None


def _tame(tokens: Sequence[Token], directory: str, resolve: Resolve) -> None:
    """Headings one or two levels down, links checked, pictures turned into words, tables made to scroll."""
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
        elif token.type in ("th_open", "td_open"):
            align = (token.attrs.pop("style", "") or "").__str__().rpartition(":")[2]
            token.attrs = {"class": f"to-{align}"} if align in ("right", "center") else {}
        elif token.type == "fence":
            token.info = ""
        elif token.children:
            _tame_inline(token.children, directory, resolve)


def _tame_inline(tokens: list[Token], directory: str, resolve: Resolve) -> None:
    open_links: list[bool] = []
    for token in tokens:
        if token.type == "image":
            token.type, token.tag, token.attrs = "text", "", {}
            token.content, token.children = f"[picture: {token.content or 'without words'}]", None
        elif token.type == "link_open":
            attributes = _link(str(token.attrs.get("href", "")), directory, resolve)
            token.attrs = dict(attributes)
            open_links.append(bool(attributes))
            if not attributes:
                token.tag = "span"
        elif token.type == "link_close" and open_links and not open_links.pop():
            token.tag = "span"


def _link(target: str, directory: str, resolve: Resolve) -> dict[str, str | int | float]:
    if web := outside(target):
        return {"href": web, "rel": "noopener noreferrer nofollow", "target": "_blank"}
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", target) or target.startswith(("/", "#", "\\")):
        return {}
    path = posixpath.normpath(posixpath.join(directory, unquote(target.partition("#")[0])))
    here = None if path.startswith("..") else resolve(path)
    return {"href": here} if here else {}
