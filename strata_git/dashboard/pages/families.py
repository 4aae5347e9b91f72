"""One page a name: all versions of a dataset, a model or a prompt, and how they went. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from strata_git.checks.plain import dig, mapping, text
from strata_git.contracts.layout import ROOT_OF
from strata_git.dashboard.addresses import artifact_page, family_page, link
from strata_git.dashboard.html import Element, Node, e
from strata_git.dashboard.page import Page
from strata_git.dashboard.pages.promotions import timeline
from strata_git.dashboard.parts import (
    STATUS,
    Cell,
    Column,
    badge,
    command,
    leading,
    metrics,
    reference,
    section,
    short,
    stages,
    table,
    verdict,
    when,
)
from strata_git.dashboard.plots import spark, stage_lanes
from strata_git.dashboard.snapshot import Detail, Snapshot
from strata_git.dashboard.words import NOTHING, counted, figure, size
from strata_git.index.records import ArtifactRecord

_COMPARED, _METRICS, _EVENTS, _VERSIONS = 6, 60, 200, 1000


def family(snapshot: Snapshot, kind: str, name: str, latest: Detail) -> Page:
    """All versions of `name`; `latest` is the last of them in detail."""
    records = snapshot.families[kind, name]
    path, root = family_page(kind, name), ROOT_OF[kind]
    above = ((root.capitalize(), f"{root}.html"),)
    live = snapshot.stage(name, "production") if kind == "model" else None
    there = e("a", live.artifact.version, href=link(path, artifact_page(live.artifact))) if live else None
    lead = e(
        "p", counted(len(records), "version"), [", in production: ", there] if live else None,
        ". ", records[-1].description, class_="lead",
    )  # fmt: skip
    body: list[Node] = [
        *(_stages(snapshot, path, records) if kind == "model" else ()),
        section("Versions", _versions(snapshot, path, records), id_="versions"),
        _compared(records, latest) if kind == "model" else None,
        _check(name) if kind == "model" else None,
    ]  # fmt: skip
    return Page(path, name, root, tuple(body), lead, above)


def _check(name: str) -> Element:
    return section(
        "Check it yourself", command(f"git strata history {name}", "The same events in a terminal"), id_="check"
    )


def _stages(snapshot: Snapshot, path: str, records: Sequence[ArtifactRecord]) -> list[Node]:
    name = records[0].artifact.name
    events = [event for event in snapshot.index.events if event.model.name == name]
    wrong = [found for found in snapshot.index.complaints.get(name, ()) if found.severity != "info"]
    told: list[Node] = []
    if wrong:
        rows = [e("li", badge(f.severity, STATUS[f.severity]), " ", f.rule, ": ", f.message) for f in wrong]
        told.append(section("What is wrong with its events", e("ul", rows, class_="rows"), id_="wrong"))
    if events:
        newest = sorted(events, key=lambda event: (event.date, event.tag), reverse=True)
        lanes = stage_lanes([record.artifact.version for record in records], events)
        shown = e("details", e("summary", counted(len(events), "event")),
                  timeline(snapshot, path, newest[:_EVENTS]), open=len(events) <= 6)  # fmt: skip
        told.append(section("Stages", lanes, shown, id_="stages"))
    return told


def _versions(snapshot: Snapshot, path: str, records: Sequence[ArtifactRecord]) -> Element:
    model = records[0].artifact.kind == "model"
    columns = [Column("Version"), Column("Stage") if model else Column("What it is"), Column("Made"),
               Column("Metrics") if model else Column("Size", numeric=True), Column("Made from"), Column("Digest"),
               Column("Judged")]  # fmt: skip
    rows: list[list[Cell | Node]] = []
    for record in list(reversed(records))[:_VERSIONS]:
        of = record.artifact
        sources = [record.run] if record.run else []
        sources += [cited.reference for cited in record.inputs]
        links = [
            part
            for name in sources[:4]
            for part in (reference(snapshot, path, name, name.partition("/")[2] or name), " ")
        ]
        rows.append([
            Cell(e("a", of.version, href=link(path, artifact_page(of))), of.number),
            e("span", [part for node in stages(record) for part in (node, " ")]) if model
            else e("span", record.description, class_="said"),
            when(record.created),
            metrics(record, leading([record], 2)) if model else Cell(size(record.bytes), record.bytes),
            e("span", links or e("span", NOTHING, class_="quiet")),
            short(record.digest),
            verdict(snapshot.findings.get(record.artifact, ())),
        ])  # fmt: skip
    return table("Versions", columns, rows, sortable=True)


def _compared(records: Sequence[ArtifactRecord], latest: Detail) -> Element | None:
    """Metric by metric, the last versions side by side, the best of them marked."""
    shown = [record for record in records if record.metrics][-_COMPARED:]
    names = leading(shown, _METRICS)
    if not names:
        return None
    directions = {
        str(name): text(dig(said, "direction")) or ""
        for name, said in mapping(dig(latest.documents.get("metrics.yaml"), "metrics")).items()
    }
    columns = [Column("Metric"), Column("Better"), Column("Over versions"),
               *(Column(record.artifact.version, numeric=True) for record in shown)]  # fmt: skip
    rows: list[list[Cell | Node]] = []
    for name in names:
        values = [record.metrics.get(name) for record in shown]
        best = _best([value for value in values if value is not None], directions.get(name, ""))
        every = [record.metrics.get(name) for record in records][-30:]
        rows.append([name, directions.get(name, NOTHING), spark(every), *(_value(value, best) for value in values)])
    note = "The best of those shown is marked, where the metric says which way is better."
    return section(
        "Metrics by version", table("Metrics by version", columns, rows, sortable=True), id_="compare", note=note
    )


def _best(values: Sequence[float | int], direction: str) -> float | int | None:
    if len(set(values)) < 2 or direction not in ("higher", "lower"):
        return None
    return max(values) if direction == "higher" else min(values)


def _value(value: float | int | None, best: float | int | None) -> Cell:
    if value is None:
        return Cell(NOTHING, "")
    told = figure(value)
    return Cell(e("b", told, e("span", " best", class_="hidden"), class_="best") if value == best else told, value)
