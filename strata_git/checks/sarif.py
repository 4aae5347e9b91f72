"""Findings as SARIF 2.1.0, the form that code scanning services take. Nothing is judged here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from strata_git.checks.catalog import RULES, Rule
from strata_git.checks.finding import Finding
from strata_git.checks.fingerprint import fingerprints
from strata_git.checks.formats import in_reading_order
from strata_git.errors import printable

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "strataFinding/v1"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def to_sarif(
    findings: Iterable[Finding], *, version: str, subject: str, exit_code: int, unjudged: Sequence[str] = ()
) -> bytes:
    """One SARIF run: every rule with its help, every finding with a stable fingerprint; `unjudged` as notifications.

    `version` is the program's. Paths are relative to the top of the repository.
    """
    from strata_git.load import dump_json

    ordered = in_reading_order(findings)
    places = {rule: index for index, rule in enumerate(RULES)}
    results = [_result(f, places[f.rule], sign) for f, sign in zip(ordered, fingerprints(ordered), strict=True)]
    driver = {"name": "git-strata", "version": version, "rules": [_rule(rule) for rule in RULES.values()]}
    notes = [{"level": "warning", "message": {"text": f"not judged: {printable(gap)}"}} for gap in unjudged]
    run = {
        "tool": {"driver": driver},
        "invocations": [
            {"executionSuccessful": True, "exitCode": exit_code, "toolExecutionNotifications": notes},
        ],
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "The top of the repository."}}},
        "columnKind": "unicodeCodePoints",
        "properties": {"subject": printable(subject)},
        "results": results,
    }
    return dump_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(rule: Rule) -> dict[str, object]:
    clause = f"Clause: TFC-{rule.clause}, {rule.anchor}"
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.summary},
        "help": {
            "text": f"{rule.summary}\nWhat to do: {rule.fix}\n{clause}",
            "markdown": f"{rule.summary}\n\n**What to do:** {rule.fix}\n\n{clause}",
        },
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": {"tags": [f"TFC-{rule.clause.partition('-')[0]}"]},
    }


def _result(finding: Finding, index: int, fingerprint: str) -> dict[str, object]:
    place: dict[str, object] = {"artifactLocation": {"uri": uri(finding.path), "uriBaseId": "%SRCROOT%"}}
    if finding.line:
        place["region"] = {"startLine": finding.line}
    message = f"{printable(finding.path)}: {printable(finding.message)}\nWhat to do: {printable(finding.fix)}"
    told: dict[str, object] = {"anchor": finding.anchor}
    if finding.commit:
        told["commit"] = finding.commit
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": LEVELS[finding.severity],
        "message": {"text": message},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {FINGERPRINT: fingerprint},
        "properties": told,
    }


def uri(path: str) -> str:
    """A repository path as a relative URI; bytes that are not UTF-8 survive."""
    return quote(os.fsencode(path), safe="/")
