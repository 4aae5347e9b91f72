"""An index read from JSON (schema strata/index/v1) that somebody else wrote: believed in nothing but its form. Pure.

What does not have the right form is left out and counted; what has it becomes the same values that `index.build` makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from strata_git.checks.plain import dig, items, mapping, number, numbers, text
from strata_git.contracts.layout import KINDS, NAME, RUN_ID, STAGES, VERSION, Artifact
from strata_git.index.export import INDEX
from strata_git.index.records import (
    UNVERIFIED,
    ArtifactRecord,
    Cited,
    Code,
    Index,
    Introduction,
    Removed,
    Signature,
    StageRecord,
)

MOST = 500_000
LONGEST = 4096
"""Characters of one text that are kept."""
_STATES = frozenset({"good", "bad", "expired-key", "expired-signature", "revoked", "unknown-key", "weak-hash",
                     "text-mode", "malformed", UNVERIFIED})  # fmt: skip
_HEX = frozenset("0123456789abcdef")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Imported:
    """The index, and how many of its entries could not be read."""

    index: Index
    left_out: int


def read_index(value: object) -> Imported:
    """The index that a JSON value describes. Raises ValueError for what is no such document."""
    said = mapping(value)
    if said.get("schema") != INDEX:
        raise ValueError(f"it is not of the schema {INDEX}")
    listed = [items(said.get(key)) for key in ("artifacts", "removed", "stages")]
    if sum(map(len, listed)) > MOST:
        raise ValueError(f"it has more than {MOST} entries")
    artifacts, lost = _all(listed[0], _artifact)
    removed, lost_removed = _all(listed[1], _removed)
    events, lost_events = _all(listed[2], _event)
    elsewhere, lost_elsewhere = _all(items(said.get("elsewhere"))[:MOST], _artifact)
    unique = {record.reference: record for record in artifacts}
    index = Index(
        _oid(said.get("revision")) or "",
        tuple(sorted(unique.values(), key=lambda r: (r.artifact.kind, r.artifact.name, r.artifact.number))),
        elsewhere=tuple(elsewhere),
        removed=tuple(removed),
        events=tuple(events),
        shallow=said.get("shallow") is True,
    )
    double = len(artifacts) - len(unique)
    return Imported(index, lost + lost_removed + lost_events + lost_elsewhere + double)


def _all(rows: list[object], read: Callable[[object], T | None]) -> tuple[list[T], int]:
    found = [one for row in rows if (one := read(row)) is not None]
    return found, len(rows) - len(found)


def _artifact(row: object) -> ArtifactRecord | None:
    artifact, tree = _named(row), _oid(dig(row, "tree"))
    if artifact is None or tree is None:
        return None
    code = _oid(dig(row, "code", "commit"))
    file, digest = _short(dig(row, "file", "path")), _oid(dig(row, "file", "sha256"))
    return ArtifactRecord(
        artifact,
        tree,
        digest=_digest(dig(row, "digest")),
        content_hash=_digest(dig(row, "content_hash")),
        created=_short(dig(row, "created")),
        description=_short(dig(row, "description")),
        status=_short(dig(row, "status")),
        files=_count(dig(row, "files")),
        bytes=_count(dig(row, "bytes")),
        pointers=_count(dig(row, "pointers")),
        metrics={_short(name): figure for name, figure in numbers(dig(row, "metrics"))},
        inputs=tuple(_cited(dig(row, "inputs"))),
        run=run if (run := _short(dig(row, "run"))) and RUN_ID.fullmatch(run) else None,
        code=Code(code, dig(row, "code", "dirty") is True) if code else None,
        outputs=dict(_outputs(dig(row, "outputs"))),
        file=(file, digest) if file and digest else None,
        complete=dig(row, "judged", "complete") is True,
        introduced=_introduction(dig(row, "introduced")),
        boundary=_oid(dig(row, "introduced_before")),
        signers=tuple(one for each in items(dig(row, "signers")) if (one := _signature(each)) is not None),
        stages=tuple(stage for each in items(dig(row, "stages")) if (stage := _short(each)) in STAGES),
    )


def _removed(row: object) -> Removed | None:
    from strata_git.contracts.layout import parse_reference

    try:
        reference = parse_reference(_short(dig(row, "reference")))
    except ValueError:
        return None
    if reference.kind is None or (reference.version is None and reference.kind not in ("run", "service")):
        return None
    return Removed(reference.artifact(reference.kind), _introduction(dig(row, "introduced")))


def _event(row: object) -> StageRecord | None:
    model, _, version = _short(dig(row, "model")).removeprefix("models/").partition("@")
    action, stage = _short(dig(row, "action")), _short(dig(row, "stage"))
    if not NAME.fullmatch(model) or not VERSION.fullmatch(version) or stage not in STAGES or not action:
        return None
    return StageRecord(
        Artifact("model", model, version),
        action=action,
        stage=stage,
        tag=_short(dig(row, "tag")),
        oid=_oid(dig(row, "oid")) or "",
        commit=_oid(dig(row, "commit")) or "",
        date=_short(dig(row, "date")),
        digest=_digest(dig(row, "digest")),
        signature=_signature(dig(row, "signer")),
        origin=_short(dig(row, "origin")) or None,
        sound=dig(row, "sound") is True,
        current=dig(row, "current") is True,
        reason=_short(dig(row, "reason")),
    )


def _named(row: object) -> Artifact | None:
    kind, name, version = (_short(dig(row, key)) for key in ("kind", "name", "version"))
    if kind not in KINDS.values() or not (RUN_ID if kind == "run" else NAME).fullmatch(name):
        return None
    if kind in ("run", "service"):
        return Artifact(kind, name) if not version else None
    return Artifact(kind, name, version) if VERSION.fullmatch(version) else None


def _cited(value: object) -> Iterator[Cited]:
    for row in items(value)[:LONGEST]:
        if reference := _short(dig(row, "ref")):
            yield Cited(reference, _digest(dig(row, "digest")), _digest(dig(row, "content_hash")))


def _outputs(value: object) -> Iterator[tuple[str, str]]:
    for row in items(value):
        path, sha256 = _short(dig(row, "path")), _oid(dig(row, "sha256"))
        if path and sha256:
            yield path, sha256


def _introduction(row: object) -> Introduction | None:
    commit = _oid(dig(row, "commit"))
    if commit is None:
        return None
    author, date, subject = (_short(dig(row, key)) for key in ("author", "date", "subject"))
    return Introduction(commit, author, date, subject, _signature(dig(row, "signature")))


def _signature(row: object) -> Signature | None:
    status = _short(dig(row, "status"))
    if status not in _STATES:
        return None
    return Signature(_short(dig(row, "fingerprint")), _short(dig(row, "user")), status)


def _short(value: object) -> str:
    return (text(value) or "")[:LONGEST]


def _oid(value: object) -> str | None:
    told = text(value) or ""
    return told if len(told) in (40, 64) and not set(told) - _HEX else None


def _digest(value: object) -> str | None:
    told = text(value) or ""
    return told if told.startswith("sha256:") and len(told) == 71 and not set(told[7:]) - _HEX else None


def _count(value: object) -> int:
    figure = number(value)
    return int(figure) if figure is not None and 0 <= figure < 1 << 63 else 0
