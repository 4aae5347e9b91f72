"""From a model that passed the gate to an image: its context is written, an engine (or none) makes the image of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from strata_git.errors import StrataError, UsageError, printable
from strata_git.serving.image import engines
from strata_git.serving.image.containerfile import INSTALLED
from strata_git.serving.image.context import Context, write_context
from strata_git.serving.image.entry import API, BUNDLE, ENVIRONMENT, PACKAGES, PORT, USER, VARIABLE, api_arguments
from strata_git.serving.image.layout import Layer, is_layout, write_artifact, write_image

if TYPE_CHECKING:
    from strata_git.repo.command import Repository
    from strata_git.serving.gate import Loaded
    from strata_git.serving.project.project import Project


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: the `engine`, or a directory for a `layout`; the image's names; the `base` (`""`: what the
    service says). `fresh` uses no earlier build, `dry_run` makes no image, `epoch` is when it is said to be made."""

    engine: str = "auto"
    tags: Sequence[str] = ()
    base: str = ""
    layout: Path | None = None
    fresh: bool = False
    dry_run: bool = False
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What was made: the id (of a layout: its manifest's digest; `""`: nothing), its names, by which engine or where.

    `whole` is False for a layout that holds no more than the bundle.
    """

    context: Context
    image: str = ""
    tags: tuple[str, ...] = ()
    engine: engines.Engine | None = None
    layout: Path | None = None
    whole: bool = True


def tags_of(project: Project, loaded: Loaded, said: Sequence[str]) -> tuple[str, ...]:
    """The image's names: those that are said, else build.image (or the service's name) with the model's version.

    Raises UsageError for what is no name of an image.
    """
    from strata_git.contracts.service import IMAGE

    name = project.service.build.image or project.name
    has_tag = ":" in name.rpartition("/")[2]
    tags = tuple(said) or (name if has_tag else f"{name}:{loaded.provenance.version}",)
    for tag in tags:
        before, _, last = tag.rpartition("/")
        repository = f"{before}/{last.partition(':')[0]}"
        if not IMAGE.fullmatch(tag) or "@" in tag or repository != repository.lower():
            raise UsageError(f"'{printable(tag)}' is not the name of an image.", hint="For example example/churn:v3")
    return tags


def make(
    place: Path, repo: Repository, loaded: Loaded, project: Project, wanted: Wanted, *,
    environ: Mapping[str, str], tell: engines.Tell,
) -> Made:  # fmt: skip
    """Write the context into the empty directory `place`, and make the image of it.

    Raises StrataError: no engine is here, packages are missing, or the engine fails.
    """
    if wanted.layout is not None:
        return _in_layout(place, repo, loaded, project, wanted)
    from strata_git.contracts.service import IMAGE

    if wanted.base and not IMAGE.fullmatch(wanted.base):
        raise UsageError(f"--base: '{printable(wanted.base)}' is not the name of an image.")
    engine = None if wanted.dry_run else engines.find_engine(wanted.engine, environ)
    context = write_context(place, repo, loaded, project, base=wanted.base, epoch=wanted.epoch)
    if engine is None:
        return Made(context)
    isolation = environ.get("BUILDAH_ISOLATION", "")
    image = engines.build(engine, context, wanted.tags, tell=tell, fresh=wanted.fresh, isolation=isolation)
    return Made(context, image, tuple(wanted.tags), engine)


def _in_layout(place: Path, repo: Repository, loaded: Loaded, project: Project, wanted: Wanted) -> Made:
    """Without an engine: nothing can be run, so packages are taken as they are installed."""
    base = Path(wanted.base) if wanted.base else None
    if base is not None and not is_layout(base):
        raise StrataError(
            f"{printable(wanted.base)} is no OCI image layout.",
            hint="Make one: skopeo copy docker://NAME oci:DIR (only without --oci may --base be a name)",
        )
    build = project.service.build.model_copy(update={"packages": INSTALLED})
    service = project.service.model_copy(update={"build": build})
    context = write_context(
        place, repo, loaded, replace(project, service=service), base=str(base or ""), epoch=wanted.epoch,
        bare=base is None,
    )  # fmt: skip
    assert wanted.layout is not None  # noqa: S101 - the caller asked
    if wanted.dry_run:
        return Made(context)
    labels, name = context.recipe.labels, wanted.tags[0]
    if base is None:
        image = write_artifact(wanted.layout, place / "bundle", name=name, labels=labels, epoch=context.epoch)
        return Made(context, image, tuple(wanted.tags), layout=wanted.layout, whole=False)
    layers = [
        Layer(place / "packages", PACKAGES, "packages"), Layer(place / "program", PACKAGES, "program"),
        Layer(place / "bundle", BUNDLE, "bundle"),
    ]  # fmt: skip
    config: dict[str, object] = {
        "User": f"{USER}:{USER}", "Env": {**ENVIRONMENT, VARIABLE: context.bundle}, "Entrypoint": list(API),
        "Cmd": api_arguments(model=""), "WorkingDir": BUNDLE,
        "ExposedPorts": {f"{PORT}/tcp": {}}, "StopSignal": "SIGTERM",
    }  # fmt: skip
    image = write_image(wanted.layout, base, layers, name=name, config=config, labels=labels, epoch=context.epoch)
    return Made(context, image, tuple(wanted.tags), layout=wanted.layout)
