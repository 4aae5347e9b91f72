"""Notes beside the commits of events: which are missing, which nobody can have written from an event (TFC-0009 §5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from strata_git.ledger.event import Event, LedgerComplaint
from strata_git.ledger.materials import note_lines
from strata_git.ledger.statement import OURS
from strata_git.repo.command import Repository
from strata_git.repo.notes import append_lines, noted, remove_lines

Lines = Mapping[str, tuple[bytes, ...]]
"""Tag object -> the lines that its event has in the notes."""
Noted = Mapping[str, list[bytes]]
"""Commit -> the lines noted there."""


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
    told = note_lines(repo, withdrawn, known=True)
    for event in withdrawn:
        if event.record is not None:
            lines.setdefault(event.target, []).extend(told[event.oid])
    for commit, each in lines.items():
        remove_lines(repo, commit, each)


def note_complaints(repo: Repository, events: Iterable[Event]) -> tuple[LedgerComplaint, ...]:
    """All that is wrong with the notes beside `events` (all there are): lines too many, and lines too few."""
    listed = list(events)
    lines, present = note_lines(repo, listed), noted(repo)
    return (*_strays(repo, listed, lines, present), *_unnoted(listed, lines, present))


def unnoted(repo: Repository, events: Iterable[Event]) -> tuple[LedgerComplaint, ...]:
    """Complaints about events without their notes where others have theirs; nothing where nobody notes anything."""
    listed = list(events)
    return _unnoted(listed, note_lines(repo, listed), noted(repo))


def stray_notes(repo: Repository, events: Iterable[Event]) -> tuple[LedgerComplaint, ...]:
    """Complaints about note lines that claim to be of an event and repeat none of `events` (all there are)."""
    listed = list(events)
    return _strays(repo, listed, note_lines(repo, listed), noted(repo))


def _unnoted(events: Iterable[Event], lines: Lines, present: Noted) -> tuple[LedgerComplaint, ...]:
    if not any(OURS in line for each in present.values() for line in each):
        return ()
    told = []
    for event in events:
        own = lines.get(event.oid, ()) if event.signed and event.evidence.present else ()
        here = present.get(event.target, [])
        if lacking := sum(line not in here for line in own):
            what = "has no note" if lacking == len(own) else f"lacks {lacking} of its {len(own)} notes"
            told.append(LedgerComplaint("STR-P028", event.tag, f"it {what}, and other events have theirs"))
    return tuple(told)


def _strays(repo: Repository, events: list[Event], lines: Lines, present: Noted) -> tuple[LedgerComplaint, ...]:
    odd = _unknown(events, lines, present)
    if odd:  # perhaps of before gates were told in them
        odd = _unknown(events, note_lines(repo, events, known=True), present)
    told = (LedgerComplaint("STR-P018", "", f"a note on {commit} repeats no event that is here") for commit in odd)
    return tuple(dict.fromkeys(told))


def _unknown(events: Iterable[Event], lines: Lines, present: Noted) -> list[str]:
    """The commits of note lines of ours that no event has there."""
    known = {(event.target, line) for event in events for line in lines.get(event.oid, ())}
    return [commit for commit, each in present.items() for line in each if OURS in line and (commit, line) not in known]
