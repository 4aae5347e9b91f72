"""The build context of a service's image: a private directory with everything that goes into it, and nothing else."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from strata_git.canonical import canonical_json
from strata_git.errors import StrataError, printable
from strata_git.resources import folder
from strata_git.serving.bundle import read_source, write_bundle
from strata_git.serving.image import packages as packages_
from strata_git.serving.image.containerfile import (
    INSTALLED,
    NAME,
    WHEELHOUSE,
    Recipe,
    default_base,
    labels_of,
    render,
)
from strata_git.serving.project.project import CODE
from strata_git.serving.r.packages import FILE as R_FILE
from strata_git.serving.r.packages import SYSTEM, debian_packages

if TYPE_CHECKING:
    from strata_git.repo.command import Repository
    from strata_git.serving.gate import Loaded
    from strata_git.serving.project.project import Project

PROGRAM = "strata_git"
CONTENTS = "strata.contents"
"""The label with `contents`."""
_UNPACKED = {"__pycache__", "_hooks", "_templates", "_tfc", "_requirements"}
LOCKED = "service.txt"
"""Our list of exact versions with hashes."""


@dataclass(frozen=True, slots=True)
class Context:
    """A context that was written.

    `directory` holds the Containerfile and what it copies, `epoch` (Unix time) is when all of it is said to have been
    made, `bundle` the bundle's digest. `notes` are what whoever builds should know.
    """

    directory: Path
    recipe: Recipe
    epoch: int
    bundle: str
    packages: tuple[packages_.Package, ...]
    notes: tuple[str, ...] = ()


def write_context(
    directory: Path, repo: Repository, loaded: Loaded, project: Project, *, base: str = "", epoch: int | None = None,
    bare: bool = False,
) -> Context:  # fmt: skip
    """Write the context of `project` with a model that passed the gate into the empty `directory`.

    `base` is the image it starts from (`""`: what the service says), `epoch` when it is said to have been made (None:
    when the commit was that HEAD stands on), `bare` leaves out all but the bundle. The same repository, service and
    installed packages give the same bytes. Raises StrataError for packages that are not there, and where the disk
    refuses.
    """
    said = project.service.build
    source = read_source(repo, loaded)
    moment = _committed(repo, project.commit) if epoch is None else epoch
    digest = write_bundle(directory / "bundle", loaded, project, source)
    needed = () if bare else needed_for(project, loaded)
    with_hashes, notes = (False, ()) if bare else _written_packages(directory, needed, project)
    if not bare:
        copied(_program(), directory / "program" / PROGRAM)
    labels = labels_of(
        loaded.provenance, service=project.name, bundle=digest, commit=project.commit,
        created=datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        description=project.service.description or "",
    ) | ({} if bare else {CONTENTS: contents(project, loaded, base=base)})  # fmt: skip
    recipe = Recipe(
        base=base or said.base or default_base(sys.version_info.minor), packages=said.packages, labels=labels,
        bundle=digest, with_hashes=with_hashes, system=_system(project),
        arguments=dict(said.args),
    )  # fmt: skip
    (directory / NAME).write_text(render(recipe))
    (directory / ".dockerignore").write_text(f"*\n!{NAME}\n!bundle\n!packages\n!program\n!requirements.txt\n!wheels\n")
    settled(directory, moment)
    return Context(directory, recipe, moment, digest, needed, notes)


def needed_for(project: Project, loaded: Loaded) -> tuple[packages_.Package, ...]:
    """The packages that an image of the service needs. Raises StrataError for one that is not installed here."""
    format_ = loaded.provenance.format if project.service.lang == "python" else ""
    return packages_.needed(format_=format_, own=_own(project))


def contents(project: Project, loaded: Loaded, *, base: str = "") -> str:
    """What an image holds beside its bundle, as one digest: this program, the packages, the base it starts from."""
    said = project.service.build
    program = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in _program()}
    told = {
        "program": program, "packages": [one.pin for one in needed_for(project, loaded)], "from": said.packages,
        "base": base or said.base or default_base(sys.version_info.minor), "arguments": dict(said.args),
    }  # fmt: skip
    return f"sha256:{hashlib.sha256(canonical_json(told)).hexdigest()}"


def settled(directory: Path, epoch: int) -> None:
    """Give all files below the modes and times that do not depend on who wrote them when."""
    for place, _, names in os.walk(directory, topdown=False):
        for name in names:
            os.chmod(os.path.join(place, name), 0o644)
            os.utime(os.path.join(place, name), (epoch, epoch))
        os.chmod(place, 0o755)  # noqa: S103 - a private directory is around it
        os.utime(place, (epoch, epoch))
    os.chmod(directory, 0o700)


def copied(files: Iterable[tuple[str, Path]], directory: Path) -> None:
    """Copy files (path below `directory`, where each lies). Links become what they lead to."""
    made: set[Path] = set()
    for name, place in files:
        target = directory / name
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        shutil.copyfile(place, target)


def _written_packages(
    directory: Path, needed: tuple[packages_.Package, ...], project: Project
) -> tuple[bool, tuple[str, ...]]:
    """Whether their list has hashes, and what is worth a word."""
    said = project.service.build
    if said.packages == INSTALLED:
        copied(packages_.installed_files(needed), directory / "packages")
        return False, (f"The base image needs Python 3.{sys.version_info.minor}, as it is here.",)
    if said.packages == WHEELHOUSE:
        place = project.directory / said.wheelhouse
        if not place.is_dir():
            raise StrataError(f"{printable(project.path)}/{said.wheelhouse} is no directory of wheels.",
                              hint=f"pip download --only-binary :all: -d {said.wheelhouse} …")  # fmt: skip
        text, files = packages_.from_wheels(needed, place)
        copied(((file.name, file) for file in files), directory / "wheels")
        (directory / "requirements.txt").write_text(text)
        return True, ()
    text, with_hashes = packages_.hashed(needed, *_locks(project))
    (directory / "requirements.txt").write_text(text)
    note = "The list of packages has exact versions, but not for all of them hashes that are known here."
    return with_hashes, () if with_hashes else (note,)


def _locks(project: Project) -> list[str]:
    """Lists with hashes: ours, and that of the service's own code."""
    places = [folder("requirements") / LOCKED, project.directory / CODE / "requirements.txt"]
    return [_text(place) for place in places if place.is_file() and not place.is_symlink()]


