"""How a name went on: its versions (or an experiment's runs) in the order in which commits brought them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NoReturn

from strata_git.contracts.layout import parse_reference
from strata_git.errors import StrataError, printable
from strata_git.index.export import Plain, encodable
from strata_git.index.listing import stage_of, stages_now
from strata_git.index.measures import assumed_direction, shown, signed
from strata_git.index.opened import unread
from strata_git.index.records import ArtifactRecord, Index

SCHEMA = "strata/log/v1"
_REFETCH = "git fetch --refetch --no-filter"
SIZES = ("bytes", "files")
"""What every artifact has, whether it was measured or not."""


@dataclass(frozen=True, slots=True)
class Point:
    """One version in history. `value` is None where the metric asked for was not recorded; `here` tells whether the
    revision has the version; `commit` is `""` where history ends before it does."""

    record: ArtifactRecord
    commit: str
    date: str
    subject: str
    stage: str
    value: float | None
    here: bool = True


@dataclass(frozen=True, slots=True)
class History:
    """All of one name, oldest first. `direction` says which way the metric is better (`""`: unknown)."""

    name: str
    kind: str
    metric: str
    direction: str
    points: tuple[Point, ...]

    @property
    def measured(self) -> tuple[Point, ...]:
        """The points that have a value."""
        return tuple(point for point in self.points if point.value is not None)


def named_records(index: Index, name: str, *, every: bool = False) -> tuple[str, str, list[ArtifactRecord]]:
    """(kind, name, records) of what `name` means: a model, a dataset, a prompt, an experiment, or a run of one.

    A version or stage that stands behind the name is passed over. Raises StrataError where there is no such name.
    """
    try:
        reference = parse_reference(name)
    except ValueError as error:
        raise StrataError(
            f"'{printable(name)}' is no name: {printable(str(error))}.", hint=_near(index, name)
        ) from None
    there = index.elsewhere if every else ()
    for kind in (reference.kind,) if reference.kind else ("model", "dataset", "prompt", "run"):
        if kind == "run":
            return _experiment(index, reference.name, there) or _nothing(index, name)
        found = [record for record in (*index.named(reference.name), *there) if _is(record, kind, reference.name)]
        if found:
            return kind, reference.name, found
    return _nothing(index, name)


def _is(record: ArtifactRecord, kind: str | None, name: str) -> bool:
    return record.artifact.kind == kind and record.artifact.name == name


def _experiment(
    index: Index, name: str, there: Sequence[ArtifactRecord]
) -> tuple[str, str, list[ArtifactRecord]] | None:
    """The runs of an experiment, named by it or by one of its runs."""
    pool = [*index.of_kind("run"), *(record for record in there if record.artifact.kind == "run")]
    wanted = next((record.description for record in pool if record.artifact.name == name), name)
    found = [record for record in pool if record.description == wanted and wanted]
    return ("run", wanted, found) if found else None


def _nothing(index: Index, name: str) -> NoReturn:
    raise StrataError(f"There is nothing called {printable(name)}.", hint=_near(index, name))


def history(
    index: Index, name: str, metric: str, order: Mapping[str, int], *, every: bool = False, direction: str = ""
) -> History:
    """The history of a name; `order` gives each commit's place, parents before children.

    `metric` may be `""`. Raises StrataError where there is no such name, or nothing of it has the metric.
    """
    kind, shown_name, records = named_records(index, name, every=every)
    if metric and metric not in SIZES and not any(metric in record.metrics for record in records):
        if unread(records):
            raise StrataError(f"What {printable(shown_name)} has measured is not in this clone.", hint=_REFETCH)
        names = sorted({one for record in records for one in record.metrics})
        told = ", ".join(printable(one) for one in names[:20]) or "no metrics; bytes and files are known of all"
        raise StrataError(f"{printable(shown_name)} has no metric '{printable(metric)}'.", hint=f"It has: {told}")
    now = stages_now(index)
    away = {(record.reference, record.tree) for record in index.elsewhere} if every else set()
    points = [_point(one, metric, stage_of(one, now), (one.reference, one.tree) not in away) for one in records]
    last = len(order)
    points.sort(key=lambda p: (order.get(p.commit, last if p.commit else -1), p.date, p.record.artifact.number,
                               p.record.reference))  # fmt: skip
    return History(shown_name, kind, metric, direction or assumed_direction(metric), tuple(points))


def since(found: History, *, date: str = "", before: Collection[str] = ()) -> History:
    """What came after a day or moment (ISO 8601), or is not among the commits `before`."""
    kept = [point for point in found.points if point.date >= date and point.commit not in before]
    return History(found.name, found.kind, found.metric, found.direction, tuple(kept))


def _point(record: ArtifactRecord, metric: str, stage: str, here: bool) -> Point:
    introduced = record.introduced
    value = {"bytes": record.bytes, "files": record.files}.get(metric, record.metrics.get(metric))
    return Point(
        record,
        introduced.commit if introduced else "",
        introduced.date if introduced else record.created,
        introduced.subject if introduced else "",
        stage,
        value,
        here,
    )


def _near(index: Index, name: str) -> str:
    known = {record.artifact.name for record in index.artifacts} | {r.description for r in index.of_kind("run")}
    near = get_close_matches(name.partition("@")[0].rpartition("/")[2].lower(), sorted(known - {""}), n=5, cutoff=0.6)
    told = ", ".join(printable(one) for one in near)
    return f"Near it: {told}" if near else "git strata list models    shows what there is"


# -- told ------------------------------------------------------------------------------------------------------------


def history_rows(found: History) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Rows and head of a table. With a metric its change from each version to the next, and the best marked `*`."""
    if not found.metric:
        rows = [(*_who(point), _metrics(point.record), point.subject) for point in found.points]
        return rows, ("VERSION", "DATE", "COMMIT", "STAGE", "METRICS", "SUBJECT")
    values = [point.value for point in found.measured if point.value is not None]
    top = None if not values or not found.direction else (max if found.direction == "higher" else min)(values)
    rows, before = [], None
    for point in found.points:
        value = point.value
        told = "-" if value is None else _figure(found, value) + (" *" if value == top and len(values) > 1 else "")
        change = "" if value is None or before is None else _change(found, value - before)
        rows.append((*_who(point), told, change, point.subject))
        before = value if value is not None else before
    return rows, ("VERSION", "DATE", "COMMIT", "STAGE", found.metric.upper(), "CHANGE", "SUBJECT")


