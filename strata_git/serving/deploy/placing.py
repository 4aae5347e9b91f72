"""Manifests on the disk, and what they are handed to."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from strata_git.errors import StrataError, printable
from strata_git.serving.deploy import compose, kserve, ray
from strata_git.serving.deploy.rendering import MARK, Rendering

_SOMETIMES = ("poddisruptionbudget.yaml", f"{kserve.CANARY}/kustomization.yaml", f"{kserve.CANARY}/{kserve.FILE}")
"""Files that a target has for some services and not for others."""


@dataclass(frozen=True, slots=True)
class Differences:
    """How a directory differs from what would be written: files that are missing, other, or not written any more."""

    missing: tuple[str, ...]
    other: tuple[str, ...]
    left: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.other or self.left)


def differences(rendering: Rendering, directory: Path) -> Differences:
    """How `directory` differs from `rendering`. What it has beside manifests of ours is nobody's concern."""
    files = rendering.files
    missing = [name for name in files if not (directory / name).is_file()]
    other = [name for name in files if name not in missing and (directory / name).read_bytes() != files[name]]
    left = [name for name in _SOMETIMES if name not in files and _is_ours(directory / name)]
    return Differences(tuple(missing), tuple(other), tuple(left))


def place(rendering: Rendering, directory: Path) -> Differences:
    """Write the files that differ, take away those of ours that are not written any more, and tell which.

    Raises StrataError where a file of somebody else is in the way, or the disk refuses.
    """
    from strata_git.repo.files import unwritable, write_file

    found = differences(rendering, directory)
    for name in rendering.files:
        if (directory / name).parent.is_symlink():
            raise StrataError(f"{printable(str((directory / name).parent))} is a link; nothing was written.")
    for name in found.other:
        if not _is_ours(directory / name):
            raise StrataError(
                f"{printable(str(directory / name))} was not written by git strata service deploy.",
                hint="Name another directory: --out DIR",
            )
    for name in (*found.missing, *found.other):
        target = directory / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(target.parent, error) from None
        write_file(target, rendering.files[name])
    for name in found.left:
        (directory / name).unlink()
    return found


def apply(target: str, directory: Path, environ: Mapping[str, str]) -> tuple[list[str], str]:
    """Hand the manifests in `directory` to what runs them; the command, and what it said.

    kubectl, a compose engine, or Ray's `serve` of the PATH in `environ`, all of which the program gets. Raises
    StrataError where none is there, or it refuses.
    """
    from strata_git.repo.process import run

    command = [*_program(target, directory, environ), *_arguments(target, directory)]
    ended = run(command, directory=directory, env=environ)
    if ended.code:
        raise StrataError(f"{' '.join(command[:3])} failed with exit code {ended.code}: {ended.reason}")
    return command, (ended.out + ended.err).decode(errors="replace").strip()


def _arguments(target: str, directory: Path) -> list[str]:
    if target == "compose":
        return ["--file", str(directory / compose.FILE), "up", "--detach"]
    return ["deploy", str(directory / ray.FILE)] if target == "ray" else ["apply", "-k", str(directory)]


def _program(target: str, directory: Path, environ: Mapping[str, str]) -> list[str]:
    path = environ.get("PATH", "")
    if target != "compose":
        name, hint = ("serve", "pip install 'ray[serve]'") if target == "ray" else ("kubectl", "Install kubectl")
        found = shutil.which(name, path=path)
        if found is None:
            raise StrataError(
                f"{name} is not on PATH; the manifests are in {printable(str(directory))}.",
                hint=f"{hint}, or apply them where it is.",
            )
        return [found]
    from strata_git.repo.process import run

    for words in (["docker", "compose"], ["podman-compose"], ["podman", "compose"]):
        found = shutil.which(words[0], path=path)
        if found is not None and run([found, *words[1:], "version"], directory=directory, env=environ).code == 0:
            return [found, *words[1:]]
    raise StrataError(
        f"No compose engine is on PATH; the manifests are in {printable(str(directory))}.",
        hint="Install docker compose or podman-compose, or use them where one is.",
    )


def _is_ours(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as stream:
        return MARK.encode() in stream.readline(1000)
