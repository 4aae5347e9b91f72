"""Which events of a line were made by people who may, by the trust policy of their time (TFC-0009 6.12 to 6.17). Pure.

The policy of its time is the one that an event's record names: one of the chain, not older than any that the events
before it name, and for an event that is new here the one in force. An event that is not allowed keeps its place in the
line and moves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from strata_git.integrity.policy import (
    Figure,
    Move,
    Policy,
    Shortfall,
    Vouch,
    decide,
    revoked_since,
    vouches_of,
)
from strata_git.ledger.approval import Approval, vouches
from strata_git.ledger.event import Event, LedgerComplaint
from strata_git.ledger.moves import Step
from strata_git.ledger.state import LedgerState, ModelState


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What a policy asks about a version: figures of metrics.yaml (None: unreadable), format, who signed the list at
    the commit that was judged (SIGNATURE.asc, model.sig), and the key that signed the introducing commit (`""`: none
    that is enrolled)."""

    metrics: Mapping[str, Figure] | None = None
    format: str = ""
    artifact: tuple[Vouch, ...] = ()
    author: str = ""


@dataclass(frozen=True, slots=True)
class Authority:
    """The policies in their order, and what is needed to judge by them.

    `adopted` are tag objects that the first version took over as they were. `facts` answers for an event and a policy.
    `fresh` are tag objects that are new to whoever judges: they are judged as of `now` (Unix time), and have to name
    the policy in force. `stale` tells why no statement of freshness is in force now (`""`: one is).
    """

    chain: tuple[Policy, ...]
    adopted: frozenset[str]
    facts: Callable[[Event, Policy], VersionFacts]
    now: int
    fresh: frozenset[str] = frozenset()
    stale: Callable[[], str] = str

    @property
    def current(self) -> Policy:
        """The policy in force."""
        return self.chain[-1]

    def cited(self, event: Event) -> Policy | None:
        """The policy that an event's record names; None where the chain has no such one."""
        digest = event.record.policy if event.record else None
        return next((policy for policy in self.chain if policy.digest == digest), None)


def govern(
    fold: Callable[[Sequence[Event]], LedgerState],
    events: Sequence[Event],
    authority: Authority,
    approvals: Mapping[str, Approval],
) -> LedgerState:
    """The state that `events` make when those that were not for their signers to make move nothing.

    What an event means depends on what came before it, so the line is folded again until nothing more is refused.
    """
    state = fold(events)
    while True:
        told: dict[str, tuple[LedgerComplaint, ...]] = {}
        for model in state.models.values():
            told |= judge_authority(model, authority, approvals)
        if not told:
            return state
        events = [replace(each, barred=_reasons(told[each.oid])) if each.oid in told else each for each in events]
        state = fold(events)


def judge_authority(
    state: ModelState, authority: Authority, approvals: Mapping[str, Approval]
) -> dict[str, tuple[LedgerComplaint, ...]]:
    """By tag object: why events of one model were not for their signers to make. What is not there was allowed."""
    known = {event.oid: event for event in state.events}
    ours = [event for event in state.events if event.signed and event.record and event.oid not in authority.adopted]
    told = {event.oid: _complaints(event, _judge_citation(event, authority, known)) for event in ours}
    in_steps: set[str] = set()
    for step in state.steps:
        in_steps |= {event.oid for event in step.events}
        entering = step.entering
        if entering.oid in told and not any(told.get(event.oid) for event in step.events):
            told[entering.oid] = _complaints(entering, _judge_step(step, authority, approvals, known))
        # a move is made whole or not at all
        wrong = [complaint for event in step.events for complaint in told.get(event.oid, ())][:1]
        for event in step.events if wrong else ():
            told[event.oid] = told.get(event.oid) or (replace(wrong[0], tag=event.tag),)
    for event in ours:
        if event.oid not in in_steps and not told[event.oid]:
            told[event.oid] = _complaints(event, _judge_alone(event, authority))
    return {oid: complaints for oid, complaints in told.items() if complaints}


