"""`push`: events, chain heads, approvals, receipts and notes to a remote, all or nothing (TFC-0009 §8)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from strata_git.authoring.entries import enter_rest, published_log, take_log
from strata_git.authoring.receipts import unpublished_receipts
from strata_git.authoring.remote import Remote, read_remote, remote_named
from strata_git.authoring.sharing import advance_heads, refresh_notes, track
from strata_git.config import Settings
from strata_git.errors import StrataError, printable
from strata_git.ledger.event import errors
from strata_git.ledger.events import HEADS, Ledger, read_ledger
from strata_git.ledger.freshness import FRESHNESS
from strata_git.ledger.log import LOG
from strata_git.ledger.logbook import keeps_log
from strata_git.ledger.names import TAGS
from strata_git.ledger.seen import record_seen
from strata_git.ledger.signing import Verifier, signer_for
from strata_git.ledger.state import ModelState
from strata_git.repo.command import Repository
from strata_git.repo.notes import NOTES_REF
from strata_git.repo.process import Result
from strata_git.repo.refs import list_refs, read_ref

ATTEMPTS = 5
"""How often notes that somebody else added meanwhile are merged and pushed again."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a push brought to a remote: new references there, and the models whose line went on.

    `unbranched` are models with new events whose commits are on no branch that this clone knows of the remote.
    """

    remote: str
    refs: tuple[str, ...]
    models: tuple[str, ...]
    notes: bool
    unbranched: tuple[str, ...]


class Outrun(StrataError):
    """The remote has events that are not here: somebody else was faster."""

    exit_code = 2

    def __init__(self, models: Sequence[str], remote: str) -> None:
        named = ", ".join(models)
        super().__init__(
            f"{printable(remote)} has events of {named} that are not here; nothing was pushed.",
            hint="git strata fetch   tells what they are, and what becomes of your own",
        )
        self.models = tuple(models)


def push(
    repo: Repository,
    settings: Settings,
    remote: str | None = None,
    models: Sequence[str] = (),
    *,
    now: datetime | None = None,
    verifier: Verifier | None = None,
    key: str = "",
    terminal: str | None = None,
) -> Published:
    """Publish what is here of the ledger (of `models` alone, when named) and not on the remote.

    Raises Outrun where the remote has events of these models that are not here, StrataError where it cannot be reached,
    where something is wrong with the events, or where the receiving side refuses; nothing was changed there then.
    Where the policy keeps a signed log, what is in no entry yet is entered, signed by `key` as `promote` does.
    """
    moment = now or datetime.now(UTC)
    name = remote_named(repo, remote)
    for _ in range(ATTEMPTS):
        there = read_remote(repo, name)
        ledger = read_ledger(repo, verifier, repository=settings.repository, now=moment)
        meant = list(dict.fromkeys(models)) or [model for model, state in ledger.state.models.items() if state.events]
        _require_sound(ledger, meant)
        if ahead := [model for model in meant if _is_outrun(ledger.model(model), there)]:
            raise Outrun(ahead, name)
        advance_heads(repo, ledger)
        refresh_notes(repo, there, ledger)
        _enter_all(repo, settings, ledger, there, key=key, terminal=terminal, now=moment, named=bool(models))
        refs = _refs(repo, ledger, there, meant, named=bool(models))
        if refs:
            result = _pushed(repo, there, refs)
            if result.code != 0:
                _judge_refusal(result, name)
                continue
            there = read_remote(repo, name)
        track(repo, ledger, there)
        published_log(repo, there)
        record_seen(repo, ledger.state, policy=ledger.trust.policy.version if ledger.trust.policy else 0)
        new = tuple(sorted(ref for ref in refs if ref != NOTES_REF))
        grown = tuple(model for model in meant if HEADS + model in refs)
        return Published(name, new, grown, NOTES_REF in refs, _unbranched(repo, ledger, name, grown))
    raise StrataError(
        f"{printable(name)} kept changing while it was pushed to; nothing was pushed.", hint="git strata push"
    )


def _enter_all(
    repo: Repository, settings: Settings, ledger: Ledger, there: Remote, *, key: str, terminal: str | None,
    now: datetime, named: bool,
) -> None:  # fmt: skip
    """Take in the log of the remote, and enter what nobody has entered yet, where the policy keeps a log."""
    if not keeps_log(ledger.trust):
        return
    if named:
        raise StrataError(
            "The signed log binds the events of all models together, so they are pushed together.",
            hint="git strata push   without --model",
        )
    if told := take_log(repo, there, ledger.trust):
        raise StrataError(f"Nothing was pushed: {told[0].message}.", hint="Ask who keeps the remote; compare clones.")
    signer = partial(signer_for, repo, key=key, configured=settings.signing_key, terminal=terminal)
    enter_rest(repo, ledger, f"push to {printable(there.name)}", signer=signer, now=now)


def _require_sound(ledger: Ledger, models: Sequence[str]) -> None:
    for model in models:
        state = ledger.model(model)
        if not state.events:
            raise StrataError(f"There are no events of {printable(model)} here.", hint="git strata stages")
        if told := errors(state.complaints):
            lines = "\n".join(f"{each.rule} {each.tag}: {each.message}" for each in told)
            raise StrataError(f"Something is wrong with the events of {model}; nothing was pushed.", hint=lines)


def _is_outrun(state: ModelState, there: Remote) -> bool:
    """Whether the remote has an event of the model, or a name taken, that our line does not have."""
    ours = {event.tag: event.oid for event in state.events}
    theirs = there.tags_of(state.model)
    head = there.heads.get(state.model)
    return any(ours.get(tag) != oid for tag, oid in theirs.items()) or not (head is None or head in ours.values())


def _refs(repo: Repository, ledger: Ledger, there: Remote, models: Sequence[str], *, named: bool) -> list[str]:
    """Full names of what the remote lacks; receipts, and approvals of all models, unless some were `named`."""
    refs = []
    for model in models:
        state = ledger.model(model)
        refs += [TAGS + event.tag for event in state.events if event.tag not in there.tags]
        if state.head is not None and there.heads.get(model) != state.head.oid:
            refs.append(HEADS + model)
    for approval in sorted(ledger.approvals.values(), key=lambda each: each.ref):
        ours = approval.record is not None and (not named or approval.record.model in models)
        if ours and approval.signed and approval.ref not in there.approvals:
            refs.append(approval.ref)
    refs += unpublished_receipts(repo, there)
    refs += [ref.name for ref in list_refs(repo, FRESHNESS) if there.freshness.get(ref.name) != ref.oid]
    log = read_ref(repo, LOG) if keeps_log(ledger.trust) else None
    refs += [LOG] if log is not None and log != there.log else []
    notes = read_ref(repo, NOTES_REF)
    return [*refs, *([NOTES_REF] if notes is not None and notes != there.notes else [])]


def _pushed(repo: Repository, there: Remote, refs: Sequence[str]) -> Result:
    leased = {HEADS + model: oid for model, oid in there.heads.items()} | there.freshness | {LOG: there.log or ""}
    guarded = [ref for ref in refs if ref.startswith((HEADS, FRESHNESS)) or ref == LOG]
    leases = [f"--force-with-lease={ref}:{leased.get(ref, '')}" for ref in guarded]
    return repo.try_user_git(
        "push", "--atomic", "--porcelain", "--no-follow-tags", *leases, there.name, *(f"{ref}:{ref}" for ref in refs)
    )


def _judge_refusal(result: Result, remote: str) -> None:
    """Nothing where somebody else was faster, so that another look is worth it; else StrataError with the reason."""
    lines = os.fsdecode(result.out + result.err).splitlines()
    if any(
        mark in line
        for line in lines
        for mark in ("stale info", "(fetch first)", "(non-fast-forward)", "already exists")
    ):
        return
    if any("failed to update ref" in line or "cannot lock ref" in line or "failed to lock" in line for line in lines):
        return
    told = [line for line in os.fsdecode(result.err).splitlines() if line.strip() and not line.startswith("To ")]
    raise StrataError(
        f"{printable(remote)} did not take the push; nothing was changed there.",
        hint="\n".join(printable(line) for line in told[:40]),
    )


def _unbranched(repo: Repository, ledger: Ledger, remote: str, models: Sequence[str]) -> tuple[str, ...]:
    """Models of which an event's commit is on no branch that is known of the remote."""
    found = []
    for model in models:
        commits = {event.target for event in ledger.model(model).events}
        place = f"refs/remotes/{remote}/"
        contained = (repo.git("for-each-ref", "--count=1", "--contains", commit, place) for commit in sorted(commits))
        if not all(contained):
            found.append(model)
    return tuple(found)
