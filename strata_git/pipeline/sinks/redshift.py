"""Tables of Redshift: rows are staged in S3, then COPY, MERGE and the note are one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from strata_git.contracts.pipeline import WarehouseSink
from strata_git.errors import StrataError
from strata_git.pipeline.aws import client
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.databases import connected, copy_statement
from strata_git.pipeline.rows import Column, Row, canonical_line, in_parts, packed
from strata_git.pipeline.sinks.exporter import PART, Receipt
from strata_git.pipeline.sinks.postgres import PostgresEngine
from strata_git.pipeline.sinks.store import Bucket
from strata_git.pipeline.sinks.tables import STAGE, Target, export, merge_statement
from strata_git.pipeline.sources.catalog import Place

TYPES: Mapping[Column, str] = {
    "bool": "boolean", "int": "bigint", "float": "double precision", "text": "varchar(65535)", "json": "super",
    "numbers": "super",
}  # fmt: skip


def exporter(settings: WarehouseSink, place: Place) -> Redshift:
    """The exporter for those settings. Raises StrataError when they leave out what Redshift needs."""
    missing = [word for word in ("host", "user", "key", "staging", "iam_role") if not getattr(settings, word)]
    if missing or settings.key is None or settings.staging is None:
        raise StrataError(
            f"sinks.{place.name}: Redshift needs {', '.join(missing)}.",
            hint="It reads what is put below staging with the rights of iam_role: docs/sinks.md.",
        )
    staging, key = urlsplit(settings.staging), settings.key
    account = _Account(settings.region, settings.endpoint)
    store = Bucket(
        place.name, staging.netloc, f"{staging.path.strip('/')}/",
        lambda: client("s3", account, place.secrets, place.environ), settings.kms_key,
    )  # fmt: skip
    return Redshift(
        place.name, settings, store, lambda: connected(settings, place.secrets.get(key), port=5439, tls=True)
    )


@dataclass(frozen=True, slots=True)
class _Account:
    region: str | None
    endpoint: str | None


@dataclass(frozen=True, slots=True)
class Redshift:
    """A table of a cluster or workgroup."""

    name: str
    settings: WarehouseSink
    store: Bucket
    connection: Callable[[], Any] = field(repr=False)
    types: Mapping[Column, str] = field(default_factory=lambda: TYPES, repr=False)
    backoff: Backoff = field(default=Backoff(attempts=4), repr=False)

    def write(self, rows: Iterable[Row], *, run_id: str, part: str = PART) -> Receipt:
        """All rows, or none. What is staged in S3 stays there for a lifecycle rule of the bucket."""
        engine = _RedshiftEngine(
            f"{self.name}: {self.settings.host}",
            self.connection,
            self.types,
            staged=f"{run_id}/{part}",
            sink=self,
            turns=False,
        )
        return export(engine, self.settings, self.name, rows, run_id, part, self.backoff)


@dataclass(slots=True)
class _RedshiftEngine(PostgresEngine):
    """What is otherwise than in PostgreSQL."""

    staged: str = ""
    sink: Any = None

    def load(self, columns: Mapping[str, Column], rows: Iterable[Row]) -> None:
        """Files of JSON lines in S3, the list of them, and COPY of that list."""
        store: Bucket = self.sink.store
        settings: WarehouseSink = self.sink.settings
        entries = []
        whole = hashlib.sha256()
        for number, part in enumerate(in_parts(rows, 50_000)):
            lines = b"".join(map(canonical_line, part))
            digest = hashlib.sha256(lines)
            name = f"{self.staged}/{number:05}-{digest.hexdigest()[:16]}.jsonl.gz"
            store.create(name, packed(lines, "gzip"))
            entries.append({"url": f"s3://{store.bucket}/{store.prefix}{name}", "mandatory": True})
            whole.update(digest.digest())
        listed = f"{self.staged}/{whole.hexdigest()[:16]}.manifest"
        store.create(listed, json.dumps({"entries": entries}, indent=1).encode())
        manifest = f"s3://{store.bucket}/{store.prefix}{listed}"
        self.execute(copy_statement(STAGE, list(columns), manifest, str(settings.iam_role), region=settings.region))

    def lock(self, table: str) -> None:
        """Redshift knows one lock."""
        self.execute(f"LOCK TABLE {table}")

    def merge(self, target: Target) -> int:
        """MERGE."""
        self.lock(target.name)
        return self.execute(merge_statement(target))
