"""Delta tables: a directory, a bucket's prefix, a container of Azure, a lakehouse of Fabric (`abfss://`).

Every export is one commit of the table's log that carries the application transaction `strata:<run>:<part>:<digest>`
(Delta protocol, transaction identifiers); a table whose log has it is left alone. Two writers at once: the log lets one
commit first, the other looks again and finds either that its rows are there, or a table to write to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from strata_git.contracts.pipeline import DeltaSink
from strata_git.errors import StrataError, printable
from strata_git.pipeline.aws import session_region
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.errors import ExportError, Kind, told
from strata_git.pipeline.rows import Column, Row, arrow_table, in_parts
from strata_git.pipeline.sinks.exporter import PART, Receipt, already_other, require_names
from strata_git.pipeline.sinks.spool import Spool, spooled
from strata_git.pipeline.sources.catalog import Place

_KINDS: tuple[tuple[str, Kind], ...] = (
    ("403", "permission"), ("forbidden", "permission"), ("access denied", "permission"), ("401", "authentication"),
    ("credential", "authentication"), ("not found", "not_found"), ("nosuchbucket", "not_found"), ("404", "not_found"),
    ("429", "throttled"), ("slowdown", "throttled"), ("timed out", "timeout"), ("timeout", "timeout"),
    ("503", "unavailable"), ("500", "unavailable"), ("connect", "unavailable"),
    ("error sending request", "unavailable"),
)  # fmt: skip
_VERSION = 1
_PATIENCE = {"max_retries": "2", "retry_timeout": "60s", "timeout": "60s", "connect_timeout": "10s"}
"""What delta-rs does by itself before we are told; `backoff` decides about more."""


def exporter(settings: DeltaSink, place: Place) -> Delta:
    """The exporter for those settings; a `uri` without a scheme is a directory below the workspace's root."""
    uri = settings.uri
    if settings.type == "fabric-delta" and not uri.startswith("abfss://"):
        raise StrataError(
            f"sinks.{place.name}.uri: a lakehouse is named by abfss://WORKSPACE@onelake.dfs.fabric.microsoft.com/….",
            hint="Fabric shows it as the ABFS path of the table's folder.",
        )
    if "://" not in uri:
        uri = str(place.root / uri)
    return Delta(place.name, settings, uri, _options(settings, uri, place))


@dataclass(frozen=True, slots=True)
class Delta:
    """A table at `uri`; `options` are what reaching it takes."""

    name: str
    settings: DeltaSink
    uri: str
    options: Mapping[str, str] = field(repr=False)
    backoff: Backoff = field(default=Backoff(), repr=False)

    def write(self, rows: Iterable[Row], *, run_id: str, part: str = PART) -> Receipt:
        """All rows in one commit, or none."""
        require_names(self.name, run_id, part)
        keys = self.settings.key_fields
        with spooled(self.name, rows) as spool:
            upsert = self.settings.mode == "upsert"
            places, dropped = spool.distinct(self.name, keys) if upsert else (range(spool.count), 0)
            written = self.backoff.call(lambda: self._once(spool, places, run_id, part)) if spool.count else 0
            return Receipt(self.name, self.uri, run_id, part, spool.digest, spool.count, written, dropped)

    def _once(self, spool: Spool, places: Iterable[int], run_id: str, part: str) -> int:
        from deltalake.exceptions import CommitFailedError, DeltaError

        try:
            table = self._table()
            if table is not None and self._is_there(table, spool, run_id, part):
                return 0
            return self._written(table, spool, places, run_id, part)
        except CommitFailedError:
            raise ExportError(
                f"{self.name}: somebody else wrote to {printable(self.uri)} at the same time.", kind="conflict",
                retryable=True,
            ) from None  # fmt: skip
        except (DeltaError, OSError, ValueError) as error:
            raise self._failed(error) from None

    def _table(self) -> Any:
        """The table; None where there is none yet. (`is_deltatable` would keep every other thread waiting.)"""
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError

        try:
            return DeltaTable(self.uri, storage_options=dict(self.options))
        except TableNotFoundError:
            return None

    def _is_there(self, table: Any, spool: Spool, run_id: str, part: str) -> bool:
        """Whether this part is in the table, by its name, which is a transaction of its own, and by its digest."""
        if table.transaction_version(_application(run_id, part, spool.digest)) is not None:
            return True
        if table.transaction_version(_application(run_id, part)) is not None:
            raise already_other(self.name, self.uri, run_id, part)
        return False

    def _written(self, table: Any, spool: Spool, places: Iterable[int], run_id: str, part: str) -> int:
        from deltalake import CommitProperties, Transaction, WriterProperties, write_deltalake

        said = CommitProperties(
            app_transactions=[
                Transaction(_application(run_id, part), _VERSION),
                Transaction(_application(run_id, part, spool.digest), _VERSION),
            ],
            custom_metadata={"strata.run": run_id, "strata.part": part, "strata.digest": spool.digest},
            max_commit_retries=0,  # somebody else's commit may have been this very one: look again first
        )
        reader = _reader(spool, places)
        if table is None or self.settings.mode == "append":
            new: dict[str, Any] = {"partition_by": list(self.settings.partition_by) or None, "mode": "error"}
            new |= {"storage_options": dict(self.options)}
            more: dict[str, Any] = {"mode": "append", "schema_mode": "merge"}
            write_deltalake(
                self.uri if table is None else table,
                reader,
                commit_properties=said,
                writer_properties=WriterProperties(compression="ZSTD"),
                **(new if table is None else more),
            )
            return spool.count if self.settings.mode == "append" else len(list(places))
        return self._merged(table, reader, spool.columns, said)

    def _merged(self, table: Any, reader: Any, columns: Mapping[str, Column], said: Any) -> int:
        """Rows with equal keys are replaced where they differ; the others are inserted."""
        keys = self.settings.key_fields
        same = " AND ".join(f"t.{_quoted(key)} = s.{_quoted(key)}" for key in keys)
        there = {field.name for field in table.schema().fields}
        rest = [name for name in columns if name not in keys]
        # delta-rs reads OR before IS DISTINCT FROM, so each has parentheses of its own
        differs = " OR ".join(f"(t.{_quoted(n)} IS DISTINCT FROM s.{_quoted(n)})" for n in rest if n in there)
        if set(rest) - there:  # a new column makes every row another
            differs = "true"
        merge = table.merge(
            reader, predicate=same, source_alias="s", target_alias="t", merge_schema=True, commit_properties=said
        )
        if rest:
            merge = merge.when_matched_update_all(predicate=differs or None)
        counts = merge.when_not_matched_insert_all().execute()
        return int(counts["num_target_rows_inserted"]) + int(counts["num_target_rows_updated"])

    def _failed(self, error: Exception) -> ExportError:
        said = str(error)
        kind: Kind = next((kind for word, kind in _KINDS if word in said.lower()), "invalid")
        for secret in self.options.values():  # no error has been seen to quote one; none ever shall
            said = said.replace(secret, "***") if len(secret) > 7 else said
        return ExportError(f"{self.name}: {printable(self.uri)}: {told(said)}", kind=kind)


