"""What the pages of several repositories are made from: a federation, sorted for looking things up. Pure.

A `Snapshot` in which everything goes by `NAME:REFERENCE`, so that what draws and links one repository does it for all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from strata_git.contracts.layout import artifact_of
from strata_git.dashboard.addresses import member_page
from strata_git.dashboard.graph import joined
from strata_git.dashboard.snapshot import Snapshot
from strata_git.doctor.verdict import Verdict
from strata_git.index.federation import SAME, Federation, Found, Part
from strata_git.index.lineage import Edge
from strata_git.index.records import UNVERIFIED, ArtifactRecord, Index, Signature, StageRecord

TWINS = 50
"""Most artifacts of the same content that one page names."""


@dataclass(frozen=True, slots=True)
class Membership:
    """One repository of the federation: its name, its place without a password, when it was fetched (ISO 8601, `""`:
    never), and what there is of it: None where nothing can be used."""

    name: str
    place: str
    fetched: str
    part: Part | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong or doubtful: `where` is an artifact (`NAME:REFERENCE`) or a path, `""` for the whole member."""

    severity: str
    member: str
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Together(Snapshot):
    """Several repositories under the name `title`.

    `found` are all artifacts by `NAME:REFERENCE`; those that no HEAD holds too. `moves` are the events of one model
    version, oldest first, `unverified` the members whose word nobody vouches for. `index`, `families`, `events` and
    `findings` of a single repository stay empty.
    """

    federation: Federation
    members: tuple[Membership, ...]
    found: Mapping[str, Found]
    moves: Mapping[str, tuple[StageRecord, ...]]
    troubles: tuple[Trouble, ...]
    unverified: frozenset[str]

    def address(self, reference: str) -> str | None:
        """The page of the artifact with this `NAME:REFERENCE`, where it is known."""
        found = self.found.get(reference)
        return member_page(found.part.name, found.record.artifact) if found else None

    def kind(self, reference: str) -> str:
        """The kind of an artifact, known or only named; `unknown` for a name that is none."""
        found = self.found.get(reference)
        kind = Snapshot.kind(self, reference.partition(":")[2]) if found is None else found.record.artifact.kind
        return "unknown" if kind == "commit" else kind

    def whose(self, reference: str) -> str:
        """The member that the artifact is of, and whether nobody vouches for it."""
        return reference.partition(":")[0] + ("" if self.vouched(reference) else " (unverified)")

    def vouched(self, reference: str) -> bool:
        """False for what stands in a published index that no key which counts here signed."""
        return reference.partition(":")[0] not in self.unverified

    def sources(self, identity: str, kind: str = "") -> list[str]:
        """What went into an artifact, of one kind or of any."""
        edges = [edge for edge in self.graph.into.get(identity, ()) if edge.relation != SAME]
        return list(dict.fromkeys(edge.source for edge in edges if kind in ("", self.kind(edge.source))))

    def users(self, identity: str) -> list[str]:
        """What an artifact went into, in any repository."""
        edges = [edge for edge in self.graph.out.get(identity, ()) if edge.relation != SAME]
        return sorted({edge.target for edge in edges})

    def twins(self, identity: str) -> list[str]:
        """The artifacts of the same content, wherever they are; at most `TWINS`."""
        seen, waiting = {identity: None}, [identity]
        while waiting and len(seen) <= TWINS:
            node = waiting.pop()
            for edge in self.graph.into.get(node, ()):
                there = edge.target if edge.source == node else edge.source
                if edge.relation == SAME and there not in seen:
                    seen[there] = None
                    waiting.append(there)
        return sorted(seen.keys() - {identity})[:TWINS]

    def held(self, identity: str) -> bool:
        """Whether the artifact is in its repository's HEAD."""
        return identity in self.records


def together_of(federation: Federation, members: Sequence[Membership], title: str) -> Together:
    """Sort what is known of all members. What a published index says of signatures nobody here has checked: it is
    shown as not checked, whoever signed the index."""
    federation = replace(federation, parts=tuple(_unchecked(part) for part in federation.parts))
    parts = {part.name: part for part in federation.parts}
    moves: dict[str, list[StageRecord]] = defaultdict(list)
    for part in federation.parts:
        for event in part.index.events:
            moves[f"{part.name}:{event.model.reference}"].append(event)
    edges = [Edge(link.source, link.target, link.relation, matches=link.matches) for link in federation.links]
    return Together(
        title,
        Index(),
        Verdict("", ()),
        joined(edges, SAME),
        {found.id: found.record for found in federation.artifacts()},
        {},
        {},
        {},
        federation,
        tuple(replace(each, part=parts.get(each.name)) for each in members),
        {found.id: found for found in federation.everything()},
        {identity: tuple(events) for identity, events in moves.items()},
        tuple(_troubles(federation)),
        frozenset(part.name for part in federation.parts if not part.trusted),
    )


def _troubles(federation: Federation) -> list[Trouble]:
    """The doubts, and what the objects that are here break, errors first."""
    told = [Trouble(doubt.severity, doubt.member, "", doubt.message) for doubt in federation.doubts]
    for part in federation.parts:
        found = [(f"{part.name}:models/{name}", each) for name, some in part.index.complaints.items() for each in some]
        found += [(f"{part.name}:{record.reference}", each) for record in part.index.artifacts
                  for each in record.findings]  # fmt: skip
        for each in part.index.findings:
            artifact = artifact_of(each.path)
            found.append((f"{part.name}:{artifact.reference}" if artifact else each.path, each))
        told += [Trouble(each.severity, part.name, where, f"{each.rule}: {each.message}") for where, each in found
                 if each.severity != "info"]  # fmt: skip
    return sorted(dict.fromkeys(told), key=lambda trouble: trouble.severity != "error")


def _unchecked(part: Part) -> Part:
    if part.origin != "published":
        return part
    index = part.index
    return replace(part, index=replace(
        index,
        artifacts=tuple(map(_claimed, index.artifacts)),
        elsewhere=tuple(map(_claimed, index.elsewhere)),
        events=tuple(replace(event, signature=_claim(event.signature)) for event in index.events),
    ))  # fmt: skip


def _claimed(record: ArtifactRecord) -> ArtifactRecord:
    brought = record.introduced
    return replace(
        record,
        signers=tuple(replace(signed, status=UNVERIFIED) for signed in record.signers),
        introduced=replace(brought, signature=_claim(brought.signature)) if brought else None,
    )


def _claim(signed: Signature | None) -> Signature | None:
    return replace(signed, status=UNVERIFIED) if signed else None
