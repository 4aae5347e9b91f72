"""The index as five tables in Parquet files, for DuckDB, pandas and whatever else reads columns.

`artifacts`, `metrics` and `files` have one row for each version, metric and file of the revision (`place` is `here`)
and of what it lacks (`elsewhere`); a version is known by `reference` and `tree`. `edges` and `events` are those of the
index.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError
from strata_git.index.lineage import edges_of
from strata_git.index.records import ArtifactRecord, Index
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, object]
_TEXT, _WHOLE, _REAL, _BOOL, _TIME, _TEXTS = "text", "whole", "real", "bool", "time", "texts"
_VERSION = {"reference": _TEXT, "kind": _TEXT, "name": _TEXT, "version": _WHOLE, "place": _TEXT, "tree": _TEXT}
COLUMNS: dict[str, dict[str, str]] = {
    "artifacts": _VERSION | {
        "digest": _TEXT, "content_hash": _TEXT, "created": _TIME, "description": _TEXT, "status": _TEXT,
        "files": _WHOLE, "bytes": _WHOLE, "pointers": _WHOLE, "run": _TEXT, "code_commit": _TEXT, "code_dirty": _BOOL,
        "introduced_commit": _TEXT, "introduced_author": _TEXT, "introduced_date": _TIME, "stages": _TEXTS,
        "signers": _TEXTS, "complete": _BOOL, "errors": _WHOLE, "warnings": _WHOLE,
    },
    "metrics": _VERSION | {"metric": _TEXT, "value": _REAL},
    "files": _VERSION | {"path": _TEXT, "sha256": _TEXT, "bytes": _WHOLE, "stored": _TEXT},
    "edges": {"source": _TEXT, "target": _TEXT, "relation": _TEXT, "matches": _BOOL},
    "events": {
        "model": _TEXT, "version": _WHOLE, "action": _TEXT, "stage": _TEXT, "origin": _TEXT, "tag": _TEXT,
        "oid": _TEXT, "commit": _TEXT, "date": _TIME, "digest": _TEXT, "signer": _TEXT, "signature": _TEXT,
        "sound": _BOOL, "current": _BOOL, "reason": _TEXT,
    },
}  # fmt: skip
"""Table -> column -> what is in it; services and runs have no `version`, and what is not known is null."""


def write_tables(repo: Repository, index: Index, directory: Path) -> int:
    """Write every table to `directory`/<table>.parquet, each in one step; how many there are.

    The same index gives the same rows in the same order. Raises StrataError where pyarrow is not installed or the
    directory cannot be written.
    """
    try:
        import pyarrow as pa
    except ImportError:
        raise StrataError(
            "Parquet files need pyarrow, which is not installed.", hint="pip install 'git-strata[exchange]'"
        ) from None
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StrataError(f"{directory} cannot be made: {error.strerror}.") from None
    for name, rows in tables(repo, index).items():
        write_file(directory / f"{name}.parquet", _as_parquet(pa, COLUMNS[name], rows))
    return len(COLUMNS)


def tables(repo: Repository, index: Index) -> dict[str, list[Row]]:
    """The rows of every table, by `COLUMNS`."""
    versions = [("here", record) for record in index.artifacts]
    versions += [("elsewhere", record) for record in index.elsewhere]
    return {
        "artifacts": [_version(place, record) | _described(record) for place, record in versions],
        "metrics": [
            _version(place, record) | {"metric": name, "value": float(value)}
            for place, record in versions for name, value in record.metrics.items()
        ],
        "files": list(_files(repo, versions)),
        "edges": [
            {"source": edge.source, "target": edge.target, "relation": edge.relation, "matches": edge.matches}
            for edge in edges_of(index)
        ],
        "events": [
            {
                "model": event.model.name, "version": event.model.number, "action": event.action, "stage": event.stage,
                "origin": event.origin, "tag": event.tag, "oid": event.oid, "commit": event.commit,
                "date": _moment(event.date), "digest": event.digest,
                "signer": event.signature.fingerprint or None if event.signature else None,
                "signature": event.signature.status if event.signature else None, "sound": event.sound,
                "current": event.current, "reason": event.reason,
            }
            for event in index.events
        ],
    }  # fmt: skip


def _version(place: str, record: ArtifactRecord) -> Row:
    artifact = record.artifact
    return {
        "reference": artifact.reference, "kind": artifact.kind, "name": artifact.name,
        "version": artifact.number or None, "place": place, "tree": record.tree,
    }  # fmt: skip


def _described(record: ArtifactRecord) -> Row:
    introduced = record.introduced
    return {
        "digest": record.digest, "content_hash": record.content_hash, "created": _moment(record.created),
        "description": record.description, "status": record.status or None, "files": record.files,
        "bytes": record.bytes, "pointers": record.pointers, "run": record.run,
        "code_commit": record.code.commit if record.code else None,
        "code_dirty": record.code.dirty if record.code else None,
        "introduced_commit": introduced.commit if introduced else None,
        "introduced_author": introduced.author if introduced else None,
        "introduced_date": _moment(introduced.date) if introduced else None, "stages": list(record.stages),
        "signers": [one.fingerprint for one in record.signers if one.status == "good"], "complete": record.complete,
        "errors": record.count("error"), "warnings": record.count("warning"),
    }  # fmt: skip


def _files(repo: Repository, versions: Iterable[tuple[str, ArtifactRecord]]) -> Iterator[Row]:
    """Every file: SHA-256 as its pointer or CHECKSUMS.txt says, bytes of its content."""
    from strata_git.index.holdings import read_holdings

    listed = list(versions)
    held = read_holdings(repo, (record for _, record in listed))
    sums = _sums(repo, {record.checksums_oid for _, record in listed if record.checksums_oid})
    for place, record in listed:
        known = sums.get(record.checksums_oid or "", {})
        for file in held.get(record.tree, ()):
            stored = file.object
            yield _version(place, record) | {
                "path": file.name, "sha256": stored.id if stored.store == "lfs" else known.get(file.name),
                "bytes": stored.size if stored.here or stored.store == "lfs" else None, "stored": stored.store,
            }  # fmt: skip


def _sums(repo: Repository, oids: Iterable[str]) -> dict[str, Mapping[str, str]]:
    from strata_git.integrity.checksums import ChecksumError, parse

    found: dict[str, Mapping[str, str]] = {}
    for oid, kind, data in repo.objects.read_many(sorted(oids)):
        if kind == "blob" and data is not None:
            try:
                found[oid] = parse(data)
            except ChecksumError:
                continue
    return found


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _as_parquet(arrow: Any, columns: Mapping[str, str], rows: list[Row]) -> bytes:
    import pyarrow.parquet as parquet

    types: dict[str, Callable[[], pa.DataType]] = {
        _TEXT: arrow.string, _WHOLE: arrow.int64, _REAL: arrow.float64, _BOOL: arrow.bool_,
        _TIME: lambda: arrow.timestamp("ms", tz="UTC"), _TEXTS: lambda: arrow.list_(arrow.string()),
    }  # fmt: skip
    table = arrow.table({
        name: arrow.array([_encodable(row[name]) for row in rows], type=types[sort]()) for name, sort in columns.items()
    })  # fmt: skip
    sink = io.BytesIO()
    parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _encodable(value: object) -> object:
    """A text without what UTF-8 cannot hold (bytes of undecodable names)."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