def _application(run_id: str, part: str, digest: str = "") -> str:
    return ":".join(("strata", run_id, part, digest)).rstrip(":")


def _reader(spool: Spool, places: Iterable[int]) -> Any:
    """Arrow batches of some thousand rows."""
    import pyarrow as pa

    schema = arrow_table([], spool.columns).schema

    def batches() -> Iterator[Any]:
        for part in in_parts(spool.at(places), 20_000):
            yield from arrow_table(part, spool.columns).to_batches()

    return pa.RecordBatchReader.from_batches(schema, batches())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _options(settings: DeltaSink, uri: str, place: Place) -> dict[str, str]:
    """What delta-rs (object_store) wants to know, by the scheme."""
    if uri.startswith("s3"):
        return _s3_options(settings, place)
    if uri.startswith(("abfss://", "az://", "azure://")):
        value = place.secrets.get(settings.key) if settings.key else ""
        named = {"sas_token": value} if "sig=" in value else {"bearer_token": value} if value.count(".") == 2 else {}
        options = named or ({"account_key": value} if value else {})
        fabric = {"use_fabric_endpoint": "true"} if settings.type == "fabric-delta" else {}
        endpoint = {"endpoint": settings.endpoint} if settings.endpoint else {}
        plain = {"allow_http": "true"} if (settings.endpoint or "").startswith("http://") else {}
        return options | fabric | endpoint | plain | _PATIENCE
    return {}


def _s3_options(settings: DeltaSink, place: Place) -> dict[str, str]:
    """Commits are conditional puts, which S3 has; no lock table is needed."""
    environ = place.environ
    region = settings.region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or session_region()
    options = {"AWS_REGION": region or "us-east-1", "conditional_put": "etag"} | _PATIENCE
    if settings.endpoint:
        options |= {"AWS_ENDPOINT_URL": settings.endpoint, "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false"}
        options |= {"AWS_ALLOW_HTTP": "true"} if settings.endpoint.startswith("http://") else {}
    if settings.key and settings.secret:
        options["AWS_ACCESS_KEY_ID"] = place.secrets.get(settings.key)
        options["AWS_SECRET_ACCESS_KEY"] = place.secrets.get(settings.secret)
        options |= {"AWS_SESSION_TOKEN": place.secrets.get(settings.token)} if settings.token else {}
    return options
