"""The first page: what there is, what is in production, what is wrong, what happened last. Pure."""

from __future__ import annotations

from strata_git.checks.catalog import RULES
from strata_git.contracts.layout import KINDS
from strata_git.dashboard.addresses import artifact_page, family_page, link, rule_page
from strata_git.dashboard.html import Element, Node, e
from strata_git.dashboard.moves import stage_of, telling, verb
from strata_git.dashboard.page import Page
from strata_git.dashboard.parts import (
    STATUS,
    Cell,
    Column,
    badge,
    by_severity,
    digest,
    leading,
    metrics,
    reference,
    section,
    signature,
    table,
    when,
)
from strata_git.dashboard.snapshot import Snapshot
from strata_git.dashboard.words import counted, person, whole
from strata_git.index.records import ArtifactRecord, Introduction, StageRecord

PATH = "index.html"
_RECENT, _ACTIVITY, _TROUBLE, _LIVE = 8, 12, 6, 20


def overview(snapshot: Snapshot) -> Page:
    """The first page of the site."""
    revision = snapshot.index.revision
    lead = e("p", "At commit ", digest(revision), class_="lead") if revision else "There is no commit yet."
    notes = [e("p", f"Not judged: {told}.", class_="quiet") for told in snapshot.verdict.unjudged]
    body = (
        _tiles(snapshot),
        section("In production", _live(snapshot), id_="production"),
        e("div", section("Trouble", _trouble(snapshot), notes, id_="trouble"),
          section("Latest runs", _runs(snapshot), id_="latest"), class_="halves"),
        section("What happened", _activity(snapshot), id_="activity"),
    )  # fmt: skip
    return Page(PATH, snapshot.title, "overview", body, lead)


def _tiles(snapshot: Snapshot) -> Element:
    order = ("models", "runs", "datasets", "prompts", "services")
    tiles = []
    for root in order:
        records = snapshot.index.of_kind(KINDS[root])
        names = len({record.artifact.name for record in records})
        below = counted(names, "name") if root not in ("runs", "services") and names != len(records) else ""
        tiles.append(tile(root, f"{root}.html", whole(len(records)), below))
    counts = by_severity(snapshot.verdict.findings)
    tone = "bad" if counts.get("error") else "warn" if counts.get("warning") else "good"
    told = ", ".join(counted(counts[word], word) for word in ("error", "warning") if counts.get(word))
    told = told or (counted(counts["info"], "note") if counts.get("info") else "nothing wrong")
    serious = counts.get("error", 0) + counts.get("warning", 0)
    tiles.append(tile("findings", "findings.html", whole(serious), told, tone))
    return e("ul", tiles, class_="tiles")


def tile(words: str, target: str, count: str, below: str, tone: str = "") -> Element:
    """One of the counts on the first page, which leads to the page `target`."""
    return e(
        "li",
        e("a", e("span", count, class_="count"), e("span", words, class_="what"), e("span", below, class_="below"),
          href=link(PATH, target), class_=f"tile {tone}".strip()),
    )  # fmt: skip


def _live(snapshot: Snapshot) -> Element:
    records = [r for r in snapshot.index.of_kind("model") if "production" in r.stages]
    if not records:
        return e("p", "No model is in production. ", e("code", "git strata promote MODEL"), " takes one there.",
                 class_="empty")  # fmt: skip
    rows = [_live_row(snapshot, record) for record in records[:_LIVE]]
    columns = [Column("Model"), Column("Since"), Column("Promoted by"), Column("Metrics"), Column("Trained on")]
    more = e("p", e("a", f"All {len(records)}", href=link(PATH, "models.html"))) if len(records) > _LIVE else None
    return e("div", table("Models in production", columns, rows), more)


def _live_row(snapshot: Snapshot, record: ArtifactRecord) -> list[Cell | Node]:
    events = snapshot.events.get(record.artifact, ())
    event = next((event for event in reversed(events) if event.current and event.stage == "production"), None)
    names = leading([record], 2)
    data = [reference(snapshot, PATH, cited.reference, cited.reference.partition("/")[2]) for cited in record.inputs]
    return [
        e("a", record.artifact.short, href=link(PATH, artifact_page(record.artifact))),
        when(event.date) if event else None,
        e("span", badge("unsound", "bad"), " ") if event and not event.sound else signed_by(event),
        metrics(record, names),
        e("span", [part for node in data for part in (node, " ")]),
    ]


