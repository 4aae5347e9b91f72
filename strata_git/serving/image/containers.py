"""How a version comes to answer in containers: its image is found or built, and a pair of containers made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from strata_git.serving.image.pair import Pair, start_pair
from strata_git.serving.image.prepared import Image, Say, prepared
from strata_git.serving.supervision.opening import Opened, in_daemon

if TYPE_CHECKING:
    from strata_git.serving.image.engines import Engine
    from strata_git.serving.project.project import Project
    from strata_git.serving.provenance import Provenance


@dataclass(frozen=True, slots=True)
class Containers:
    """Both containers of a version, running."""

    pair: Pair
    provenance: Provenance


class InContainers:
    """See `supervision.opening.Opener`. `first` is the image that is taken the first time."""

    def __init__(
        self, project: Project, engine: Engine, environ: Mapping[str, str], overrides: Sequence[str], say: Say,
        sockets: Path, first: Image | None = None,
    ) -> None:  # fmt: skip
        self._project, self._engine = project, engine
        self._environ, self._overrides, self._say = environ, overrides, say
        self._sockets = sockets
        self._first = first

    async def open(self, reference: str, *, tried: bool) -> Opened[Containers]:  # noqa: ARG002 - see below
        """See `Opener`. There is one reference, that of the service; the new containers are the trial."""
        image, self._first = self._first, None
        if image is None:
            image = await in_daemon(self._prepared)
        pair = await start_pair(
            self._engine, image.id, self._project.name, self._sockets, resources=self._project.service.resources,
            log=lambda text: self._say("info", text),
        )  # fmt: skip
        self._say("info", f"{image.provenance.reference} is in containers of {image.id[7:19]}")
        return Opened(Containers(pair, image.provenance), image.event, image.steps)

    def _prepared(self) -> Image:
        return prepared(self._project, self._engine, self._environ, self._overrides, self._say)
