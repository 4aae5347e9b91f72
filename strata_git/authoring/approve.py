"""Approving a move that somebody else will make: a signed tag under `refs/strata/approvals/` (TFC-0009 §7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from strata_git.authoring.entries import Enter, entering
from strata_git.authoring.promote import Refused, next_moment, plan_move
from strata_git.config import Settings
from strata_git.contracts.layout import Artifact
from strata_git.errors import StrataError
from strata_git.integrity.policy import key_of
from strata_git.integrity.signer import foremost
from strata_git.ledger.approval import LONGEST, Approval, ApprovalRecord, Wanted, fitting, reference, unfit
from strata_git.ledger.events import Ledger, read_approval, read_ledger
from strata_git.ledger.gate import judge_move
from strata_git.ledger.governed import writing_keys
from strata_git.ledger.record import format_message, format_tag, header, parse_tag
from strata_git.ledger.signing import Verifier, committer, signer_for
from strata_git.ledger.writing import Author, signed_tag
from strata_git.repo.command import Repository
from strata_git.repo.refs import RefConflict, Transaction

if TYPE_CHECKING:
    from strata_git.authoring.promote import Judge

DAYS = 30
"""How long an approval is in force."""
_LATER = frozenset({"STR-P013", "STR-P015", "STR-P020"})
"""What may still come before the promotion: signatures, approvals, a policy's other demands."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An approval as somebody sees it who wants to use it: `reason` says why it counts for nothing (`""`: it counts).

    `used` is the tag of the move that names it (`""`: none does).
    """

    approval: Approval
    reason: str = ""
    used: str = ""


def approve(
    repo: Repository,
    settings: Settings,
    model: str,
    version: str | None = None,
    to: str | None = None,
    *,
    reason: str = "",
    key: str = "",
    days: int = DAYS,
    terminal: str | None = None,
    now: datetime | None = None,
    judge: Judge | None = None,
    verifier: Verifier | None = None,
) -> Approval:
    """Approve that a version of `model` (default: the highest) moves to the stage `to` (default: the next one up).

    The approval is in force for `days`, for this move alone: once the version, or what is in production, has moved, it
    counts for nothing. Raises Refused when the version may not move at all, StrataError when it cannot be signed or
    this key has approved the move already.
    """
    if not 1 <= days <= LONGEST:
        raise StrataError(f"An approval is in force for 1 to {LONGEST} days.")
    moment = now or datetime.now(UTC)
    plan = plan_move(repo, settings, model, version, to, now=moment, judge=judge, verifier=verifier)
    keys = verifier or writing_keys(repo, plan.ledger.trust)
    against = [finding for finding in judge_move(plan.facts) if finding.rule not in _LATER]
    if against:
        raise Refused(plan.artifact, plan.target, against)
    signer = signer_for(repo, key=key, configured=settings.signing_key, terminal=terminal)
    record = _record(plan.wanted, plan.release.commit, int(moment.timestamp()), days)
    author = Author(signer, keys, settings.repository, plan.head, moment, reason)
    made = _sign(repo, record, author)
    others = fitting(plan.ledger.approvals_of(model), plan.wanted, next_moment(plan.state, moment))
    mine = {key_of(verdict) for verdict in made.signatures}
    if already := next((each for each in others if key_of(foremost(each.signatures)) in mine), None):
        raise StrataError(f"{already.signer} has approved this already: {already.ref}.", hint="git strata push")
    deed = f"{record.model} {record.version} is approved for {record.target}"
    _store(repo, made, entering(repo, plan.ledger.trust, deed, signer=signer, now=moment))
    return made


def standings(
    repo: Repository, settings: Settings, model: str | None = None, *, now: datetime | None = None,
    verifier: Verifier | None = None,
) -> tuple[Standing, ...]:  # fmt: skip
    """Every approval that is here (for one `model`), and what it is good for at this moment."""
    moment = now or datetime.now(UTC)
    ledger = read_ledger(repo, verifier, repository=settings.repository, model=model, now=moment)
    return standings_in(ledger, settings.repository, moment)


def standings_in(ledger: Ledger, repository: str, now: datetime) -> tuple[Standing, ...]:
    """The same, of a ledger that was read already."""
    used = {
        oid: step.entering.tag
        for state in ledger.state.models.values() for step in state.steps if step.entering.record
        for oid in step.entering.record.approvals
    }  # fmt: skip
    listed = sorted(ledger.approvals.values(), key=lambda each: each.ref)
    return tuple(_standing(ledger, each, used, repository, int(now.timestamp())) for each in listed)


def _standing(ledger: Ledger, approval: Approval, used: Mapping[str, str], repository: str, now: int) -> Standing:
    if approval.oid in used:
        return Standing(approval, f"it was used by {used[approval.oid]}", used[approval.oid])
    record = approval.record
    if record is None:
        return Standing(approval, approval.flaw)
    state = ledger.model(record.model)
    placed = state.versions.get(record.version)
    served = state.versions.get(state.production or "") if record.target == "production" else None
    wanted = Wanted(
        record.model, record.version, placed.stage if placed else "experimental", record.target, record.digest,
        placed.moved_by if placed else None, served.since.oid if served else None,
        ledger.trust.policy.digest if ledger.trust.policy else None, repository,
    )  # fmt: skip
    return Standing(approval, unfit(approval, wanted, now))


def _record(wanted: Wanted, commit: str, now: int, days: int) -> ApprovalRecord:
    issued = datetime.fromtimestamp(now, UTC)
    return ApprovalRecord(
        wanted.repo, wanted.model, wanted.version, wanted.origin, wanted.target, commit, wanted.digest, wanted.placed,
        wanted.displaces, wanted.policy, _moment(issued), _moment(issued + timedelta(days=days)),
    )  # fmt: skip


def _moment(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _sign(repo: Repository, record: ApprovalRecord, author: Author) -> Approval:
    who = committer(repo)
    ref = reference(record, f"{who} {getattr(author.signer, 'key', '')}")
    artifact = Artifact("model", record.model, record.version)
    sentence = f"{artifact.short} may move from {record.origin} to {record.target}"
    try:
        message = format_message(sentence, author.reason, record)
    except ValueError as error:
        raise StrataError(f"The reason cannot be recorded: {error}.") from None
    unsigned = format_tag(record.commit, header(ref), who, int(author.now.timestamp()), message)
    payload, signature, verdicts = signed_tag(author, unsigned, "The approval")
    oid = repo.git("mktag", input=payload + signature).decode().strip()
    made = read_approval(ref, oid, parse_tag(payload + signature), verdicts)
    if made.record != record:
        raise StrataError(f"The approval would not count: {made.flaw or 'it cannot be read back'}.")
    return made


def _store(repo: Repository, made: Approval, enter: Enter | None) -> None:
    changes = Transaction(repo)
    changes.create(made.ref, made.oid)
    if enter is not None:
        enter(changes, {made.ref: made.oid})
    try:
        changes.commit()
    except RefConflict:
        raise StrataError(f"{made.ref} is there already.", hint="git strata approve --list") from None
