"""The baseline: what an old repository is taken on with, told again only once it changes (TFC-0006 section 6).

An entry names a rule, a path and the digest of the message; lines may move. Pure: bytes in, findings out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from strata_git.checks.finding import Finding, found
from strata_git.checks.fingerprint import encodable, message_digest
from strata_git.contracts.layout import BASELINE

SCHEMA = "strata/baseline/v1"
LIMIT = 16 << 20
NEVER = ("STR-H", "STR-I", "STR-P", "STR-C008", "STR-C009", "STR-L016", "STR-L020", "STR-L021", "STR-L022")
"""Facts about a clone, a change, an event, or this file and the settings themselves: nothing to take on."""

Entry = tuple[str, str, str]
Entries = frozenset[Entry]


def adopted(findings: Iterable[Finding]) -> Entries:
    """The entries that a baseline of these findings has: errors and warnings about what is there."""
    return frozenset(_entry(f) for f in findings if f.severity != "info" and not f.rule.startswith(NEVER))


def render(entries: Collection[Entry]) -> bytes:
    """The file in its one form: sorted, each entry once."""
    from strata_git.load import dump_json

    rows = [{"rule": rule, "path": path, "message": digest} for rule, path, digest in sorted(set(entries))]
    return dump_json({"schema": SCHEMA, "findings": rows})


def parse(data: bytes) -> Entries:
    """The entries of a file. Raises ValueError saying what is wrong with it."""
    from strata_git.load import Unloadable, load_json

    try:
        value = load_json(data, limit=LIMIT).value
    except Unloadable as error:
        raise ValueError(error.message) from None
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise ValueError(f"'schema' must be {SCHEMA}")
    rows = value.get("findings")
    if not isinstance(rows, list):
        raise ValueError("'findings' must be a list")
    entries = set()
    for number, row in enumerate(rows, 1):
        parts = [row.get(key) for key in ("rule", "path", "message")] if isinstance(row, dict) else []
        if not parts or not all(isinstance(part, str) for part in parts):
            raise ValueError(f"entry {number} must have rule, path and message, all of them text")
        entries.add((str(parts[0]), str(parts[1]), str(parts[2])))
    return frozenset(entries)


def subtract(findings: Iterable[Finding], entries: Entries) -> tuple[list[Finding], list[Finding]]:
    """What is left to tell, and what the baseline knows already."""
    left: list[Finding] = []
    known: list[Finding] = []
    for finding in findings:
        is_known = not finding.rule.startswith(NEVER) and _entry(finding) in entries
        (known if is_known else left).append(finding)
    return left, known


def judge_stale(findings: Iterable[Finding], entries: Entries) -> list[Finding]:
    """Information on every entry that none of `findings` is: it can leave the file."""
    gone = entries - adopted(findings)
    return [found("STR-L022", BASELINE, f"{rule} at {path} occurs no more") for rule, path, _ in sorted(gone)]


def judge_unreadable(reason: str) -> Finding:
    """That the baseline says nothing because it cannot be read."""
    return found("STR-L021", BASELINE, reason)


def _entry(finding: Finding) -> Entry:
    return finding.rule, encodable(finding.path), message_digest(finding)
