"""Findings as Markdown: a table that no name can break out of, and that fits into a comment."""

from __future__ import annotations

import re

import pytest

from strata_git.checks.finding import Finding, found
from strata_git.checks.markdown import MARK, ROWS, to_markdown


def page(*findings: Finding, code: int = 2, unjudged: tuple[str, ...] = ()) -> str:
    return to_markdown(findings, subject="3 commits", artifacts=7, exit_code=code, unjudged=unjudged)


def test_nothing_wrong() -> None:
    assert page(code=0) == f"{MARK}\n### ✅ git-strata: nothing is wrong\n\n3 commits: 7 artifacts judged.\n"


def test_errors_come_first_with_place_and_remedy() -> None:
    late = found("STR-D003", "datasets/a/v1/x.csv", "is in two splits")
    bad = found("STR-C001", "datasets/z/v1/CHECKSUMS.txt", "is missing", line=3, commit="c" * 40)
    text = page(late, bad, unjudged=("history before the shallow boundary",))
    rows = [line for line in text.split("\n") if line.startswith("| ") and "STR-" in line]
    assert ["STR-C001" in rows[0], "STR-D003" in rows[1]] == [True, True]
    assert "CHECKSUMS.txt:3 (commit cccccccccccc)" in rows[0]
    assert "git strata checksum datasets/z/v1" in rows[0]
    assert "### ❌ git-strata: 1 error, 1 warning" in text
    assert "- not judged: history before" in text


@pytest.mark.parametrize(
    "name",
    ["a|b", "a\nb", "<script>", "@everyone", "`x`", "[l](http://e.vil)", "www.e.vil", "\x1b[2J", "![i](x)", "# h"],
)
def test_names_are_only_text(name: str) -> None:
    text = page(found("STR-L001", f"datasets/{name}", f"is {name}"), code=1)
    (row,) = [line for line in text.split("\n") if "STR-L001" in line]
    assert row.count("|") == 6
    cells = re.sub(r"&#\d+;", "", row)
    assert not re.search(r"[<>@`\[\]!\x1b]|://|www\.", cells)


def test_nobody_is_called_and_no_issue_is_linked() -> None:
    """Forges look for names after entities were decoded."""
    text = page(found("STR-L001", "datasets/x", "@team, #7, !8"), code=1)
    assert "&#64;&#8203;team, &#35;&#8203;7, &#33;&#8203;8" in text


def test_many_fit_into_a_comment() -> None:
    many = [found("STR-L001", f"datasets/{'é' * 200}{number}", "m" * 400) for number in range(ROWS + 5)]
    text = page(*many)
    shown = text.count("STR-L001")
    assert 20 < shown < ROWS
    assert f"... and {ROWS + 5 - shown} more" in text
    assert len(text) < 65_536
    assert page(*[found("STR-L001", f"x{number}", "m") for number in range(ROWS + 1)]).count("STR-L001") == ROWS
