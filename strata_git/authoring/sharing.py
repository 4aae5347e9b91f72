"""Taking in the events of others, so that of two promoters one wins and the other is told (TFC-0009 §8).

Tags, chain heads, approvals and notes travel in one atomic push, the heads with a lease on what the remote was seen to
have. What comes in is first laid aside, then put in place in one transaction; nothing that is here is overwritten.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from strata_git.authoring.entries import log_complaints, take_log
from strata_git.authoring.freshness import take_in
from strata_git.authoring.receipts import moved_receipts, take_receipts
from strata_git.authoring.remote import (
    ASIDE,
    Remote,
    bring,
    notes_of,
    read_remote,
    remote_named,
    tracking,
    waiting,
)  # fmt: skip
from strata_git.config import Settings
from strata_git.ledger.assurances import freshness_complaints, present_keys
from strata_git.ledger.event import Event, LedgerComplaint
from strata_git.ledger.events import HEADS, Ledger, read_ledger
from strata_git.ledger.line import order
from strata_git.ledger.names import TAGS
from strata_git.ledger.noting import withdraw_notes, write_notes
from strata_git.ledger.seen import record_seen, rewind_seen
from strata_git.ledger.signing import Verifier
from strata_git.ledger.state import ModelState
from strata_git.repo.command import Repository
from strata_git.repo.notes import NOTES_REF, merge_notes
from strata_git.repo.refs import Transaction, list_refs, read_ref


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch brought, and what it found out.

    `tags`, `approvals` and `receipts` are new here. `behind` are models for which nothing was taken, because this clone
    has events of its own that were never published: the model and those tags. `aside` are such events that gave way
    (tag, object). `complaints` are moved and deleted references of the remote, then all that is wrong with the ledger
    now, by model.
    """

    remote: str
    tags: tuple[str, ...]
    approvals: tuple[str, ...]
    behind: dict[str, tuple[str, ...]]
    aside: tuple[tuple[str, str], ...]
    notes: bool
    complaints: tuple[tuple[str, LedgerComplaint], ...]
    receipts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Model:
    """One model, here and there."""

    state: ModelState
    theirs: dict[str, str]
    published: frozenset[str]

    @property
    def clashing(self) -> dict[str, Event]:
        """Our tags whose names are taken there by other objects."""
        return {e.tag: e for e in self.state.events if self.theirs.get(e.tag, e.oid) != e.oid}

    @property
    def own(self) -> list[Event]:
        """Events that were never seen there and are not there now."""
        there = set(self.theirs.values())
        return [event for event in self.state.events if event.oid not in there and event.oid not in self.published]

    @property
    def new(self) -> dict[str, str]:
        """Their tags that are not here, under that name or as that object."""
        here = {event.oid for event in self.state.events}
        return {tag: oid for tag, oid in self.theirs.items() if oid not in here}


def fetch(
    repo: Repository,
    settings: Settings,
    remote: str | None = None,
    *,
    give_way: bool = False,
    join: bool = False,
    now: datetime | None = None,
    verifier: Verifier | None = None,
) -> Fetched:
    """Take in events, approvals and notes of a remote.

    Where both sides have events of a model that the other lacks, nothing is taken of it, unless ours `give_way` (they
    are put aside, and the move is made anew), or both are to `join` (the line forks and is to be resolved). Raises
    StrataError where the remote cannot be reached.
    """
    moment = now or datetime.now(UTC)
    name = remote_named(repo, remote)
    there = read_remote(repo, name)
    before = read_ledger(repo, verifier, repository=settings.repository, now=moment)
    models = {model: _model(repo, before, there, model) for model in sorted({*before.state.models, *there.models})}
    told = [(model, each) for model, found in models.items() for each in _rewritten(found, name)]
    behind: dict[str, tuple[str, ...]] = {}
    taken: dict[str, _Model] = {}
    for model, found in models.items():
        held = bool(found.new) and bool(found.own) and not give_way and not (join and not found.clashing)
        if held or any(event.oid in found.published for event in found.clashing.values()):
            behind[model] = tuple(event.tag for event in found.own)
        else:
            taken[model] = found
    approvals = {ref: oid for ref, oid in there.approvals.items() if oid not in before.approvals}
    told += _moved_approvals(before, there, name)
    freshness = [(ref, waiting(name, ref.removeprefix("refs/strata/"))) for ref in there.freshness]
    wanted = [(f"{TAGS}{tag}", waiting(name, tag)) for found in taken.values() for tag in found.new]
    wanted += [(ref, waiting(name, ref.removeprefix("refs/strata/"))) for ref in approvals]
    bring(repo, name, [*wanted, *freshness, *([(NOTES_REF, notes_of(name))] if there.notes else [])])
    lost = {event.oid: event for found in taken.values() for event in found.own if give_way and found.new}
    told += [("", each) for each in take_log(repo, there, before.trust, give_way=bool(lost))]
    aside = _place(repo, name, taken, approvals, give_way=give_way)
    receipts = take_receipts(repo, there)
    told += [("", each) for each in moved_receipts(repo, there)]
    merged = merge_notes(repo, notes_of(name)) if there.notes else False
    withdraw_notes(repo, lost.values())
    for ref, arrived in freshness:
        take_in(repo, ref, arrived, verifier or present_keys(repo, before.trust, now=moment))
    after = read_ledger(repo, verifier, repository=settings.repository, now=moment)
    advance_heads(repo, after)
    track(repo, after, there)
    record_seen(repo, after.state, policy=after.trust.policy.version if after.trust.policy else 0)
    told += [(m, each) for m, state in after.state.models.items() for each in state.complaints]
    stale = freshness_complaints(
        repo, after.state, after.trust, repository=settings.repository, now=moment, verifier=verifier
    )
    told += [("", each) for each in stale]
    told += [("", each) for each in log_complaints(repo, after)]
    tags = tuple(sorted(tag for found in taken.values() for tag in found.new))
    return Fetched(name, tags, tuple(sorted(approvals)), behind, aside, merged, tuple(dict.fromkeys(told)), receipts)


