"""Metrics as they are compared: which way is better, by how much two may differ and still be equal. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from strata_git.checks.plain import dig, mapping, number, text

Direction = Literal["higher", "lower", ""]
Verdict = Literal["better", "worse", "equal", "differs", "new", "missing"]

_HIGHER = frozenset({
    "accuracy", "acc", "ap", "auc", "auprc", "auroc", "bleu", "correctness", "dice", "f1", "iou", "kappa", "map", "mcc",
    "mrr", "ndcg", "precision", "r2", "recall", "rouge", "score", "sensitivity", "specificity", "throughput",
})  # fmt: skip
_LOWER = frozenset({
    "brier", "cer", "cost", "deviance", "err", "error", "errors", "fid", "fnr", "fpr", "latency", "logloss", "loss",
    "mae", "mape", "mse", "nll", "perplexity", "rmse", "seconds", "wer",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure. `direction` says which way is better, `""` where nobody knows; `declared` whether the model itself
    says so (TFC-0005) and not only the metric's name. `n` is how many samples made it."""

    value: float
    direction: Direction = ""
    tolerance: float = 0.0
    declared: bool = False
    split: str = ""
    n: int | None = None


def measures_of(metrics: Mapping[str, float | int], said: object) -> dict[str, Measure]:
    """The figures of a version, sorted by name; `said` is what a model's metrics.yaml says, if there is one."""
    described = mapping(dig(said, "metrics"))
    names = sorted({*metrics, *(name for name, one in described.items() if number(dig(one, "value")) is not None)})
    return {name: _measure(name, metrics.get(name), described.get(name)) for name in names}


def assumed_direction(name: str) -> Direction:
    """Which way a metric of this name is better by common usage; `""` where its words say nothing, or both."""
    words = set(re.split(r"[^a-z0-9]+", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()))
    higher, lower = bool(words & _HIGHER), bool(words & _LOWER)
    if higher == lower:
        return ""
    return "higher" if higher else "lower"


def judge(before: Measure | None, after: Measure | None) -> Verdict:
    """What became of a figure; `equal` within the larger tolerance of the two."""
    if before is None or after is None:
        return "new" if before is None else "missing"
    if close(before, after):
        return "equal"
    direction = after.direction or before.direction
    if not direction or (before.direction and after.direction and before.direction != after.direction):
        return "differs"
    return "better" if (after.value > before.value) == (direction == "higher") else "worse"


def close(one: Measure, other: Measure, tolerance: float | None = None) -> bool:
    """Whether two figures count as equal."""
    allowed = max(one.tolerance, other.tolerance) if tolerance is None else tolerance
    return _apart(one.value, other.value) <= allowed


def best(measures: Iterable[Measure | None], tolerance: float = 0.0) -> tuple[int, ...]:
    """The places of the best figures (several when they tie); none where the direction is unknown or disputed, or where
    there is nothing to compare with."""
    listed = [(place, measure) for place, measure in enumerate(measures) if measure is not None]
    ways = {measure.direction for _, measure in listed}
    if len(listed) < 2 or len(ways) != 1 or "" in ways:
        return ()
    top = (max if ways == {"higher"} else min)(measure.value for _, measure in listed)
    return tuple(place for place, measure in listed if _apart(measure.value, top) <= tolerance)


def delta(before: Measure, after: Measure) -> float:
    """How much a figure went up, exact to the decimal digits that were written."""
    return _difference(after.value, before.value)


def _apart(one: float, other: float) -> float:
    return abs(_difference(one, other))


def _difference(one: float, other: float) -> float:
    """One less the other, as the decimal numbers that people wrote: 0.92 and 0.91 are 0.01 apart."""
    from decimal import Decimal

    return float(Decimal(repr(one)) - Decimal(repr(other)))


def _measure(name: str, value: float | int | None, described: object) -> Measure:
    given = number(dig(described, "value"))
    direction = text(dig(described, "direction"))
    tolerance = number(dig(described, "tolerance"))
    count = number(dig(described, "n"))
    return Measure(
        value if value is not None else given if given is not None else 0.0,
        direction if direction in ("higher", "lower") else assumed_direction(name),  # type: ignore[arg-type]
        max(float(tolerance or 0), 0.0),
        direction in ("higher", "lower"),
        text(dig(described, "split")) or "",
        int(count) if count is not None else None,
    )


def shown(value: float | int) -> str:
    """A figure for people: six digits that count."""
    return f"{value:.6g}"


def signed(value: float) -> str:
    """A difference for people."""
    return f"{value:+.6g}"


def plain(measure: Measure | None) -> dict[str, object] | None:
    """A figure as JSON has it."""
    if measure is None:
        return None
    return {
        "value": measure.value,
        "direction": measure.direction or None,
        "declared": measure.declared,
        "tolerance": measure.tolerance,
        "split": measure.split or None,
        "n": measure.n,
    }


def flat(value: object, prefix: str = "") -> dict[str, object]:
    """Nested data as one level of dotted keys; lists and scalars stay whole."""
    if not isinstance(value, Mapping) or not value:
        return {prefix: value} if prefix else {}
    found: dict[str, object] = {}
    for key, inner in value.items():
        found |= flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return found
