"""An overview of a period as sections for people and as JSON data (schema strata/overview/v1). Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from strata_git.index.export import encodable
from strata_git.report.period import Activity, Aggregate, Overview, Runs
from strata_git.report.plots import figure
from strata_git.report.sections import Cell, Page, Section, named, number, said, sign
from strata_git.report.words import way

SCHEMA = "strata/overview/v1"
_COURSES = {"better": "🟢", "worse": "🔴", "flat": "="}
_UNITS = ((86400, "days"), (3600, "hours"), (60, "minutes"))


def overview_page(overview: Overview) -> Page:
    """Three tables: metrics, models, runs; each with its repository's name where there are several."""
    models = {(row.repository, row.model) for row in overview.metrics}
    models |= {(row.repository, row.model) for row in overview.activity}
    runs = sum(row.runs for row in overview.runs)
    failed = sum(row.failed for row in overview.runs)
    promoted = sum(row.promotions for row in overview.activity)
    headline = f"{len(models)} models, {promoted} promotions into production, {runs} runs, {failed} of them failed"
    until = named(overview.until or "now")
    lines: list[tuple[Cell, ...]] = [(Cell("From"), named(overview.since), Cell("to"), until)]
    lines += [(said(note),) for note in overview.notes]
    return Page(headline, None, tuple(lines), tuple(section for section in _sections(overview) if section.rows))


def overview_document(overview: Overview) -> dict[str, object]:
    """All of it."""
    return encodable({
        "schema": SCHEMA,
        "since": overview.since or None,
        "until": overview.until or None,
        "by": overview.by,
        "metrics": [{**asdict(row), "course": row.course or None} for row in overview.metrics],
        "models": [asdict(row) for row in overview.activity],
        "runs": [asdict(row) for row in overview.runs],
        "notes": list(overview.notes),
    })  # fmt: skip


def duration(seconds: float | None) -> str:
    """`3.5 days`; nothing for None."""
    if seconds is None:
        return ""
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} seconds"


def _sections(overview: Overview) -> Iterator[Section]:
    rows: list[Aggregate | Activity | Runs] = [*overview.metrics, *overview.activity, *overview.runs]
    several = any(row.repository for row in rows)
    lead = ("repository", "period") if several else ("period",)

    def head(row: Aggregate | Activity | Runs) -> tuple[Cell, ...]:
        return (named(row.repository), Cell(row.period)) if several else (Cell(row.period),)

    metrics = tuple(
        (*head(row), named(row.model), named(f"{row.metric} {way(row.direction)}".rstrip()), number(str(row.count)),
         number(figure(row.first)), number(figure(row.last)), number(figure(row.mean)),
         number("" if row.best is None else figure(row.best)),
         number("" if row.trend is None else f"{row.trend:+.3g}"), sign(_COURSES.get(row.course, "")))
        for row in overview.metrics
    )  # fmt: skip
    heads = ("model", "metric", "versions", "first", "last", "mean", "best", "trend", "")
    yield Section("Metrics", (*lead, *heads), metrics)
    models = tuple(
        (*head(row), named(row.model), number(str(row.versions)), number(str(row.promotions)),
         number(duration(row.lead)))
        for row in overview.activity
    )  # fmt: skip
    yield Section("Models", (*lead, "model", "new versions", "into production", "lead time (median)"), models)
    attempts = tuple(
        (*head(row), named(row.experiment), number(str(row.runs)), number(str(row.succeeded)), number(str(row.failed)))
        for row in overview.runs
    )  # fmt: skip
    yield Section("Runs", (*lead, "experiment", "runs", "succeeded", "failed"), attempts)