def _text(place: Path) -> str:
    try:
        return place.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise StrataError(f"{printable(str(place))} cannot be read as text (UTF-8).") from None


def _own(project: Project) -> tuple[str, ...]:
    place = project.directory / CODE / "requirements.txt"
    if project.code is None or place.is_symlink() or not place.is_file():
        return ()
    return packages_.requirements_of(_text(place))


def _system(project: Project) -> tuple[str, ...]:
    """Debian packages: R and what its service needs, those of packages.txt."""
    if project.service.lang != "r":
        return ()
    place = project.directory / CODE / R_FILE
    said = "" if place.is_symlink() or not place.is_file() else _text(place)
    return (*SYSTEM, *debian_packages(said, f"{project.path}/{CODE}/{R_FILE}"))


def _program() -> Iterator[tuple[str, Path]]:
    """This package, as it is installed, without what only people and Git read."""
    package = Path(__file__).parents[2]
    for place, folders, names in os.walk(package):
        folders[:] = sorted(one for one in folders if one not in _UNPACKED)
        for name in sorted(names):
            path = Path(place) / name
            yield path.relative_to(package).as_posix(), path


def _committed(repo: Repository, commit: str) -> int:
    """When a commit was made (Unix time); 0 where there is none."""
    return int(repo.git("show", "--no-patch", "--format=%ct", "--end-of-options", commit)) if commit else 0


def summary(context: Context) -> Mapping[str, object]:
    """What a context is, as JSON."""
    recipe = context.recipe
    return {
        "base": recipe.base, "packages": [one.pin for one in context.packages], "packages_from": recipe.packages,
        "hashes": recipe.with_hashes, "bundle": context.bundle, "epoch": context.epoch, "labels": dict(recipe.labels),
    }  # fmt: skip
