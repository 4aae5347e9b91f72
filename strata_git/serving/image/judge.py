"""How a service's image would be made, as `service check` sees it: settings, packages, and the Containerfile itself."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from strata_git.errors import StrataError, printable
from strata_git.repo.process import run_within
from strata_git.serving.checked import Subject, Verdict
from strata_git.serving.image.containerfile import WHEELHOUSE, Recipe, default_base, render
from strata_git.serving.image.context import needed_for
from strata_git.serving.image.lint import judge_build

CHECK = "image"
LINTER = "hadolint"
_SECONDS = 20.0


def judge(subject: Subject) -> Iterator[Verdict]:
    """What is wrong with the settings of build, packages that an image would lack, and what hadolint says of the
    Containerfile where it is installed."""
    build, project = subject.project.service.build, subject.project
    for one in judge_build(build):
        yield Verdict(CHECK, one.severity, f"{one.key}: {one.message}", one.fix)
    if build.packages == WHEELHOUSE and not (project.directory / build.wheelhouse).is_dir():
        yield Verdict(CHECK, "warning", f"build.wheelhouse: there is no {project.path}/{build.wheelhouse}")
    if subject.loaded is not None:
        try:
            needed_for(project, subject.loaded)
        except StrataError as error:
            yield Verdict(CHECK, "warning", error.message, error.hint)
    recipe = Recipe(
        base=build.base or default_base(sys.version_info.minor), packages=build.packages, bundle="sha256:0",
        labels={"strata.service": project.name}, arguments=dict(build.args),
    )  # fmt: skip
    yield from _linted(render(recipe), subject)


def _linted(text: str, subject: Subject) -> Iterator[Verdict]:
    """Each line of hadolint's, `-:3 DL3006 warning: ...`; nothing where it is not installed."""
    program = shutil.which(LINTER, path=subject.environ.get("PATH"))
    if program is None:
        return
    try:
        done = run_within(
            [program, "--no-color", "--no-fail", "-"], directory=Path("/"), env=subject.environ, seconds=_SECONDS,
            most=1 << 20, input=text.encode(),
        )  # fmt: skip
    except StrataError:
        return
    for line in done.out.decode(errors="replace").splitlines():
        if line.strip():
            yield Verdict(CHECK, "warning", f"Containerfile{printable(line.strip()).removeprefix('-')}")
