"""Notes beside the commits of events: which are missing, which nobody can have written from an event (TFC-0009 §5)."""

from __future__ import annotations

from collections.abc import Iterable

from strata_git.ledger.event import Event, LedgerComplaint
from strata_git.ledger.materials import note_lines
from strata_git.ledger.statement import OURS
from strata_git.repo.command import Repository
from strata_git.repo.notes import append_lines, noted, remove_lines


def missing_notes(repo: Repository, events: Iterable[Event]) -> dict[str, list[bytes]]:
    """By commit, the lines of those signed `events` that are not noted: after a crash, or a fetch of tags alone."""
    present = noted(repo)
    lacking: dict[str, list[bytes]] = {}
    told = [event for event in events if event.signed and event.evidence.present]
    lines = note_lines(repo, told)
    for event in told:
        for line in lines.get(event.oid, ()):
            if line not in present.get(event.target, []):
                lacking.setdefault(event.target, []).append(line)
    return lacking


def write_notes(repo: Repository, events: Iterable[Event]) -> int:
    """Note those of `events` that are not noted yet; how many. Safe to repeat. Raises StrataError when git refuses."""
    lacking = missing_notes(repo, events)
    for commit, lines in lacking.items():
        append_lines(repo, commit, lines)
    return sum(len(lines) for lines in lacking.values())


def withdraw_notes(repo: Repository, events: Iterable[Event]) -> None:
    """Take the lines of `events` that gave way to others out of our notes. Raises StrataError when git refuses."""
    lines: dict[str, list[bytes]] = {}
    withdrawn = list(events)
    told = note_lines(repo, withdrawn)
    for event in withdrawn:
        if event.record is not None:
            lines.setdefault(event.target, []).extend(told[event.oid])
    for commit, each in lines.items():
        remove_lines(repo, commit, each)


def stray_notes(repo: Repository, events: Iterable[Event]) -> tuple[LedgerComplaint, ...]:
    """Complaints about note lines that claim to be of an event and repeat none of `events` (all there are)."""
    listed = list(events)
    lines = note_lines(repo, listed)
    known = {(event.target, line) for event in listed for line in lines.get(event.oid, ())}
    told = []
    for commit, each in noted(repo).items():
        for line in each:
            if OURS in line and (commit, line) not in known:
                told.append(LedgerComplaint("STR-P018", "", f"a note on {commit} repeats no event that is here"))
    return tuple(dict.fromkeys(told))
