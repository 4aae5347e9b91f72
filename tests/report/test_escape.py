"""Text of strangers in Markdown: read by a CommonMark parser with tables, and by what forges do to the text after."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from strata_git.errors import printable
from strata_git.report.escape import LONGEST, code, prose

GFM = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
PAYLOADS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<!-- hidden", "</td></table><h1>x",
    "[a](javascript:x)", "![a](https://evil.example/x.png)",
    "[a]: https://evil.example", "https://evil.example/?q", "www.evil.example",
    "mail@evil.example", "@team please approve", "#1 and GH-1 and !7 and $3 and ~bug", "`code` ``` fence", "~~~ fence",
    "a | b | c", "\\| a", "**bold** _it_ ~~gone~~", "# heading", "- list", "1. list", "> quote", "=== ", "/close",
    ":smile: :+1:", "&lt;b&gt; &#60;b&#62;", "line\nbreak\r\n| x |", "\x1b[31mred\x00", "\u202eevil", "a\\", "`",
    "|", "", "$\\sqrt{2}$", "<https://evil.example>", "iris@v1.0.0", "a" * 1000, "http\u200b://x",
]  # fmt: skip
WORDS = "".join(f"{part}" for part in "<>&|`*_~[]\\^\"'@#!$%:/.-+= abW1ghGH\n\r\t\u200b\ud800")


def cells(text: str) -> list[list[Token]]:
    """The inline tokens of each cell in the one row of a table, which must be all there is."""
    tokens = GFM.parse(f"| a | b |\n|---|---|\n| {text} | end |\n")
    kinds = [token.type for token in tokens]
    assert kinds[0] == "table_open"
    assert kinds[-1] == "table_close"
    assert kinds.count("tr_open") == 2
    inlines = [token.children or [] for token in tokens if token.type == "inline"]
    assert len(inlines) == 4
    assert "".join(token.content for token in inlines[3]) == "end"
    return inlines[2:]


def plain(text: str, limit: int = LONGEST) -> str:
    shown = printable(text)
    return shown if len(shown) <= limit else f"{shown[:limit]}..."


def judge(text: str) -> None:
    (shown, _) = cells(prose(text))
    assert {token.type for token in shown} <= {"text", "text_special"}, shown
    told = "".join(token.content for token in shown)
    assert told.replace("\u200b", "").strip() == plain(text).strip()
    calling = r"@\w|#\d|GH-\d|[!$~%]\d|:\w+:|www\.\w|://|\w@\w"
    assert not re.search(calling, told, re.IGNORECASE), told
    (shown, _) = cells(code(text))
    assert {token.type for token in shown} <= {"text", "text_special", "code_inline"}, shown
    assert len(shown) == 1 or "code_inline" not in {token.type for token in shown}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_is_only_text(payload: str) -> None:
    judge(payload)


@given(st.text(WORDS, max_size=40))
def test_any_text_is_only_text(text: str) -> None:
    judge(text)


def test_names_stand_in_code() -> None:
    assert code("models/forest@v1") == "`models/forest@v1`"
    assert code("accuracy >= 0.9") == "`accuracy >= 0.9`"
    assert "`" not in code("a`b")
    assert "`" not in code(" a")


def test_long_text_ends_in_points() -> None:
    assert prose("a" * 301).endswith("...")
    assert prose("a" * 300) == "a" * 300
