"""Several indexes as one: what they hold, and lineage across them by digest. Pure.

Names mean something inside one repository alone. Across repositories only content is compared: a dataset is the same
where its digest is, whatever it is called there; `NAME:REFERENCE` tells which repository a reference is of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from strata_git.errors import StrataError, printable
from strata_git.index.lineage import edges_of
from strata_git.index.records import ArtifactRecord, Index, Signature, StageRecord
from strata_git.index.select import select

SAME, TAKEN = "same content", "taken from"


@dataclass(frozen=True, slots=True)
class MemberDoubt:
    """What is wrong with, or odd about, a member; `severity` is `error` or `warning`."""

    severity: str
    member: str
    message: str


@dataclass(frozen=True, slots=True)
class Part:
    """One repository of a federation.

    `origin` says where its index is from: `here`, `objects` (built from what was fetched) or `published` (its own).
    `trusted` is False for a published index that no key which counts here vouches for; `signature` tells whose it is.
    `repository` is the UUID it gives itself (`""`: none), `fetched` when it was last asked.
    """

    name: str
    url: str
    origin: str
    index: Index
    trusted: bool = True
    signature: Signature | None = None
    repository: str = ""
    fetched: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """`source` went into `target` (both `NAME:REFERENCE`), or they have the same content. `matches` is None where
    nothing can be said."""

    source: str
    target: str
    relation: str
    matches: bool | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One artifact of one member."""

    part: Part
    record: ArtifactRecord

    @property
    def id(self) -> str:
        """`NAME:REFERENCE`."""
        return f"{self.part.name}:{self.record.reference}"


@dataclass(frozen=True, slots=True)
class Way:
    """What was reached from `start`, that included: ids in the order in which they were met, each with its artifact
    (None: named, and not here), and the links between them."""

    start: tuple[str, ...]
    nodes: Mapping[str, Found | None]
    links: tuple[Link, ...]


@dataclass(frozen=True)
class Federation:
    """All members, this repository first, and what is doubtful about them."""

    parts: tuple[Part, ...]
    doubts: tuple[MemberDoubt, ...] = ()

    def artifacts(self, kind: str | None = None) -> Iterator[Found]:
        """Every artifact that a member's HEAD holds."""
        for part in self.parts:
            for record in part.index.artifacts:
                if kind in (None, record.artifact.kind):
                    yield Found(part, record)

    def everything(self) -> Iterator[Found]:
        """Every artifact of every member, and of names that its HEAD lacks what lies elsewhere: each id once."""
        for part in self.parts:
            records = {record.reference: record for record in (*part.index.elsewhere, *part.index.artifacts)}
            yield from (Found(part, record) for record in records.values())

    def stages(self) -> Iterator[tuple[Part, StageRecord]]:
        """Where the versions of all models are now, by the event that brought each there."""
        for part in self.parts:
            yield from ((part, event) for event in part.index.events if event.current)

    def select(self, text: str) -> Found:
        """The artifact that `NAME:REFERENCE`, or a bare reference (here first, else the only one), means.

        Raises StrataError.
        """
        name, colon, reference = text.partition(":")
        if colon:
            part = next((part for part in self.parts if part.name == name), None)
            if part is None:
                raise StrataError(
                    f"There is no member '{printable(name)}'.", hint=", ".join(each.name for each in self.parts)
                )
            return Found(part, select(part.index, reference))
        try:
            return Found(self.parts[0], select(self.parts[0].index, text))
        except StrataError as error:
            found = list(self._elsewhere(text))
            if len(found) > 1:
                raise StrataError(
                    f"'{printable(text)}' is in several repositories.", hint=", ".join(each.id for each in found[:8])
                ) from None
            if not found:
                raise error from None
            return found[0]

    def holding(self, digest: str) -> tuple[Found, ...]:
        """The artifacts whose digest, content hash, model file or outputs begin with these hexadecimal digits."""
        wanted = digest.removeprefix("sha256:").lower()
        return tuple(found for found in self.everything() if any(m.startswith(wanted) for m in _marks(found.record)))

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Every link inside members and across them, sorted."""
        across = _Across(self.everything())
        told = [link for part in self.parts for link in _inside(part, across)]
        return tuple(sorted({*told, *across.same()}, key=lambda each: (each.target, each.source, each.relation)))

    def trace(self, start: Iterable[str], *, backwards: bool) -> Way:
        """All that went into `start`, or (forwards) all that it went into; what has the same content counts as one."""
        steps: defaultdict[str, list[str]] = defaultdict(list)
        for link in self.links:
            if backwards or link.relation == SAME:
                steps[link.target].append(link.source)
            if not backwards or link.relation == SAME:
                steps[link.source].append(link.target)
        known = {found.id: found for found in self.everything()}
        waiting = list(dict.fromkeys(start))
        met = dict.fromkeys(waiting)
        while waiting:
            fresh = [there for there in steps[waiting.pop(0)] if there not in met]
            met.update(dict.fromkeys(fresh))
            waiting += dict.fromkeys(fresh)
        nodes = {identity: known.get(identity) for identity in met}
        return Way(tuple(start), nodes, tuple(x for x in self.links if x.source in met and x.target in met))

    def _elsewhere(self, text: str) -> Iterator[Found]:
        for part in self.parts[1:]:
            try:
                yield Found(part, select(part.index, text))
            except StrataError:
                continue


class _Across:
    """Artifacts of all members by what names their content."""

    def __init__(self, artifacts: Iterable[Found]) -> None:
        self._by: defaultdict[str, list[Found]] = defaultdict(list)
        for found in artifacts:
            for mark in dict.fromkeys((found.record.digest, found.record.content_hash)):
                if mark is not None:
                    self._by[mark].append(found)

    def with_(self, *marks: str | None, kind: str) -> list[Found]:
        """Those of a kind that have one of the marks."""
        return [found for mark in marks if mark for found in self._by[mark] if found.record.artifact.kind == kind]

    def same(self) -> Iterator[Link]:
        """A chain through all artifacts of one kind and one content, wherever they are."""
        for group in self._by.values():
            for one, other in pairwise(sorted(group, key=lambda found: (found.record.artifact.kind, found.id))):
                if one.record.artifact.kind == other.record.artifact.kind:
                    yield Link(one.id, other.id, SAME, True)


def _inside(part: Part, across: _Across) -> Iterator[Link]:
    """The edges of one member, each led on to other repositories where its own source is absent or another one."""
    known = {record.reference for record in part.index.artifacts}
    for edge in edges_of(part.index):
        if edge.relation in ("stage", "code"):
            continue
        target = f"{part.name}:{edge.target}"
        if edge.source in known:
            yield Link(f"{part.name}:{edge.source}", target, edge.relation, edge.matches)
        if edge.source in known and edge.matches is not False:
            continue
        kind = edge.source.partition("/")[0].removesuffix("s")
        others = across.with_(edge.claimed.digest, edge.claimed.content_hash, kind=kind)
        others = [found for found in others if found.part.name != part.name]
        yield from (Link(found.id, target, TAKEN, True) for found in others)
        if edge.source not in known and not others:
            yield Link(f"{part.name}:{edge.source}", target, edge.relation, edge.matches)


def _marks(record: ArtifactRecord) -> Iterator[str]:
    yield from ((record.digest or "").removeprefix("sha256:"), (record.content_hash or "").removeprefix("sha256:"))
    if record.file is not None:
        yield record.file[1]
    yield from record.outputs.values()
