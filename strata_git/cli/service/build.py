"""`git strata service build`: a service and its model as an image."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.services import opened, set_option
from strata_git.cli.session import Session
from strata_git.errors import StrataError, UsageError, printable

if TYPE_CHECKING:
    from strata_git.serving.gate import Loaded, Step
    from strata_git.serving.image.context import Context
    from strata_git.serving.image.making import Made
    from strata_git.serving.project.project import Project

_EPOCH = "SOURCE_DATE_EPOCH"


@click.command()
@click.argument("name")
@click.option(
    "--engine", type=click.Choice(["auto", "docker", "podman", "buildah"]),
    help="Which engine builds (default: build.engine; auto: the first that answers).",
)  # fmt: skip
@click.option("--tag", "tags", metavar="IMAGE", multiple=True, help="Name of the image (default: build.image:VERSION).")
@click.option("--base", metavar="IMAGE", help="The image it starts from; with --oci a directory, an OCI image layout.")
@click.option("--model", "reference", metavar="MODEL@VERSION", help="Another version than the service's: for a route.")
@click.option(
    "--oci", "layout", metavar="DIR", type=click.Path(path_type=Path),
    help="Write an OCI image layout instead, without any engine: the bundle alone, or with --base an image.",
)  # fmt: skip
@click.option("--push", is_flag=True, help="Hand the image to its registry afterwards (build.registry).")
@click.option("--dry-run", is_flag=True, help="Judge and check everything, print the Containerfile, build nothing.")
@click.option("--no-checks", is_flag=True, help="Leave out build.checks and build.coverage.")
@click.option("--no-cache", is_flag=True, help="Use nothing that earlier builds left.")
@set_option
@format_option
@click.pass_obj
def command(
    session: Session,
    name: str,
    engine: str | None,
    tags: tuple[str, ...],
    base: str | None,
    reference: str | None,
    layout: Path | None,
    push: bool,
    dry_run: bool,
    no_checks: bool,
    no_cache: bool,
    overrides: tuple[str, ...],
    style: str,
) -> int:
    """Make an image that answers with the service's model: one image, for the api-service and the model-service.

    The model passes the gate first, then the tasks of build.checks and the coverage that build.coverage asks for must
    pass. The same commit, packages and base give the same image. Exit code 2 where gate or checks refuse.
    """
    from strata_git.serving.image.making import Wanted, make, tags_of

    _require_serve()
    if push and (layout is not None or dry_run):
        raise UsageError("--push needs an image that an engine has built.")
    project = opened(session, name, overrides)
    loaded = _gated(session, project, reference)
    if not no_checks and not _checked(session, project):
        return 2
    wanted = Wanted(
        engine=engine or project.service.build.engine, tags=tags_of(project, loaded, tags), base=base or "",
        layout=_absolute(session, layout), fresh=no_cache, dry_run=dry_run, epoch=_epoch(session),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="strata-build-") as place:
        made = make(
            Path(place), session.repository(), loaded, project, wanted, environ=session.environ, tell=_said
        )  # fmt: skip
        for text in made.context.notes:
            note(text)
        _tell(project, made, style, pushed=_pushed(session, project, made) if push else "", dry_run=dry_run)
    return 0


def _require_serve() -> None:
    from importlib.util import find_spec

    from strata_git.errors import MissingExtra

    if any(find_spec(module) is None for module in ("fastapi", "grpc", "uvicorn")):
        raise MissingExtra("serve", "An image of a service")


def _gated(session: Session, project: Project, reference: str | None) -> Loaded:
    from strata_git.serving.gate import open_model
    from strata_git.serving.project.project import demands

    def told(step: Step) -> None:
        note(f"{step.verdict:8} {step.name}{f': {step.message}' if step.message else ''}")

    return open_model(
        session.repository(), session.settings(), reference or project.service.model, demands=demands(project),
        progress=told,
    )  # fmt: skip


def _checked(session: Session, project: Project) -> bool:
    """Whether everything passes that must before an image is made."""
    from strata_git.serving.image.checks import run_checks

    failed = False
    for check in run_checks(project, environ=session.environ, tell=lambda _, lines: _said(*lines)):
        note(f"{check.verdict:8} {check.name}{f': {check.message}' if check.message else ''}",
             "error" if check.verdict == "failed" else "info")  # fmt: skip
        failed = failed or check.verdict == "failed"
    if failed:
        note("no image was made: what must pass before does not (build.checks, build.coverage)", "error")
    return not failed


def _said(*lines: str) -> None:
    for line in lines:
        note(f"  {printable(line)}")


def _epoch(session: Session) -> int | None:
    said = session.environ.get(_EPOCH)
    if said is None:
        return None
    if not (said.isascii() and said.isdigit() and len(said) < 12):
        raise UsageError(f"{_EPOCH} is no time in seconds since 1970.")
    return int(said)


def _absolute(session: Session, path: Path | None) -> Path | None:
    return None if path is None else Path(os.path.normpath(session.cwd / path))


def _pushed(session: Session, project: Project, made: Made) -> str:
    """The digest under which the registry has the image."""
    from strata_git.serving.image.engines import push

    if made.engine is None:
        raise StrataError("There is no image to push.")
    registry = project.service.build.registry
    name, word = (registry.username, _secret(session, registry.password)) if registry else ("", "")
    digests = [push(made.engine, tag, tell=_said, username=name, password=word) for tag in made.tags]
    return digests[0]


def _secret(session: Session, text: str) -> str:
    """What `${secret:NAME}` means: kept where strata.yaml says, masked in all that is shown from now on."""
    from strata_git.cli.pipelines import configured, secrets_of

    root, settings = configured(session)
    return secrets_of(session, root, settings).fill(text)


def _tell(project: Project, made: Made, style: str, *, pushed: str, dry_run: bool) -> None:
    from strata_git.serving.image.containerfile import render
    from strata_git.serving.image.context import summary

    context: Context = made.context
    if style == "json":
        told: dict[str, Any] = {
            "schema": "strata/image/v1", "service": project.name, "image": made.image, "tags": list(made.tags),
            "engine": made.engine.name if made.engine else "", "layout": str(made.layout or ""), "pushed": pushed,
            **summary(context),
        }  # fmt: skip
        out_json(told | ({"containerfile": render(context.recipe)} if dry_run else {}))
        return
    if dry_run:
        out(render(context.recipe).rstrip("\n"))
        return
    out(made.image)
    if made.layout is not None:
        note(f"{made.layout} holds {'an image' if made.whole else 'the bundle as an artifact'} (OCI image layout)")
        return
    _next(project, made.tags, pushed)


def _next(project: Project, tags: Sequence[str], pushed: str) -> None:
    for tag in tags:
        note(f"built {tag}")
    if pushed:
        note(f"pushed {tags[0]} as {pushed}")
        name = tags[0].rpartition(":")[0] if ":" in tags[0].rpartition("/")[2] else tags[0]
        note(f"next: git strata service deploy {project.name} --target kustomize --image {name}@{pushed}")
    else:
        note(f"next: git strata service run {project.name} --mode compose")
