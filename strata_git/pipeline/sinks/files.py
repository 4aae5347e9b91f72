"""Files of rows, in a directory or a bucket: `<run>/<part>-<number>-<digest>.<form>`, and last of all a manifest.

A name holds the digest of the rows in the file, so that what was written before an interruption is found again and not
written twice. `manifest.json` (`manifest-<part>.json` for other parts than the outputs) lists every file of a part;
where it is, the part is whole. Readers go by the manifest alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from strata_git.contracts.pipeline import FileSink, S3Sink
from strata_git.errors import printable
from strata_git.pipeline.aws import client
from strata_git.pipeline.errors import ExportError
from strata_git.pipeline.rows import ENDINGS, Column, Row, canonical_line, written
from strata_git.pipeline.sinks.exporter import PART, Receipt, already_other, require_names
from strata_git.pipeline.sinks.spool import Spool, spooled
from strata_git.pipeline.sinks.store import Bucket, Directory, Store
from strata_git.pipeline.sources.catalog import Place

SCHEMA = "strata/export-manifest/v1"
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_MOST_PARTITIONS = 1000


def exporter(settings: FileSink | S3Sink, place: Place) -> Files:
    """The exporter for those settings; a relative `path` is below the workspace's root."""
    store: Store
    if isinstance(settings, FileSink):
        store = Directory(place.name, place.root / settings.path)
    else:
        prefix = f"{settings.prefix.strip('/')}/" if settings.prefix.strip("/") else ""
        account = settings
        store = Bucket(
            place.name,
            settings.bucket,
            prefix,
            lambda: client("s3", account, place.secrets, place.environ),
            settings.kms_key,
        )
    return Files(place.name, store, settings)


@dataclass(frozen=True, slots=True)
class Files:
    """Files of rows in a store."""

    name: str
    store: Store
    settings: FileSink | S3Sink

    def write(self, rows: Iterable[Row], *, run_id: str, part: str = PART) -> Receipt:
        """Every file that is not there yet, then the manifest."""
        require_names(self.name, run_id, part)
        manifest = f"{run_id}/{'manifest' if part == PART else f'manifest-{part}'}.json"
        with spooled(self.name, rows) as spool:
            there = self._manifest(manifest)
            if there is not None and there.get("digest") != spool.digest:
                raise already_other(self.name, f"{self.store.uri}/{run_id}", run_id, part)
            new: list[str] = []
            if there is None:
                listed = []
                for path, held, lines in self._parts(spool, part):
                    data = self._bytes(held, spool.columns)
                    if self.store.create(f"{run_id}/{path}", data):
                        new.append(f"{run_id}/{path}")
                    listed.append({"path": path, "rows": len(held), "sha256": lines})
                self._finish(manifest, spool, run_id, part, listed)
                new.append(manifest)
            count = 0 if there else spool.count
            return Receipt(
                self.name,
                f"{self.store.uri}/{run_id}",
                run_id,
                part,
                spool.digest,
                spool.count,
                count,
                files=tuple(new),
            )

    def _manifest(self, name: str) -> dict[str, Any] | None:
        data = self.store.read(name)
        if data is None:
            return None
        try:
            value = json.loads(data)
        except ValueError:
            value = None
        if not isinstance(value, dict) or value.get("schema") != SCHEMA:
            raise ExportError(
                f"{self.name}: {printable(f'{self.store.uri}/{name}')} is not a manifest of ours.", kind="conflict",
                hint="Something else wrote there; give the sink a place of its own.",
            )  # fmt: skip
        return value

    def _finish(self, name: str, spool: Spool, run_id: str, part: str, files: Sequence[dict[str, object]]) -> None:
        value = {
            "schema": SCHEMA,
            "run": run_id,
            "part": part,
            "digest": spool.digest,
            "rows": spool.count,
            "columns": spool.columns,
            "format": self.settings.format,
            "compression": self.settings.compression,
            "partition_by": list(self.settings.partition_by),
            "files": files,
        }
        data = json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"
        if not self.store.create(name, data) and self.store.read(name) != data:  # somebody was quicker
            raise already_other(self.name, f"{self.store.uri}/{run_id}", run_id, part)

    def _parts(self, spool: Spool, part: str) -> Iterator[tuple[str, list[Row], str]]:
        """Path, rows and the digest of the rows of each file."""
        form, packing = self.settings.format, self.settings.compression
        ending = form if form == "parquet" else f"{form}{ENDINGS[packing]}"
        for number, held in enumerate(spool.parts(self.settings.rows_per_file)):
            for directory, inside in self._partitions(held):
                digest = hashlib.sha256(b"".join(map(canonical_line, inside))).hexdigest()
                yield f"{directory}{part}-{number:05}-{digest[:16]}.{ending}", inside, digest

    def _partitions(self, rows: list[Row]) -> Iterator[tuple[str, list[Row]]]:
        """Rows by what Hive would call their directory."""
        if not self.settings.partition_by:
            yield "", rows
            return
        found: dict[str, list[Row]] = {}
        for row in rows:
            place = "".join(f"{_hive(name)}={_hive_value(row.get(name))}/" for name in self.settings.partition_by)
            found.setdefault(place, []).append(row)
        if len(found) > _MOST_PARTITIONS:
            raise ExportError(
                f"{self.name}: partition_by {', '.join(self.settings.partition_by)} makes {len(found)} directories.",
                hint="Partition by what has few values.",
            )
        yield from sorted(found.items())

    def _bytes(self, rows: list[Row], columns: dict[str, Column]) -> bytes:
        """The file, without the columns that its directory tells."""
        inside = set(self.settings.partition_by)
        kept = {name: column for name, column in columns.items() if name not in inside}
        bare = [{name: value for name, value in row.items() if name not in inside} for row in rows] if inside else rows
        guard = self.settings.formulas == "guard"
        return written(bare, kept, self.settings.format, self.settings.compression, guard=guard)


def _hive(text: str) -> str:
    return quote(text, safe=" ,;@()-_").replace(".", "%2E") if text in (".", "..") else quote(text, safe=" ,;@()-_.")


def _hive_value(value: object) -> str:
    if value is None or value == "":
        return _NO_VALUE
    return _hive(value if isinstance(value, str) else json.dumps(value, sort_keys=True))[:200]
