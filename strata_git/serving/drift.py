"""How far what a service was asked has moved away from what its model learned from, column by column. Pure, NumPy only.

Two measures. The population stability index is the symmetrised Kullback-Leibler divergence (Jeffreys 1946) of the
shares of rows in bins, `sum((p - q) ln(p / q))`; numbers are binned by the quantiles of the reference (Siddiqi,
"Credit Risk Scorecards", 2006), each category and what is missing is a bin of its own. The Kolmogorov-Smirnov
statistic is the greatest distance of the two distribution functions (Smirnov 1948); for categories, which have no
order, the greatest difference that any set of them can have, which is half the sum of the differences.

Few rows move by chance alone. How far, is known: without drift the index times `n m / (n + m)` is distributed as
chi-square with one degree of freedom less than there are bins (Yurdakul and Naranjo, "Statistical properties of the
population stability index", 2020), and the statistic stays below `c sqrt((n + m) / (n m))`. What is within that of
nothing, at 5 % for all columns together (Bonferroni), is no drift, whatever the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import log, sqrt
from statistics import NormalDist
from typing import Any, Literal

BINS = 10
CATEGORIES = 50
"""Most categories with a bin of their own; the rest of the reference's, and whatever is new, are two bins more."""
LEVEL = 0.05
"""The chance of telling any column at all where nothing moved."""
Statistic = Literal["psi", "ks"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column compared. `kind` is `number` or `category`; `noise` what chance alone may make of the statistic that
    was asked for; `missing` are shares, before and now; `drifted` the verdict. `bins` say where: what is in each, and
    the shares before and now."""

    name: str
    kind: str
    psi: float
    ks: float
    noise: float
    missing: tuple[float, float]
    drifted: bool
    bins: tuple[tuple[str, float, float], ...]

    def as_json(self) -> dict[str, object]:
        """As a JSON object."""
        bins = [{"bin": name, "reference": before, "requests": now} for name, before, now in self.bins]
        missing = dict(zip(("reference", "requests"), self.missing, strict=True))
        return {**asdict(self), "missing": missing, "bins": bins}


def compare_columns(
    reference: Mapping[str, Any], asked: Mapping[str, Any], *, statistic: Statistic, threshold: float
) -> list[Column]:
    """Every column of both, the farthest first. Values are arrays of shape (rows,): numbers, or objects for categories;
    NaN and None are missing."""
    names = [name for name in reference if name in asked]
    level = LEVEL / max(len(names), 1)
    found = [_compared(name, reference[name], asked[name], statistic, threshold, level) for name in names]
    return sorted(found, key=lambda one: (-(one.psi if statistic == "psi" else one.ks), one.name))


def _compared(name: str, before: Any, now: Any, statistic: Statistic, threshold: float, level: float) -> Column:
    numeric = before.dtype.kind in "fiu"
    labels, p, q, distance = (_numbers if numeric else _categories)(before, now)
    n, m = len(before), len(now)
    value = psi(p, q, n, m)
    noise = psi_noise(len(labels), n, m, level) if statistic == "psi" else ks_noise(n, m, level)
    told = value if statistic == "psi" else distance
    shares = tuple(zip(labels, map(_rounded, p), map(_rounded, q), strict=True))
    missing = (_rounded(_missing(before)), _rounded(_missing(now)))
    drifted = told > threshold and told > noise
    return Column(
        name, "number" if numeric else "category", _rounded(value), _rounded(distance), _rounded(noise), missing,
        drifted, shares,
    )  # fmt: skip


def psi(p: Sequence[float], q: Sequence[float], n: int, m: int) -> float:
    """The population stability index of two rows of shares, of `n` and `m` values. A bin that is empty on one side
    counts as half a value there: its logarithm would be infinite otherwise."""
    told = 0.0
    for before, now in zip(p, q, strict=True):
        if before == now == 0:
            continue
        one, other = max(before, 0.5 / n), max(now, 0.5 / m)
        told += (other - one) * log(other / one)
    return told


def psi_noise(bins: int, n: int, m: int, level: float = LEVEL) -> float:
    """What the index exceeds by chance alone in a share `level` of all cases."""
    degrees = max(bins - 1, 1)
    return chi_square_quantile(1 - level, degrees) * (1 / n + 1 / m)


def ks_noise(n: int, m: int, level: float = LEVEL) -> float:
    """The same for the Kolmogorov-Smirnov statistic (its asymptotic distribution; Smirnov 1948)."""
    return sqrt(-log(level / 2) / 2) * sqrt((n + m) / (n * m))


def chi_square_quantile(share: float, degrees: int) -> float:
    """Wilson and Hilferty's approximation (1931), right to a percent where there are three degrees or more."""
    part = 2 / (9 * degrees)
    return float(degrees * (1 - part + NormalDist().inv_cdf(share) * sqrt(part)) ** 3)


def ks_statistic(before: Any, now: Any) -> float:
    """The greatest distance of two empirical distribution functions; 0 where one of them has no values."""
    import numpy as np

    if not len(before) or not len(now):
        return 0.0
    ordered, other = np.sort(before), np.sort(now)
    every = np.concatenate([ordered, other])
    shares = (np.searchsorted(one, every, side="right") / len(one) for one in (ordered, other))
    return float(np.abs(np.subtract(*shares)).max())


def _numbers(before: Any, now: Any) -> tuple[list[str], list[float], list[float], float]:
    import numpy as np

    known, asked = (one.astype(float) for one in (before, now))
    finite, also = known[~np.isnan(known)], asked[~np.isnan(asked)]
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, BINS + 1)[1:-1])) if len(finite) else np.array([])
    p, q = (np.bincount(np.searchsorted(edges, one, side="left"), minlength=len(edges) + 1) for one in (finite, also))
    labels = [_between(edges, place) for place in range(len(edges) + 1)]
    lost = [len(known) - len(finite), len(asked) - len(also)]
    return (
        [*labels, "missing"],
        [*(p / len(known)).tolist(), lost[0] / len(known)],
        [*(q / len(asked)).tolist(), lost[1] / len(asked)],
        max(ks_statistic(finite, also), abs(lost[0] / len(known) - lost[1] / len(asked))),
    )


def _between(edges: Any, place: int) -> str:
    low = f"{edges[place - 1]:.6g}" if place else ""
    high = f"{edges[place]:.6g}" if place < len(edges) else ""
    if low and high:
        return f"({low}, {high}]"
    return f"≤ {high}" if high else f"> {low}" if low else "all"


def _categories(before: Any, now: Any) -> tuple[list[str], list[float], list[float], float]:
    from collections import Counter

    known, asked = (
        Counter("missing" if one is None else f"={one}" for one in values.tolist()) for values in (before, now)
    )
    named = [name for name, _ in known.most_common(CATEGORIES) if name != "missing"]
    rest = [name for name in known if name not in named and name != "missing"]
    new = [name for name in asked if name not in known and name != "missing"]
    groups = [(name[1:], [name]) for name in named] + [("others", rest), ("new", new), ("missing", ["missing"])]
    p, q = (
        [sum(counts[one] for one in names) / values for _, names in groups]
        for counts, values in ((known, len(before)), (asked, len(now)))
    )
    distance = sum(abs(one - other) for one, other in zip(p, q, strict=True)) / 2
    return [name for name, _ in groups], p, q, distance


def _missing(values: Any) -> float:
    if values.dtype.kind == "f":
        import numpy as np

        return float(np.isnan(values).mean())
    return sum(one is None for one in values.tolist()) / len(values) if values.dtype.kind == "O" else 0.0


def _rounded(value: float) -> float:
    return round(float(value), 6)
