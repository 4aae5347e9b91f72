"""What the metric gates of a policy asked of a version, and what they found: for the notes (TFC-0009 5.2).

It follows from the event, the version's metrics, those of the version it displaced, and the policy that the event names
by its digest. The policy is looked for where the event was judged, then in the history of the branches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from strata_git.contracts.layout import POLICY
from strata_git.integrity.metric_gates import Figure, measure_gate
from strata_git.integrity.policy import Policy, PolicyError, parse_policy, policy_digest
from strata_git.ledger.event import Event
from strata_git.ledger.governed import METRICS, figures
from strata_git.ledger.record import Record, RecordError, TagError, parse_message, parse_tag
from strata_git.ledger.stages import PRODUCTION, is_upward
from strata_git.ledger.statement import GateResult
from strata_git.ledger.trust import HERE, collect
from strata_git.repo.command import Repository

_LIMIT = 1 << 20


def gate_results(repo: Repository, events: Iterable[Event]) -> dict[str, tuple[GateResult, ...]]:
    """By tag object, the gates that a move up had to pass, in the order of the rule; nothing where it names none."""
    moves = {
        event.oid: event.record
        for event in events
        if event.record is not None and event.record.policy and event.name.kind == "entering"
        and is_upward(event.record.origin or "", event.record.target)
    }  # fmt: skip
    if not moves:
        return {}
    policies = _policies(repo, moves.values())
    asked = {oid: gates for oid, record in moves.items() if (gates := _gates(policies, record))}
    displaced = _displaced(repo, {oid: moves[oid] for oid in asked})
    places = {oid: _metrics(moves[oid]) for oid in asked}
    others = {oid: _metrics(record) for oid, record in displaced.items()}
    files = _read(repo, [*places.values(), *others.values()])
    found = {}
    for oid, gates in asked.items():
        own = figures(files.get(places[oid]))
        before: Mapping[str, Figure] | None = None
        if oid in displaced:
            before = figures(files.get(others[oid])) or {}
        policy = policies[moves[oid].policy or ""]
        rows = []
        for name in gates:
            gate = policy.gates[name]
            outcome = measure_gate(gate, own, before)
            rows.append(
                GateResult(name, gate.text, outcome.measured, outcome.samples, outcome.production, outcome.reason)
            )
        found[oid] = tuple(rows)
    return found


def _gates(policies: Mapping[str, Policy], record: Record) -> tuple[str, ...]:
    policy = policies.get(record.policy or "")
    rule = policy.rule_for(record.model, record.origin or "", record.target) if policy else None
    return tuple(word for word in rule.requires if word in policy.gates) if policy and rule else ()


def _policies(repo: Repository, records: Iterable[Record]) -> dict[str, Policy]:
    """The policies that records name, by digest."""
    named = {record.policy: record.judged_at for record in records if record.policy}
    found: dict[str, Policy] = {}
    for data in _read(repo, (f"{commit}:{POLICY}" for commit in named.values())).values():
        digest = policy_digest(data)
        if digest in named and digest not in found:
            try:
                found[digest] = parse_policy(data)
            except PolicyError:
                continue
    if named.keys() - found.keys():
        head = repo.head()
        versions = collect(repo, [*HERE, *([head] if head else [])])
        found |= {digest: versions[digest].policy for digest in named if digest in versions and digest not in found}
    return found


def _displaced(repo: Repository, moves: Mapping[str, Record]) -> dict[str, Record]:
    """The version that left production for a move, as the event right before it says; none where none did."""
    wanted = {oid: record.prev for oid, record in moves.items() if record.target == PRODUCTION and record.prev}
    before: dict[str, Record] = {}
    for oid, kind, data in repo.objects.read_many(dict.fromkeys(wanted.values())):
        try:
            record = parse_message(parse_tag(data).message)[1] if kind == "tag" and data is not None else None
        except (TagError, RecordError):
            continue
        if record is not None and record.origin == PRODUCTION:
            before[oid] = record
    return {
        oid: before[prev] for oid, prev in wanted.items()
        if prev in before and before[prev].version != moves[oid].version and before[prev].model == moves[oid].model
    }  # fmt: skip


def _metrics(record: Record) -> str:
    return f"{record.commit}:models/{record.model}/{record.version}/{METRICS}"


def _read(repo: Repository, names: Iterable[str]) -> dict[str, bytes]:
    rows = repo.objects.lookup(dict.fromkeys(names))
    return {name: row[2] for name, row in rows if row is not None and row[1] == "blob" and len(row[2]) <= _LIMIT}
