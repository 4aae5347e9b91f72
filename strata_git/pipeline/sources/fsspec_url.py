"""Whatever fsspec opens: a URL, its options, and the same three verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, urlsplit

from strata_git.contracts.pipeline import FsspecConnector
from strata_git.errors import StrataError, printable
from strata_git.pipeline.errors import ConnectorError, Kind, told
from strata_git.pipeline.sources.catalog import Place
from strata_git.pipeline.sources.connector import ResourceInfo, ResourceRef
from strata_git.pipeline.sources.local import media_type
from strata_git.pipeline.sources.patterns import Patterns, composed, patterns

_LOCAL = ("file", "local", "")
_KINDS: tuple[tuple[type[BaseException], Kind], ...] = (
    (FileNotFoundError, "not_found"), (NotADirectoryError, "not_found"), (PermissionError, "permission"),
    (TimeoutError, "timeout"), (OSError, "unavailable"),
)  # fmt: skip


def connector(settings: FsspecConnector, place: Place) -> FsspecUrl:
    """The connector for those settings. Raises StrataError for a URL that fsspec cannot open, or `local` should."""
    scheme = urlsplit(settings.url).scheme
    if scheme in _LOCAL:
        raise StrataError(
            f"{place.name}: files of this machine are read by a connector of type local.",
            hint=f"connectors: {{{place.name}: {{type: local, root: …}}}}",
        )
    from fsspec.core import url_to_fs

    try:
        system, root = url_to_fs(settings.url, **settings.options, skip_instance_cache=True)
    except (ImportError, ValueError, TypeError) as error:
        raise StrataError(
            f"{place.name}: fsspec cannot open a {printable(scheme)} URL with these options: {type(error).__name__}.",
            hint="The package for that protocol may be missing, or an option misspelt; see fsspec's documentation.",
        ) from None
    except OSError as error:
        raise _failed(place.name, scheme, error) from None
    return FsspecUrl(place.name, scheme, system, str(root).rstrip("/"), settings.include, settings.exclude)


@dataclass(frozen=True, slots=True)
class FsspecUrl:
    """The files below `root` of a file system of fsspec's."""

    name: str
    scheme: str
    system: Any = field(repr=False)
    root: str
    include: Sequence[str] = ("**/*",)
    exclude: Sequence[str] = ()

    def list(self, select: Sequence[str] = (), exclude: Sequence[str] = ()) -> Iterator[ResourceInfo]:
        """Files, directory by directory, in the order of their names."""
        return self._walk(self.root, "", patterns(select, exclude, self.include, self.exclude))

    @contextmanager
    def open(self, ref: ResourceRef) -> Iterator[BinaryIO]:
        """The file's bytes, in blocks where the protocol has them."""
        path = self._path(ref)
        with self._asked(ref.name, lambda: self.system.open(path, "rb")) as stream:
            yield _Told(stream, lambda error: _failed(self.name, ref.name, error))  # type: ignore[misc]

    def info(self, ref: ResourceRef) -> ResourceInfo:
        """The file as it is now."""
        path = self._path(ref)
        return self._told(ref.name, self._asked(ref.name, lambda: self.system.info(path)))

    def _walk(self, directory: str, below: str, chosen: Patterns) -> Iterator[ResourceInfo]:
        entries = self._asked(below or self.root, lambda: self.system.ls(directory, detail=True))
        for entry in sorted(entries, key=lambda entry: str(entry["name"])):
            last = str(entry["name"]).rstrip("/").rpartition("/")[2]
            name = composed(f"{below}{last}")
            if str(entry["name"]).rstrip("/") == directory.rstrip("/") or last in ("", ".", ".."):
                continue
            if entry.get("type") == "directory":
                if chosen.may_hold(f"{name}/"):
                    yield from self._walk(str(entry["name"]), f"{name}/", chosen)
            elif chosen.take(name):
                yield self._told(name, entry)

    def _told(self, name: str, entry: Mapping[str, Any]) -> ResourceInfo:
        path = str(entry["name"])
        first = [entry.get(word) for word in ("LastModified", "last_modified", "mtime", "modified", "created")]
        return ResourceInfo(
            ResourceRef(name, f"fsspec+{self.scheme}:{quote(path)}"),
            bytes=entry.get("size"),
            modified=next((when for value in first if (when := _moment(value))), None),
            etag=str(entry.get("ETag") or entry.get("etag") or "").strip('"'),
            version=str(entry.get("VersionId") or entry.get("version_id") or ""),
            media_type=media_type(name),
        )

    def _path(self, ref: ResourceRef) -> str:
        path = unquote(ref.uri.removeprefix(f"fsspec+{self.scheme}:"))
        if path == ref.uri or not path.startswith(self.root) or ".." in path.split("/"):
            raise ConnectorError(f"{self.name}: {printable(ref.uri)} is not below {printable(self.root)}.")
        return path

    def _asked(self, what: str, ask: Callable[[], Any]) -> Any:
        try:
            return ask()
        except Exception as error:  # noqa: BLE001 - every protocol has its own errors
            raise _failed(self.name, what, error) from None


class _Told:
    """A stream whose errors are ours."""

    def __init__(self, stream: Any, failed: Callable[[Exception], ConnectorError]) -> None:
        self._stream = stream
        self._failed = failed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def readline(self, size: int = -1) -> bytes:
        """One line."""
        return self._asked("readline", size)

    def read(self, size: int = -1) -> bytes:
        """So many bytes, or all that is left."""
        return self._asked("read", size)

    def _asked(self, verb: str, size: int) -> bytes:
        try:
            data: bytes = getattr(self._stream, verb)(size)
        except Exception as error:  # noqa: BLE001 - every protocol has its own errors
            raise self._failed(error) from None
        return data


def _failed(name: str, what: str, error: Exception) -> ConnectorError:
    kind: Kind = next((kind for of, kind in _KINDS if isinstance(error, of)), "invalid")
    said = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return ConnectorError(f"{name}: {printable(what)} cannot be read: {told(said)}.", kind=kind)


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else None
