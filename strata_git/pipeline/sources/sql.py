"""The rows of a query, as files: the query runs once, its rows are streamed into files of a temporary directory.

So what is listed is what is read, however the tables change meanwhile; an `etag` is the digest of the rows. Nothing is
ever committed: what a query would change is rolled back.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, BinaryIO

from strata_git.contracts.pipeline import SqlConnector
from strata_git.errors import StrataError, printable
from strata_git.pipeline.databases import database_kind
from strata_git.pipeline.errors import ConnectorError, told
from strata_git.pipeline.rows import Row, canonical_line, columns_of, in_parts, plain_row, written
from strata_git.pipeline.sources.catalog import Place
from strata_git.pipeline.sources.connector import ResourceInfo, ResourceRef
from strata_git.pipeline.sources.local import media_type
from strata_git.pipeline.sources.patterns import patterns


def connector(settings: SqlConnector, place: Place) -> Sql:
    """The connector for those settings. Raises StrataError for a URL that SQLAlchemy cannot take."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(settings.url)
    except ArgumentError:
        raise StrataError(
            f"{place.name}: the URL is not one of SQLAlchemy's.",
            hint="Such as postgresql+psycopg2://user@host/database",
        ) from None
    if settings.key:
        url = url.set(password=place.secrets.get(settings.key))
    return Sql(place.name, url, settings)


@dataclass(frozen=True, slots=True)
class _Page:
    """One file of rows."""

    path: Path
    digest: str
    when: datetime


@dataclass(frozen=True)
class Sql:
    """What a query gives, in files `rows-00000.jsonl`, `rows-00001.jsonl`, …"""

    name: str
    url: Any = field(repr=False)
    settings: SqlConnector = field(repr=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)
    _kept: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def list(self, select: Sequence[str] = (), exclude: Sequence[str] = ()) -> Iterator[ResourceInfo]:
        """The files; the first time the query is run."""
        chosen = patterns(select, exclude, self.settings.include, self.settings.exclude)
        pages = self._pages()
        return (self._told(name, page) for name, page in pages.items() if chosen.take(name))

    @contextmanager
    def open(self, ref: ResourceRef) -> Iterator[BinaryIO]:
        """One file's bytes."""
        with open(self._page(ref).path, "rb") as stream:
            yield stream

    def info(self, ref: ResourceRef) -> ResourceInfo:
        """One file; its rows stay what they were when the query ran."""
        return self._told(ref.name, self._page(ref))

    def _page(self, ref: ResourceRef) -> _Page:
        page = self._pages().get(ref.name)
        if page is None:
            raise ConnectorError(f"{self.name}: the query gives no {printable(ref.name)}.", kind="not_found")
        return page

    def _pages(self) -> Mapping[str, _Page]:
        with self._lock:
            if "pages" not in self._kept:
                directory = tempfile.mkdtemp(prefix="strata-rows-")
                weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
                self._kept["pages"] = dict(self._written(Path(directory)))
            pages: Mapping[str, _Page] = self._kept["pages"]
            return pages

    def _written(self, directory: Path) -> Iterator[tuple[str, _Page]]:
        for number, rows in enumerate(in_parts(self._rows(), self.settings.rows_per_file)):
            name = f"rows-{number:05}.{self.settings.format}"
            path = directory / name
            path.write_bytes(written(rows, columns_of(rows), self.settings.format, guard=False))
            digest = hashlib.sha256(b"".join(map(canonical_line, rows))).hexdigest()
            yield name, _Page(path, digest, datetime.now(UTC))

    def _rows(self) -> Iterator[Row]:
        import sqlalchemy
        from sqlalchemy.exc import SQLAlchemyError

        engine = None
        try:
            engine = sqlalchemy.create_engine(self.url, poolclass=sqlalchemy.pool.NullPool)
            with engine.connect() as connection:
                streamed = connection.execution_options(stream_results=True, yield_per=1000)
                for row in streamed.execute(sqlalchemy.text(_literal(self.settings.query))).mappings():
                    yield plain_row(dict(row))
        except ModuleNotFoundError as error:
            raise StrataError(
                f"{self.name}: the driver {printable(str(error.name))} is not installed.",
                hint=f"pip install {printable(str(error.name))}, or name another driver in the URL.",
            ) from None
        except ValueError as error:
            raise ConnectorError(f"{self.name}: {told(error)}.") from None
        except SQLAlchemyError as error:
            raise self._failed(error) from None
        finally:
            if engine is not None:
                engine.dispose()

    def _failed(self, error: Exception) -> ConnectorError:
        cause = getattr(error, "orig", None) or error
        kind = database_kind(getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None), str(cause))
        where = self.url.render_as_string(hide_password=True).replace(":***@", "@")
        return ConnectorError(f"{self.name}: {printable(where)}: {told(cause)}", kind=kind)

    def _told(self, name: str, page: _Page) -> ResourceInfo:
        where = self.url.set(password=None, query={}).render_as_string()
        return ResourceInfo(
            ResourceRef(name, f"{where}#{name}"),
            bytes=page.path.stat().st_size,
            modified=page.when,
            etag=page.digest,
            media_type=media_type(name),
        )


def _literal(query: str) -> str:
    r"""The query with its colons kept: `:name` stands for no parameter of ours (`\:` is how SQLAlchemy is told)."""
    import re

    return re.sub(r"(?<![:\\]):(?=[A-Za-z_])", r"\\:", query)
