"""What descends from given artifacts: on any branch, in any version of history, as far as the index knows. Pure.

A citation names a reference and, mostly, the digest it had. Where several contents go by one name, it means the one
with that digest; where it fits none of them, it still counts, marked `doubtful`: in a recall nobody wants to miss one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from strata_git.contracts.layout import Artifact
from strata_git.index.export import Plain, encodable
from strata_git.index.listing import stage_of, stages_now
from strata_git.index.opened import unread
from strata_git.index.records import ArtifactRecord, Cited, Index, StageRecord

SCHEMA = "strata/impact/v1"
Key = tuple[str, str]
"""Reference and tree id: one content under one name."""


@dataclass(frozen=True, slots=True)
class Descendant:
    """An artifact that came of what was asked about, by way of `via` (a reference), `steps` citations away.

    `stage` is where the version is now, `here` whether the revision has it, `places` the branches and tags that do.
    """

    record: ArtifactRecord
    via: str
    steps: int
    stage: str
    here: bool
    doubtful: bool = False
    places: tuple[str, ...] = ()

    @property
    def in_production(self) -> bool:
        """Whether the version answers to somebody now: a model in production, or what serves one."""
        return self.stage == "production"


@dataclass(frozen=True, slots=True)
class Impact:
    """Everything that descends from `origins`, nearest first; `asked` is what was asked for.

    `unread` are references of which this clone does not have what they cite: they may descend, too.
    """

    asked: str
    origins: tuple[Descendant, ...]
    descendants: tuple[Descendant, ...]
    unread: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> tuple[Descendant, ...]:
        """The descendants of one kind."""
        return tuple(one for one in self.descendants if one.record.artifact.kind == kind)

    @property
    def in_production(self) -> tuple[Descendant, ...]:
        """What is in production, the origins included."""
        return tuple(one for one in (*self.origins, *self.descendants) if one.in_production)


def key_of(record: ArtifactRecord) -> Key:
    """What tells a content under a name from all others."""
    return record.reference, record.tree


def everything(index: Index) -> tuple[ArtifactRecord, ...]:
    """Every version that the index knows, those of the revision first, each content once."""
    return tuple({key_of(record): record for record in (*index.artifacts, *index.elsewhere)}.values())


def impact(
    index: Index, asked: str, origins: Iterable[ArtifactRecord], *, served: Mapping[str, Sequence[str]] | None = None
) -> Impact:
    """All that came of `origins`, transitively.

    `served` maps a service's reference to the models that it answers with; a stage there means the versions in it.
    """
    records = everything(index)
    now = stages_now(index)
    here = {key_of(record) for record in index.artifacts}
    citing = _citations(records, served or {}, now)
    rivals: dict[str, list[ArtifactRecord]] = {}
    for record in records:
        rivals.setdefault(record.reference, []).append(record)

    def told(record: ArtifactRecord, via: str, steps: int, *, doubtful: bool = False) -> Descendant:
        return Descendant(record, via, steps, stage_of(record, now), key_of(record) in here, doubtful)

    began = [told(record, "", 0) for record in origins]
    known = {key_of(one.record): one for one in began}
    waiting = list(began)
    for one in waiting:  # grows while it is walked: breadth first
        for citing_record, cited in citing.get(one.record.reference, ()):
            meant = _means(cited, one.record, rivals.get(one.record.reference, [one.record]))
            if meant is None or key_of(citing_record) in known:
                continue
            found = told(citing_record, one.record.reference, one.steps + 1, doubtful=not meant or one.doubtful)
            known[key_of(citing_record)] = found
            waiting.append(found)
    lost = tuple(sorted({record.reference for record in unread(records)} - {one.record.reference for one in began}))
    return Impact(asked, tuple(began), tuple(_served_stages(waiting[len(began) :], known)), lost)


def _citations(
    records: Iterable[ArtifactRecord], served: Mapping[str, Sequence[str]], now: Mapping[Artifact, StageRecord]
) -> dict[str, list[tuple[ArtifactRecord, Cited]]]:
    """Reference -> who names it, and with which digests."""
    found: dict[str, list[tuple[ArtifactRecord, Cited]]] = {}
    in_stage: dict[str, list[str]] = {}
    for artifact, event in now.items():
        in_stage.setdefault(f"models/{artifact.name}@{event.stage}", []).append(artifact.reference)
    for record in records:
        cited = [*record.inputs, *([Cited(record.run)] if record.run else [])]
        named = {one.reference for one in cited}
        more = [meant for name in served.get(record.reference, ()) for meant in in_stage.get(name, [name])]
        cited += [Cited(name) for name in dict.fromkeys(more) if name not in named]
        for one in cited:
            found.setdefault(one.reference, []).append((record, one))
    return found


def _means(cited: Cited, target: ArtifactRecord, rivals: Sequence[ArtifactRecord]) -> bool | None:
    """Whether a citation means this content: None where it means another one, False where it fits nothing known."""
    if _fits(cited, target):
        return True
    return None if any(_fits(cited, rival) for rival in rivals if rival is not target) else False


def _fits(cited: Cited, record: ArtifactRecord) -> bool:
    pairs = ((cited.digest, record.digest), (cited.content_hash, record.content_hash))
    return all(claimed is None or true is None or claimed == true for claimed, true in pairs)


def _served_stages(found: Sequence[Descendant], known: Mapping[Key, Descendant]) -> Iterable[Descendant]:
    """A service counts as in production where a model of its is."""
    stages: dict[str, set[str]] = {}
    for one in known.values():
        stages.setdefault(one.record.reference, set()).add(one.stage)
    for one in found:
        serving = one.record.artifact.kind == "service" and "production" in stages.get(one.via, ())
        yield replace(one, stage="production") if serving else one


# -- told ------------------------------------------------------------------------------------------------------------

_ORDER = ("model", "service", "run", "dataset", "prompt")
_SHOWN = 40
"""Lines of one kind that are told to people; of what is in production all are."""


def impact_text(found: Impact) -> str:
    """An impact for people: first what is in production."""
    origins = ", ".join(one.record.reference for one in found.origins)
    lines = [f"{found.asked}: {origins}" if origins != found.asked else origins]
    lines += [f"  {line}" for one in found.origins if (line := _places(one))]
    counts = {kind: len(found.of_kind(kind)) for kind in _ORDER}
    counted = [f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts.items() if count]
    known = " as far as this clone can tell" if found.unread else ""
    lines.append(f"  {', '.join(counted) or 'nothing'} came of it{known}")
    if production := found.in_production:
        lines += ["", "IN PRODUCTION", *(f"  {_line(one)}" for one in production)]
    for kind in _ORDER:
        rest = [one for one in found.of_kind(kind) if not one.in_production]
        if rest:
            lines += ["", f"{kind}s", *(f"  {_line(one)}" for one in rest[:_SHOWN])]
            lines += [f"  ... and {len(rest) - _SHOWN} more (--format json tells all)"] if len(rest) > _SHOWN else []
    return "\n".join(lines)


def impact_document(found: Impact, revision: str) -> Plain:
    """An impact for programs (schema strata/impact/v1)."""
    return encodable({
        "schema": SCHEMA,
        "revision": revision or None,
        "asked": found.asked,
        "origins": [_plain(one) for one in found.origins],
        "descendants": [_plain(one) for one in found.descendants],
        "production": [one.record.reference for one in found.in_production],
        "unread": list(found.unread),
    })  # fmt: skip


def _line(one: Descendant) -> str:
    told = [one.record.reference]
    if one.stage:
        told.append(one.stage)
    if one.via:
        told.append(f"by way of {one.via}" if one.steps > 1 else "directly")
    if one.doubtful:
        told.append("DOUBTFUL: it recorded another digest")
    return ", ".join([*told, *([place] if (place := _places(one)) else [])])


def _places(one: Descendant) -> str:
    if one.here:
        return ""
    return f"on {', '.join(one.places[:5])}" if one.places else "only in the past (removed)"


def _plain(one: Descendant) -> Plain:
    introduced = one.record.introduced
    return {
        "reference": one.record.reference,
        "kind": one.record.artifact.kind,
        "tree": one.record.tree,
        "digest": one.record.digest,
        "introduced": introduced.commit if introduced else None,
        "via": one.via or None,
        "steps": one.steps,
        "stage": one.stage or None,
        "here": one.here,
        "doubtful": one.doubtful,
        "places": list(one.places),
    }
