"""Events in a push: tags, chain heads and notes, each judged as the ledger judges them (TFC-0009)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import SETTINGS
from strata_git.errors import StrataError
from strata_git.hooks.logged import judge_log
from strata_git.hooks.noted import judge_lines, new_lines
from strata_git.hooks.pushed import Push, is_event_ref
from strata_git.hooks.receipts import judge_receipts
from strata_git.integrity.signer import is_signed
from strata_git.ledger.approval import APPROVALS
from strata_git.ledger.assurances import freshness_findings, present_keys, read_statement
from strata_git.ledger.events import HEADS, read_approvals, read_ledger
from strata_git.ledger.freshness import FRESHNESS
from strata_git.ledger.governed import keys_for
from strata_git.ledger.log import LOG
from strata_git.ledger.materials import note_lines
from strata_git.ledger.names import TAGS, parse_name
from strata_git.ledger.receipt import RECEIPTS
from strata_git.ledger.state import ModelState
from strata_git.ledger.trust import HERE, Trust, read_trust
from strata_git.repo.command import Repository
from strata_git.repo.notes import NOTES_REF

FEW = 4
"""Models that are read one by one; for more of them all events are read in one sweep."""


def judge_event_refs(
    repo: Repository, pushes: Sequence[Push], commit: str | None, overlay: Mapping[str, str] | None = None,
    *, base: str | None = None, revisions: Sequence[str] = HERE, first: bool = False,
) -> list[Finding]:  # fmt: skip
    """What is wrong with the event tags, chain heads, approvals and notes of a push; deletions are judged elsewhere.

    Events must carry the identity that the settings of `commit` name, and are judged by the trust policy that is in
    force in the history of `revisions` and `base` (default: `commit`). With `first` the receiving side has nothing yet,
    and takes in what happened elsewhere: events need not be of today. `overlay` are references that are not there yet,
    as `read_ledger` takes them. Raises StrataError where those settings cannot be read.
    """
    tags = [push for push in pushes if is_event_ref(push.remote_ref)]
    heads = [push for push in pushes if push.remote_ref.startswith(HEADS)]
    notes = [push for push in pushes if push.remote_ref == NOTES_REF]
    approvals = [push for push in pushes if push.remote_ref.startswith(APPROVALS)]
    receipts = [push for push in pushes if push.remote_ref.startswith(RECEIPTS) and not push.deletes]
    assured = [push for push in pushes if push.remote_ref.startswith(FRESHNESS)]
    if not (
        tags or heads or notes or approvals or receipts or assured or any(push.remote_ref == LOG for push in pushes)
    ):
        return []
    identity = _identity(repo, commit)
    models = {name.model for push in tags if (name := parse_name(push.remote_ref.removeprefix(TAGS)))}
    models |= {push.remote_ref.removeprefix(HEADS) for push in heads}
    trust = read_trust(repo, identity, head=base or commit, revisions=revisions)
    fresh = [push.local_oid for push in tags if push.creates and not first]
    states = _states(repo, models, identity, overlay, trust, fresh)
    findings = [*_judge_names(tags), *(finding for finding in trust.findings if finding.severity != "info")]
    findings += freshness_findings(repo, trust, overlay=overlay)
    findings += _judge_statements(repo, assured, trust)
    findings += judge_log(repo, pushes, trust, overlay, first=first)
    for model in sorted(models):
        findings += [complaint.finding(model) for complaint in states[model].complaints]
    findings += _judge_heads(states, heads)
    if approvals:
        findings += _judge_approvals(repo, approvals, identity, trust, first)
    if receipts:
        keys = None if first else present_keys(repo, trust, now=datetime.now(UTC))
        findings += judge_receipts(repo, receipts, identity, keys)
    for push in notes:
        findings += _judge_notes(repo, push, states, identity, overlay, trust)
    return findings


def _states(
    repo: Repository, models: Collection[str], repository: str, overlay: Mapping[str, str] | None, trust: Trust,
    fresh: Collection[str],
) -> dict[str, ModelState]:  # fmt: skip
    read = partial(read_ledger, repo, repository=repository, overlay=overlay, trust=trust, fresh=fresh)
    if len(models) > FEW:
        ledger = read()
        return {model: ledger.model(model) for model in models}
    return {model: read(model=model).model(model) for model in models}


def _judge_names(tags: Iterable[Push]) -> list[Finding]:
    findings = []
    for push in tags:
        tag = push.remote_ref.removeprefix(TAGS)
        if parse_name(tag) is None:
            findings.append(found("STR-P002", push.remote_ref, "the name is not that of an event"))
        elif push.local_ref not in (push.remote_ref, push.local_oid):
            findings.append(found("STR-P002", push.remote_ref, f"would be made from {push.local_ref}"))
    return findings


def _judge_heads(states: Mapping[str, ModelState], heads: Iterable[Push]) -> list[Finding]:
    """A chain's head moves forward along the chain, from what the receiving side has."""
    findings = []
    for push in heads:
        line = [event.oid for event in states[push.remote_ref.removeprefix(HEADS)].events]
        if push.local_oid not in line:
            findings.append(found("STR-P006", push.remote_ref, "is none of the model's events"))
        elif not push.creates and push.remote_oid not in line[: line.index(push.local_oid) + 1]:
            message = "does not follow the last event that the receiving side has: fetch first"
            findings.append(found("STR-P007", push.remote_ref, message))
    return findings


