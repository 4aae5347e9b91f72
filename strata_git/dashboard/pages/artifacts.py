"""One page an artifact version: what it is, what it came from, how good it is, and how to check all that. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from strata_git.checks.finding import Finding
from strata_git.contracts.layout import CHECKSUMS, MODEL_SIG, ROOT_OF, SIGNATURE
from strata_git.dashboard.addresses import family_page, link
from strata_git.dashboard.cards import card
from strata_git.dashboard.drawing import picture
from strata_git.dashboard.html import Element, Node, e
from strata_git.dashboard.page import Page
from strata_git.dashboard.pages.holdings import holdings
from strata_git.dashboard.pages.promotions import checks, timeline
from strata_git.dashboard.parts import (
    STATUS,
    Cell,
    Column,
    badge,
    command,
    digest,
    facts,
    finding,
    listed,
    reference,
    section,
    short,
    signature,
    stages,
    table,
    verdict,
    when,
)
from strata_git.dashboard.snapshot import Detail, Snapshot
from strata_git.dashboard.words import NOTHING, counted, person, size
from strata_git.index.lineage import Edge
from strata_git.index.records import ArtifactRecord, FileRecord

_STORED = {"blob": "in Git", "pointer": "Git LFS", "malformed": "broken pointer", "absent": "not here", "other": "link"}
_FILES, _LOG = 500, 200


def artifact(snapshot: Snapshot, path: str, detail: Detail) -> Page:
    """The page of one artifact version, run or service, which lies at `path`."""
    record, of = detail.record, detail.record.artifact
    root = ROOT_OF[of.kind]
    above = [(root.capitalize(), f"{root}.html")]
    if of.version:
        above.append((of.name, family_page(of.kind, of.name)))
    found = snapshot.findings.get(of, ())
    state = [badge(record.status, STATUS.get(record.status, "quiet"))] if record.status else []
    lead = e("div", [part for node in [*stages(record), *state, verdict(found)] for part in (node, " ")],
             e("p", record.description, class_="said") if record.description else None, class_="lead")  # fmt: skip
    body: list[Node] = [
        identity(detail),
        _found("Findings", path, [each for each in found if each.severity != "info"]),
        *holdings(snapshot, path, detail),
        _origin(snapshot, path, detail),
        _history(snapshot, path, detail),
        _card(snapshot, path, detail),
        _pictures(path, detail),
        _files(detail),
        signatures(detail),
        _found("Notes", path, [each for each in found if each.severity == "info"]),
        _proof(snapshot, detail),
        _log(detail),
    ]  # fmt: skip
    return Page(path, of.short, root, tuple(body), lead, tuple(above))


def _found(title: str, path: str, found: Sequence[Finding]) -> Element | None:
    if not found:
        return None
    return section(title, e("ul", [finding(path, each, None) for each in found], class_="findings"), id_=title.lower())


def identity(detail: Detail) -> Element:
    """What names an artifact, and who brought it when."""
    record = detail.record
    introduced = record.introduced
    commit: Node = e("span", "before this shallow clone begins", class_="quiet") if record.boundary else None
    if introduced is not None:
        commit = e("span", short(introduced.commit), " ", introduced.subject)
    return facts([
        ("Reference", e("code", record.reference)),
        ("Made", when(record.created) if record.created else None),
        ("Committed", when(introduced.date) if introduced else None),
        ("By", person(introduced.author) if introduced else None),
        ("Commit", commit),
        ("Content", f"{counted(record.files, 'file')}, {size(record.bytes)}"
         + (f", {record.pointers} in Git LFS" if record.pointers else "")),
        ("Digest", digest(record.digest) if record.digest else None),
        ("Content hash", digest(record.content_hash) if record.content_hash else None),
    ], "identity")  # fmt: skip


def _card(snapshot: Snapshot, path: str, detail: Detail) -> Element | None:
    text = detail.texts.get("card.md")
    if not text:
        return None

    def resolve(place: str) -> str | None:
        target = snapshot.page_of(place)
        return link(path, target) if target else None

    return section("Card", card(text, detail.record.artifact.path, resolve), id_="card")


def _pictures(path: str, detail: Detail) -> Element | None:
    if not detail.pictures:
        return None
    shown = [
        e("figure", e("img", src=link(path, each.address), alt=f"Picture {each.name} of this artifact"),
          e("figcaption", e("code", each.name)))
        for each in detail.pictures
    ]  # fmt: skip
    return section("Pictures", e("div", shown, class_="pictures"), id_="pictures")


def _origin(snapshot: Snapshot, path: str, detail: Detail) -> Element:
    record = detail.record
    nodes, cut_off = snapshot.graph.around(record.reference)
    before = [_cited(snapshot, path, record, edge) for edge in snapshot.graph.into.get(record.reference, ())]
    after = [reference(snapshot, path, name) for name in
             sorted({edge.target for edge in snapshot.graph.out.get(record.reference, ())})]  # fmt: skip
    drawn = picture(snapshot, path, nodes, record.reference, cut_off=cut_off) if len(nodes) > 1 else None
    return section(
        "Lineage",
        drawn,
        facts(
            [("Made from", _listing(before)), ("Used by", _listing(after) or e("span", "nothing yet", class_="quiet"))]
        ),
        id_="lineage",
    )


def _listing(nodes: Sequence[Node]) -> Element | None:
    rest = [e("span", f"and {len(nodes) - 50} more", class_="quiet")] if len(nodes) > 50 else []
    return listed([*nodes[:50], *rest])


def _cited(snapshot: Snapshot, path: str, record: ArtifactRecord, edge: Edge) -> Node:
    """One thing that the artifact was made from, and whether it still is what was recorded."""
    if edge.relation == "code":
        commit = snapshot.index.commits.get(edge.source)
        words = e("span", f" {commit.subject}") if commit else e("span", " ", badge("not here"))
        dirty = record.code is not None and record.code.dirty
        told = e("span", " ", badge("with uncommitted changes", "warn")) if dirty else None
        return e("span", "code at commit ", short(edge.source), words, told)
    fits = {True: badge("digests agree", "good"), False: badge("not what was recorded", "bad"), None: None}
    relation = e("span", f" {edge.relation} ", class_="quiet")
    return e("span", reference(snapshot, path, edge.source), relation, fits[edge.matches])


def _history(snapshot: Snapshot, path: str, detail: Detail) -> Element | None:
    events = snapshot.events.get(detail.record.artifact, ())
    if not events:
        return None
    return section("Stages", timeline(snapshot, path, list(reversed(events)), named=False), id_="stages")


def _files(detail: Detail) -> Element | None:
    if not detail.files:
        return None
    rows: list[list[Cell | Node]] = [
        [e("code", file.name), Cell(size(file.size), file.size), _STORED.get(file.stored, file.stored),
         digest(file.sha256) if file.sha256 else e("span", NOTHING, class_="quiet")]
        for file in detail.files[:_FILES]
    ]  # fmt: skip
    columns = [Column("File"), Column("Size", numeric=True), Column("Kept"), Column("SHA-256")]
    rest = len(detail.files) - _FILES
    more = (
        e("p", f"And {counted(rest, 'more file')}; CHECKSUMS.txt lists them all.", class_="quiet") if rest > 0 else None
    )
    return section("Files", table("Files", columns, rows, sortable=True), more, id_="files")


def signatures(detail: Detail) -> Element | None:
    """Who signed an artifact, and the commit that brought it; None for what is never signed."""
    record = detail.record
    if not record.artifact.frozen:
        return None
    rows: list[Node] = [e("span", signature(signed), e("span", " over CHECKSUMS.txt", class_="quiet")) for signed in
                        record.signers]  # fmt: skip
    if _has(detail.files, MODEL_SIG):
        rows.append(e("span", badge("present"), " ", e("code", MODEL_SIG), " ", e("code", "git strata verify --deep"),
                      " looks at it"))  # fmt: skip
    commit = record.introduced
    if commit is not None:
        rows.append(e("span", signature(commit.signature), e("span", " on the commit that brought it", class_="quiet")))
    return section("Signatures", listed(rows) or e("p", "No signature.", class_="quiet"), id_="signatures")


def _has(files: Sequence[FileRecord], name: str) -> bool:
    return any(file.name == name for file in files)


def _proof(snapshot: Snapshot, detail: Detail) -> Element:
    """How a stranger checks this with programs that are not ours."""
    record = detail.record
    place = shlex.quote(record.artifact.path)
    told: list[Node] = []
    if _has(detail.files, CHECKSUMS):
        told.append(command(f"(cd {place} && sha256sum --strict -c {CHECKSUMS})", "Check every file against its list"))
    if _has(detail.files, SIGNATURE):
        told.append(command(f"(cd {place} && gpg --verify {SIGNATURE} {CHECKSUMS})", "Check who signed the list"))
    if record.introduced is not None and record.digest:
        told.append(command(f"git show {record.introduced.commit}:{place}/{CHECKSUMS} | sha256sum",
                            "Compute the digest above from the commit that brought it"))  # fmt: skip
        told.append(command(f"git log --format=fuller -- {place}", "See every commit that touched it"))
        if record.introduced.signature is not None:
            told.append(command(f"git verify-commit {record.introduced.commit}", "Check the signature of that commit"))
    told += checks([event for event in snapshot.events.get(record.artifact, ()) if event.current][:2])
    told.append(command(f"git strata show {record.reference}", "The same page in a terminal"))
    return section("Check it yourself", *told, id_="check")


def _log(detail: Detail) -> Element | None:
    text = detail.texts.get("logs.txt")
    if not text:
        return None
    lines = text.splitlines()
    note = f"The last {_LOG} of {len(lines)} lines." if len(lines) > _LOG else None
    shown = "\n".join(line[:2000] for line in lines[-_LOG:])
    block = e("pre", e("code", shown), tabindex="0", role="group", aria_label="Log", class_="log")
    return section("Log", block, id_="log", note=note)
