"""Trailers by which a commit message names artifacts: `Strata-Model: models/resnet50@v2` (TFC-0001 §10). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from strata_git.contracts.layout import RUN_RECORD, Artifact, artifact_of, parse_reference

NAMES = {
    "dataset": "Strata-Dataset",
    "run": "Strata-Run",
    "model": "Strata-Model",
    "prompt": "Strata-Prompt",
    "service": "Strata-Service",
}
"""What a trailer of each kind of artifact is called."""
MORE = "Strata-More"
NAMED = 20
"""Artifacts that are named before the rest is only counted."""

_KINDS = {name.lower(): kind for kind, name in NAMES.items()}
_LINE = re.compile(r"(strata-[a-z][a-z-]*)[ \t]*:[ \t]*(.*?)[ \t]*\r?", re.IGNORECASE)
_COUNTED = re.compile(r"[1-9][0-9]{0,8} artifacts?")


@dataclass(frozen=True, slots=True)
class Claim:
    """One trailer of ours in a message, on `line` (from 1).

    `artifact` is what it names, None where that is none; `known` tells whether the name means anything, `sound` whether
    the value is what belongs there.
    """

    line: int
    name: str
    value: str
    artifact: Artifact | None
    known: bool
    sound: bool


def trailers_of(artifacts: Iterable[Artifact]) -> list[str]:
    """The trailers that name `artifacts`, by kind and name; beyond `NAMED` a last one counts the rest."""
    order = list(NAMES)
    ordered = sorted(set(artifacts), key=lambda one: (order.index(one.kind), one.name, one.number))
    lines = [f"{NAMES[one.kind]}: {one.reference}" for one in ordered[:NAMED]]
    rest = len(ordered) - NAMED
    if rest > 0:
        lines.append(f"{MORE}: {rest} artifact{'s' if rest > 1 else ''}")
    return lines


def claims(message: str) -> list[Claim]:
    """Every trailer of ours in a message, wherever it stands: `git log --grep` would find it there too."""
    found = []
    for number, line in enumerate(message.split("\n"), 1):
        match = _LINE.fullmatch(line)
        if match is not None:
            found.append(_claim(number, *match.groups()))
    return found


def _claim(line: int, name: str, value: str) -> Claim:
    if name.lower() == MORE.lower():
        return Claim(line, name, value, None, True, bool(_COUNTED.fullmatch(value)))
    kind = _KINDS.get(name.lower())
    artifact = _artifact(kind, value) if kind else None
    return Claim(line, name, value, artifact, kind is not None, artifact is not None)


def _artifact(kind: str, value: str) -> Artifact | None:
    """The artifact of `kind` whose full reference is exactly `value`."""
    try:
        named = parse_reference(value, kind=kind).artifact(kind)
    except ValueError:
        return None
    whole = named.reference == value and artifact_of(f"{named.path}/{RUN_RECORD}") == named
    return named if whole else None
