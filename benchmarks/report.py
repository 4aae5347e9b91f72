"""Figures for people: one table of times and one of goals for each row."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.measure import Outcome, Samples

Told = tuple[str, Samples, Sequence[Outcome]]


def table(rows: Sequence[Told]) -> str:
    """Everything measured, as text."""
    return "\n".join(line for row in rows for line in _row(row))


def _row(row: Told) -> list[str]:
    name, samples, outcomes = row
    lines = [f"== {name}", f"   {'':<52}{'median':>10}{'quickest':>10}{'cpu':>10}   ms"]
    for contender, taken in samples.items():
        figures = (median(s.wall for s in taken), min(s.wall for s in taken), median(s.cpu for s in taken))
        lines.append(f"   {contender:<52}" + "".join(f"{1000 * figure:>10.1f}" for figure in figures))
    lines.append(f"   {'':<52}{'ratio':>10}{'quickest':>10}{'of cpu':>10}{'more ms':>10}   goal")
    for outcome in outcomes:
        lines.append(f"   {outcome.goal.name:<52}" + _figures(outcome))
    return lines


def _figures(outcome: Outcome) -> str:
    goal = outcome.goal
    limit = f"{1000 * goal.limit:g} ms more" if goal.added else f"{goal.limit:g}"
    bound = "" if goal.limit == float("inf") else f"{'>=' if goal.at_least else '<='} {limit}: {outcome.verdict}"
    if outcome.ratio is None or outcome.quickest is None or outcome.cpu_ratio is None or outcome.added is None:
        return f"{'-':>10}" * 4 + f"   {bound}"
    ratios = (outcome.ratio, outcome.quickest, outcome.cpu_ratio)
    return "".join(f"{ratio:>10.2f}" for ratio in ratios) + f"{1000 * outcome.added:>10.1f}   {bound}"
