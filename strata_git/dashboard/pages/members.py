"""One repository of a federation, and one page for each of its artifacts: what is known of them here. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from strata_git.contracts.layout import KINDS, ROOT_OF
from strata_git.dashboard.addresses import ROWS, link, member_page
from strata_git.dashboard.drawing import picture
from strata_git.dashboard.html import Element, Node, e
from strata_git.dashboard.page import Page
from strata_git.dashboard.pages.artifacts import identity, signatures
from strata_git.dashboard.pages.listings import TITLES
from strata_git.dashboard.pages.promotions import timeline
from strata_git.dashboard.pages.together import belongs, doubted, origin, tabled
from strata_git.dashboard.parts import (
    STATUS,
    Column,
    badge,
    command,
    digest,
    facts,
    listed,
    reference,
    section,
    signature,
    stages,
    table,
    when,
)
from strata_git.dashboard.snapshot import Detail
from strata_git.dashboard.together import Membership, Together
from strata_git.dashboard.words import counted, cut, figure
from strata_git.index.federation import SAME, Found, Part
from strata_git.index.lineage import Edge

_MOST = 50
"""Most neighbours, files and metrics that one page lists of each sort."""


def member(view: Together, known: Membership) -> Page:
    """What is known of one repository, and what it holds."""
    path, part = member_page(known.name), known.part
    doubts = [trouble for trouble in view.troubles if trouble.member == known.name]
    rows: list[Node] = [
        e("span", badge(each.severity, STATUS.get(each.severity, "quiet")), " ",
          reference(view, path, each.where) if each.where in view.found else e("code", each.where), " ", each.message)
        for each in doubts[:_MOST]
    ]  # fmt: skip
    more = e("p", e("a", f"All {len(doubts)}", href=link(path, "findings.html"))) if len(doubts) > _MOST else None
    body: list[Node] = [
        facts([
            ("Place", e("code", known.place) if known.place else None),
            ("Fetched", when(known.fetched) if known.fetched else None),
            ("Known from", origin(part)),
            ("Signed by", signature(part.signature) if part and part.signature else None),
            ("Identity", e("code", part.repository) if part and part.repository else None),
            ("Commit", digest(part.index.revision) if part and part.index.revision else None),
        ], "identity"),
        section("Doubts", listed(rows, "rows"), more, id_="doubts") if rows else None,
        *(_held(view, path, part) if part else ()),
        section("Look further", command(f"git strata federate fetch {known.name}", "Fetch it again"), id_="further")
        if known.place else None,
    ]  # fmt: skip
    lead = e("p", "Doubts: ", doubted(view, known.name), class_="lead")
    return Page(path, known.name, "overview", tuple(body), lead, (("Overview", "index.html"),))


def _held(view: Together, path: str, part: Part) -> list[Node]:
    told: list[Node] = []
    for root, title in TITLES.items():
        found = [Found(part, record) for record in reversed(part.index.of_kind(KINDS[root]))]
        if not found:
            continue
        columns, rows = tabled(view, path, KINDS[root], found[:ROWS])
        rest = e("p", e("a", f"All {root}", href=link(path, f"{root}.html"))) if len(found) > ROWS else None
        told.append(section(title, table(title, columns, rows, sortable=True), rest, id_=root))
    return told


def artifact(view: Together, found: Found) -> Page:
    """What is known here of one artifact of one repository."""
    record, part, root = found.record, found.part, ROOT_OF[found.record.artifact.kind]
    path = member_page(part.name, record.artifact)
    state = [badge(cut(record.status, 40), STATUS.get(record.status, "quiet"))] if record.status else []
    marks = [*stages(record), *state, belongs(path, part)]
    lead = e("div", [node for mark in marks for node in (mark, " ")],
             e("p", record.description, class_="said") if record.description else None, class_="lead")  # fmt: skip
    body: list[Node] = [
        _source(view, found),
        identity(Detail(record)),
        _findings(found),
        _metrics(found),
        _lineage(view, path, found),
        _moves(view, path, found),
        _files(found),
        signatures(Detail(record)),
        _proof(found),
    ]
    above = ((TITLES[root], f"{root}.html"), (part.name, member_page(part.name)))
    return Page(path, record.artifact.short, root, tuple(body), lead, above)


def _source(view: Together, found: Found) -> Node:
    """Whose word all of the page is."""
    part = found.part
    told: list[Node] = []
    if not view.held(found.id):
        told.append(e("p", badge("not at its HEAD", "warn"), " It lies on another branch, at a tag, or was removed."))
    if part.origin == "published":
        by = origin(part)
        told.append(e("p", f"What stands here is what {part.name} says of itself: ", by,
                      ". Signatures within it were not checked here."))  # fmt: skip
    elif part.origin == "objects":
        told.append(e("p", f"Its files stay in {part.name}; what stands here is what its documents and lists tell."))
    return e("div", told, class_="quiet") if told else None


def _findings(found: Found) -> Element | None:
    rows: list[Node] = [
        e("div", badge(each.severity, STATUS[each.severity]), " ", e("code", each.rule), " ", e("code", each.path),
          e("p", each.message), e("p", "To do: ", each.fix, class_="quiet"))
        for each in [each for each in found.record.findings if each.severity != "info"][:_MOST]
    ]  # fmt: skip
    return section("Findings", listed(rows, "findings"), id_="findings") if rows else None


def _metrics(found: Found) -> Element | None:
    told = list(found.record.metrics.items())
    if not told:
        return None
    rows: list[list[Node]] = [[cut(name, 200), figure(value)] for name, value in told[:ROWS]]
    return section("Metrics", table("Metrics", [Column("Metric"), Column("Value", numeric=True)], rows, sortable=True,
                                    narrow=True), id_="metrics")  # fmt: skip


def _lineage(view: Together, path: str, found: Found) -> Element:
    nodes, cut_off = view.graph.around(found.id)
    drawn = picture(view, path, nodes, found.id, cut_off=cut_off) if len(nodes) > 1 else None
    edges = [edge for edge in view.graph.into.get(found.id, ()) if edge.relation != SAME]
    told = facts([
        ("Made from", _some([_cited(view, path, edge) for edge in edges])),
        ("Used by", _some([reference(view, path, name) for name in view.users(found.id)])
         or e("span", "nothing that is known here", class_="quiet")),
        ("Same content", _some([reference(view, path, name) for name in view.twins(found.id)])),
    ])  # fmt: skip
    return section("Lineage", drawn, told, id_="lineage")


def _cited(view: Together, path: str, edge: Edge) -> Node:
    fits = {True: badge("digests agree", "good"), False: badge("not what was recorded", "bad"), None: None}
    relation = e("span", f" {edge.relation} ", class_="quiet")
    return e("span", reference(view, path, edge.source), relation, fits[edge.matches])


def _some(nodes: Sequence[Node]) -> Element | None:
    rest = [e("span", f"and {len(nodes) - _MOST} more", class_="quiet")] if len(nodes) > _MOST else []
    return listed([*nodes[:_MOST], *rest])


def _moves(view: Together, path: str, found: Found) -> Element | None:
    events = view.moves.get(found.id, ())
    if not events:
        return None
    return section("Stages", timeline(view, path, list(reversed(events))[:ROWS], named=False), id_="stages")


def _files(found: Found) -> Element | None:
    """The files that a record names with their digests: a run's outputs, a model's own."""
    record = found.record
    named = [*record.outputs.items(), *([record.file] if record.file else [])]
    if not named:
        return None
    rows = [[e("code", name), digest(sha256)] for name, sha256 in named[:ROWS]]
    rest = e("p", f"And {counted(len(named) - ROWS, 'more file')}.", class_="quiet") if len(named) > ROWS else None
    return section("Files", table("Files", [Column("File"), Column("SHA-256")], rows), rest, id_="files")


def _proof(found: Found) -> Element:
    name = shlex.quote(found.id)
    told = [command(f"git strata federate lineage {name}", "What it came from, in a terminal"),
            command(f"git strata federate impact {name}", "What came of it")]  # fmt: skip
    if found.record.digest:
        told.append(command(f"git strata federate whois {found.record.digest}", "Everything of this digest"))
    if found.part.origin == "here":
        told.append(command(f"git strata show {shlex.quote(found.record.reference)}", "All of it, with its files"))
    return section("Check it yourself", *told, id_="check")
