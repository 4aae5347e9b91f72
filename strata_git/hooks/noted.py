"""Notes in a push: lines are only added, and each repeats a signed event (TFC-0009 §5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from strata_git.checks.finding import Finding, found
from strata_git.repo.command import Repository
from strata_git.repo.notes import NOTES_REF
from strata_git.repo.objects import TooLarge
from strata_git.repo.tree import commit_tree

LIMIT = 4 << 20
"""Bytes of one commit's notes; thousands of events fit."""

Lines = Mapping[str, frozenset[bytes]]
"""Noted object -> lines that are new there."""


def new_lines(repo: Repository, new: str, old: str | None) -> tuple[Lines, list[Finding]]:
    """The lines that the notes commit `new` has beyond `old`, and what is wrong with how they came there."""
    before = _blobs(repo, old)[0] if old else {}
    after, odd = _blobs(repo, new)
    findings = [_broken(f"holds {path}, which is no note on a commit") for path in odd[:3]]
    added: dict[str, frozenset[bytes]] = {}
    for commit in sorted(before.keys() | after.keys()):
        if before.get(commit) == after.get(commit):
            continue
        try:
            was, became = _lines(repo, before.get(commit)), _lines(repo, after.get(commit))
        except TooLarge:
            findings.append(_broken(f"has more than {LIMIT} bytes on {commit[:12]}"))
            continue
        if lost := len(was - became):
            findings.append(found("STR-P017", NOTES_REF, f"would lose {lost} line(s) on {commit[:12]}"))
        added[commit] = became - was
    return added, findings


def judge_lines(added: Lines, known: Collection[tuple[str, bytes]]) -> list[Finding]:
    """A note line is one that events have (`known`), at their own commit; any other is refused: who reads notes might
    believe it."""
    return [
        found("STR-P018", NOTES_REF, f"a note on {commit[:12]} repeats no event that is here", severity="error")
        for commit, lines in sorted(added.items())
        if any((commit, line) not in known for line in lines)
    ]


def _blobs(repo: Repository, commit: str) -> tuple[dict[str, str], list[str]]:
    """Noted object -> blob id, and the paths that are no notes."""
    notes: dict[str, str] = {}
    odd = []
    for entry in commit_tree(repo, commit).under(""):
        name = entry.path.replace("/", "")
        if len(name) == len(repo.null_oid) and not set(name) - set("0123456789abcdef") and entry.mode == "100644":
            notes[name] = entry.oid
        else:
            odd.append(entry.path)
    return notes, odd


def _lines(repo: Repository, oid: str | None) -> frozenset[bytes]:
    if oid is None:
        return frozenset()
    return frozenset(line for line in repo.objects.read(oid, LIMIT)[1].splitlines() if line)


def _broken(message: str) -> Finding:
    return found(
        "STR-P018", NOTES_REF, message, severity="error", fix="fetch the notes again; add to them by promoting"
    )
