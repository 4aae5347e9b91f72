"""Which artifacts of a list are asked for, in which order, and with which columns. Pure.

A filter is `FIELD OP VALUE`: `stage=production`, `metrics.accuracy>0.9`, `description~forest`. Fields are those of
`FIELDS` and `metrics.NAME`. A field with several values fits when one of them does. What has no value fits no filter
but `!=`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from strata_git.contracts.layout import STAGES, Artifact
from strata_git.errors import UsageError, printable
from strata_git.index.measures import shown
from strata_git.index.records import ArtifactRecord, Index, StageRecord

Value = str | float | int

_FILTER = re.compile(r"\s*([A-Za-z][\w.\-/ ]*?)\s*(!=|>=|<=|=|>|<|~)\s*(.*?)\s*", re.DOTALL)
_ORDERED: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


@dataclass(frozen=True, slots=True)
class Listed:
    """An artifact in a list: `where` is `here`, `elsewhere` (another branch, a tag, removed) or `removed` (only its
    name is known)."""

    record: ArtifactRecord
    where: str = "here"


def _signed(record: ArtifactRecord) -> str:
    if not record.signers:
        return "no"
    good = [signature.user or signature.fingerprint for signature in record.signers if signature.status == "good"]
    return ", ".join(good) or record.signers[0].status


def _judged(record: ArtifactRecord) -> str:
    if not record.complete:
        return "unknown"
    return "errors" if record.count("error") else "warnings" if record.count("warning") else "ok"


FIELDS: Mapping[str, Callable[[ArtifactRecord], Sequence[Value]]] = {
    "reference": lambda r: [r.reference],
    "name": lambda r: [r.artifact.name],
    "version": lambda r: [r.artifact.version] if r.artifact.version else [],
    "created": lambda r: [r.created] if r.created else [],
    "introduced": lambda r: [r.introduced.date] if r.introduced else [],
    "author": lambda r: [r.introduced.author] if r.introduced else [],
    "commit": lambda r: [r.introduced.commit] if r.introduced else [],
    "description": lambda r: [r.description] if r.description else [],
    "status": lambda r: [r.status] if r.status else [],
    "stage": lambda r: list(r.stages),
    "run": lambda r: [r.run] if r.run else [],
    "code": lambda r: [r.code.commit] if r.code else [],
    "dirty": lambda r: [str(r.code.dirty).lower()] if r.code else [],
    "inputs": lambda r: [cited.reference for cited in r.inputs],
    "metrics": lambda r: [f"{name}={shown(value)}" for name, value in r.metrics.items()],
    "signed": lambda r: [_signed(r)],
    "files": lambda r: [r.files],
    "bytes": lambda r: [r.bytes],
    "pointers": lambda r: [r.pointers],
    "digest": lambda r: [r.digest] if r.digest else [],
    "content": lambda r: [r.content_hash] if r.content_hash else [],
    "judged": lambda r: [_judged(r)],
}
"""What can be filtered, sorted and shown by name."""


def listed(index: Index, kind: str, *, every: bool = False) -> tuple[Listed, ...]:
    """The artifacts of a kind; with `every` also those that the revision lacks, with the stages they are in."""
    found = [Listed(record) for record in index.of_kind(kind)]
    if every:
        now = stages_now(index)
        there = [_staged(one, now) for one in index.elsewhere if one.artifact.kind == kind]
        known = {one.artifact for one in index.elsewhere}
        gone = [one for one in index.removed if one.artifact.kind == kind and one.artifact not in known]
        found += [Listed(record, "elsewhere") for record in there]
        found += [Listed(ArtifactRecord(one.artifact, "", introduced=one.introduced), "removed") for one in gone]
    return tuple(found)


def stages_now(index: Index) -> dict[Artifact, StageRecord]:
    """By which event every version is in its stage now, wherever the version is."""
    return {event.model: event for event in index.events if event.current and event.sound}


def stage_of(record: ArtifactRecord, now: Mapping[Artifact, StageRecord]) -> str:
    """The stage of a version, `""` where it has none: events vouch for one content of a name and for no other."""
    event = now.get(record.artifact)
    if event is None or (event.digest and record.digest and event.digest != record.digest):
        return ""
    return event.stage


def _staged(record: ArtifactRecord, now: Mapping[Artifact, StageRecord]) -> ArtifactRecord:
    stage = stage_of(record, now)
    return replace(record, stages=(stage,)) if stage and not record.stages else record


def chosen(rows: Iterable[Listed], filters: Sequence[str], sort: str = "") -> list[Listed]:
    """Those that fit all `filters`, sorted by a field (`-FIELD`: the other way round; what has no value comes last).

    Raises UsageError for a filter or a field that is not understood.
    """
    fits = [_filter(text) for text in filters]
    kept = [row for row in rows if all(fit(row.record) for fit in fits)]
    if not sort:
        return kept
    down = sort.startswith("-")
    values = _field(sort.removeprefix("-"))
    known = [row for row in kept if values(row.record)]
    known.sort(key=lambda row: _sort_key(values(row.record)[0]), reverse=down)
    return known + [row for row in kept if not values(row.record)]


def cells(row: Listed, columns: Sequence[str]) -> tuple[str, ...]:
    """One row of a table. Raises UsageError for a column that there is not."""
    told = []
    for column in columns:
        if column == "where":
            told.append(row.where)
            continue
        told.append(", ".join(_shown(column, value) for value in _field(column)(row.record)))
    return tuple(told)


def _shown(column: str, value: Value) -> str:
    if isinstance(value, str):
        return value[:12] if column in ("commit", "code") else value[:19] if column in ("digest", "content") else value
    return f"{value:,}" if isinstance(value, int) and not column.startswith("metrics.") else shown(value)


def _field(name: str) -> Callable[[ArtifactRecord], Sequence[Value]]:
    if name.startswith("metrics."):
        metric = name.removeprefix("metrics.")
        return lambda record: [record.metrics[metric]] if metric in record.metrics else []
    if name in FIELDS:
        return FIELDS[name]
    near = get_close_matches(name, FIELDS, n=1)
    hint = f"Near it: {near[0]}." if near else f"There are {', '.join(FIELDS)} and metrics.NAME."
    raise UsageError(f"There is no field '{printable(name)}'.", hint=hint)


def _filter(text: str) -> Callable[[ArtifactRecord], bool]:
    match = _FILTER.fullmatch(text)
    if match is None:
        raise UsageError(
            f"'{printable(text)}' is no filter.", hint="Write FIELD=VALUE; also with !=, <, <=, >, >= and ~ (contains)."
        )
    name, sign, wanted = match.groups()
    values = _field(name)
    if name == "stage" and sign in ("=", "!=") and wanted not in STAGES:
        raise UsageError(f"There is no stage '{printable(wanted)}'.", hint=f"One of {', '.join(STAGES)}.")
    return lambda record: _fits(values(record), sign, wanted)


def _fits(values: Sequence[Value], sign: str, wanted: str) -> bool:
    if sign == "!=":
        return not any(_is(value, wanted) for value in values)
    if sign == "=":
        return any(_is(value, wanted) for value in values)
    if sign == "~":
        return any(wanted.casefold() in str(value).casefold() for value in values)
    return any(_is_ordered(value, sign, wanted) for value in values)


def _is(value: Value, wanted: str) -> bool:
    number = _number(wanted)
    return value == wanted if isinstance(value, str) else number is not None and value == number


def _is_ordered(value: Value, sign: str, wanted: str) -> bool:
    """Numbers by value, versions by number, texts (dates) as texts."""
    mine, theirs = _sort_key(value), _sort_key(wanted)
    if isinstance(value, str) and mine[0] != theirs[0]:
        mine, theirs = (1, 0.0, value), (1, 0.0, wanted)
    elif not isinstance(value, str):
        number = _number(wanted)
        if number is None:
            return False
        mine, theirs = (0, float(value), ""), (0, number, "")
    return _ORDERED[sign](mine, theirs)  # type: ignore[arg-type]


def _sort_key(value: Value) -> tuple[int, float, str]:
    if not isinstance(value, str):
        return 0, float(value), ""
    if re.fullmatch(r"v[0-9]+", value):
        return 0, float(value[1:]), ""
    return 1, 0.0, value


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
