"""What came of making a run again, as lines for people and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from strata_git.runs.reproduce import Reproduction
from strata_git.runs.reproduce_compare import Difference, Figure

_FEW = 20
"""How many differences of one sort are listed for people; JSON has all."""


def plain(made: Reproduction) -> dict[str, object]:
    """The whole comparison as JSON values."""
    seen = made.comparison
    around = _plain(seen.environment)
    return {
        "run": made.recorded.id,
        "digest": made.recorded.digest,
        "verdict": made.verdict,
        "status": made.status,
        "error": made.error,
        "kept": made.kept or None,
        "commit": made.recorded.commit,
        "dirty": made.recorded.dirty,
        "metrics": [{**asdict(figure), "same": figure.same, "within": figure.within} for figure in seen.figures],
        "artifacts": {"same": seen.same_artifacts, "differing": _plain(seen.artifacts)},
        "inputs": _plain(seen.inputs),
        "code": _plain(seen.code),
        "environment": [{**row, "used": one.used} for row, one in zip(around, seen.environment, strict=True)],
    }


def lines(made: Reproduction) -> Iterator[str]:
    """The comparison in words: the verdict first, then what is not the same."""
    seen = made.comparison
    yield f"{made.recorded.id}  {made.verdict}"
    if made.status != "succeeded":
        yield f"  it {made.status} this time: {made.error}"
    same = sum(figure.same for figure in seen.figures)
    yield f"  metrics: {same} of {len(seen.figures)} the same"
    yield from _limited([_figure(figure) for figure in seen.figures if not figure.same])
    yield f"  artifacts: {seen.same_artifacts} of {seen.same_artifacts + len(seen.artifacts)} the same byte for byte"
    yield from _limited([_changed(one) for one in seen.artifacts])
    for what, rows in (("inputs", seen.inputs), ("code", seen.code)):
        if rows:
            yield f"  {what}: not the same"
            yield from _limited([_changed(one) for one in rows])
    yield from _surroundings(seen.environment)


def _surroundings(rows: Sequence[Difference]) -> Iterator[str]:
    if not rows:
        yield "  environment: the same"
        return
    used = [row for row in rows if row.used]
    told = f", {len(used)} of them packages that the run imports" if used else ""
    yield f"  environment: {len(rows)} difference(s){told}"
    yield from _limited([_changed(row) + (" (imported by the run)" if row.used else "") for row in rows])


def _figure(figure: Figure) -> str:
    values = f"{_number(figure.recorded)} → {_number(figure.reproduced)}"
    if figure.recorded is None or figure.reproduced is None:
        return f"{figure.name}: {values}"
    whose = "given" if figure.given else "the run's own"
    bound = f"{'within' if figure.within else 'beyond'} {figure.tolerance:g} ({whose})" if figure.tolerance else ""
    return f"{figure.name}: {values}" + (f", {bound}" if bound else "")


def _number(value: float | None) -> str:
    return "not measured" if value is None else repr(value)


def _changed(one: Difference) -> str:
    return f"{one.name}: {one.recorded or 'not there'} → {one.reproduced or 'not there'}"


def _limited(rows: Sequence[str]) -> Iterator[str]:
    yield from (f"    {row}" for row in rows[:_FEW])
    if len(rows) > _FEW:
        yield f"    and {len(rows) - _FEW} more (--format json lists all)"


def _plain(rows: Sequence[Difference]) -> list[dict[str, object]]:
    return [{"name": one.name, "recorded": one.recorded or None, "reproduced": one.reproduced or None} for one in rows]
