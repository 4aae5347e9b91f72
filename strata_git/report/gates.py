"""Which gates a report holds models to: read from a file, from words, or from a trust policy. Pure.

The file is YAML, `schema: strata/gates/v1`, with a list `gates` of {models: GLOB, require: [GATE, ...]}; the grammar of
a gate is that of trust policies (TFC-0009 6.15, `contracts.gates`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from strata_git.checks.plain import items, mapping, text
from strata_git.contracts.gates import Gate, parse_gate
from strata_git.errors import StrataError, printable

if TYPE_CHECKING:
    from strata_git.integrity.principals import Policy

SCHEMA = "strata/gates/v1"
_HINT = "schema: strata/gates/v1\ngates:\n  - {models: '*', require: ['accuracy >= 0.9']}"


@dataclass(frozen=True, slots=True)
class GateRule:
    """What models whose name fits the glob `models` have to pass."""

    models: str
    gates: tuple[Gate, ...]

    def fits(self, model: str) -> bool:
        """Whether the rule is about that model."""
        return fnmatchcase(model, self.models)


def read_gates(data: bytes, name: str) -> tuple[GateRule, ...]:
    """The gates in a file's bytes; `name` is for the error. Raises StrataError."""
    from strata_git.load import Unloadable, load_yaml

    try:
        said = mapping(load_yaml(data).value)
    except Unloadable as error:
        raise StrataError(f"{printable(name)} cannot be read: {error.message} (line {error.line}).") from None
    rows = items(said.get("gates"))
    if said.get("schema") != SCHEMA or said.keys() - {"schema", "gates"} or not rows:
        raise StrataError(f"{printable(name)} is no list of gates.", hint=_HINT)
    return tuple(_rule(mapping(row), f"{name}: gates[{number}]") for number, row in enumerate(rows))


def gates_said(words: Sequence[str]) -> tuple[GateRule, ...]:
    """Gates for every model, as somebody typed them. Raises StrataError."""
    return (GateRule("*", tuple(_gate(word, "--require") for word in words)),) if words else ()


def gates_of_policy(policy: Policy) -> tuple[GateRule, ...]:
    """The gates that a trust policy asks for on the way into production."""
    into = [rule for rule in policy.rules if rule.target == "production"]
    named = [(rule.models, [policy.gates[word] for word in rule.requires if word in policy.gates]) for rule in into]
    return tuple(GateRule(models, tuple(gates)) for models, gates in named if gates)


def _rule(row: object, place: str) -> GateRule:
    said = mapping(row)
    models, words = text(said.get("models")), [text(word) for word in items(said.get("require"))]
    if not models or not words or None in words or said.keys() - {"models", "require"}:
        raise StrataError(f"{printable(place)} must have 'models' (a glob) and 'require' (a list).", hint=_HINT)
    return GateRule(models, tuple(_gate(word or "", place) for word in words))


def _gate(word: str, place: str) -> Gate:
    try:
        return parse_gate(word)
    except ValueError as error:
        raise StrataError(f"{printable(place)}: '{printable(word)}' {error}.") from None