def signed_by(event: StageRecord | None) -> Node:
    """The name of an event's signer, and what came of checking the signature."""
    if event is None or event.signature is None:
        return badge("not signed")
    return e("span", person(event.signature.user) or "somebody", " ", signature_badge(event))


def signature_badge(event: StageRecord) -> Node:
    """The state of an event's signature, without its key."""
    full = signature(event.signature)
    return full.children[0] if isinstance(full, Element) and full.tag == "span" and full.children else full


def _trouble(snapshot: Snapshot) -> Element:
    found = [f for f in snapshot.verdict.findings if f.severity != "info"]
    rules = list(dict.fromkeys(f.rule for f in found))
    rows: list[Node] = []
    for rule in rules[:_TROUBLE]:
        mine = [f for f in found if f.rule == rule]
        rows.append(
            e("li", badge(mine[0].severity, STATUS[mine[0].severity]), " ",
              e("a", rule, href=link(PATH, rule_page(rule))), " ", RULES[rule].summary, " ",
              e("span", counted(len(mine), "place"), class_="quiet"))
        )  # fmt: skip
    for model, findings in sorted(snapshot.index.complaints.items())[:_TROUBLE]:
        serious = [f for f in findings if f.severity != "info"]
        if serious:
            tone, page = STATUS[serious[0].severity], link(PATH, family_page("model", model))
            rows.append(
                e("li", badge(serious[0].severity, tone), " ", e("a", model, href=page), " ", serious[0].message)
            )
    if not rows:
        return e("p", badge("sound", "good"), " The doctor finds nothing wrong with this commit.", class_="empty")
    more = e("p", e("a", "All findings", href=link(PATH, "findings.html"))) if len(rules) > _TROUBLE else None
    return e("div", e("ul", rows, class_="rows"), more)


def _runs(snapshot: Snapshot) -> Element:
    runs = sorted(snapshot.index.of_kind("run"), key=lambda r: (r.created, r.reference), reverse=True)[:_RECENT]
    if not runs:
        return e("p", "No run yet. ", e("code", "git strata run EXPERIMENT.yaml"), " makes one.", class_="empty")
    names = leading(runs, 2)
    rows = [
        e("li", e("a", run.artifact.name, href=link(PATH, artifact_page(run.artifact))), " ",
          badge(run.status or "unknown", STATUS.get(run.status, "quiet")), " ", metrics(run, names), class_="run")
        for run in runs
    ]  # fmt: skip
    return e("ul", rows, class_="rows")


def _activity(snapshot: Snapshot) -> Element:
    told: list[tuple[str, str, Node]] = []
    for event in telling(snapshot.index.events):
        told.append((event.date, event.tag, _event(snapshot, event)))
    commits: dict[str, tuple[Introduction, list[ArtifactRecord]]] = {}
    for record in snapshot.index.artifacts:
        if record.introduced:
            commits.setdefault(record.introduced.commit, (record.introduced, []))[1].append(record)
    told += [(commit.date, commit.commit, _added(commit, records)) for commit, records in commits.values()]
    told.sort(key=lambda row: row[:2], reverse=True)
    if not told:
        return e("p", "Nothing yet.", class_="empty")
    return e("ol", [e("li", when(date), node) for date, _, node in told[:_ACTIVITY]], class_="timeline")


def _event(snapshot: Snapshot, event: StageRecord) -> Node:
    stage = stage_of(event)
    who = person(event.signature.user) if event.signature else ""
    return e(
        "p", reference(snapshot, PATH, event.model.reference, event.model.short), f" {verb(event)} ",
        badge(stage, f"stage-{stage}"), e("span", f" {who}", class_="quiet") if who else None,
        [" ", badge("unsound", "bad")] if not event.sound else None,
    )  # fmt: skip


def _added(commit: Introduction, records: list[ArtifactRecord]) -> Node:
    links: list[Node] = []
    for record in records[:4]:
        links += [e("a", record.artifact.short, href=link(PATH, artifact_page(record.artifact))), " "]
    more = f"and {len(records) - 4} more " if len(records) > 4 else None
    return e("p", links, more, "added: ", commit.subject, e("span", f" {person(commit.author)}", class_="quiet"))
