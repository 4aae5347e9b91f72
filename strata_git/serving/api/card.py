"""A model card, Markdown that anybody may have written, as harmless HTML.

HTML in it is shown as the characters it is made of, links lead to http and https alone, pictures are named and never
loaded. Where no Markdown parser is installed the text is shown as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from strata_git.errors import printable

if TYPE_CHECKING:
    from markdown_it.token import Token

LIMIT = 256 << 10
"""Longest card that is rendered, in characters; of a longer one the beginning is."""
_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?\r?\n)?---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_WEB = re.compile(r"https?://[^\s<>\"'\\^`{|}]+", re.IGNORECASE)


def card_html(text: str) -> str:
    """The card's text behind its front matter, as HTML."""
    body = _FRONT.sub("", text, count=1)[:LIMIT]
    lines = "\n".join(printable(line.replace("\t", "    ")) for line in body.replace("\r\n", "\n").split("\n"))
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        return f"<pre>{escape(lines)}</pre>"
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": 20}).enable(
        ["table", "strikethrough"]
    )
    tokens = parser.parse(lines)
    _tame(tokens)
    return str(parser.renderer.render(tokens, parser.options, {}))


def _tame(tokens: Sequence[Token]) -> None:
    """Headings one level down, links checked, pictures turned into words, no style."""
    links: list[bool] = []
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
        elif token.type == "fence":
            token.info = ""
        elif token.type in ("th_open", "td_open"):
            token.attrs = {}
        elif token.type == "image":
            token.type, token.tag, token.attrs = "text", "", {}
            token.content, token.children = f"[picture: {token.content or 'without words'}]", None
        elif token.type == "link_open":
            address = str(token.attrs.get("href", ""))
            links.append(_is_web(address))
            token.attrs = {"href": address, "rel": "noopener noreferrer nofollow"} if links[-1] else {}
            token.tag = "a" if links[-1] else "span"
        elif token.type == "link_close" and links and not links.pop():
            token.tag = "span"
        if token.children:
            _tame(token.children)


def _is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(_WEB.fullmatch(address)) and bool(parts.hostname) and "@" not in parts.netloc
