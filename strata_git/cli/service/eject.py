"""`git strata service eject`: a service as a project of its own, for those who want to own all of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.services import opened, require_serving
from strata_git.cli.session import Session
from strata_git.errors import StrataError

if TYPE_CHECKING:
    from strata_git.serving.gate import Loaded
    from strata_git.serving.own_code import OwnCode
    from strata_git.serving.project.project import Project


@click.command()
@click.argument("name")
@click.option(
    "--out", "directory", metavar="DIR", type=click.Path(path_type=Path),
    help="Where it goes (default: services/NAME/ejected); nothing there is overwritten.",
)  # fmt: skip
@format_option
@click.pass_obj
def command(session: Session, name: str, directory: Path | None, style: str) -> None:
    """Write a service out as a project of its own: api-service, model-service, model-interface, containers, tests.

    Nothing in it needs git-strata. The model passes the gate first and comes along; later promotions do not arrive
    there.
    """
    from strata_git.serving.bundle import read_source
    from strata_git.serving.eject.tree import DIRECTORY, ejected_files, write_ejected
    from strata_git.serving.gate import open_model
    from strata_git.serving.loading import close_model
    from strata_git.serving.project.project import demands

    require_serving("Ejecting a service")
    repo, project = session.repository(), opened(session, name)
    loaded = open_model(repo, session.settings(), project.service.model, demands=demands(project))
    close_model(loaded.model)
    release = read_source(repo, loaded).release
    trusted = tuple(release.model_metadata().get("trusted_types") or ())
    code = _tried_code(project, loaded)
    names = release.sums if code is not None and code.loads else (loaded.provenance.file,)
    model = {name: release.read(name) for name in names}
    files = ejected_files(project, loaded, model, code=code, trusted_types=trusted)
    place = project.directory / DIRECTORY if directory is None else Path(os.path.normpath(session.cwd / directory))
    write_ejected(files, place)
    if style == "json":
        out_json({
            "schema": "strata/eject/v1", "service": project.name, "model": loaded.provenance.reference,
            "directory": str(place), "files": list(files),
        })  # fmt: skip
        return
    for one in files:
        out(f"wrote  {one}")
    note(f"in {place}; its README.md says how to run it, and pytest tests tries both services")


def _tried_code(project: Project, loaded: Loaded) -> OwnCode | None:
    """The service's own code, if it is still what the model was tried with."""
    from strata_git.serving.project.project import CODE, own_code

    code = own_code(project)
    if (code.digest if code is not None else "") != loaded.provenance.code:
        raise StrataError(f"{project.path}/{CODE} is not any more what the model was tried with.", hint="Try again.")
    return code
