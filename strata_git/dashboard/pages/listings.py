"""The lists: datasets, runs, models, prompts, services, and the names behind the search. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from strata_git.contracts.layout import ROOT_OF
from strata_git.dashboard.addresses import ROWS, artifact_page, family_page, link, listing_page, pages_of
from strata_git.dashboard.html import Content, Element, Node, e
from strata_git.dashboard.page import Page
from strata_git.dashboard.parts import (
    STATUS,
    Cell,
    Column,
    badge,
    leading,
    metrics,
    pager,
    reference,
    stages,
    table,
    verdict,
    when,
)
from strata_git.dashboard.plots import parallel
from strata_git.dashboard.snapshot import Snapshot
from strata_git.dashboard.words import NOTHING, counted, figure, size
from strata_git.index.records import ArtifactRecord

TITLES = {"datasets": "Datasets", "models": "Models", "prompts": "Prompts", "services": "Services", "runs": "Runs"}
_EMPTY = {
    "datasets": ("A dataset is added by ", "git strata dataset add SRC --name NAME"),
    "models": ("A model is made by ", "git strata model create NAME --run RUN"),
    "prompts": ("A prompt is a directory ", "prompts/NAME/v1"),
    "services": ("A service is a directory ", "services/NAME"),
    "runs": ("A run is made by ", "git strata run EXPERIMENT.yaml"),
}
FOUND = 200
"""Most answers to one search."""
Row = list[Cell | Content]
Table = tuple[list[Column], list[Row], Node]
Families = Sequence[tuple[ArtifactRecord, ...]]


def listings(snapshot: Snapshot, kind: str) -> list[tuple[str, Callable[[], Page]]]:
    """The pages of one kind's list, each made when it is asked for."""
    root = ROOT_OF[kind]
    rows = _ordered(snapshot, kind)
    return [
        (listing_page(root, number), lambda number=number: _listing(snapshot, kind, rows, number))  # type: ignore[misc]
        for number in range(1, pages_of(len(rows)) + 1)
    ]


def _ordered(snapshot: Snapshot, kind: str) -> list[tuple[ArtifactRecord, ...]]:
    """Families by name; runs one by one, the latest first."""
    families = [records for (of, _), records in sorted(snapshot.families.items()) if of == kind]
    if kind == "run":
        families.sort(key=lambda records: (records[0].created, records[0].reference), reverse=True)
    return families


def _listing(snapshot: Snapshot, kind: str, families: Families, number: int) -> Page:
    root = ROOT_OF[kind]
    path = listing_page(root, number)
    shown = families[(number - 1) * ROWS : number * ROWS]
    title = TITLES[root] if number == 1 else f"{TITLES[root]}, page {number}"
    if not shown:
        words, example = _EMPTY[root]
        told = e("p", f"There is none yet. {words}", e("code", example), ".", class_="empty")
        return Page(path, title, root, (told,))
    columns, rows, plot = _KINDS[kind](snapshot, path, shown)
    marks = [records[-1].reference for records in shown]
    body = (
        plot,
        table(TITLES[root], columns, rows, sortable=True, filtered=True, rows_marked=marks),
        pager(path, root, number, len(families)),
    )
    return Page(path, title, root, body, _lead(kind, families))


def _lead(kind: str, families: Families) -> str:
    if kind in ("run", "service"):
        return counted(len(families), kind)
    return f"{counted(sum(map(len, families)), 'version')} of {counted(len(families), kind)}"


def _runs(snapshot: Snapshot, path: str, shown: Families) -> Table:
    records = [family[0] for family in shown]
    names = leading(records, 6)
    made = {
        r.reference: [e.target for e in snapshot.graph.out.get(r.reference, ()) if e.relation == "output"]
        for r in records
    }
    columns = [Column("Run"), Column("Status"), Column("Started"), Column("Read"), Column("Became"),
               *(Column(name, numeric=True) for name in names)]  # fmt: skip
    rows: list[Row] = [
        [
            e("a", record.artifact.name, href=link(path, artifact_page(record.artifact))),
            _state(snapshot, record),
            when(record.created),
            _joined([_brief(snapshot, path, cited.reference) for cited in record.inputs]),
            _joined([_brief(snapshot, path, name) for name in made[record.reference]]),
            *(_measured(record, name) for name in names),
        ]
        for record in records
    ]
    return columns, rows, parallel(records, path, [name for name, models in made.items() if models])


def _state(snapshot: Snapshot, record: ArtifactRecord) -> Element:
    """How a run ended, and what the doctor says where that is not "sound"."""
    found = [each for each in snapshot.findings.get(record.artifact, ()) if each.severity != "info"]
    told = badge(record.status or "unknown", STATUS.get(record.status, "quiet"))
    return e("span", told, [" ", verdict(found)] if found else None)


def _measured(record: ArtifactRecord, name: str) -> Cell:
    value = record.metrics.get(name)
    return Cell(NOTHING if value is None else figure(value), "" if value is None else value)


def _columns(*titles: str) -> list[Column]:
    """Columns; those with `#` behind their title hold numbers."""
    return [Column(title.removesuffix("#"), numeric=title.endswith("#")) for title in titles]


