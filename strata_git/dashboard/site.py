"""All pages of a site by address, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from strata_git.contracts.layout import KINDS
from strata_git.dashboard.addresses import artifact_page, family_page
from strata_git.dashboard.page import ICON, NAMES, SCRIPT, STYLE, Page, document
from strata_git.dashboard.pages.artifacts import artifact
from strata_git.dashboard.pages.families import family
from strata_git.dashboard.pages.findings import overview_of_findings, rule_pages
from strata_git.dashboard.pages.lineage import PATH as LINEAGE
from strata_git.dashboard.pages.lineage import lineage
from strata_git.dashboard.pages.listings import Name, listings, names_of, names_script, search
from strata_git.dashboard.pages.overview import PATH as OVERVIEW
from strata_git.dashboard.pages.overview import overview
from strata_git.dashboard.pages.promotions import promotions
from strata_git.dashboard.reading import Reader
from strata_git.dashboard.snapshot import Picture, Snapshot
from strata_git.index.records import ArtifactRecord

Make = Callable[[], bytes]
Paged = tuple[str, Callable[[], Page]]
TYPES = {
    "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml", "png": "image/png", "jpg": "image/jpeg",
}  # fmt: skip
"""What each of our files is, by its suffix."""
_ASSETS = {STYLE: "strata.css", SCRIPT: "strata.js", ICON: "icon.svg"}


class Site:
    """The site of one state of a repository: `files` maps addresses to what makes their bytes.

    Pictures are known once the page that shows them was made: `pictures` says where to find them.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.snapshot: Snapshot = reader.snapshot
        self.pictures: dict[str, tuple[Picture, ArtifactRecord]] = {}
        self.files: dict[str, Make] = dict(self._files())

    def read(self, address: str, query: str = "") -> bytes | None:
        """The bytes at an address; None where there is nothing. `query` is what the search is for."""
        if address == "search.html" and query:
            return self._document(search(self._names(), query))
        make = self.files.get(address)
        return make() if make else self.picture(address)

    def picture(self, address: str) -> bytes | None:
        """The bytes of a picture that a page made before showed."""
        known = self.pictures.get(address)
        return self._reader.picture(*known) if known else None

    def _files(self) -> Iterator[tuple[str, Make]]:
        for address, name in _ASSETS.items():
            yield address, lambda name=name: asset(name)  # type: ignore[misc]
        yield NAMES, lambda: names_script(self._names())
        for address, make in self._pages():
            yield address, lambda make=make: self._document(make())  # type: ignore[misc]

    def _names(self) -> list[Name]:
        return names_of(self.snapshot)

    def _pages(self) -> list[Paged]:
        snapshot = self.snapshot
        pages: list[Paged] = [
            (OVERVIEW, lambda: overview(snapshot)),
            (LINEAGE, lambda: lineage(snapshot)),
            ("findings.html", lambda: overview_of_findings(snapshot)),
            ("search.html", lambda: search(self._names())),
            *promotions(snapshot),
            *rule_pages(snapshot),
        ]
        for kind in KINDS.values():
            pages += listings(snapshot, kind)
        for (kind, name), records in snapshot.families.items():
            if kind not in ("run", "service"):
                pages.append((family_page(kind, name), lambda k=kind, n=name, r=records[-1]: self._family(k, n, r)))  # type: ignore[misc]
            pages += [(artifact_page(r.artifact), lambda r=r: self._artifact(r)) for r in records]  # type: ignore[misc]
        return pages

    def _document(self, page: Page) -> bytes:
        return document(page, self.snapshot.title)

    def _family(self, kind: str, name: str, latest: ArtifactRecord) -> Page:
        return family(self.snapshot, kind, name, self._reader.detail(latest))

    def _artifact(self, record: ArtifactRecord) -> Page:
        detail = self._reader.detail(record)
        for picture in detail.pictures:
            self.pictures[picture.address] = (picture, detail.record)
        return artifact(self.snapshot, artifact_page(record.artifact), detail)


def asset(name: str) -> bytes:
    """A file that travels with the program."""
    return (Path(__file__).parent / "assets" / name).read_bytes()
