"""The site of several repositories: read from what was fetched of them, nobody is talked to."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

from strata_git.config import Settings
from strata_git.contracts.layout import KINDS
from strata_git.dashboard.addresses import member_page
from strata_git.dashboard.page import Page, document
from strata_git.dashboard.pages.listings import Name, search
from strata_git.dashboard.pages.members import artifact, member
from strata_git.dashboard.pages.together import FOOTER, findings, lineage, listings, names_of, overview, promotions
from strata_git.dashboard.reading import state_of, title_of
from strata_git.dashboard.server import Live
from strata_git.dashboard.site import Paged, Site
from strata_git.dashboard.snapshot import Picture
from strata_git.dashboard.together import Membership, Together, together_of
from strata_git.dashboard.words import counted
from strata_git.errors import StrataError
from strata_git.index.federate import assemble
from strata_git.index.federation import Federation
from strata_git.index.federation_told import federation_document
from strata_git.index.fetching import open_member
from strata_git.index.members import HERE, Member, read_members
from strata_git.index.records import ArtifactRecord
from strata_git.repo.command import Repository


def federation_state(repo: Repository) -> str:
    """A name for all that the pages of a federation depend on: this repository, the list of members, and every
    reference that was fetched of each. Raises StrataError where this repository cannot be asked."""
    told: list[object] = [state_of(repo)]
    for _, known in sorted(read_members(repo).items()):
        told += [asdict(known), _state(repo, known)]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _state(repo: Repository, known: Member) -> str:
    try:
        inner = open_member(repo, known)
        if inner is None:
            return ""
        try:
            head = b""
            with contextlib.suppress(OSError):
                head = (inner.git_dir / "HEAD").read_bytes()
            listed = inner.git("for-each-ref", "--format=%(objectname) %(refname)")
        finally:
            inner.close()
    except StrataError as error:
        return f"damaged: {error.message}"
    return hashlib.sha256(head + b"\0" + listed).hexdigest()


def read_together(repo: Repository, settings: Settings, *, title: str = "") -> Together:
    """This repository and all that was fetched of its members, as the pages need it. Raises StrataError where this
    repository or the list of members cannot be read; what is wrong with a member is told on the pages."""
    known = [each for _, each in sorted(read_members(repo).items())]
    federation = _read_whole(assemble(repo, settings))
    members = [
        Membership(HERE, "", "", None),
        *(Membership(each.name, each.place, each.fetched, None) for each in known),
    ]
    more = f" and {counted(len(known), 'other')}" if known else ""
    return together_of(federation, members, title or title_of(repo) + more)


def _read_whole(federation: Federation) -> Federation:
    """With all that pages show read now, by whoever opened it: later readers may be other threads."""
    return replace(federation, parts=tuple(replace(part, index=replace(part.index)) for part in federation.parts))


class FederatedSite(Site):
    """The site of several repositories in one state; its artifacts lie below `m/NAME/`."""

    def __init__(self, view: Together) -> None:
        self.snapshot = self._view = view
        self.pictures: dict[str, tuple[Picture, ArtifactRecord]] = {}
        self.files = dict(self._files())

    def picture(self, address: str) -> bytes | None:  # noqa: ARG002
        """None: no file of another repository is shown."""
        return None

    def _names(self) -> list[Name]:
        return names_of(self._view)

    def _pages(self) -> list[Paged]:
        view = self._view
        pages: list[Paged] = [
            ("index.html", lambda: overview(view)),
            ("lineage.html", lambda: lineage(view)),
            ("search.html", lambda: search(self._names())),
            *promotions(view),
            *findings(view),
        ]
        for kind in KINDS.values():
            pages += listings(view, kind)
        pages += [(member_page(each.name), lambda each=each: member(view, each)) for each in view.members]  # type: ignore[misc]
        pages += [
            (member_page(found.part.name, found.record.artifact), lambda found=found: artifact(view, found))  # type: ignore[misc]
            for found in view.found.values()
        ]
        return pages

    def _document(self, page: Page) -> bytes:
        return document(page, self.snapshot.title, FOOTER)


@dataclass(slots=True)
class LiveFederation(Live):
    """The site of a federation as it is now; `settings` are those of the repository in which it is asked."""

    settings: Callable[[], Settings] = Settings

    def _now(self) -> str:
        return federation_state(self.repo)

    def made(self) -> Site:
        """The site of all repositories as it is now, read anew."""
        return FederatedSite(read_together(self.repo, self.settings(), title=self.title))

    def _content(self) -> Mapping[str, object]:
        known = [each for _, each in sorted(read_members(self.repo).items())]
        return federation_document(known, assemble(self.repo, self.settings()))
