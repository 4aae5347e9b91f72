"""The image of what the ledger names now, on this machine: found, or built where it is not here."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from strata_git.serving.bundle import read_source, write_bundle
from strata_git.serving.image.context import CONTENTS, contents
from strata_git.serving.image.engines import Engine, image_id
from strata_git.serving.image.making import Wanted, make, tags_of
from strata_git.serving.loading import close_model
from strata_git.serving.provenance import Provenance

if TYPE_CHECKING:
    from strata_git.serving.project.project import Project

Say = Callable[[str, str], None]
"""Takes a level and a line of the log."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is here, of the version that the ledger named, by which event, and the gate's verdicts."""

    id: str
    provenance: Provenance
    event: str
    steps: tuple[tuple[str, str, str], ...]


def prepared(project: Project, engine: Engine, environ: Mapping[str, str], overrides: Sequence[str], say: Say) -> Image:
    """The image; the model passes the gate first, and the service is read anew.

    One that is here is taken where its bundle, program and packages are those that a build would bring now. Raises
    gate.NotServed where the gate refuses, StrataError where it cannot be built.
    """
    from strata_git.repo.command import Repository
    from strata_git.serving.gate import open_model
    from strata_git.serving.project.project import demands, open_project
    from strata_git.serving.supervision.watch import read_settings

    repo = Repository.discover(project.root, environ)
    with contextlib.closing(repo), tempfile.TemporaryDirectory(prefix="strata-build-") as place:
        project = open_project(repo, project.name, environ=environ, overrides=overrides)
        loaded = open_model(repo, read_settings(repo), project.service.model, demands=demands(project))
        close_model(loaded.model)
        tags = tags_of(project, loaded, ())
        bundle = write_bundle(Path(place) / "bundle", loaded, project, read_source(repo, loaded))
        found = image_id(engine, tags[0], labels={"strata.bundle": bundle, CONTENTS: contents(project, loaded)})
        if not found:
            say("info", f"{tags[0]} is built by {engine.name}")
            context = Path(place) / "context"
            context.mkdir()
            wanted = Wanted(engine=engine.name, tags=tags)
            found = make(
                context, repo, loaded, project, wanted, environ=environ, tell=lambda text: say("debug", text)
            ).image  # fmt: skip
    steps = tuple((step.name, step.verdict, step.message) for step in loaded.steps)
    return Image(found, loaded.provenance, loaded.event, steps)
