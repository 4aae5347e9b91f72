"""The signed log in a push: it only grows, and what a push moves of the ledger it enters (TFC-0009 section 9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from strata_git.checks.finding import Finding, found
from strata_git.errors import printable
from strata_git.hooks.pushed import Push
from strata_git.ledger.event import errors
from strata_git.ledger.log import LOG, EntryError, Log, compare, parse_entry
from strata_git.ledger.logbook import is_logged, keeps_log, read_log, references
from strata_git.ledger.trust import Trust
from strata_git.repo.command import Repository
from strata_git.repo.history import split_signature


def judge_log(
    repo: Repository, pushes: Sequence[Push], trust: Trust, overlay: Mapping[str, str] | None, *, first: bool
) -> list[Finding]:
    """What is wrong with the log of a push, or with a push that moves references without an entry.

    `overlay` are the references as the push would leave them (None: they are so here already, at the sender). With
    `first` the receiving side takes in what happened elsewhere: entries need not name the policy of today.
    """
    push = next((push for push in pushes if push.remote_ref == LOG), None)
    if not keeps_log(trust):
        return _judge_form(repo, push) if push else []
    log = read_log(repo, trust, tip=push.local_oid if push else None)
    findings = [complaint.finding(LOG) for complaint in log.complaints]
    if errors(log.complaints):
        return findings
    findings += _judge_new(log, push, trust) if push and not first else []
    moved = {push.remote_ref: push.local_oid for push in pushes if is_logged(push.remote_ref)}
    for ref, oid in sorted(moved.items()):
        if log.state.get(ref, ("", 0))[0] != oid:
            findings.append(found("STR-P040", ref, "is pushed without an entry in the signed log that says so"))
    return findings if overlay is None else [*findings, *_judge_whole(repo, log, trust, overlay, findings)]


def _judge_whole(
    repo: Repository, log: Log, trust: Trust, overlay: Mapping[str, str], told: Sequence[Finding]
) -> list[Finding]:
    """References that the log has otherwise than they would be after the push."""
    here = references(repo, trust, overlay)
    here.pop("policy", None)  # the push may bring the policy that the log names
    kept = {ref: held for ref, held in log.state.items() if ref != "policy"}
    logged = Log(log.entries, (), kept)
    wrong = compare(logged, here, lambda _ref, _old, _new: False)[0]
    said = {finding.path for finding in told}
    return [
        complaint.finding(LOG) for complaint in wrong
        if complaint.severity == "error" and complaint.message.split(" ", 1)[0] not in said
    ]  # fmt: skip


def _judge_new(log: Log, push: Push, trust: Trust) -> list[Finding]:
    """New entries name the policy in force here, as new events do."""
    assert trust.policy is not None  # noqa: S101 - a log is kept
    known = [entry.oid for entry in log.entries]
    if not push.creates and push.remote_oid not in known:
        return [found("STR-P041", LOG, "would be replaced by a log that does not go on from the one that is there")]
    new = log.entries if push.creates else log.entries[known.index(push.remote_oid) + 1 :]
    taken = [entry for entry in new if entry.revoked]
    findings = [found("STR-P041", LOG, f"entry {entry.number} is by a key that is revoked") for entry in taken[:3]]
    late = [entry for entry in new if entry.policy != trust.policy.digest]
    message = f"does not name version {trust.policy.version} of the policy, which is in force: fetch, and push again"
    return [*findings, *(found("STR-P041", LOG, f"entry {entry.number} {message}") for entry in late[:3])]


def _judge_form(repo: Repository, push: Push) -> list[Finding]:
    """Where no log is kept, what stands under its name is at least made of entries: no content gets in by it."""
    result = repo.try_git("rev-list", "--topo-order", "--reverse", "--end-of-options", push.local_oid, "--")
    if result.code != 0:
        return [found("STR-P041", LOG, "is no log")]
    for oid, kind, data in repo.objects.read_many(result.out.decode().split()):
        try:
            if kind != "commit" or data is None:
                raise EntryError("is no commit")
            parse_entry(oid, split_signature(data)[0], empty_tree=repo.empty_tree)
        except EntryError as error:
            return [found("STR-P041", LOG, f"{oid[:12]} {printable(str(error))}")]
    return []
