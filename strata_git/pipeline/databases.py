"""Data bases: connections, what goes wrong, and statements that no name and no text breaks out of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from strata_git.errors import StrataError
from strata_git.pipeline.errors import Kind, PipelineError, told

CONNECT_S = 15


class Where(Protocol):
    """The data base that a section of strata.yaml names."""

    @property
    def host(self) -> str | None: ...
    @property
    def port(self) -> int | None: ...
    @property
    def database(self) -> str: ...
    @property
    def user(self) -> str | None: ...


def connected(where: Where, password: str | None, *, port: int, tls: bool) -> Any:
    """A connection whose first statement begins a transaction. psycopg2, because Redshift speaks the old protocol.

    `tls`: refuse to talk without; else as PGSSLMODE says. Raises psycopg2.Error.
    """
    import psycopg2

    return psycopg2.connect(
        host=where.host, port=where.port or port, dbname=where.database, user=where.user, password=password,
        connect_timeout=CONNECT_S, application_name="git-strata", **({"sslmode": "require"} if tls else {}),
    )  # fmt: skip


@contextmanager
def translated(failure: type[PipelineError], what: str) -> Iterator[None]:
    """Errors of the driver as `failure`."""
    import psycopg2

    try:
        yield
    except psycopg2.Error as error:
        said = str(error).partition("\nLINE ")[0] or type(error).__name__
        raise failure(f"{what}: {told(said)}", kind=database_kind(error.pgcode, said)) from None


def database_kind(state: str | None, message: str) -> Kind:
    """The kind that a data base's SQLSTATE stands for (classes of the SQL standard), or else its words."""
    classes: dict[str, Kind] = {
        "08": "unavailable", "28": "authentication", "40": "unavailable", "53": "unavailable", "55": "conflict",
        "57": "unavailable", "3D": "not_found", "23": "conflict",
    }  # fmt: skip
    special: dict[str, Kind] = {"42501": "permission", "42P01": "not_found", "3F000": "not_found", "57014": "timeout"}
    if state:
        return special.get(state) or classes.get(state[:2], "invalid")
    words: tuple[tuple[str, Kind], ...] = (
        ("password", "authentication"), ("authentication", "authentication"), ("permission", "permission"),
        ("timeout", "timeout"), ("does not exist", "not_found"), ("no such table", "not_found"),
        ("unable to open", "not_found"), ("could not connect", "unavailable"), ("connection", "unavailable"),
        ("translate host", "unavailable"), ("conflicting lock", "unavailable"),
    )  # fmt: skip
    return next((kind for word, kind in words if word in message.lower()), "invalid")


def quoted(name: str) -> str:
    """An identifier (SQL 5.2 <delimited identifier>). Raises StrataError for one with a zero byte."""
    if "\0" in name or not name:
        raise StrataError("A name in the data base cannot be empty or hold a zero byte.")
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in a statement that takes no parameters (COPY, UNLOAD). Raises StrataError for a zero byte."""
    if "\0" in text:
        raise StrataError("A text in a statement cannot hold a zero byte.")
    doubled = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{doubled}'"


def table_name(name: str) -> str:
    """`table` or `schema.table`, quoted."""
    return ".".join(quoted(part) for part in name.split(".", 1))


def unload_statement(query: str, target: str, iam_role: str, *, kms_key: str | None, region: str | None) -> str:
    """UNLOAD of a query as Parquet below `target`, with a manifest that is written last."""
    words = [
        f"UNLOAD ({literal(query.strip().rstrip(';'))}) TO {literal(target)}",
        f"IAM_ROLE {literal(iam_role)} FORMAT AS PARQUET MANIFEST",
    ]
    words += [f"KMS_KEY_ID {literal(kms_key)} ENCRYPTED"] if kms_key else []
    words += [f"REGION AS {literal(region)}"] if region else []
    return " ".join(words)


def copy_statement(table: str, columns: Sequence[str], manifest: str, iam_role: str, *, region: str | None) -> str:
    """COPY of what a manifest names (JSON lines, gzip) into a table that is quoted already."""
    names = ", ".join(map(quoted, columns))
    words = f"COPY {table} ({names}) FROM {literal(manifest)} IAM_ROLE {literal(iam_role)} MANIFEST GZIP"
    return f"{words} FORMAT AS JSON 'auto' TIMEFORMAT 'auto'" + (f" REGION AS {literal(region)}" if region else "")
