"""`git strata service deploy`: the manifests of a service for what is to run it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.services import opened, require_serving, set_option
from strata_git.cli.session import Session
from strata_git.errors import StrataError, UsageError, printable

if TYPE_CHECKING:
    from strata_git.serving.deploy.manifest import Deployment
    from strata_git.serving.deploy.placing import Differences
    from strata_git.serving.project.project import Project

_TARGETS = ("compose", "kustomize", "kserve", "ray")


@click.command()
@click.argument("name")
@click.option("--target", type=click.Choice(_TARGETS), required=True, help="What is to run the service.")
@click.option("--image", metavar="IMAGE", required=True, help="Its image: NAME@sha256:…, as `service build` tells it.")
@click.option(
    "--route-image", "routed", metavar="MODEL@VERSION=IMAGE", multiple=True, help="The image of a canary or shadow."
)
@click.option("--allow-tag", is_flag=True, help="Take an image by its tag, whatever that may mean tomorrow.")
@click.option(
    "--out", "directory", metavar="DIR", type=click.Path(path_type=Path),
    help="Where the manifests go (default: services/NAME/deploy/TARGET).",
)  # fmt: skip
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 where the directory's manifests differ.")
@click.option("--apply", "applied", is_flag=True, help="Hand them to kubectl, the compose engine or Ray afterwards.")
@set_option
@format_option
@click.pass_obj
def command(
    session: Session,
    name: str,
    target: str,
    image: str,
    routed: tuple[str, ...],
    allow_tag: bool,
    directory: Path | None,
    check: bool,
    applied: bool,
    overrides: tuple[str, ...],
    style: str,
) -> None:
    """Write manifests for compose, a cluster (kustomize, KServe) or Ray, judged by real schemas before.

    The model passes the gate first; its version, digest and commit are told in labels and annotations. Shares of
    canaries and shadows are those of routes in service.yaml.
    """
    from strata_git.serving.deploy.placing import differences, place
    from strata_git.serving.deploy.rendering import render
    from strata_git.serving.deploy.schemas import complaints

    require_serving("Deploying a service")
    if check and applied:
        raise UsageError("--check writes nothing, and there is nothing to --apply.")
    project, deployment = _described(session, name, image, routed, overrides, allow_tag=allow_tag)
    rendering = render(target, deployment)
    wrong = complaints(rendering)
    place_ = _directory(session, project, target, directory)
    told: dict[str, object] = {
        "schema": "strata/deploy/v1", "service": project.name, "target": target, "directory": str(place_),
        "model": deployment.provenance.reference, "image": deployment.image, "files": list(rendering.files),
        "notes": list(rendering.notes), "complaints": wrong,
    }  # fmt: skip
    if wrong:
        _refuse(told, wrong, style)
    found = differences(rendering, place_) if check else place(rendering, place_)
    told["changed"] = sorted([*found.missing, *found.other, *found.left])
    if applied:
        told["applied"], told["said"] = _hand_over(session, target, place_)
    if style == "json":
        out_json(told)
    else:
        _tell(told, found, check=check, notes=rendering.notes)
    if check and found:
        raise click.exceptions.Exit(1)


def _described(
    session: Session, name: str, image: str, routed: tuple[str, ...], overrides: tuple[str, ...], *, allow_tag: bool
) -> tuple[Project, Deployment]:
    from strata_git.serving.deploy.images import pinned
    from strata_git.serving.deploy.manifest import described
    from strata_git.serving.gate import open_model
    from strata_git.serving.loading import close_model
    from strata_git.serving.project.project import demands

    project = opened(session, name, overrides)
    repository = project.service.build.image or ""
    own = pinned(image, repository=repository, allow_tag=allow_tag)
    others = {}
    for said in routed:
        reference, separator, its = said.partition("=")
        if not separator or reference in others:
            raise UsageError(f"--route-image {printable(said)}: say each MODEL@VERSION=IMAGE once.")
        others[reference] = pinned(its, repository=repository, allow_tag=allow_tag)
    loaded = open_model(session.repository(), session.settings(), project.service.model, demands=demands(project))
    close_model(loaded.model)
    return project, described(project.service, loaded.provenance, own, routed=others)


def _directory(session: Session, project: Project, target: str, said: Path | None) -> Path:
    if said is not None:
        return Path(os.path.normpath(session.cwd / said))
    place = project.directory / "deploy" / target
    if not place.resolve().is_relative_to(project.directory.resolve()):
        raise StrataError(f"{printable(str(place))} leads out of the service's directory.")
    return place


def _refuse(told: dict[str, object], wrong: list[str], style: str) -> None:
    if style == "json":
        out_json(told)
    for line in wrong:
        note(line, "error")
    note("nothing was written: the manifests are not what their readers take", "error")
    raise click.exceptions.Exit(2)


def _hand_over(session: Session, target: str, place: Path) -> tuple[list[str], str]:
    from strata_git.serving.deploy.placing import apply

    return apply(target, place, session.environ)


def _tell(told: dict[str, object], found: Differences, *, check: bool, notes: tuple[str, ...]) -> None:
    for name in found.missing:
        out(f"{'missing' if check else 'wrote'}  {name}")
    for name in found.other:
        out(f"{'differs' if check else 'wrote'}  {name}")
    for name in found.left:
        out(f"{'left over' if check else 'took away'}  {name}")
    if not found:
        out(f"{told['directory']} is up to date")
    elif not check:
        note(f"in {told['directory']}, for {told['model']}; every file was judged by its reader's schema")
    for line in notes:
        note(line)
    if said := told.get("said"):
        out(str(said))
