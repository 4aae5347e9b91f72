"""The trust policy as values: who somebody is, whether a move is allowed, whether one version follows another. Pure.

Bytes and verified signatures come in, decisions come out; no key, no git and no clock is touched. Persons are counted,
never keys, signatures or packets (TFC-0009 section 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strata_git.integrity.metric_gates import Figure, judge_gate
from strata_git.integrity.principals import (
    Policy,
    PolicyError,
    Principal,
    Rule,
    parse_policy,
    policy_digest,
    principal_of,
    unix,
)

if TYPE_CHECKING:
    from strata_git.integrity.signer import SignatureVerdict

__all__ = [
    "AHEAD",
    "Figure",
    "Move",
    "Policy",
    "PolicyError",
    "Principal",
    "Rule",
    "Shortfall",
    "Vouch",
    "decide",
    "enough_roots",
    "follows",
    "key_id",
    "key_of",
    "parse_policy",
    "people",
    "policy_digest",
    "principal_of",
    "revoked_since",
    "unix",
    "vouches_of",
]  # fmt: skip

AHEAD = 600
"""Seconds by which a signature may be dated after the moment it is judged at."""


@dataclass(frozen=True, slots=True)
class Vouch:
    """One good signature on one thing, after cryptographic verification.

    `key` is `gpg:` and the *primary* key's whole fingerprint in capitals, or `ssh:SHA256:...` (see `key_of`). `what` is
    `tag` (the event's own signature), `approval`, `artifact` (SIGNATURE.asc), `model` (model.sig, by an `oms:` key) or
    `receipt` (the run behind the version was made again with the same result).
    `at` is Unix time: what the signature says of itself, for SSH and model.sig the tagger's date.
    """

    key: str
    what: str
    at: int


@dataclass(frozen=True, slots=True)
class Move:
    """One event, as far as a policy cares.

    `half` is `registration` (then `origin` is None), `leaving`, `entering` or `resolution`. `metrics` are the figures
    in metrics.yaml (None: they cannot be read), `production` those of the version in production just before (None:
    there is none, or it is this one). `format` is the model's format. `author` is the key that signed the introducing
    commit (`""`: not known, or none), `previous` the keys of the event that brought the version to `origin`. `dangers`
    is what a scan of the model's files found beyond the policy's `pickle_imports` (None: nothing was scanned). `stale`
    says why no statement of freshness is in force (`""`: one is, or the event is recorded already).
    """

    model: str
    version: str
    origin: str | None
    target: str
    half: str = "entering"
    metrics: Mapping[str, Figure] | None = None
    production: Mapping[str, Figure] | None = None
    format: str = ""
    author: str = ""
    previous: tuple[str, ...] = ()
    dangers: tuple[str, ...] | None = None
    stale: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Shortfall:
    """Why a move is not allowed: the rule it breaks, and a sentence that names the person or thing that is missing."""

    rule_id: str
    message: str


def key_of(verdict: SignatureVerdict) -> str:
    """The key of a verdict as policies write it: the primary key's, so that a subkey is nobody else."""
    return key_id(verdict.primary or verdict.fingerprint)


def key_id(fingerprint: str) -> str:
    """A fingerprint (40 or 64 hex digits, or `SHA256:...`) as policies write it."""
    return f"ssh:{fingerprint}" if fingerprint.startswith("SHA256:") else f"gpg:{fingerprint.upper()}"


def vouches_of(verdicts: Iterable[SignatureVerdict], what: str, at: int | None = None) -> tuple[Vouch, ...]:
    """The good ones among `verdicts`, all `at` one moment when it is given; none at all where one is bad."""
    listed = list(verdicts)
    if any(verdict.status in ("bad", "malformed") for verdict in listed):
        return ()
    good = (verdict for verdict in listed if verdict.good)
    return tuple(Vouch(key_of(verdict), what, verdict.created if at is None else at) for verdict in good)


def people(policy: Policy, vouches: Iterable[Vouch], at: int | None = None) -> frozenset[str]:
    """The persons behind `vouches`: each valid when signing, and at the moment `at` too where it is given."""
    found = set()
    for vouch in vouches:
        name = principal_of(policy, vouch.key, vouch.at)
        if name is None or (at is not None and vouch.at > at + AHEAD):
            continue
        if at is None or principal_of(policy, vouch.key, max(at, vouch.at)) == name:
            found.add(name)
    return frozenset(found)


def revoked_since(policy: Policy, vouch: Vouch) -> bool:
    """Whether a later version of the policy says that the vouch was made by a key (or person) already revoked then."""
    owners = (one for one in policy.principals.values() if vouch.key in one.keys or vouch.key in one.retired)
    ends = [end for one in owners for end in (one.revoked_at, one.retired.get(vouch.key)) if end is not None]
    return any(vouch.at >= end for end in ends)


def decide(policy: Policy, move: Move, vouches: Sequence[Vouch], *, at: int) -> tuple[Shortfall, ...]:
    """Why `move` is not allowed by `policy`; nothing where it is.

    `at` (Unix time) is the moment of judging: now for a new event; the event's own date for one that stands in the
    ledger, where the policy's `grace` is `recorded`. Order and repetition of `vouches` make no difference.
    """
    signed = people(policy, (vouch for vouch in vouches if vouch.what in ("tag", "approval")), at)
    if move.half != "entering" or move.origin is None:
        return _judge_simple(policy, move, people(policy, (v for v in vouches if v.what == "tag"), at))
    rule = policy.rule_for(move.model, move.origin, move.target)
    if rule is None and not _is_upward(move.origin, move.target):
        return _judge_simple(policy, move, signed)
    if rule is None:
        told = f"no rule of the policy lets anybody move {move.model} from {move.origin} to {move.target}"
        return (Shortfall("STR-P036", told),)
    return (
        *_judge_people(policy, rule, move, signed, vouches, at),
        *_judge_requirements(policy, rule, move, vouches, at),
    )


def _judge_simple(policy: Policy, move: Move, signed: frozenset[str]) -> tuple[Shortfall, ...]:
    """What one signer alone may do: register, take a version out of a stage, bring it down."""
    if move.origin is None:
        rules = [rule for rule in policy.rules if rule.fits(move.model)]
        deed = f"register versions of {move.model}"
    elif move.half == "resolution":
        rules = [r for r in policy.rules if r.fits(move.model) and move.target in (r.target, "experimental")]
        deed = f"settle which line of events of {move.model} holds"
    else:
        ends = {(move.origin, move.target)}
        rules = [
            r for r in policy.rules if r.fits(move.model) and ((r.origin, r.target) in ends or r.target == move.origin)
        ]
        deed = f"take {move.model} out of {move.origin}"
    may = {name for rule in rules for name in rule.signers}
    if signed & may:
        return ()
    if not may:
        return (Shortfall("STR-P036", f"no rule of the policy lets anybody {deed}"),)
    return (Shortfall("STR-P020", f"{_told(signed)}; to {deed} is for {_listed(may)}"),)


def _judge_people(
    policy: Policy, rule: Rule, move: Move, signed: frozenset[str], vouches: Sequence[Vouch], at: int
) -> Iterable[Shortfall]:
    barred: dict[str, str] = {}
    for word in rule.distinct_from:
        if word == "reproducer":
            continue
        names, unknown = _others(policy, word, move, vouches, at)
        if unknown:
            yield Shortfall("STR-P038", f"rule {rule.number} wants other people than the {word}: {unknown}")
        barred |= dict.fromkeys(names, word)
    counted = sorted((signed & set(rule.signers)) - barred.keys())
    if "reproducer" in rule.distinct_from:
        spent = _reproducer_among(policy, counted, vouches, at)
        barred |= dict.fromkeys(spent, "reproducer")
        counted = [name for name in counted if name not in spent]
    if len(counted) >= rule.threshold:
        return
    for name in sorted(signed & set(rule.signers) & barred.keys()):
        word = barred[name].replace("_", " ")
        yield Shortfall("STR-P038", f"{name} is the {word}, whose own word does not count (rule {rule.number})")
    missing = rule.threshold - len(counted)
    able = [name for name in rule.signers if name not in counted and name not in barred]
    yield Shortfall(
        "STR-P020",
        f"{move.origin} to {move.target} asks for {rule.threshold} of {_listed(rule.signers)} (rule {rule.number}); "
        f"{_told(counted or signed)}; {missing} more of {_listed(able) or 'nobody that is left'} must sign",
    )


def _reproducer_among(policy: Policy, counted: Sequence[str], vouches: Sequence[Vouch], at: int) -> list[str]:
    """Who of the signers is needed as the one who made the run again, and cannot be both: one at most.

    Nobody where somebody else did it too, so that a signer's own receipt does no harm beside another's.
    """
    made = people(policy, (vouch for vouch in vouches if vouch.what == "receipt"), at)
    return sorted(made)[:1] if made and made <= set(counted) else []


def _others(policy: Policy, word: str, move: Move, vouches: Sequence[Vouch], at: int) -> tuple[set[str], str]:
    """The persons that a word of `distinct_from` means, and why they cannot be told (`""`: they can)."""
    if word == "artifact_signer":
        names = people(policy, (vouch for vouch in vouches if vouch.what == "artifact"), at)
        return set(names), "" if names else "no enrolled person signed the version"
    if word == "author":
        # a commit's author is whatever somebody typed; who signed it is known
        name = _anytime(policy, move.author)
        return ({name}, "") if name else (set(), "no enrolled person signed the commit that introduced the version")
    return {name for key in move.previous if (name := _anytime(policy, key))}, ""


def _anytime(policy: Policy, key: str) -> str | None:
    return policy.keys().get(key)


def _judge_requirements(
    policy: Policy, rule: Rule, move: Move, vouches: Sequence[Vouch], at: int
) -> Iterable[Shortfall]:
    for word in rule.requires:
        if word in _SIGNED:
            what, why = _SIGNED[word]
            if not people(policy, (vouch for vouch in vouches if vouch.what == what), at):
                yield Shortfall("STR-P013", f"{why} (rule {rule.number})")
        elif word == "format":
            if move.format not in (policy.formats or ()):
                listed = _listed(policy.formats or ())
                yield Shortfall("STR-P039", f"its format is {move.format or 'not known'}, allowed is {listed}")
        elif word == "scan":
            yield from _judge_scan(rule, move)
        elif word == "freshness":
            if move.stale:
                yield Shortfall("STR-P029", f"{move.stale} (rule {rule.number})")
        elif told := judge_gate(policy.gates[word], move.metrics, move.production):
            yield Shortfall("STR-P015", f"gate {word} ({policy.gates[word].text}): {told}")


_SIGNED = {
    "signature": ("artifact", "no enrolled person signed the version"),
    "model_signature": ("model", "no model.sig by an enrolled person lists its files"),
    "reproduced": ("receipt", "nobody enrolled has signed a receipt that its run was made again with the same result"),
}
"""Which vouches a word asks for, and what is said where there are none."""


def _judge_scan(rule: Rule, move: Move) -> Iterable[Shortfall]:
    if move.dangers is None:
        yield Shortfall("STR-P039", f"its files were not scanned, which rule {rule.number} asks for")
    for danger in move.dangers or ():
        yield Shortfall("STR-P039", danger)


# -- one version after another --------------------------------------------------------------------------------------


def enough_roots(policy: Policy, vouches: Iterable[Vouch], *, since: int) -> Shortfall | None:
    """None where so many of the policy's roots as it asks for have signed (`vouches`), not before `since`."""
    signed = people(policy, (vouch for vouch in vouches if vouch.at >= since)) & set(policy.roots)
    if len(signed) >= policy.root_threshold:
        return None
    missing = policy.root_threshold - len(signed)
    left = [name for name in policy.roots if name not in signed]
    told = (
        f"the roots of version {policy.version} are {_listed(policy.roots)}, of whom {policy.root_threshold} must sign"
    )
    return Shortfall("STR-P032", f"{told}; {_told(signed)}; {missing} more of {_listed(left)} must sign")


def follows(old: Policy, new: Policy, vouches: Sequence[Vouch]) -> tuple[Shortfall, ...]:
    """Why `new` is no valid successor of `old`; `vouches` are the good signatures over the bytes of `new`.

    It must name `old` as its predecessor and be signed by enough roots of both: the old ones let go, the new ones take
    over. Signatures older than either version do not count, so that nobody who was revoked can sign in the past.
    """
    told = []
    if new.repository != old.repository:
        told.append(Shortfall("STR-P031", f"it is for the repository {new.repository}, not {old.repository}"))
    if (new.version, new.previous) != (old.version + 1, old.digest):
        told.append(
            Shortfall("STR-P031", f"version {new.version} does not follow version {old.version}: its number is one "
                      "higher, and `previous` is the SHA-256 of the file before"))  # fmt: skip
    if new.issued < old.issued:
        told.append(Shortfall("STR-P031", f"version {new.version} is dated before version {old.version}"))
    since = max(old.issued, new.issued - AHEAD)
    shorts = (enough_roots(side, vouches, since=since) for side in (old, new))
    return (*told, *(short for short in shorts if short is not None))


def _is_upward(origin: str, target: str) -> bool:
    rank = {"archived": -1, "experimental": 0, "staging": 1, "production": 2}
    return rank[target] > rank[origin]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _told(names: Iterable[str]) -> str:
    listed = _listed(names)
    return f"signed by {listed}" if listed else "no enrolled person signed"
