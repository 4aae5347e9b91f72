"""The trust policy, .strata/trust/policy.yaml: who may do what, and who may change that (TFC-0009 section 6)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from strata_git.contracts.base import Checked, ContentHash, Contract, Label, Many, Moment, Name, OrBare, whole
from strata_git.contracts.gates import PATTERN, parse_gate

SCHEMA = "strata/policy/v1"
GPG_KEY = r"gpg:(?:[0-9A-F]{64}|[0-9A-F]{40})"
SSH_KEY = r"ssh:SHA256:[A-Za-z0-9+/]{43}"
OMS_KEY = r"oms:[0-9a-f]{64}"
REQUIREMENTS = frozenset({"format", "freshness", "model_signature", "reproduced", "scan", "signature"})
"""What a rule can ask for beside the gates it names."""

Stage = Literal["experimental", "staging", "production", "archived"]
Distinct = Literal["author", "artifact_signer", "previous_signer", "reproducer"]


def _like(pattern: str, what: str) -> Checked:
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(f"must be {what}")
        return value

    return Checked(check, whole(pattern), what)


def _gate(value: str) -> str:
    parse_gate(value)
    return value


Key = Annotated[
    str,
    _like(
        f"{GPG_KEY}|{SSH_KEY}|{OMS_KEY}",
        "gpg: and a whole fingerprint in capitals, ssh:SHA256:..., or oms: and 64 digits",
    ),
]
"""A key by its whole fingerprint: `gpg:` and the primary key's 40 (or 64) digits, `ssh:SHA256:...`, or, for model.sig
alone, `oms:` and the SHA-256 of the public key's PEM text."""
Glob = Annotated[str, _like(r"[a-z0-9*?_-]{1,200}", "a model's name, in which * and ? stand for other characters")]
Uuid = Annotated[
    str, _like(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "the UUID of the repository, as in strata.yaml")
]
TagId = Annotated[str, _like(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", "the id of a tag object")]
Condition = Annotated[str, Checked(_gate, whole(PATTERN), "a condition such as test_f1 >= 0.9")]
Word = Annotated[str, _like(r"[a-z0-9]+(?:[-_][a-z0-9]+)*", "lower-case letters and digits, joined by - or _")]
Import = Annotated[str, _like(r"[A-Za-z_][A-Za-z0-9_.]{0,199}(?:\.\*)?", "a name: numpy.dtype, or sklearn.tree.*")]


class Roots(Contract):
    """Who may change the policy: so many of these people together."""

    threshold: int = Field(ge=1, le=64)
    principals: Many[Name] = Field(min_length=1, max_length=64)


class Revocation(Contract):
    """From `at` on nothing that is signed counts any more, whatever date it claims to have."""

    at: Moment
    reason: Label


class RetiredKey(Contract):
    """A key that was somebody's: what it signed before `at` still counts."""

    key: Key
    at: Moment
    reason: Label


class Person(Contract):
    """A principal: one person (or robot), by whatever keys. Persons are counted, never keys."""

    keys: Many[Key] = Field(default=(), max_length=32)
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    revoked: Revocation | None = None
    retired_keys: Many[RetiredKey] = Field(default=(), max_length=64)


class RuleEntry(Contract):
    """Who may move which models between two stages, and what is asked of the version. The first that fits decides."""

    models: Glob
    source: Stage = Field(alias="from")
    target: Stage = Field(alias="to")
    signers: Many[Name] = Field(min_length=1, max_length=256)
    threshold: int = Field(default=1, ge=1, le=64)
    distinct_from: Many[Distinct] = ()
    requires: Many[Word] = ()


class Transition(Contract):
    """One move that is allowed."""

    source: Stage = Field(alias="from")
    target: Stage = Field(alias="to")


def _spelled_out(value: Any) -> Any:
    """`staging -> production` as a transition."""
    if isinstance(value, str) and value.count(" -> ") == 1:
        source, target = value.split(" -> ")
        return {"from": source, "to": target}
    return value


class Formats(Contract):
    """Which model formats `requires: [format]` lets pass, and what a pickle among them may import."""

    production: Many[Name] = Field(min_length=1)
    pickle_imports: Many[Import] = ()


class Algorithms(Contract):
    """What signatures may be made with; never weaker than what is refused everywhere (TFC-0008 3.6)."""

    keys: Many[Literal["gpg", "ssh", "oms"]] = Field(default=("gpg", "ssh", "oms"), min_length=1)


class Freshness(Contract):
    """How old the newest statement about the ledger may be."""

    max_age_days: int = Field(ge=1, le=36500)


class TrustPolicy(Contract):
    """The whole policy. It is in force when enough roots of the version before, and of its own, have signed it."""

    format: Literal["strata/policy/v1"] = Field(alias="schema")
    repository: Uuid
    version: int = Field(ge=1, le=1_000_000)
    previous: ContentHash | None
    issued: Moment
    roots: Roots
    principals: dict[Name, Person] = Field(min_length=1, max_length=1000)
    rules: Many[RuleEntry] = ()
    gates: dict[Word, Condition] = Field(default_factory=dict)
    formats: Formats | None = None
    algorithms: Algorithms = Algorithms()
    transitions: (
        Many[Annotated[Transition, BeforeValidator(_spelled_out), OrBare(whole(r"[a-z]+ -> [a-z]+"))]] | None
    ) = None
    freshness: Freshness | None = None
    log: bool = False
    grace: Literal["recorded", "none"] = "recorded"
    adopted: dict[Name, TagId] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> TrustPolicy:
        if (self.version == 1) != (self.previous is None):
            raise ValueError("the first version, and no other, has no previous one")
        if self.adopted and self.version != 1:
            raise ValueError("only the first version adopts earlier events")
        for what, told in _quarrels(self):
            raise ValueError(f"{what}: {told}")
        return self


def _quarrels(policy: TrustPolicy) -> Iterable[tuple[str, str]]:
    """Where one part of the policy makes another impossible."""
    yield from _judge_names("roots", policy.roots.principals, policy.roots.threshold, policy)
    for number, rule in enumerate(policy.rules, 1):
        place = f"rules, entry {number}"
        yield from _judge_names(place, rule.signers, rule.threshold, policy)
        if rule.source == rule.target:
            yield place, "leads nowhere"
        for word in sorted({*rule.requires} - policy.gates.keys() - REQUIREMENTS):
            yield place, f"asks for '{word}', which is no gate"
        if "format" in rule.requires and policy.formats is None:
            yield place, "asks for a format, and 'formats' names none"
        if "reproducer" in rule.distinct_from and "reproduced" not in rule.requires:
            yield place, "wants other people than the reproducer, and does not ask that the run was reproduced"
        if "freshness" in rule.requires and policy.freshness is None:
            yield place, "asks for freshness, and 'freshness' says no age"
    for word in sorted(REQUIREMENTS & policy.gates.keys()):
        yield "gates", f"'{word}' means something else"
    yield from _judge_keys(policy.principals)


def _judge_names(place: str, names: tuple[str, ...], threshold: int, policy: TrustPolicy) -> Iterable[tuple[str, str]]:
    for name in sorted({*names} - policy.principals.keys()):
        yield place, f"{name} is no principal"
    if len(set(names)) != len(names):
        yield place, "names somebody twice"
    if threshold > len(names):
        yield place, f"asks for {threshold} people and names {len(names)}"


def _judge_keys(people: Mapping[str, Person]) -> Iterable[tuple[str, str]]:
    """One key is one person's: else one could count as two."""
    owners = Counter(key for one in people.values() for key in {*one.keys, *(old.key for old in one.retired_keys)})
    for key, times in sorted(owners.items()):
        if times > 1:
            yield "principals", f"the key {key} belongs to {times} people"
