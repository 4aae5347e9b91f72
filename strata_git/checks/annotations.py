"""Findings as marks beside the lines of a change: GitHub's workflow commands and GitLab's code quality report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from strata_git.checks.finding import Finding
from strata_git.checks.fingerprint import encodable, fingerprints
from strata_git.checks.formats import in_reading_order
from strata_git.errors import printable

_GITHUB = {"error": "error", "warning": "warning", "info": "notice"}
_GITLAB = {"error": "critical", "warning": "minor", "info": "info"}


def to_github(findings: Iterable[Finding], *, unjudged: Sequence[str] = ()) -> str:
    """Workflow commands, one a line: `::error file=…,line=…,title=…::what is the case`."""
    lines = []
    for finding in in_reading_order(findings):
        places = {"file": printable(finding.path)} if finding.path != "." else {}
        if finding.line:
            places["line"] = str(finding.line)
        properties = ",".join(f"{key}={_property(text)}" for key, text in {**places, "title": finding.rule}.items())
        lines.append(f"::{_GITHUB[finding.severity]} {properties}::{_data(_told(finding))}")
    lines += [f"::warning title=not judged::{_data(printable(gap))}" for gap in unjudged]
    return "".join(f"{line}\n" for line in lines)


def to_gitlab(findings: Iterable[Finding]) -> bytes:
    """A code quality report: a JSON list. Whatever has no line stands at the first."""
    from strata_git.load import dump_json

    ordered = in_reading_order(findings)
    return dump_json(
        [
            {
                "description": _told(finding),
                "check_name": finding.rule,
                "fingerprint": fingerprint,
                "severity": _GITLAB[finding.severity],
                "location": {"path": encodable(finding.path), "lines": {"begin": max(finding.line, 1)}},
            }
            for finding, fingerprint in zip(ordered, fingerprints(ordered), strict=True)
        ]
    )


def _told(finding: Finding) -> str:
    where = f" (commit {finding.commit[:12]})" if finding.commit else ""
    message = printable(f"{finding.path}: {finding.message}{where}")
    return f"{message}\nWhat to do: {printable(finding.fix)} ({finding.anchor})"


def _data(text: str) -> str:
    """Text after the second `::`; a line feed would end the command and begin another."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
