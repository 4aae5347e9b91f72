"""The index and its answers as text for people. Pure; whoever prints it escapes what a terminal would obey."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from strata_git.index.export import counts
from strata_git.index.lineage import Edge, Lineage, Node
from strata_git.index.records import (
    UNVERIFIED,
    ArtifactRecord,
    Description,
    Index,
    Introduction,
    Outside,
    Signature,
    Source,
    StageRecord,
)

BEFORE_BOUNDARY = "before the shallow boundary (git fetch --unshallow tells)"
_VERBS = {
    "input": "read",
    "prompt": "asked with",
    "code": "ran",
    "output": "made by",
    "dataset": "trained on",
    "parent": "derived from",
    "use": "uses",
}
_METRICS = 4
"""Metrics that a line of a list tells."""
_FILES = 8
"""Sources and outputs of a run that a lineage tells one by one."""
_DOWN = {
    "input": "read by",
    "prompt": "asked in",
    "code": "ran in",
    "output": "made",
    "dataset": "trained",
    "parent": "became",
    "use": "used by",
}
HEADS: dict[str, tuple[str, ...]] = {
    "dataset": ("DATASET", "CREATED", "FILES", "BYTES", "CONTENT", "DESCRIPTION"),
    "run": ("RUN", "STARTED", "STATUS", "CODE", "METRICS", "EXPERIMENT"),
    "model": ("MODEL", "CREATED", "STAGE", "RUN", "METRICS", "SIGNED"),
    "prompt": ("PROMPT", "CREATED", "CONTENT", "DESCRIPTION"),
    "service": ("SERVICE", "FILES", "BYTES"),
}


def index_text(index: Index) -> str:
    """What an index counts."""
    if not index.revision:
        return "nothing is committed yet"
    told = [f"{number} {name if number != 1 else name[:-1]}" for name, number in counts(index.artifacts).items()]
    lines = [f"revision {index.revision}", f"  {', '.join(told)}; {len(index.events)} stage events"]
    if index.removed:
        lines.append(f"  {len(index.removed)} removed, still in the history")
    if index.shallow:
        lines.append("  this clone is shallow: what came before its boundary is not known")
    broken = sum(record.count("error") > 0 for record in index.artifacts)
    if broken or index.findings or any(index.complaints.values()):
        lines.append(f"  {broken} artifacts with errors, {len(index.findings)} doubtful references: git strata doctor")
    return "\n".join(lines)


def list_rows(kind: str, records: Iterable[ArtifactRecord]) -> list[tuple[str, ...]]:
    """One row for each artifact, under `HEADS[kind]`."""
    return [tuple(_cell(record, head) for head in HEADS[kind]) for record in records]


def artifact_text(description: Description) -> str:
    """All about one artifact."""
    record = description.record
    lines = [record.reference, f"  {record.description}"] if record.description else [record.reference]
    lines += [f"  {name:<12} {value}" for name, value in _facts(record) if value]
    if record.metrics:
        lines += ["", "metrics", *(f"  {name} = {value}" for name, value in record.metrics.items())]
    if record.inputs or record.run:
        named = ([f"  {record.run}"] if record.run else []) + [
            f"  {cited.reference}  {cited.content_hash or cited.digest or ''}".rstrip() for cited in record.inputs
        ]
        lines += ["", "made from", *named]
    if description.used_by:
        lines += ["", "used by", *(f"  {name}" for name in description.used_by)]
    if description.events:
        lines += ["", "stages", *(f"  {_event(event)}" for event in description.events)]
    lines += ["", "files"]
    for file in description.files:
        note = "" if file.stored == "blob" else f"  ({file.stored})"
        lines.append(f"  {file.sha256 or '-' * 64}  {file.size:>12,}  {file.name}{note}")
    return "\n".join(lines)


def lineage_text(lineage: Lineage, *, down: bool = False) -> str:
    """The way back from the artifact (`down`: what came of it), as a tree; what was told once is not told again."""
    nodes = {node.id: node for node in lineage.nodes}
    steps: dict[str, list[Edge]] = {}
    events: dict[str, list[StageRecord]] = {}
    for edge in lineage.edges:
        event = nodes[edge.target].event
        if event is not None:
            events.setdefault(edge.source, []).append(event)
        else:
            steps.setdefault(edge.source if down else edge.target, []).append(edge)
    lines: list[str] = []
    told: set[str] = set()
    waiting: list[tuple[Edge | None, str, str, str]] = [(None, lineage.target.reference, "", "")]
    while waiting:  # no recursion: a chain of parents may be longer than the stack
        step, name, first, rest = waiting.pop()
        again = name in told and name in steps
        lines.append(first + _title(nodes[name], step, _DOWN if down else _VERBS) + ("  (see above)" if again else ""))
        if name in told:
            continue
        told.add(name)
        below = steps.get(name, [])
        bar = "│  " if below else "   "
        outside = lineage.outside.get(name, Outside())
        lines += [f"{rest}{bar}{fact}" for fact in _node_facts(nodes[name], events.get(name, ()), outside)]
        branches = [("└─ ", "   "), *[("├─ ", "│  ")] * (len(below) - 1)] if below else []
        for one, (turn, go) in zip(reversed(below), branches, strict=True):
            waiting.append((one, one.target if down else one.source, rest + turn, rest + go))
    return "\n".join(lines)


def signature_text(signature: Signature | None) -> str:
    """`Alice <a@x> 0123…: good`."""
    if signature is None:
        return ""
    who = " ".join(part for part in (signature.user, signature.fingerprint) if part) or "an unnamed key"
    return f"{who}: {'not checked here' if signature.status == UNVERIFIED else signature.status}"


def _facts(record: ArtifactRecord) -> list[tuple[str, str]]:
    judged = "" if record.complete else "not judged: objects absent"
    counted = f"{record.count('error')} errors, {record.count('warning')} warnings"
    return [
        ("introduced", _introduced(record)),
        ("commit by", signature_text(record.introduced.signature) if record.introduced else ""),
        ("created", record.created),
        ("status", record.status),
        ("digest", record.digest or ""),
        ("content", record.content_hash or ""),
        ("tree", record.tree),
        ("size", f"{record.files} files, {record.bytes:,} bytes, {record.pointers} by pointer"),
        ("code", _code(record)),
        ("stage", ", ".join(record.stages)),
        *(("signed by", signature_text(signature)) for signature in record.signers),
        ("judged", judged or counted),
    ]


def _node_facts(node: Node, events: Sequence[StageRecord], outside: Outside) -> Iterator[str]:
    if node.commit is not None:
        yield _commit(node.commit)
    record = node.record
    if record is None:
        return
    if record.content_hash:
        yield f"content {record.content_hash}"
    if record.digest:
        yield f"digest {record.digest}"
    yield f"introduced by {_introduced(record)}"
    for signature in record.signers:
        yield f"signed by {signature_text(signature)}"
    for event in events:
        yield _event(event)
    yield from _outside_facts(record, outside)


def _outside_facts(record: ArtifactRecord, outside: Outside) -> Iterator[str]:
    """What a run read from elsewhere, wrote, and gave away."""
    if outside == Outside():
        return
    read = [f"read {one.uri}{_version(one)}" for one in outside.sources]
    wrote = [f"wrote {path} sha256:{sha256}" for path, sha256 in record.outputs.items()]
    for told in (read, wrote):
        yield from told[:_FILES]
        if len(told) > _FILES:
            yield f"and {len(told) - _FILES} more of these (--format json has all)"
    for one in outside.exports:
        yield f"gave {one.rows} rows ({one.part}, {one.digest or 'no digest'}) to {one.sink}: {one.uri}"


def _version(source: Source) -> str:
    version = f" version {source.version}" if source.version else ""
    return f"{version} sha256:{source.sha256}" if source.sha256 else version


def _title(node: Node, edge: Edge | None, verbs: Mapping[str, str]) -> str:
    title = f"commit {node.id}" if node.kind == "commit" else node.id
    if node.record is not None and node.record.status:
        title += f" ({node.record.status})"
    if node.state != "present":
        title += " (not in this repository)" if node.state == "missing" else " (removed, still in the history)"
    if edge is None:
        return title
    told = {True: ", as recorded", False: ", NOT AS RECORDED", None: ""}[edge.matches]
    if node.state == "missing" or edge.relation == "code":
        told = ""
    return f"{verbs[edge.relation]} {title}{told}"


def _event(event: StageRecord) -> str:
    told = {
        "registration": "registered",
        "entering": f"entered {event.stage}",
        "leaving": f"left {event.origin} for {event.stage}",
    }[event.action]
    mark = " (now)" if event.current else "" if event.sound else " (DOES NOT COUNT)"
    signed = f"signed by {signature_text(event.signature)}" if event.signature else "not signed"
    return f"{told}{mark} {event.date} by {event.tag} (tag {event.oid}), {signed}"


def _introduced(record: ArtifactRecord) -> str:
    if record.introduced is not None:
        return _commit(record.introduced)
    return BEFORE_BOUNDARY if record.boundary else "a commit outside this history"


def _commit(introduced: Introduction) -> str:
    return f"{introduced.commit} {introduced.date} {introduced.author}: {introduced.subject}"


def _code(record: ArtifactRecord) -> str:
    if record.code is None:
        return ""
    return record.code.commit + (" with uncommitted changes" if record.code.dirty else "")


def _metrics(record: ArtifactRecord) -> str:
    """The first metrics, those on test data before others, and how many more there are."""
    names = sorted(record.metrics, key=lambda name: (not name.startswith("test"), name))
    told = [f"{name}={record.metrics[name]:.6g}" for name in names[:_METRICS]]
    return " ".join([*told, f"+{len(names) - _METRICS} more"] if len(names) > _METRICS else told)


def _cell(record: ArtifactRecord, head: str) -> str:
    signers = [signature.user or signature.fingerprint for signature in record.signers if signature.status == "good"]
    cells = {
        "CREATED": record.created,
        "STARTED": record.created,
        "STATUS": record.status,
        "STAGE": ", ".join(record.stages),
        "RUN": record.run or record.reference,
        "CODE": _code(record)[:12],
        "METRICS": _metrics(record),
        "SIGNED": ", ".join(signers) or ("no" if not record.signers else record.signers[0].status),
        "FILES": str(record.files),
        "BYTES": f"{record.bytes:,}",
        "CONTENT": (record.content_hash or "")[:19],
        "DESCRIPTION": record.description,
        "EXPERIMENT": record.description,
    }
    return cells.get(head, record.reference if record.artifact.kind == "run" else record.artifact.short)
