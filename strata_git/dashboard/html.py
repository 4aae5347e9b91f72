"""HTML as data: elements that cannot be anything but escaped. Pure.

A page is a tree of these, so no template ever joins markup and somebody's text; what is not an `Element` is text. Only
`Trusted` goes out as it is, and only our own renderers (`cards`) make one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from strata_git.errors import printable

VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr"})
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
_SPECIAL = re.compile("[&<>\"']")
_BREAKS = re.compile("([\n\t])")

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Trusted:
    """Markup that was made, or made harmless, by us."""

    markup: str


@dataclass(frozen=True, slots=True)
class Element:
    """A tag with its attributes and what it holds."""

    tag: str
    attributes: tuple[tuple[str, str], ...]
    children: tuple[Node, ...]


Node = Element | Trusted | str | int | float | None
Content = Node | Iterable[Node]


def e(tag: str, *content: Content, **attributes: Value) -> Element:
    """An element. In attribute names `_` becomes `-`, and one at the end is dropped; None and False leave one out.

    >>> render(e("a", "x < y", href="#", class_="plain", hidden=True))
    '<a href="#" class="plain" hidden>x &lt; y</a>'
    """
    named = tuple(
        (name.rstrip("_").replace("_", "-"), "" if value is True else str(value))
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    return Element(tag, named, tuple(flatten(content)))


def flatten(content: Iterable[Content]) -> Iterator[Node]:
    """The nodes of `content`, one level of lists and generators opened."""
    for part in content:
        if part is None:
            continue
        if isinstance(part, (Element, Trusted, str, int, float)):
            yield part
        else:
            yield from part


def render(node: Node) -> str:
    """The markup of a tree."""
    out: list[str] = []
    _write(node, out)
    return "".join(out)


def escape(text: str) -> str:
    """Text as it may stand anywhere in HTML; what a reader could not see or trust is spelled out.

    Line breaks and tabs stay: `<pre>` shows them, and elsewhere they are white space.
    """
    if text.isascii() and text.isprintable():
        return _SPECIAL.sub(_escaped, text)
    told = "".join(part if part in ("\n", "\t") else printable(part) for part in _BREAKS.split(text))
    return _SPECIAL.sub(_escaped, told)


def _escaped(match: re.Match[str]) -> str:
    return _ESCAPES[match.group()]


def _write(node: Node, out: list[str]) -> None:
    if isinstance(node, Element):
        _write_element(node, out)
    elif isinstance(node, Trusted):
        out.append(node.markup)
    elif node is not None:
        out.append(escape(str(node)))


def _write_element(element: Element, out: list[str]) -> None:
    if not _NAME.fullmatch(element.tag):
        raise ValueError(f"no tag is called {element.tag!r}")
    out.append(f"<{element.tag}")
    for name, value in element.attributes:
        if not _NAME.fullmatch(name) or name.lower().startswith("on") or name == "style":
            raise ValueError(f"no attribute of ours is called {name!r}")
        out.append(f' {name}="{escape(value)}"' if value else f" {name}" if name != "alt" else ' alt=""')
    out.append(">")
    if element.tag in VOID:
        return
    for child in element.children:
        _write(child, out)
    out.append(f"</{element.tag}>")
