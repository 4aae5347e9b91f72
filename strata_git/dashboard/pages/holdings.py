"""What an artifact's own documents say, by kind: figures, splits, parameters, templates, routes. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable

from strata_git.checks.plain import dig, items, mapping, number, text
from strata_git.dashboard.cards import outside
from strata_git.dashboard.html import Element, Node, e
from strata_git.dashboard.parts import Cell, Column, badge, facts, reference, section, table, when
from strata_git.dashboard.snapshot import Detail, Snapshot
from strata_git.dashboard.words import NOTHING, counted, figure, size

_ROWS = 300
_LONG = 600


def holdings(snapshot: Snapshot, path: str, detail: Detail) -> list[Node]:
    """The sections that this kind of artifact has."""
    metrics = _metrics(detail)
    told: dict[str, list[Node]] = {
        "dataset": [_provenance(detail), _splits(detail), _schema(detail, "schema", "Columns")],
        "model": [metrics, _model(detail), _schema(detail, "signature", "Inputs and outputs")],
        "run": [metrics, _run(detail), _parameters(detail), _system(detail)],
        "prompt": _prompt(detail),
        "service": _service(snapshot, path, detail),
    }
    return told.get(detail.record.artifact.kind, [])


def plainly(value: object) -> Node:
    """A value of a document as people read it; what is nested as JSON."""
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: NOTHING}[value]
    if isinstance(value, str):
        web = outside(value)
        return e("a", value, href=web, rel="noopener noreferrer nofollow", target="_blank") if web else value[:_LONG]
    if isinstance(value, (int, float)):
        return str(value)
    told = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return e("code", told if len(told) <= _LONG else told[:_LONG] + "…")


def _pairs(value: object, skip: Iterable[str] = ()) -> list[tuple[str, Node]]:
    left = frozenset(skip)
    return [(str(key), plainly(inner)) for key, inner in list(mapping(value).items())[:_ROWS] if key not in left]


def _metrics(detail: Detail) -> Element | None:
    measured = mapping(dig(detail.documents.get("metrics.yaml"), "metrics"))
    if measured:
        columns = [Column("Metric"), Column("Value", numeric=True), Column("Better"), Column("Split"),
                   Column("Rows", numeric=True), Column("Tolerance", numeric=True)]  # fmt: skip
        rows: list[list[Cell | Node]] = []
        for name, said in list(measured.items())[:_ROWS]:
            value = number(dig(said, "value"))
            rows.append([
                str(name), _figure(value), text(dig(said, "direction")) or NOTHING, text(dig(said, "split")) or NOTHING,
                _figure(number(dig(said, "n"))), _figure(number(dig(said, "tolerance"))),
            ])  # fmt: skip
        return section("Metrics", table("Metrics", columns, rows, sortable=True), id_="metrics")
    if not detail.record.metrics:
        return None
    plain: list[list[Cell | Node]] = [
        [name, _figure(value)] for name, value in list(detail.record.metrics.items())[:_ROWS]
    ]
    shown = table("Metrics", [Column("Metric"), Column("Value", numeric=True)], plain, sortable=True, narrow=True)
    return section("Metrics", shown, id_="metrics")


def _figure(value: float | int | None) -> Cell:
    return Cell(
        NOTHING if value is None else e("span", figure(value), title=repr(value)), "" if value is None else value
    )


def _provenance(detail: Detail) -> Element | None:
    document = detail.documents.get("metadata.yaml")
    rows = [*_pairs(dig(document, "provenance"), ("parents", "retrieved"))]
    retrieved = text(dig(document, "provenance", "retrieved"))
    rows += [("retrieved", when(retrieved))] if retrieved else []
    rows += [("licence", plainly(dig(document, "licence")))] if dig(document, "licence") else []
    return section("Where it comes from", facts(rows), id_="provenance") if rows else None


def _splits(detail: Detail) -> Element | None:
    splits = mapping(dig(detail.documents.get("metadata.yaml"), "splits"))
    if not splits:
        return None
    rows: list[list[Cell | Node]] = []
    for name, said in list(splits.items())[:_ROWS]:
        count, lines, weight = (number(dig(said, key)) for key in ("files", "rows", "bytes"))
        rows.append([str(name), e("code", text(dig(said, "path")) or NOTHING), _count(count), _count(lines),
                     Cell(size(int(weight)) if weight is not None else NOTHING, weight)])  # fmt: skip
    columns = [Column("Split"), Column("Path"), Column("Files", numeric=True), Column("Rows", numeric=True),
               Column("Size", numeric=True)]  # fmt: skip
    return section("Splits", table("Splits", columns, rows, sortable=True), id_="splits")


def _count(value: float | int | None) -> Cell:
    return Cell(NOTHING if value is None else f"{int(value):,}".replace(",", "\u202f"), value)


def _schema(detail: Detail, key: str, title: str) -> Element | None:
    said = dig(detail.documents.get("metadata.yaml"), key)
    groups = [("", items(said))] if not isinstance(said, dict) else [(name, items(dig(said, name))) for name in said]
    rows: list[list[Cell | Node]] = []
    for group, columns in groups:
        for column in columns[:_ROWS]:
            kind = text(dig(column, "type")) or text(dig(column, "dtype")) or NOTHING
            rows.append(
                [e("code", text(dig(column, "name")) or NOTHING), kind, group or text(dig(column, "description")) or ""]
            )
    if not rows:
        return None
    heads = [Column("Name"), Column("Type"), Column("Side" if key == "signature" else "What it is")]
    opened = e("details", e("summary", counted(len(rows), "column")), table(title, heads, rows), open=len(rows) <= 12)
    return section(title, opened, id_=key)


def _model(detail: Detail) -> Element | None:
    document = detail.documents.get("metadata.yaml")
    framework = dig(document, "framework")
    rows: list[tuple[str, Node]] = [
        ("file", e("code", text(dig(document, "artifact")) or NOTHING)),
        ("format", plainly(dig(document, "format"))),
        (
            "framework",
            " ".join(str(v) for v in (dig(framework, "name"), dig(framework, "version")) if isinstance(v, str)),
        ),
        ("licence", plainly(dig(document, "licence"))),
    ]
    trusted = [e("li", e("code", str(item))) for item in items(dig(document, "trusted_types"))[:50]]
    rows += [("types to trust", e("ul", trusted, class_="plain"))] if trusted else []
    return section("Model", facts(rows), id_="model") if document else None


def _run(detail: Detail) -> Element | None:
    document = detail.documents.get("run.yaml")
    names = ("experiment", "plugin", "seed", "started", "finished", "tokens", "cost", "error")
    rows: list[tuple[str, Node]] = []
    for name in names:
        value = dig(document, name)
        if value is not None:
            rows.append(
                (name, when(value) if name in ("started", "finished") and isinstance(value, str) else plainly(value))
            )
    return section("Run", facts(rows), id_="run") if rows else None


def _parameters(detail: Detail) -> Element | None:
    document = detail.documents.get("config.yaml")
    rows = [*_pairs(dig(document, "params")), *_pairs(dig(document, "data_spec")), *_pairs(dig(document, "tags"))]
    return section("Parameters", facts(rows, "code"), id_="parameters") if rows else None


def _system(detail: Detail) -> Element | None:
    document = detail.documents.get("system.json")
    rows = _pairs(document, ("schema", "packages", "code"))
    packages = [
        e("li", e("code", f"{name} {version}"))
        for name, version in list(mapping(dig(document, "packages")).items())[:1000]
    ]
    shown = e("details", e("summary", counted(len(packages), "package")), e("ul", packages, class_="packages"))
    return section("Made on", facts(rows), shown if packages else None, id_="system") if rows else None


def _prompt(detail: Detail) -> list[Node]:
    document = detail.documents.get("prompt.yaml")
    parts = [("template", text(dig(document, "template")))]
    parts += [
        (text(dig(m, "role")) or "message", text(dig(m, "content"))) for m in items(dig(document, "messages"))[:50]
    ]
    blocks = [
        e(
            "div",
            badge(role),
            e("pre", e("code", body), tabindex="0", role="group", aria_label=f"Text: {role}"),
            class_="message",
        )
        for role, body in parts
        if body
    ]
    rows: list[list[Cell | Node]] = [
        [e("code", str(v) if isinstance(v, str) else text(dig(v, "name")) or NOTHING), text(dig(v, "type")) or NOTHING,
         text(dig(v, "description")) or "", plainly(dig(v, "default"))]
        for v in items(dig(document, "variables"))[:_ROWS]
    ]  # fmt: skip
    columns = [Column("Variable"), Column("Type"), Column("What it is"), Column("Default")]
    settings = [*_pairs(dig(document, "model")), *_pairs(dig(document, "parameters"))]
    tests: list[list[Cell | Node]] = [
        [
            text(dig(t, "name")) or NOTHING,
            plainly(dig(t, "variables")),
            plainly(dig(t, "contains")),
            plainly(dig(t, "excludes")),
        ]
        for t in items(dig(document, "tests"))[:_ROWS]
    ]
    tried = [Column("Test"), Column("Filled in"), Column("Must contain"), Column("Must not")]
    return [
        section("Text", blocks, id_="text") if blocks else None,
        section("Variables", table("Variables", columns, rows), id_="variables") if rows else None,
        section("Asked with", facts(settings), id_="settings") if settings else None,
        section("Tests", table("Tests", tried, tests), id_="tests") if tests else None,
    ]


def _service(snapshot: Snapshot, path: str, detail: Detail) -> list[Node]:
    document = detail.documents.get("service.yaml")
    model = text(dig(document, "model"))
    rows: list[tuple[str, Node]] = []
    if model:
        rows.append(("answers with", _answering(snapshot, path, model)))
    rows += _pairs(document, ("schema", "name", "model", "api"))
    api = dig(document, "api")
    host, port = dig(api, "host"), dig(api, "port")
    listens = [("listens on", e("code", f"{host or '127.0.0.1'}:{port or 8080}"))] if api else []
    return [section("Service", facts([*rows, *listens, *_pairs(api, ("host", "port", "auth"))]), id_="service")]


def _answering(snapshot: Snapshot, path: str, model: str) -> Node:
    """The version a service answers with now, by name or by stage."""
    name, _, what = model.removeprefix("models/").partition("@")
    record = snapshot.stage(name, what) or snapshot.records.get(f"models/{name}@{what}")
    if record is None:
        return e("span", e("code", model), " ", badge("not here", "warn"))
    shown = reference(snapshot, path, record.reference)
    return shown if record.artifact.short == f"{name}@{what}" else e("span", e("code", model), ", now ", shown)
