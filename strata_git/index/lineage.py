"""Where an artifact comes from and what came of it: a graph over the index's records. Pure.

Every edge points from cause to result: dataset to run, prompt to run, code commit to run, run to model, dataset to the
model trained on it, parent to dataset, and model to the signed event that gave it a stage.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import artifact_of, parse_reference
from strata_git.index.records import ArtifactRecord, Cited, Index, Introduction, Outside, StageRecord

"""What a model breaks whose file is none of its run's outputs."""
EVENT_RULE = "STR-P011"
"""What an event breaks that vouches for other content than the model has."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What names content: the artifact's digest, its payload's hash, or one file's SHA-256; None where not said."""

    digest: str | None = None
    content_hash: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One thing on the way: an artifact (`id` is its reference), a code commit (full id) or an event (tag name).

    `state` is `present`, `removed` (history knows it, the revision does not) or `missing`.
    """

    id: str
    kind: str
    state: str = "present"
    record: ArtifactRecord | None = None
    event: StageRecord | None = None
    commit: Introduction | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """`source` went into `target`. `relation`: input, prompt, code, output, dataset, parent, use or stage.

    `claimed` is what the citing side recorded, `actual` what the other side is. `matches` is None where nothing was
    claimed or nothing can be said (objects absent, the version removed).
    """

    source: str
    target: str
    relation: str
    claimed: Mark = Mark()
    actual: Mark = Mark()
    matches: bool | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """What `trace` found: nodes sorted by kind and id, edges by their ends, findings about what lies on the way.

    `outside` is what runs on the way read and wrote elsewhere, by their references; whoever opens records adds it.
    """

    reference: str
    target: ArtifactRecord
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    findings: tuple[Finding, ...]
    outside: Mapping[str, Outside] = field(default_factory=dict)

    def node(self, identity: str) -> Node:
        """The node with this id; KeyError when it does not lie on the way."""
        for node in self.nodes:
            if node.id == identity:
                return node
        raise KeyError(identity)


def trace(
    index: Index, target: ArtifactRecord, reference: str = "", *, ancestors: bool = True, descendants: bool = False
) -> Lineage:
    """All that went into `target` (and, with `descendants`, all that it went into), with the stages of its models.

    `reference` is the name under which it was asked for. Broken edges are findings: `exit_code` of these is 2.
    """
    edges = edges_of(index)
    way = _reach(edges, target.reference, backwards=True) if ancestors else {target.reference}
    if descendants:
        way |= _reach(edges, target.reference, backwards=False)
    way |= {edge.target for edge in edges if edge.relation == "stage" and edge.source in way}
    on_way = tuple(edge for edge in edges if edge.source in way and edge.target in way)
    nodes = {node.id: node for node in _nodes(index)}
    named = tuple(sorted((nodes.get(name) or _missing(name) for name in way), key=lambda node: (node.kind, node.id)))
    findings = tuple(sorted(set(_findings(index, way, on_way)), key=lambda f: (f.path, f.line, f.rule, f.message)))
    return Lineage(reference or target.reference, target, named, on_way, findings)


def edges_of(index: Index) -> tuple[Edge, ...]:
    """Every edge of the index, sorted."""
    known = {record.reference: record for record in index.artifacts}
    removed = {gone.artifact.reference for gone in index.removed}
    edges: list[Edge] = []
    for record in index.artifacts:
        edges += [_citation(record, cited, known, removed) for cited in record.inputs]
        if record.code is not None:
            here = True if record.code.commit in index.commits else None
            edges.append(Edge(record.code.commit, record.reference, "code", matches=here))
        if record.run is not None:
            edges.append(_output(record, record.run, known.get(record.run), record.run in removed))
    edges += [_stage(event, known.get(event.model.reference)) for event in index.events]
    return tuple(sorted(set(edges), key=lambda edge: (edge.target, edge.source, edge.relation, repr(edge.claimed))))


def used_by(index: Index, reference: str) -> tuple[str, ...]:
    """References of the artifacts that name `reference` directly, sorted."""
    direct = {edge.target for edge in edges_of(index) if edge.source == reference and edge.relation != "stage"}
    return tuple(sorted(direct))


# -- edges -----------------------------------------------------------------------------------------------------------


def _citation(
    record: ArtifactRecord, cited: Cited, known: Mapping[str, ArtifactRecord], removed: Collection[str]
) -> Edge:
    claimed = Mark(cited.digest, cited.content_hash)
    other = known.get(cited.reference)
    relation = _relation(record.artifact.kind, cited.reference)
    if other is None:
        matches = None if cited.reference in removed else False
        return Edge(cited.reference, record.reference, relation, claimed, matches=matches)
    actual = Mark(other.digest, other.content_hash)
    return Edge(cited.reference, record.reference, relation, claimed, actual, _agree(claimed, actual))


def _relation(kind: str, reference: str) -> str:
    if kind == "run":
        return "prompt" if reference.startswith("prompts/") else "input"
    return {"dataset": "parent", "model": "dataset"}.get(kind, "use")


def _output(model: ArtifactRecord, run_id: str, run: ArtifactRecord | None, removed: bool) -> Edge:
    claimed = Mark(sha256=model.file[1] if model.file else None)
    if run is None:
        return Edge(run_id, model.reference, "output", claimed, matches=None if removed else False)
    if claimed.sha256 is None or not run.complete:
        return Edge(run_id, model.reference, "output", claimed)
    wrote = claimed.sha256 in run.outputs.values()
    return Edge(run_id, model.reference, "output", claimed, Mark(sha256=claimed.sha256 if wrote else None), wrote)


def _stage(event: StageRecord, model: ArtifactRecord | None) -> Edge:
    claimed = Mark(event.digest)
    if model is None:
        return Edge(event.model.reference, event.tag, "stage", claimed)
    actual = Mark(model.digest)
    return Edge(event.model.reference, event.tag, "stage", claimed, actual, _agree(claimed, actual))


def _agree(claimed: Mark, actual: Mark) -> bool | None:
    """Whether all that is claimed is so; None where nothing was claimed, or nothing can be known of it."""
    pairs = ((claimed.digest, actual.digest), (claimed.content_hash, actual.content_hash))
    known = [given == true for given, true in pairs if given is not None and true is not None]
    return all(known) if known else None


# -- nodes -----------------------------------------------------------------------------------------------------------


def _reach(edges: Iterable[Edge], start: str, *, backwards: bool) -> set[str]:
    """Everything from which (`backwards`) or to which the edges lead, `start` included."""
    steps: dict[str, list[str]] = {}
    for edge in edges:
        here, there = (edge.target, edge.source) if backwards else (edge.source, edge.target)
        steps.setdefault(here, []).append(there)
    seen, left = {start}, [start]
    while left:
        for there in steps.get(left.pop(), ()):
            if there not in seen:
                seen.add(there)
                left.append(there)
    return seen


def _nodes(index: Index) -> Iterator[Node]:
    for record in index.artifacts:
        yield Node(record.reference, record.artifact.kind, record=record)
    for gone in index.removed:
        yield Node(gone.artifact.reference, gone.artifact.kind, "removed")
    for oid, commit in index.commits.items():
        yield Node(oid, "commit", commit=commit)
    for event in index.events:
        yield Node(event.tag, "event", event=event)


def _missing(identity: str) -> Node:
    try:
        kind = parse_reference(identity).kind
    except ValueError:
        kind = None
    return Node(identity, kind or ("commit" if _is_object_id(identity) else "unknown"), "missing")


def _is_object_id(text: str) -> bool:
    return len(text) in (40, 64) and not set(text) - set("0123456789abcdef")


# -- findings --------------------------------------------------------------------------------------------------------


def _findings(index: Index, way: Collection[str], edges: Iterable[Edge]) -> Iterator[Finding]:
    """What is wrong with an artifact on the way, with a reference, with an output or with an event."""
    on_way = [record for record in index.artifacts if record.reference in way]
    for record in on_way:
        yield from (finding for finding in record.findings if finding.severity == "error")
    for finding in index.findings:
        citing = artifact_of(finding.path)
        if citing is not None and citing.reference in way:
            yield finding
    models = {record.reference: record for record in on_way if record.artifact.kind == "model"}
    for edge in edges:
        if edge.matches is False and edge.relation == "stage":
            message = f"event {edge.target} vouches for digest {edge.claimed.digest}, it is {edge.actual.digest}"
            yield found(EVENT_RULE, models[edge.source].artifact.path, message)
    for name in sorted({record.artifact.name for record in models.values()}):
        yield from (finding for finding in index.complaints.get(name, ()) if finding.severity != "info")
