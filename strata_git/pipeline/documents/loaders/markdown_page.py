"""A page written as markdown while its tags go by: blocks, and what stands within a line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.loaders.page_table import PageTable
from strata_git.pipeline.documents.refusal import Refused

_HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
_BLOCKS = frozenset({
    "p", "div", "section", "article", "main", "header", "footer", "nav", "aside", "figure", "figcaption", "address",
    "details", "summary", "fieldset", "form", "dl", "dt", "body", "center", "hgroup", "legend", "option", "noscript",
    "caption", "search", "dialog", "menu",
})  # fmt: skip
_SILENT = frozenset({"script", "style", "template", "svg", "math", "object", "iframe", "canvas", "audio", "video"})
_MARKS = {"b": "**", "strong": "**", "i": "*", "em": "*", "del": "~~", "s": "~~", "strike": "~~"}
_CODE = frozenset({"code", "kbd", "samp", "tt", "var"})
_SPACE = re.compile(r"[ \t\n\r\f]+")
_LANGUAGE = re.compile(r"(?:^|\s)(?:language|lang|highlight|sourceCode)[-_ ]([A-Za-z0-9+#.-]{1,30})")
_DEEP = 40
"""Lists and quotations within each other that are drawn; deeper ones are drawn as if they were not deeper."""


@dataclass(slots=True)
class _Container:
    """Something whose lines have a prefix: `first` for the next block's first line, `rest` for all others."""

    tag: str
    first: str
    rest: str
    fresh: bool = True


@dataclass(slots=True)
class _List:
    ordered: bool
    number: int


@dataclass(slots=True)
class _Span:
    """An open piece of a line: where it began among the pieces, and what it will be."""

    tag: str
    begin: int
    address: str = ""