def _judge_citation(event: Event, authority: Authority, known: Mapping[str, Event]) -> Iterator[Shortfall]:
    digest = event.record.policy if event.record else None
    policy = authority.cited(event)
    if digest is None:
        yield Shortfall("STR-P037", "it names no trust policy, and was made after one was in force")
    elif policy is None:
        yield Shortfall("STR-P037", f"it names the policy {digest}, which is none of this repository's")
    elif event.oid in authority.fresh and policy is not authority.current:
        versions = f"version {policy.version} of the policy, and version {authority.current.version} is in force"
        yield Shortfall("STR-P037", f"it names {versions}: fetch, and make the move again")
    elif older := _newer_before(event, policy, authority, known):
        yield Shortfall("STR-P037", f"it names version {policy.version} of the policy behind version {older}")


def _newer_before(event: Event, policy: Policy, authority: Authority, known: Mapping[str, Event]) -> int:
    """The version that an event before this one names, where it is a later one; 0 otherwise."""
    parents = (known[oid] for oid in event.parents if oid in known)
    named = (cited.version for parent in parents if (cited := authority.cited(parent)) is not None)
    highest = max(named, default=0)
    return highest if highest > policy.version else 0


def _judge_step(
    step: Step, authority: Authority, approvals: Mapping[str, Approval], known: Mapping[str, Event]
) -> Iterable[Shortfall]:
    event = step.entering
    policy, record = authority.cited(event), event.record
    if policy is None or record is None:
        return ()
    if any(authority.cited(other) is not policy for other in step.events):
        return (Shortfall("STR-P037", "the tags of this move name different versions of the policy"),)
    rule = policy.rule_for(record.model, record.origin or "", record.target)
    needy = rule is not None and (rule.requires or rule.distinct_from)
    facts = authority.facts(event, policy) if needy else VersionFacts()
    production = authority.facts(step.displacing, policy).metrics or {} if needy and step.displacing else None
    placed = known.get(step.placed or "")
    move = Move(
        record.model, record.version, record.origin, record.target, "entering", facts.metrics, production, facts.format,
        facts.author, tuple(vouch.key for vouch in vouches_of(placed.signatures, "tag")) if placed else (),
        dangers=(),  # bytes may be elsewhere: whoever promotes scans them
        stale=authority.stale() if rule and "freshness" in rule.requires and event.oid in authority.fresh else "",
    )  # fmt: skip
    signed = [vouch for vouch in vouches(step, approvals) if not revoked_since(authority.current, vouch)]
    return decide(policy, move, [*signed, *facts.artifact], at=_moment(event, policy, authority))


def _judge_alone(event: Event, authority: Authority) -> Iterable[Shortfall]:
    """A registration, a resolution, or an event that is part of no whole move."""
    policy, record = authority.cited(event), event.record
    if policy is None or record is None:
        return ()
    half = {"leaving": "leaving", "resolution": "resolution"}.get(event.name.kind, "registration")
    if event.name.kind == "entering":
        half = "leaving"  # it only repeats what is so already
    origin = None if half == "registration" else record.origin
    signed = vouches_of(event.signatures, "tag", event.when)
    signed = tuple(vouch for vouch in signed if not revoked_since(authority.current, vouch))
    move = Move(record.model, record.version, origin, record.target, half)
    return decide(policy, move, signed, at=_moment(event, policy, authority))


def _moment(event: Event, policy: Policy, authority: Authority) -> int:
    """As of when people have to be valid: now for what is new, or where the policy gives no grace."""
    lenient = policy.grace == "recorded" and event.oid not in authority.fresh
    return event.when if lenient else max(authority.now, event.when)


def _complaints(event: Event, shorts: Iterable[Shortfall]) -> tuple[LedgerComplaint, ...]:
    return tuple(LedgerComplaint(short.rule_id, event.tag, short.message) for short in shorts)


def _reasons(complaints: Iterable[LedgerComplaint]) -> tuple[tuple[str, str], ...]:
    return tuple((each.rule, each.message) for each in complaints)