def _figure(found: History, value: float) -> str:
    return f"{value:,}" if found.metric in SIZES else shown(value)


def _change(found: History, value: float) -> str:
    return f"{value:+,}" if found.metric in SIZES else signed(value)


def history_document(found: History, revision: str) -> Plain:
    """A history for programs (schema strata/log/v1)."""
    return encodable({
        "schema": SCHEMA,
        "revision": revision or None,
        "name": found.name,
        "kind": found.kind,
        "metric": found.metric or None,
        "direction": found.direction or None,
        "points": [point_document(point) for point in found.points],
    })  # fmt: skip


def point_document(point: Point) -> Plain:
    """One version of a history as JSON has it."""
    return {
        "reference": point.record.reference,
        "tree": point.record.tree,
        "commit": point.commit or None,
        "date": point.date or None,
        "subject": point.subject or None,
        "stage": point.stage or None,
        "here": point.here,
        "value": point.value,
        "metrics": dict(point.record.metrics),
    }


def labels(points: Sequence[Point]) -> list[str]:
    """What stands below each point of a plot."""
    return [point.record.artifact.version or point.record.artifact.name.removeprefix("run-") for point in points]


def _who(point: Point) -> tuple[str, ...]:
    name = point.record.artifact.version or point.record.reference
    return name + ("" if point.here else " (elsewhere)"), point.date[:10], point.commit[:12] or "?", point.stage


def _metrics(record: ArtifactRecord) -> str:
    return " ".join(f"{name}={shown(value)}" for name, value in record.metrics.items())
