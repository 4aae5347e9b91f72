"""Placeholders in what a command is told: `${inputs.NAME}`, `${outputs.NAME}`, `${params.A.B}`, `${seed}`, others.

One pass, from left to right: what a placeholder brings in is never looked at again, so no data can ask for anything.
`$${` stands for `${`; a `$` before anything else is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from strata_git.errors import UsageError, printable

_PLACEHOLDER = re.compile(r"\$(\$\{)|\$\{([^{}]*)\}")
SINGLE = ("artifact_dir", "experiment", "python", "seed", "workspace")
GROUPS = ("inputs", "outputs", "params", "splits")


@dataclass(frozen=True, slots=True)
class Values:
    """What the placeholders stand for: single words, and groups of named values. A split is a list of files, a
    parameter any value of YAML."""

    single: Mapping[str, str]
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def named(text: str) -> Iterator[str]:
    """The names in the placeholders of `text`: `inputs.model`, `seed`."""
    for found in _PLACEHOLDER.finditer(text):
        if found[1] is None:
            yield found[2].strip()


def expanded(text: str, values: Values, where: str) -> str:
    """`text` with every placeholder replaced; UsageError (naming `where`) for what stands for no single value."""
    return _PLACEHOLDER.sub(lambda found: "${" if found[1] else _one(found[2].strip(), values, where), text)


def expanded_list(texts: Sequence[str], values: Values, where: str) -> list[str]:
    """Every text expanded; one that is nothing but a placeholder for a list becomes as many texts."""
    made: list[str] = []
    for at, text in enumerate(texts):
        found = _PLACEHOLDER.fullmatch(text)
        value = None if found is None or found[1] else value_of(found[2].strip(), values, f"{where}[{at}]")
        if isinstance(value, list | tuple):
            made += [_word(one, text, f"{where}[{at}]") for one in value]
        else:
            made.append(expanded(text, values, f"{where}[{at}]"))
    return made


def value_of(name: str, values: Values, where: str) -> Any:
    """What `name` stands for; UsageError with the known names where it stands for nothing."""
    if name in values.single:
        return values.single[name]
    group, _, rest = name.partition(".")
    if group not in values.groups or not rest:
        known = ", ".join((*SINGLE, *(f"{one}.NAME" for one in GROUPS)))
        raise UsageError(f"{where}: ${{{printable(name)}}} stands for nothing.", hint=f"There are: {known}.")
    found: Any = values.groups[group]
    for part in (rest,) if group != "params" else tuple(rest.split(".")):
        if not isinstance(found, Mapping) or part not in found:
            there = ", ".join(map(str, found)) if isinstance(found, Mapping) else ""
            raise UsageError(
                f"{where}: ${{{printable(name)}}} stands for nothing.",
                hint=f"Names there: {printable(there) or 'none'}.",
            )
        found = found[part]
    return found


def _one(name: str, values: Values, where: str) -> str:
    value = value_of(name, values, where)
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    return _word(value, f"${{{name}}}", where)


def _word(value: Any, placeholder: str, where: str) -> str:
    """A scalar as YAML spells it."""
    if isinstance(value, Mapping | list | tuple):
        kind = "several values" if isinstance(value, Mapping) else f"{len(value)} values"
        raise UsageError(
            f"{where}: {printable(placeholder)} stands for {kind}, where one is wanted.",
            hint="Name one of them, or let the placeholder stand alone as an item of the list.",
        )
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
