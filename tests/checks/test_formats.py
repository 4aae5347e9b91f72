"""Findings are shown grouped, whole and harmless; programs get the same as JSON."""

from __future__ import annotations

import json
import os

import pytest

from strata_git.checks.engine import exit_code
from strata_git.checks.finding import Finding, found
from strata_git.checks.formats import count, to_json, to_text

ERROR = found("STR-C005", "datasets/iris/v1/train.csv", "differs")
WARNING = found("STR-D003", "datasets/iris/v1/metadata.yaml", "splits share", line=7, commit="c" * 40)
INFO = found("STR-L014", ".", "no runs/ yet")


def test_text_groups_by_artifact_and_tells_where_what_and_what_next() -> None:
    assert to_text([ERROR, INFO, WARNING, ERROR]) == (
        ".\n"
        "  .: info STR-L014: no runs/ yet\n"
        f"    fix: {INFO.fix}\n"
        f"    see: {INFO.anchor}\n"
        "\n"
        "datasets/iris/v1\n"
        "  datasets/iris/v1/metadata.yaml:7: warning STR-D003: splits share (commit cccccccccccc)\n"
        f"    fix: {WARNING.fix}\n"
        f"    see: {WARNING.anchor}\n"
        "  datasets/iris/v1/train.csv: error STR-C005: differs\n"
        f"    fix: {ERROR.fix}\n"
        f"    see: {ERROR.anchor}\n"
        "\n"
        "1 error, 1 warning, 1 note\n"
    )


def test_nothing_to_tell() -> None:
    assert to_text([]) == ""
    assert count([]) == "nothing found"
    assert json.loads(to_json([]))["counts"] == {"error": 0, "warning": 0, "info": 0}


def test_many_are_counted_in_the_plural() -> None:
    assert count([ERROR, ERROR, WARNING, WARNING, INFO, INFO]) == "2 errors, 2 warnings, 2 notes"


def test_nothing_from_the_repository_reaches_the_terminal_raw() -> None:
    name = os.fsdecode(b"datasets/iris/v1/\x1b[2J\xff\xe2\x80\xae.csv")
    text = to_text([found("STR-L001", name, f"'{name}'\nsecond line")])
    assert text.isprintable() or all(char.isprintable() or char == "\n" for char in text)
    assert "\\x1b[2J\\xff\\u202e" in text
    assert "\\nsecond line" in text


def test_json_says_all_and_is_always_utf8() -> None:
    name = os.fsdecode(b"datasets/iris/v1/caf\xe9.csv")
    document = json.loads(to_json([found("STR-L002", name, "m", line=2, commit="c" * 40)], {"checked": 3}))
    assert document["schema"] == "strata/doctor/v1"
    assert document["checked"] == 3
    assert document["counts"] == {"error": 1, "warning": 0, "info": 0}
    assert document["findings"] == [
        {
            "rule": "STR-L002",
            "severity": "error",
            "path": "datasets/iris/v1/caf\\udce9.csv",
            "line": 2,
            "message": "m",
            "fix": "rename it: `git mv`",
            "anchor": "tfc/0001-layout.md#3.1",
            "commit": "c" * 40,
        }
    ]


@pytest.mark.parametrize(
    ("findings", "lenient", "strict"),
    [([], 0, 0), ([INFO], 0, 0), ([INFO, WARNING], 1, 2), ([WARNING, ERROR], 2, 2)],
)
def test_exit_codes(findings: list[Finding], lenient: int, strict: int) -> None:
    assert exit_code(findings) == lenient
    assert exit_code(findings, strict=True) == strict
