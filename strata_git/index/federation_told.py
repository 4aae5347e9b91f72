"""A federation's answers as text and as JSON data. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from strata_git.index.export import encodable
from strata_git.index.federation import SAME, Federation, Found, Link, MemberDoubt, Part, Way
from strata_git.index.members import Member
from strata_git.index.records import StageRecord
from strata_git.index.render import signature_text

Plain = dict[str, object]


def members_document(members: Iterable[Member], federation: Federation) -> Plain:
    """All members, what is known of each, and what is doubtful (schema strata/federation/v1)."""
    parts = {part.name: part for part in federation.parts}
    return encodable({
        "schema": "strata/federation/v1",
        "members": [
            {"name": member.name, "url": member.place, "fetched": member.fetched or None,
             **(_part(parts[member.name]) if member.name in parts else {"origin": None})}
            for member in members
        ],
        "doubts": doubts_document(federation.doubts),
    })  # fmt: skip


def artifacts_document(federation: Federation, found: Iterable[Found]) -> Plain:
    """Artifacts of several repositories (schema strata/federated-list/v1)."""
    return encodable({
        "schema": "strata/federated-list/v1",
        "artifacts": [artifact_document(each) for each in found],
        "doubts": doubts_document(federation.doubts),
    })  # fmt: skip


def federation_document(members: Iterable[Member], federation: Federation) -> Plain:
    """All of it as one index: members, every artifact, links within and across, stages (strata/federated-index/v1)."""
    return encodable({
        "schema": "strata/federated-index/v1",
        "members": members_document(members, federation)["members"],
        "artifacts": [artifact_document(each) for each in federation.everything()],
        "links": [_link(link) for link in federation.links],
        "stages": [stage_document(part, event) for part, event in federation.stages()],
        "doubts": doubts_document(federation.doubts),
    })  # fmt: skip


def way_document(federation: Federation, way: Way, touched: Iterable[tuple[Part, StageRecord]] = ()) -> Plain:
    """Lineage or impact across repositories (schema strata/federated-lineage/v1)."""
    return encodable({
        "schema": "strata/federated-lineage/v1",
        "start": list(way.start),
        "nodes": [
            {"id": identity, "present": found is not None, **(artifact_document(found) if found else {})}
            for identity, found in way.nodes.items()
        ],
        "links": [_link(link) for link in way.links],
        "stages": [stage_document(part, event) for part, event in touched],
        "doubts": doubts_document(federation.doubts),
    })  # fmt: skip


def stages_document(federation: Federation) -> Plain:
    """Where every version is now (schema strata/federated-stages/v1)."""
    return encodable({
        "schema": "strata/federated-stages/v1",
        "stages": [stage_document(part, event) for part, event in federation.stages()],
        "doubts": doubts_document(federation.doubts),
    })  # fmt: skip


def artifact_document(found: Found) -> Plain:
    """One artifact and whose it is."""
    record = found.record
    return {
        "repository": found.part.name,
        "verified": found.part.trusted,
        "reference": record.reference,
        "kind": record.artifact.kind,
        "description": record.description,
        "digest": record.digest,
        "content_hash": record.content_hash,
        "stages": list(record.stages),
        "metrics": dict(record.metrics),
        "introduced": record.introduced.date if record.introduced else None,
    }


def stage_document(part: Part, event: StageRecord) -> Plain:
    """One version's stage."""
    return {
        "repository": part.name, "verified": part.trusted, "model": event.model.reference, "stage": event.stage,
        "since": event.date, "tag": event.tag, "sound": event.sound,
    }  # fmt: skip


def doubts_document(doubts: Iterable[MemberDoubt]) -> list[Plain]:
    """What is doubtful."""
    return [{"severity": d.severity, "member": d.member, "message": d.message} for d in doubts]


def part_text(part: Part) -> str:
    """Where a member's index is from, and who vouches for it."""
    if part.origin != "published":
        return {"here": "this repository"}.get(part.origin, "built from its objects")
    state = "verified" if part.trusted else "UNVERIFIED"
    return f"its own index, {state}: {signature_text(part.signature) or 'not signed'}"


def artifact_rows(found: Iterable[Found]) -> list[tuple[str, ...]]:
    """One row for each artifact: repository, reference, stage, metrics, description."""
    return [
        (
            each.part.name + ("" if each.part.trusted else " (unverified)"),
            each.record.reference,
            ", ".join(each.record.stages),
            " ".join(f"{name}={value:.6g}" for name, value in each.record.metrics.items()),
            each.record.description,
        )
        for each in found
    ]


def way_text(way: Way, *, backwards: bool) -> str:
    """The way as a tree; what was told once is not told again."""
    below: defaultdict[str, list[tuple[str, Link]]] = defaultdict(list)
    for link in way.links:
        near, far = (link.target, link.source) if backwards else (link.source, link.target)
        below[near].append((far, link))
        if link.relation == SAME:
            below[far].append((near, link))
    lines: list[str] = []
    told: set[str] = set()
    waiting = [(identity, "", "", "") for identity in reversed(way.start)]
    while waiting:
        identity, words, first, rest = waiting.pop()
        again = identity in told
        lines.append(f"{first}{words}{_title(way, identity)}{'  (see above)' if again and below[identity] else ''}")
        if again:
            continue
        told.add(identity)
        onward = [(far, link) for far, link in below[identity] if far not in told or link.relation != SAME]
        for at, (far, link) in enumerate(reversed(onward)):
            turn, go = ("└─ ", "   ") if at == 0 else ("├─ ", "│  ")
            waiting.append((far, f"{link.relation}: ", rest + turn, rest + go))
    return "\n".join(lines)


def _link(link: Link) -> Plain:
    return {"source": link.source, "target": link.target, "relation": link.relation, "matches": link.matches}


def _title(way: Way, identity: str) -> str:
    found = way.nodes[identity]
    if found is None:
        return f"{identity} (not known)"
    stages = f"  [{', '.join(found.record.stages)}]" if found.record.stages else ""
    return f"{identity}{stages}{'' if found.part.trusted else '  (unverified)'}"


def _part(part: Part) -> Plain:
    return {
        "origin": part.origin,
        "verified": part.trusted,
        "signer": signature_text(part.signature) or None,
        "repository": part.repository or None,
        "revision": part.index.revision or None,
        "artifacts": len(part.index.artifacts),
        "events": len(part.index.events),
    }