def advance_heads(repo: Repository, ledger: Ledger) -> None:
    """Move `refs/strata/ledger/` forward to the end of each line that has one; never back, and never across a fork."""
    changes = Transaction(repo)
    any_ = False
    for model, state in ledger.state.models.items():
        recorded = ledger.heads.get(model)
        if state.head is None or state.head.oid == recorded:
            continue
        if recorded is not None and recorded not in order(state.events).ancestry(state.head.oid):
            continue
        changes.update(HEADS + model, state.head.oid, recorded or repo.null_oid)
        any_ = True
    if any_:
        changes.commit()


def track(repo: Repository, ledger: Ledger, there: Remote) -> None:
    """Remember how far each line of a remote went. The mark never goes back: what is gone there stays known."""
    changes = Transaction(repo)
    any_ = False
    for model in there.models:
        state = ledger.model(model)
        line = order([event for event in state.events if event.oid in set(there.tags.values())])
        before = read_ref(repo, tracking(there.name, model))
        if len(line.heads) != 1 or line.heads[0] == before:
            continue
        if before is None or before in order(state.events).ancestry(line.heads[0]):
            changes.update(tracking(there.name, model), line.heads[0], before or repo.null_oid)
            any_ = True
    if any_:
        changes.commit()


def refresh_notes(repo: Repository, there: Remote, ledger: Ledger) -> None:
    """Make our notes hold those of a remote, and those of all events that are here."""
    if there.notes is not None and there.notes != read_ref(repo, NOTES_REF):
        bring(repo, there.name, [(NOTES_REF, notes_of(there.name))])
        merge_notes(repo, notes_of(there.name))
    write_notes(repo, [event for state in ledger.state.models.values() for event in state.events])


def _model(repo: Repository, ledger: Ledger, there: Remote, model: str) -> _Model:
    state = ledger.model(model)
    known = read_ref(repo, tracking(there.name, model))
    published = order([event for event in state.events if event.record]).ancestry(known) if known else frozenset()
    return _Model(state, there.tags_of(model), published)


def _rewritten(found: _Model, remote: str) -> list[LedgerComplaint]:
    """Events that the remote had and that are something else there now, or nothing."""
    told = []
    there = set(found.theirs.values())
    for event in found.state.events:
        if event.oid not in found.published or event.oid in there:
            continue
        what = "was moved" if event.tag in found.theirs else "is gone"
        told.append(LedgerComplaint("STR-P017", event.tag, f"it {what} on {remote}; here it is as it was published"))
    return told


def _moved_approvals(ledger: Ledger, there: Remote, remote: str) -> list[tuple[str, LedgerComplaint]]:
    moved = [each for each in ledger.approvals.values() if there.approvals.get(each.ref, each.oid) != each.oid]
    return [
        (each.ref.split("/")[3], LedgerComplaint("STR-P017", "", f"{each.ref} was moved on {remote}")) for each in moved
    ]


def _place(
    repo: Repository, name: str, taken: dict[str, _Model], approvals: dict[str, str], *, give_way: bool
) -> tuple[tuple[str, str], ...]:
    """Put what was fetched in its place, and events that give way aside, in one transaction."""
    changes = Transaction(repo)
    aside: list[tuple[str, str]] = []
    for model, found in taken.items():
        if found.new and give_way and found.own:
            aside += [(event.tag, event.oid) for event in found.own]
            _put_aside(repo, changes, model, found)
        for tag, oid in found.new.items():
            mine = found.clashing.get(tag)
            changes.update(TAGS + tag, oid, mine.oid if mine else repo.null_oid)
            changes.delete(waiting(name, tag), oid)
    present = {ref.name for ref in list_refs(repo, "refs/strata/approvals/")}
    for ref, oid in approvals.items():
        changes.delete(waiting(name, ref.removeprefix("refs/strata/")), oid)
        if ref not in present:
            changes.create(ref, oid)
    if aside or approvals or any(found.new for found in taken.values()):
        changes.commit()
    return tuple(aside)


def _put_aside(repo: Repository, changes: Transaction, model: str, found: _Model) -> None:
    for event in found.own:
        if event.tag not in found.new:
            changes.delete(TAGS + event.tag, event.oid)
        changes.update(ASIDE + event.oid, event.oid, read_ref(repo, ASIDE + event.oid) or repo.null_oid)
    rest = order([e for e in found.state.events if e.record and e not in found.own])
    rewind_seen(repo, model, rest.heads, max((event.name.seq for event in rest.events), default=0))
    recorded = read_ref(repo, HEADS + model)
    if recorded is None or recorded not in {event.oid for event in found.own}:
        return
    if len(rest.heads) == 1:
        changes.update(HEADS + model, rest.heads[0], recorded)
    else:
        changes.delete(HEADS + model, recorded)
