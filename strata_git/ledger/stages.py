"""Which stages there are and how a version may move between them (TFC-0009 §4). Pure."""

from __future__ import annotations

from collections.abc import Collection

from strata_git.contracts.layout import STAGES

EXPERIMENTAL, STAGING, PRODUCTION, ARCHIVED = STAGES

TRANSITIONS: frozenset[tuple[str, str]] = frozenset({
    (EXPERIMENTAL, STAGING),
    (STAGING, PRODUCTION),
    (PRODUCTION, ARCHIVED),
    (PRODUCTION, STAGING),
    (STAGING, ARCHIVED),
    (EXPERIMENTAL, ARCHIVED),
})  # fmt: skip
"""The moves that are allowed where no policy says otherwise."""

_LADDER = (EXPERIMENTAL, STAGING, PRODUCTION)


def is_allowed(origin: str, target: str, transitions: Collection[tuple[str, str]] | None = None) -> bool:
    """Whether a version may move from one stage to the other; `transitions` are those of a policy that names some.

    Raises ValueError for a word that is no stage.
    """
    return (_stage(origin), _stage(target)) in (TRANSITIONS if transitions is None else transitions)


def is_upward(origin: str, target: str) -> bool:
    """Whether the move brings a version nearer to its users, so that it has to be judged first."""
    rank = {stage: place for place, stage in enumerate(_LADDER)}
    return rank.get(_stage(target), -1) > rank.get(_stage(origin), -1)


def next_stage(stage: str) -> str | None:
    """One step up; None where there is none: production is the top, and archiving is asked for by name."""
    place = _LADDER.index(stage) if _stage(stage) in _LADDER else len(_LADDER)
    return _LADDER[place + 1] if place + 1 < len(_LADDER) else None


def reachable(stage: str, transitions: Collection[tuple[str, str]] | None = None) -> tuple[str, ...]:
    """Where a version may go from here, in the order of the stages."""
    return tuple(target for target in STAGES if is_allowed(stage, target, transitions))


def _stage(word: str) -> str:
    if word not in STAGES:
        raise ValueError(f"'{word}' is not a stage ({', '.join(STAGES)})")
    return word
