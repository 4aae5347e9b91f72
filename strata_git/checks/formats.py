"""Findings as text for people and as JSON for programs. Nothing is judged and nothing is printed here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from strata_git.checks.finding import Finding
from strata_git.checks.fingerprint import encodable
from strata_git.contracts.layout import artifact_of
from strata_git.errors import printable

SCHEMA = "strata/doctor/v1"
_WORDS = (("error", "error", "errors"), ("warning", "warning", "warnings"), ("info", "note", "notes"))


def to_text(findings: Iterable[Finding]) -> str:
    """One block for each artifact or place, and a last line that counts; `""` when there is nothing to tell.

    Everything that came from the repository is escaped for terminals.
    """
    ordered = in_reading_order(findings)
    if not ordered:
        return ""
    lines: list[str] = []
    group = None
    for finding in ordered:
        place = _group(finding)
        if place != group:
            lines += [""] * bool(lines) + [printable(place)]
            group = place
        lines += _render(finding)
    return "\n".join([*lines, "", count(ordered)]) + "\n"


def to_json(findings: Iterable[Finding], more: Mapping[str, object] | None = None) -> bytes:
    """A JSON document of schema strata/doctor/v1; `more` holds further top-level members (JSON-able)."""
    from strata_git.load import dump_json

    ordered = in_reading_order(findings)
    counted = Counter(finding.severity for finding in ordered)
    return dump_json(
        {
            "schema": SCHEMA,
            **(more or {}),
            "counts": {severity: counted[severity] for severity, _, _ in _WORDS},
            "findings": [as_plain(finding) for finding in ordered],
        }
    )


def in_reading_order(findings: Iterable[Finding]) -> list[Finding]:
    """Each finding once, by artifact, place, line and rule."""
    return sorted(set(findings), key=lambda finding: (_group(finding), finding.path, finding.line, finding))


def count(findings: Iterable[Finding]) -> str:
    """`2 errors, 1 warning`; `nothing found` when there is none."""
    counted = Counter(finding.severity for finding in findings)
    told = [
        f"{counted[severity]} {one if counted[severity] == 1 else many}"
        for severity, one, many in _WORDS
        if counted[severity]
    ]
    return ", ".join(told) or "nothing found"


def as_plain(finding: Finding) -> dict[str, object]:
    """One finding as JSON data. Bytes of names that are not UTF-8 come out as `\\\\udcNN`."""
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "path": encodable(finding.path),
        "line": finding.line,
        "message": encodable(finding.message),
        "fix": encodable(finding.fix),
        "anchor": finding.anchor,
        "commit": finding.commit,
    }


def _render(finding: Finding) -> list[str]:
    place = f"{finding.path}:{finding.line}" if finding.line else finding.path
    where = f" (commit {finding.commit[:12]})" if finding.commit else ""
    return [
        printable(f"  {place}: {finding.severity} {finding.rule}: {finding.message}{where}"),
        printable(f"    fix: {finding.fix}"),
        f"    see: {finding.anchor}",
    ]


def _group(finding: Finding) -> str:
    artifact = artifact_of(finding.path)
    return artifact.path if artifact else finding.path
