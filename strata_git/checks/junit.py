"""Findings as JUnit's XML, which every CI service shows as failed tests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from strata_git.checks.finding import Finding
from strata_git.checks.formats import in_reading_order
from strata_git.errors import printable

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
SUITE = "git-strata doctor"


def to_junit(
    findings: Iterable[Finding], *, subject: str, artifacts: int, unjudged: Sequence[str] = (), strict: bool = False
) -> str:
    """One test case for each finding, and a last one that passes and tells how much was judged.

    Errors fail; warnings, and what could not be judged, are skipped tests, or fail under `strict`; information passes.
    """
    cases: list[tuple[str, str]] = [_case(finding, strict) for finding in in_reading_order(findings)]
    cases += [_gap(gap, strict) for gap in unjudged]
    cases.append(("", f"  <testcase{_attributes(classname=SUITE, name=f'{artifacts} artifacts judged')}/>"))
    failures = sum(kind == "failure" for kind, _ in cases)
    skipped = sum(kind == "skipped" for kind, _ in cases)
    counted = _attributes(tests=len(cases), failures=failures, errors=0, skipped=skipped)
    suite = f" <testsuite{_attributes(name=f'{SUITE}: {subject}')}{counted}>"
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites{counted}>", suite]
    return "\n".join([*lines, *(text for _, text in cases), " </testsuite>", "</testsuites>"]) + "\n"


def _case(finding: Finding, strict: bool) -> tuple[str, str]:
    fails = finding.severity == "error" or (strict and finding.severity == "warning")
    kind = "failure" if fails else "skipped" if finding.severity == "warning" else "system-out"
    place = f"{finding.path}:{finding.line}" if finding.line else finding.path
    where = f" (commit {finding.commit[:12]})" if finding.commit else ""
    name = _attributes(classname=finding.rule, name=f"{place}: {finding.message}{where}", file=finding.path)
    name += _attributes(line=finding.line) if finding.line else ""
    told = _text(f"{place}: {finding.severity} {finding.rule}: {finding.message}{where}")
    told += f"\nfix: {_text(finding.fix)}\nsee: {_text(finding.anchor)}"
    said = {"failure": _attributes(type=finding.severity, message=finding.message)}
    said["skipped"] = _attributes(message=f"{finding.severity}: {finding.message}")
    return kind, f"  <testcase{name}><{kind}{said.get(kind, '')}>{told}</{kind}></testcase>"


def _gap(gap: str, strict: bool) -> tuple[str, str]:
    kind = "failure" if strict else "skipped"
    inner = f"<{kind}{_attributes(message=f'not judged: {gap}')}/>"
    return kind, f"  <testcase{_attributes(classname=SUITE, name=gap)}>{inner}</testcase>"


def _attributes(**values: str | int) -> str:
    return "".join(f' {name}="{_text(str(value))}"' for name, value in values.items())


def _text(text: str) -> str:
    """Escaped for XML; control characters, which no XML document may hold, come out as what a terminal shows."""
    return escape(_NO_XML.sub("", printable(text)))
