"""What the metric gates of a trust policy decide. Pure; their grammar is `contracts.gates`.

Figures are compared as the decimal numbers that people wrote, so that 0.92 and 0.91 are 0.01 apart. What cannot be
compared (a missing metric, NaN, an unknown direction, too few samples) never passes (TFC-0009 6.15).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strata_git.contracts.gates import Gate

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of a version. `direction` is `higher` or `lower` (which is better), `n` how many samples made it."""

    value: float
    direction: str = "higher"
    tolerance: float = 0.0
    n: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a gate found: the figures as they are written (`""`: there is none), the samples behind the version's own,
    and why it did not pass (`""`: it did)."""

    measured: str
    samples: int | None
    production: str
    reason: str


def measure_gate(gate: Gate, metrics: Mapping[str, Figure] | None, production: Mapping[str, Figure] | None) -> Outcome:
    """`judge_gate`, with the figures it went by; that of production only where the gate compares with it."""
    own = (metrics or {}).get(gate.metric)
    other = (production or {}).get(gate.metric) if not gate.sign else None
    reason = judge_gate(gate, metrics, production) or ""
    return Outcome(_written(own), own.n if own else None, _written(other), reason)


def judge_gate(gate: Gate, metrics: Mapping[str, Figure] | None, production: Mapping[str, Figure] | None) -> str | None:
    """Why a version with `metrics` does not pass; None where it does.

    `metrics` is None where they cannot be read. `production` are the figures of the version to be displaced, None where
    there is none: then nothing can be worse than it.
    """
    figure = (metrics or {}).get(gate.metric)
    if figure is None:
        return f"{gate.metric} is not among its metrics"
    if (value := _exact(figure.value)) is None:
        return f"{gate.metric} is not a number"
    if gate.least is not None and (figure.n is None or figure.n < gate.least):
        return f"{gate.metric} was measured on {figure.n or 'an unknown number of'} samples, fewer than {gate.least}"
    if gate.sign:
        assert gate.bound is not None  # noqa: S101 - the grammar has it
        return (
            None if _holds(value, gate.sign, gate.bound) else f"{gate.metric} is {value}, not {gate.sign} {gate.bound}"
        )
    return _compared(gate, figure, value, production)


def _compared(gate: Gate, figure: Figure, value: Decimal, production: Mapping[str, Figure] | None) -> str | None:
    if production is None:
        return None
    other = production.get(gate.metric)
    if other is None or (before := _exact(other.value)) is None:
        return f"{gate.metric} of the version in production is not known, so it cannot be compared"
    if figure.direction not in ("higher", "lower") or figure.direction != other.direction:
        return f"{gate.metric} is not better in one and the same direction here and in production"
    allowed = gate.bound if gate.bound is not None else _exact(figure.tolerance)
    if allowed is None or allowed < 0:
        return f"the tolerance of {gate.metric} is not a number"
    worse = before - value if figure.direction == "higher" else value - before
    if worse <= allowed:
        return None
    return f"{gate.metric} is {value}, worse than {before} in production by more than {allowed}"


def _holds(value: Decimal, sign: str, bound: Decimal) -> bool:
    if sign == ">=":
        return value >= bound
    if sign == "<=":
        return value <= bound
    return value > bound if sign == ">" else value < bound


def _written(figure: Figure | None) -> str:
    value = _exact(figure.value) if figure is not None else None
    return "" if value is None else str(value)


def _exact(value: float) -> Decimal | None:
    """The number as it is written; None for what is none (NaN, infinities, true)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    from decimal import Decimal

    return Decimal(repr(value))
