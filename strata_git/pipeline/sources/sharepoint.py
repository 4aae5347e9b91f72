"""Files of a SharePoint drive, by Microsoft Graph: site and drive are found by name, folders walked page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit

from strata_git.contracts.pipeline import ExcelSink, SharePointConnector
from strata_git.errors import StrataError, printable
from strata_git.pipeline.errors import ConnectorError, PipelineError
from strata_git.pipeline.graph import AUTHORITY, ENDPOINT, PAGE, Graph, Registration, Tokens, http_client
from strata_git.pipeline.sources.catalog import Place
from strata_git.pipeline.sources.connector import ResourceInfo, ResourceRef
from strata_git.pipeline.sources.local import media_type
from strata_git.pipeline.sources.patterns import Patterns, composed, patterns

_FACTS = "id,name,size,eTag,cTag,file,folder,lastModifiedDateTime"


def connector(settings: SharePointConnector, place: Place) -> SharePoint:
    """The connector for those settings."""
    graph = graph_for(settings, place, ConnectorError)
    drive = Drive(graph, settings.site, settings.drive)
    return SharePoint(place.name, drive, settings.path.strip("/"), settings.include, settings.exclude)


def graph_for(settings: SharePointConnector | ExcelSink, place: Place, failure: type[PipelineError]) -> Graph:
    """Graph as those settings reach it. Raises StrataError when they do not say who asks."""
    if not (settings.tenant and settings.client and settings.key):
        missing = [word for word in ("tenant", "client", "key") if not getattr(settings, word)]
        raise StrataError(
            f"{place.name}: to ask Microsoft Graph, strata.yaml must say {', '.join(missing)}.",
            hint="docs/sources.md tells how an application is registered.",
        )
    endpoint = (settings.endpoint or ENDPOINT).rstrip("/")
    secret = place.secrets.get(settings.key)
    who = Registration(settings.tenant, settings.client, secret, settings.authority or AUTHORITY)
    http = http_client()
    return Graph(place.name, Tokens(who, endpoint, place.state, http), http, failure, endpoint)


@dataclass(frozen=True)
class Drive:
    """A library of a site, found when it is first needed. `site` is `host/sites/name`, or the address in a browser."""

    graph: Graph
    site: str
    name: str

    @cached_property
    def path(self) -> str:
        """Its path in Graph."""
        site = self.graph.get(_site_path(self.site), f"site {printable(self.site)}")
        where = f"/sites/{quote(str(site['id']), safe=',')}"
        found = list(self.graph.pages(f"{where}/drives", "the site's drives"))
        for drive in found:
            if str(drive.get("name", "")).casefold() == self.name.casefold():
                return f"/drives/{quote(str(drive['id']), safe='!')}"
        if self.name == "Documents":  # what the first library is called depends on the site's language
            drive = self.graph.get(f"{where}/drive", "the site's first drive")
            return f"/drives/{quote(str(drive['id']), safe='!')}"
        known = ", ".join(sorted(printable(str(drive.get("name", ""))) for drive in found)) or "none"
        raise self.graph.failure(
            f"{self.graph.name}: the site has no drive '{printable(self.name)}'.",
            kind="not_found",
            hint=f"Its drives: {known}.",
        )

    def at(self, path: str) -> str:
        """The path in Graph of what is at `path` in the drive (empty: its root)."""
        inner = quote(path.strip("/"), safe="/")
        return f"{self.path}/root:/{inner}:" if inner else f"{self.path}/root"


@dataclass(frozen=True)
class SharePoint:
    """The files below `path` of a drive."""

    name: str
    drive: Drive
    path: str = ""
    include: Sequence[str] = ("**/*",)
    exclude: Sequence[str] = ()

    def list(self, select: Sequence[str] = (), exclude: Sequence[str] = ()) -> Iterator[ResourceInfo]:
        """Files in the order Graph has them, folder by folder."""
        chosen = patterns(select, exclude, self.include, self.exclude)
        return self._walk(f"{self.drive.at(self.path)}/children", "", chosen)

    def open(self, ref: ResourceRef) -> AbstractContextManager[BinaryIO]:
        """The file's bytes."""
        return self.drive.graph.download(self._item(ref), printable(ref.name))

    def info(self, ref: ResourceRef) -> ResourceInfo:
        """The file as it is now."""
        return self._told(ref.name, self.drive.graph.get(self._item(ref), printable(ref.name)))

    def _walk(self, folder: str, below: str, chosen: Patterns) -> Iterator[ResourceInfo]:
        query: dict[str, str | int] = {"$top": PAGE, "$select": _FACTS}
        for entry in self.drive.graph.pages(folder, printable(below) or "the drive", **query):
            name = composed(f"{below}{entry.get('name', '')}")
            if "folder" in entry:
                if chosen.may_hold(f"{name}/"):
                    yield from self._walk(f"{self._path_of(entry)}/children", f"{name}/", chosen)
            elif "file" in entry and chosen.take(name):
                yield self._told(name, entry)

    def _path_of(self, entry: Mapping[str, Any]) -> str:
        return f"{self.drive.path}/items/{quote(str(entry['id']), safe='!')}"

    def _told(self, name: str, entry: Mapping[str, Any]) -> ResourceInfo:
        claimed = str((entry.get("file") or {}).get("mimeType", ""))
        when = entry.get("lastModifiedDateTime")
        return ResourceInfo(
            ResourceRef(name, f"{self.drive.graph.endpoint}{self._path_of(entry)}"),
            bytes=entry.get("size"),
            modified=datetime.fromisoformat(str(when)) if when else None,
            etag=str(entry.get("eTag", "")).strip('"'),
            version=str(entry.get("cTag", "")).strip('"'),
            media_type=claimed if claimed != "application/octet-stream" else media_type(name),
        )

    def _item(self, ref: ResourceRef) -> str:
        path = ref.uri.removeprefix(self.drive.graph.endpoint)
        if path == ref.uri or not path.startswith(f"{self.drive.path}/items/"):
            raise ConnectorError(f"{self.name}: {printable(ref.uri)} is not in this drive.")
        return path


def _site_path(site: str) -> str:
    parts = urlsplit(site if "://" in site else f"https://{site}")
    inner = quote(parts.path.strip("/"), safe="/")
    return f"/sites/{parts.netloc}:/{inner}" if inner else f"/sites/{parts.netloc}"