def _judge_statements(repo: Repository, pushes: Sequence[Push], trust: Trust) -> list[Finding]:
    """Under a policy a statement of freshness gives way to a later one that counts, and to nothing else."""
    if trust.policy is None or not pushes:
        return []
    keys = present_keys(repo, trust, now=datetime.now(UTC))
    findings = []
    for push in pushes:
        new = read_statement(repo, push.remote_ref, push.local_oid, keys)
        old = None if push.creates else read_statement(repo, push.remote_ref, push.remote_oid, keys)
        reason = ""
        if new.record is None or not is_signed(new.signatures):
            reason = new.flaw or "no signature of anybody enrolled counts"
        elif new.record.repo != trust.policy.repository:
            reason = "it belongs to another repository"
        elif old and old.record and is_signed(old.signatures) and old.record.issued_at > new.record.issued_at:
            reason = f"the one that is there is later: {old.record.issued_at}"
        if reason:
            findings.append(found("STR-P026", push.remote_ref, f"is no statement to take: {reason}", severity="error"))
    return findings


def _judge_notes(
    repo: Repository, push: Push, states: Mapping[str, ModelState], repository: str, overlay: Mapping[str, str] | None,
    trust: Trust,
) -> list[Finding]:  # fmt: skip
    if repo.resolve(push.local_oid) is None:
        return [found("STR-P017", NOTES_REF, "would no longer be notes")]
    old = None if push.creates else repo.resolve(push.remote_oid)
    added, findings = new_lines(repo, push.local_oid, old)
    strays = judge_lines(added, _lines_of(repo, states))
    if strays:  # perhaps of models that the push does not touch
        whole = read_ledger(repo, repository=repository, overlay=overlay, trust=trust).state.models
        strays = judge_lines(added, _lines_of(repo, whole))
    return [*findings, *strays]


def _lines_of(repo: Repository, states: Mapping[str, ModelState]) -> set[tuple[str, bytes]]:
    """The commits of events, and what notes say there."""
    events = [event for state in states.values() for event in state.events]
    lines = note_lines(repo, events, known=True)
    return {(event.target, line) for event in events for line in lines.get(event.oid, ())}


def _judge_approvals(
    repo: Repository, pushes: Sequence[Push], repository: str, trust: Trust, first: bool
) -> list[Finding]:
    """What is published as an approval is one: signed by a known key, and of this repository."""
    findings = []
    overlay = {push.remote_ref: push.local_oid for push in pushes}
    fresh = () if first else [push.local_oid for push in pushes if push.creates]
    there = read_approvals(repo, keys_for(repo, trust, fresh=fresh), overlay=overlay)
    for push in pushes:
        approval = there.get(push.local_oid)
        if approval is None or approval.ref != push.remote_ref:
            reason = "stands under another name too"
        elif approval.record is None:
            reason = approval.flaw
        elif not approval.signed:
            reason = "its signature does not count here" if approval.signatures else "it is not signed"
        else:
            reason = "it belongs to another repository" if approval.record.repo != repository else ""
        if reason:
            findings.append(found("STR-P024", push.remote_ref, reason))
    return findings


def _identity(repo: Repository, commit: str | None) -> str:
    """The UUID that events of this repository carry, by the settings of `commit`; `""` where there are none."""
    from strata_git.config import SettingsError, load_settings

    if commit is None:
        return ""
    for _, row in repo.objects.lookup([f"{commit}:{SETTINGS}"]):
        try:
            return load_settings(row[2] if row and row[1] == "blob" else None).repository
        except SettingsError as error:
            raise StrataError(error.message, hint=error.hint) from None
    return ""
