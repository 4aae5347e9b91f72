"""What a trust policy says, as values: principals, rules, gates; read from the bytes of policy.yaml. Pure.

What follows from it is `integrity.policy`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from strata_git.contracts.gates import Gate, parse_gate

if TYPE_CHECKING:
    from strata_git.contracts.policy import Person, TrustPolicy


class PolicyError(ValueError):
    """The bytes are no policy. `line` is 1-based, 0 where it is not known."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class Principal:
    """One person. Times are Unix seconds; `revoked_at` says since when nothing counts, `retired` likewise by key."""

    name: str
    keys: tuple[str, ...]
    valid_from: int | None = None
    valid_until: int | None = None
    revoked_at: int | None = None
    revoked_reason: str = ""
    retired: Mapping[str, int] = field(default_factory=dict)

    def owns(self, key: str, at: int) -> bool:
        """Whether what `key` signed at `at` is this person's word."""
        if self.valid_from is not None and at < self.valid_from:
            return False
        ends = [end for end in (self.valid_until, self.revoked_at, self.retired.get(key)) if end is not None]
        return (key in self.keys or key in self.retired) and all(at < end for end in ends)


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may move the models that `models` (a glob) names from `origin` to `target`."""

    number: int
    models: str
    origin: str
    target: str
    signers: tuple[str, ...]
    threshold: int
    distinct_from: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()

    def fits(self, model: str) -> bool:
        """Whether the rule is about that model."""
        return _glob(self.models).fullmatch(model) is not None


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a policy; `digest` is `sha256:` and the SHA-256 of its bytes. Times are Unix seconds."""

    repository: str
    version: int
    previous: str | None
    digest: str
    issued: int
    root_threshold: int
    roots: tuple[str, ...]
    principals: Mapping[str, Principal]
    rules: tuple[Rule, ...] = ()
    gates: Mapping[str, Gate] = field(default_factory=dict)
    formats: tuple[str, ...] | None = None
    pickle_imports: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ("gpg", "ssh", "oms")
    transitions: frozenset[tuple[str, str]] | None = None
    max_age_days: int | None = None
    log: bool = False
    grace: str = "recorded"
    adopted: Mapping[str, str] = field(default_factory=dict)

    def rule_for(self, model: str, origin: str, target: str) -> Rule | None:
        """The first rule that is about the move."""
        moves = (rule for rule in self.rules if (rule.origin, rule.target) == (origin, target))
        return next((rule for rule in moves if rule.fits(model)), None)

    def keys(self) -> dict[str, str]:
        """Every key that was ever somebody's, and whose."""
        return {key: person.name for person in self.principals.values() for key in (*person.keys, *person.retired)}


def policy_digest(data: bytes) -> str:
    """What names a version of the policy: `sha256:` and the SHA-256 of the file's bytes."""
    return f"sha256:{sha256(data).hexdigest()}"


def parse_policy(data: bytes) -> Policy:
    """Read policy.yaml. Raises PolicyError."""
    from strata_git.contracts.base import ContractError, parse
    from strata_git.contracts.policy import TrustPolicy
    from strata_git.load import Unloadable, load_yaml

    try:
        return _policy(parse(TrustPolicy, load_yaml(data)), policy_digest(data))
    except Unloadable as error:
        raise PolicyError(error.message, error.line) from None
    except ContractError as error:
        first = error.complaints[0]
        raise PolicyError(first.message, first.line) from None


def principal_of(policy: Policy, key: str, at: int) -> str | None:
    """Whose word it is what `key` signed at `at`; None for nobody's: unknown, not yet or no longer valid, revoked."""
    if key.partition(":")[0] not in policy.algorithms:
        return None
    return next((name for name, person in policy.principals.items() if person.owns(key, at)), None)


# -- reading ----------------------------------------------------------------------------------------------------------


def _policy(read: TrustPolicy, digest: str) -> Policy:
    transitions = None
    if read.transitions is not None:
        transitions = frozenset((each.source, each.target) for each in read.transitions)
    return Policy(
        repository=read.repository,
        version=read.version,
        previous=read.previous,
        digest=digest,
        issued=unix(read.issued),
        root_threshold=read.roots.threshold,
        roots=read.roots.principals,
        principals={name: _principal(name, person) for name, person in read.principals.items()},
        rules=tuple(
            Rule(number, r.models, r.source, r.target, r.signers, r.threshold, r.distinct_from, r.requires)
            for number, r in enumerate(read.rules, 1)
        ),
        gates={name: parse_gate(text) for name, text in read.gates.items()},
        formats=read.formats.production if read.formats else None,
        pickle_imports=read.formats.pickle_imports if read.formats else (),
        algorithms=read.algorithms.keys,
        transitions=transitions,
        max_age_days=read.freshness.max_age_days if read.freshness else None,
        log=read.log,
        grace=read.grace,
        adopted=read.adopted,
    )


def _principal(name: str, person: Person) -> Principal:
    revoked = person.revoked
    return Principal(
        name,
        tuple(person.keys),
        unix(person.valid_from) if person.valid_from else None,
        unix(person.valid_until) if person.valid_until else None,
        unix(revoked.at) if revoked else None,
        revoked.reason if revoked else "",
        {each.key: unix(each.at) for each in person.retired_keys},
    )


def unix(moment: str) -> int:
    """A `Moment` of the contracts in Unix time."""
    return int(datetime.fromisoformat(moment).timestamp())


@lru_cache(maxsize=256)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern))
