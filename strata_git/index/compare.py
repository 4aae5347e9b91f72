"""Runs or models side by side: every metric, which way it is better, and which is best. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from strata_git.errors import StrataError, printable
from strata_git.index.export import Plain, encodable
from strata_git.index.measures import Measure, best, plain, shown
from strata_git.index.records import ArtifactRecord

SCHEMA = "strata/compare/v1"


@dataclass(frozen=True, slots=True)
class Row:
    """One metric over all that is compared. `direction` is `""` where nobody knows which way is better or they do not
    agree; `best` are the columns of the best figures, several when they tie within `tolerance`."""

    metric: str
    direction: str
    declared: bool
    tolerance: float
    measures: tuple[Measure | None, ...]
    best: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several artifacts side by side, in the order asked for."""

    records: tuple[ArtifactRecord, ...]
    rows: tuple[Row, ...]


def compare(
    records: Sequence[ArtifactRecord],
    measures: Sequence[Mapping[str, Measure]],
    wanted: Collection[str] = (),
    *,
    tolerance: float | None = None,
) -> Comparison:
    """Put the metrics of `records` side by side; `measures` are theirs, in the same order.

    With `wanted` only these metrics. `tolerance` stands for what each metric declares. Raises StrataError for a wanted
    metric that none of them has.
    """
    names = sorted({name for one in measures for name in one})
    if lost := [name for name in wanted if name not in names]:
        told = ", ".join(printable(name) for name in names[:20]) or "none at all"
        raise StrataError(f"None of these has the metric '{printable(lost[0])}'.", hint=f"They have: {told}")
    rows = [_row(name, [one.get(name) for one in measures], tolerance) for name in (wanted or names)]
    return Comparison(tuple(records), tuple(rows))


def _row(name: str, measures: Sequence[Measure | None], tolerance: float | None) -> Row:
    known = [measure for measure in measures if measure is not None]
    ways = {measure.direction for measure in known}
    allowed = max(measure.tolerance for measure in known) if tolerance is None else tolerance
    return Row(
        name,
        ways.pop() if len(ways) == 1 else "",
        all(measure.declared for measure in known),
        allowed,
        tuple(measures),
        best(measures, allowed),
    )


def comparison_rows(found: Comparison) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Rows and head of a table: the best figures are marked with `*`, what is missing with `-`."""
    head = ("METRIC", "BETTER", *(record.artifact.short for record in found.records))
    return [_cells(row) for row in found.rows], head


def comparison_markdown(found: Comparison) -> str:
    """A Markdown table, the best figures in bold."""
    from strata_git.index.difference_told import escaped

    lines = [
        f"| metric | better | {' | '.join(escaped(record.artifact.short) for record in found.records)} |",
        "|---|---|" + "---:|" * len(found.records),
    ]
    for row in found.rows:
        name, way, *cells = _cells(row)
        told = [f"**{cell.removesuffix(' *')}**" if cell.endswith(" *") else cell for cell in cells]
        lines.append(f"| {escaped(name)} | {way or '?'} | {' | '.join(told)} |")
    return "\n".join(lines)


def comparison_document(found: Comparison, revision: str) -> Plain:
    """A comparison for programs (schema strata/compare/v1)."""
    return encodable({
        "schema": SCHEMA,
        "revision": revision or None,
        "artifacts": [
            {"reference": one.reference, "created": one.created or None, "stages": list(one.stages),
             "description": one.description}
            for one in found.records
        ],
        "metrics": [
            {"metric": row.metric, "direction": row.direction or None, "declared": row.declared,
             "tolerance": row.tolerance, "values": [plain(measure) for measure in row.measures],
             "best": [found.records[place].reference for place in row.best]}
            for row in found.rows
        ],
    })  # fmt: skip


def _cells(row: Row) -> tuple[str, ...]:
    way = row.direction + ("" if row.declared or not row.direction else "?")
    cells = []
    for place, measure in enumerate(row.measures):
        cells.append("-" if measure is None else shown(measure.value) + (" *" if place in row.best else ""))
    return row.metric, way, *cells