@dataclass(slots=True)
class Page:
    """A target for lxml's parser: `start`, `end`, `data`; then `text()`."""

    limits: Limits
    title: str = ""
    began: bool = False
    _out: list[str] = field(default_factory=list)
    _size: int = 0
    _line: list[str] = field(default_factory=list)
    _spans: list[_Span] = field(default_factory=list)
    _containers: list[_Container] = field(default_factory=list)
    _lists: list[_List] = field(default_factory=list)
    _tables: list[PageTable] = field(default_factory=list)
    _heading: str = ""
    _silent: int = 0
    _pre: int = 0
    _language: str = ""
    _in_title: bool = False
    _tight: bool = False

    # -- the parser's calls -----------------------------------------------------------------------------------------

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """A tag opens."""
        self.began = True
        if self._silent or tag in _SILENT:
            self._silent += 1
        elif tag in _BLOCKS:
            self._flush()
        elif self._pre and tag != "br":
            if tag == "code":
                self._language = self._language or _language(attributes)
        elif tag in ("a", "abbr", *_MARKS, *_CODE):
            self._spans.append(_Span(tag, len(self._line), attributes.get("href", "")))
        elif tag == "br":
            self._line.append("\n")
        elif tag == "img":
            self._picture(attributes)
        elif tag == "title" and not self.title:
            self._in_title = True
        else:
            self._open_block(tag, attributes)

    def data(self, text: str) -> None:
        """Characters between tags."""
        if self._silent:
            return
        if self._in_title:
            self.title = " ".join((self.title + text).split())[:1000]
        elif self._pre:
            self._line.append(text)
        else:
            self._line.append(_SPACE.sub(" ", text))
        self._count(len(text))

    def end(self, tag: str) -> None:
        """A tag closes."""
        if self._silent:
            self._silent -= 1
        elif tag == "title":
            self._in_title = False
        elif tag in _BLOCKS:
            self._flush()
        elif tag == "pre":
            self._close_pre()
        elif self._pre:
            return
        elif self._spans and tag == self._spans[-1].tag:
            self._close_span(self._spans.pop())
        elif tag in _HEADINGS:
            self._flush()
            self._heading = ""
        else:
            self._close_block(tag)

    def close(self) -> None:
        """The page ends, whatever is still open."""
        if self._pre:
            self._close_pre()
        self._flush()
        while self._tables:
            self._close_table()

    def text(self) -> str:
        """All blocks."""
        return "".join(self._out)

    # -- blocks -----------------------------------------------------------------------------------------------------

    def _open_block(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag in _HEADINGS:
            self._flush()
            self._heading = _HEADINGS[tag]
        elif tag == "pre":
            self._flush()
            self._pre, self._language = 1, _language(attributes)
        elif tag in ("ul", "ol"):
            self._flush()
            start = attributes.get("start", "1")
            self._lists.append(_List(tag == "ol", int(start) if start.isdecimal() and len(start) < 9 else 1))
        elif tag == "li":
            self._open_item()
        elif tag in ("blockquote", "dd"):
            self._flush()
            self._contain(_Container(tag, "> ", "> ") if tag == "blockquote" else _Container(tag, ": ", "  "))
        elif tag == "hr":
            self._flush()
            self._block("---")
        elif tag == "table":
            self._flush()
            self._tables.append(PageTable(self.limits))
        elif self._tables and tag in ("tr", "td", "th"):
            self._flush()
            self._tables[-1].start(tag, attributes)

    def _close_block(self, tag: str) -> None:
        if tag in ("ul", "ol"):
            self._flush()
            if self._lists:
                self._lists.pop()
            self._tight = bool(self._lists)
        elif tag in ("li", "blockquote", "dd"):
            self._flush()
            self._uncontain(tag)
        elif tag == "table" and self._tables:
            self._flush()
            self._close_table()
        elif self._tables and tag in ("td", "th", "tr"):
            self._flush()
            self._tables[-1].end(tag)

    def _open_item(self) -> None:
        self._flush()
        around = self._lists[-1] if self._lists else _List(False, 1)
        mark = f"{around.number}. " if around.ordered else "- "
        around.number += 1
        self._contain(_Container("li", mark, " " * len(mark)))

    def _contain(self, container: _Container) -> None:
        if len(self._containers) >= _DEEP:
            container = _Container(container.tag, "", "")
        self._containers.append(container)

    def _uncontain(self, tag: str) -> None:
        for place in range(len(self._containers) - 1, -1, -1):
            if self._containers[place].tag == tag:
                del self._containers[place:]
                return

    def _close_pre(self) -> None:
        text = "".join(self._line).replace("\r\n", "\n").strip("\n")
        self._line.clear()
        self._spans.clear()
        self._pre = 0
        if not text.strip():
            return
        if self._tables and self._tables[-1].in_cell:
            self._tables[-1].add(text)
            return
        longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
        fence = "`" * (longest + 1)
        self._block(f"{fence}{self._language}\n{text}\n{fence}")

    def _close_table(self) -> None:
        done = self._tables.pop()
        done.close()
        if self._tables and self._tables[-1].in_cell:
            self._tables[-1].add(done.plain())
            return
        text = done.markdown()
        if text:
            self._block(text)

    def _flush(self) -> None:
        """The line that was gathered becomes a block of its own. Open pieces of it go on in the next."""
        if not self._line:
            return
        text = _tidy("".join(self._line))
        self._line.clear()
        for span in self._spans:
            span.begin = 0
        if not text:
            return
        if self._tables and self._tables[-1].in_cell:
            self._tables[-1].add(text)
        elif self._heading:
            self._block(f"{self._heading} {' '.join(text.split())}")
        else:
            self._block(text.replace("\n", "  \n") if "\n" in text else text)

    def _block(self, text: str) -> None:
        """Write a block with the prefixes of what is around it."""
        containers = self._containers
        rest = "".join([one.rest for one in containers])
        if self._out:
            follows = bool(containers) and containers[-1].tag == "li" and containers[-1].fresh and self._tight
            around = "".join([one.rest for one in containers if not one.fresh]).rstrip()
            self._out.append("\n" if follows else f"\n{around}\n")
        first = "".join([one.first if one.fresh else one.rest for one in containers])
        for one in containers:
            one.fresh = False
        self._out.append(first + text.replace("\n", f"\n{rest}") if containers else text)
        self._tight = bool(containers) and containers[-1].tag == "li"
        self._count(len(text) + len(first) + len(rest) * text.count("\n"))

    # -- what stands within a line ----------------------------------------------------------------------------------

    def _close_span(self, span: _Span) -> None:
        inner = "".join(self._line[span.begin :])
        del self._line[span.begin :]
        bare = inner.strip()
        before, after = inner[: len(inner) - len(inner.lstrip())], inner[len(inner.rstrip()) :] if bare else ""
        self._line.append(before + _spanned(span, bare) + after if bare else inner)

    def _picture(self, attributes: Mapping[str, str]) -> None:
        words = " ".join(attributes.get("alt", "").split())
        address = attributes.get("src", "").strip()
        if words and address and not address.startswith("data:"):
            self._line.append(f"![{words}]({_address(address)})")
        elif words:
            self._line.append(words)

    def _count(self, more: int) -> None:
        self._size += more
        if self._size > 2 * self.limits.text:  # characters are counted when they come and when they are written
            raise Refused("too_large", f"its text has more than {self.limits.text} characters")


def _spanned(span: _Span, text: str) -> str:
    if span.tag == "a":
        address = _address(span.address.strip())
        if not address or address.startswith("#") or address.lower().startswith(("javascript:", "data:")):
            return text
        return f"<{address}>" if text == address and "://" in address else f"[{text}]({address})"
    if span.tag in _CODE:
        flat = " ".join(text.split())
        return f"`` {flat} ``" if "`" in flat else f"`{flat}`"
    mark = _MARKS.get(span.tag, "")
    return text if "\n" in text or text.startswith("*") else f"{mark}{text}{mark}"


def _address(text: str) -> str:
    return text.replace(" ", "%20").replace("\n", "").replace("(", "%28").replace(")", "%29")


def _language(attributes: Mapping[str, str]) -> str:
    found = _LANGUAGE.search(attributes.get("class", ""))
    return found[1] if found else ""


def _tidy(text: str) -> str:
    """Blanks between words are one blank; none begin or end a line."""
    text = _SPACE_RUN.sub(" ", text.replace("\xa0", " "))
    return _AROUND_BREAK.sub("\n", text).strip()


_SPACE_RUN = re.compile(r" {2,}")
_AROUND_BREAK = re.compile(r" ?\n ?")