def _models(snapshot: Snapshot, path: str, shown: Families) -> Table:
    columns = _columns(
        "Model", "Production", "Staging", "Latest", "Metrics of the latest", "Versions#", "Last change", "Judged"
    )
    rows: list[Row] = []
    for records in shown:
        name, latest = records[0].artifact.name, records[-1]
        newest = e("a", latest.artifact.version, href=link(path, artifact_page(latest.artifact)))
        events = [event for record in records for event in snapshot.events.get(record.artifact, ())]
        last = max((event.date for event in events), default=latest.created)
        found = [f for record in records for f in snapshot.findings.get(record.artifact, ())]
        rows.append([
            e("a", name, href=link(path, family_page("model", name))),
            _staged(snapshot, path, name, "production"),
            _staged(snapshot, path, name, "staging"),
            e("span", newest, " ", stages(latest)),
            metrics(latest, leading([latest], 3)),
            Cell(str(len(records)), len(records)),
            when(last),
            verdict(found),
        ])  # fmt: skip
    return columns, rows, None


def _staged(snapshot: Snapshot, path: str, name: str, stage: str) -> Node:
    record = snapshot.stage(name, stage)
    if record is None:
        return e("span", NOTHING, class_="quiet")
    return e("a", badge(record.artifact.version, f"stage-{stage}"), href=link(path, artifact_page(record.artifact)))


def _datasets(snapshot: Snapshot, path: str, shown: Families) -> Table:
    columns = _columns("Dataset", "Latest", "What it is", "Files#", "Size#", "Used by#", "Added", "Judged")
    return columns, [_family(snapshot, path, records, sized=True) for records in shown], None


def _prompts(snapshot: Snapshot, path: str, shown: Families) -> Table:
    columns = _columns("Prompt", "Latest", "What it is", "Used by#", "Added", "Judged")
    return columns, [_family(snapshot, path, records, sized=False) for records in shown], None


def _family(snapshot: Snapshot, path: str, records: tuple[ArtifactRecord, ...], *, sized: bool) -> Row:
    latest, name = records[-1], records[0].artifact.name
    users = {edge.target for record in records for edge in snapshot.graph.out.get(record.reference, ())}
    found = [f for record in records for f in snapshot.findings.get(record.artifact, ())]
    figures: Row = [Cell(str(latest.files), latest.files), Cell(size(latest.bytes), latest.bytes)] if sized else []
    return [
        e("a", name, href=link(path, family_page(latest.artifact.kind, name))),
        e("a", latest.artifact.version, href=link(path, artifact_page(latest.artifact))),
        e("span", latest.description, class_="said"),
        *figures,
        Cell(str(len(users)), len(users)),
        when(latest.created),
        verdict(found),
    ]


def _services(snapshot: Snapshot, path: str, shown: Families) -> Table:
    columns = [Column("Service"), Column("Answers with"), Column("Added"), Column("Judged")]
    rows: list[Row] = [
        [
            e("a", records[0].artifact.name, href=link(path, artifact_page(records[0].artifact))),
            _joined([_brief(snapshot, path, cited.reference) for cited in records[0].inputs]),
            when(records[0].introduced.date if records[0].introduced else ""),
            verdict(snapshot.findings.get(records[0].artifact, ())),
        ]
        for records in shown
    ]
    return columns, rows, None


_KINDS: dict[str, Callable[[Snapshot, str, Families], Table]] = {
    "run": _runs, "model": _models, "dataset": _datasets, "prompt": _prompts, "service": _services,
}  # fmt: skip


def _brief(snapshot: Snapshot, path: str, name: str) -> Node:
    return reference(snapshot, path, name, name.partition("/")[2] or name)


def _joined(nodes: Sequence[Node]) -> Element:
    shown = [e("span", NOTHING, class_="quiet")] if not nodes else [part for node in nodes[:4] for part in (node, " ")]
    return e("span", shown, f"and {len(nodes) - 4} more" if len(nodes) > 4 else None)


Name = tuple[str, str, str]
"""What can be searched for: a name, its page, and a description."""


def names_script(names: Sequence[Name]) -> bytes:
    """Every name and its page, as a script that the search box loads when it is used."""
    rows = [[name, page] for name, page, _ in names]
    text = json.dumps(rows, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    return f"window.strataNames = {text};\n".encode()


def names_of(snapshot: Snapshot) -> list[Name]:
    """Every artifact and every family of versions."""
    told = []
    for record in snapshot.index.artifacts:
        told.append((record.reference, artifact_page(record.artifact), record.description))
    for kind, name in snapshot.families:
        if kind not in ("run", "service"):
            told.append((f"{ROOT_OF[kind]}/{name}", family_page(kind, name), "all versions"))
    return sorted(told)


def search(names: Sequence[Name], text: str = "") -> Page:
    """What bears this text in its name or description; without text, where the lists are."""
    path, words = "search.html", text.lower().split()
    found = [row for row in names if words and all(word in f"{row[0]} {row[2]}".lower() for word in words)]
    rows = [
        e("li", e("a", name, href=link(path, page)), " ", e("span", said, class_="quiet")) for name, page, said in found
    ]
    lists = [e("li", e("a", title, href=link(path, f"{root}.html"))) for root, title in TITLES.items()]
    told = f"{counted(len(found), 'answer')} to “{text[:200]}”." if words else "Every name is in one of these lists:"
    more = e("p", f"The first {FOUND} are shown.", class_="quiet") if len(found) > FOUND else None
    body = (
        e("p", told, id="search-told", role="status"),
        e("ul", rows[:FOUND] or None, id="search-found", class_="rows"),
        more,
        None if words else e("ul", lists, id="search-lists"),
    )
    return Page(path, "Search", "search", body)
