"""A service's tests in its own image: golden predictions and the project's tests, with what will run elsewhere.

pytest is not in the image. It is lent for the time of the tests, as it is installed here, read-only, as the project is.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from strata_git.errors import StrataError
from strata_git.serving.image import packages
from strata_git.serving.image.context import copied
from strata_git.serving.image.engines import Engine
from strata_git.serving.image.entry import PACKAGES, ROOT, USER
from strata_git.serving.supervision.tasks import TESTS, Tell, has_tests

if TYPE_CHECKING:
    from strata_git.serving.project.project import Project

PROJECT, TOOLS = f"{ROOT}/project", f"{ROOT}/tools"
TRIAL = ("-m", "strata_git.serving.image")


def run_in_image(
    project: Project, engine: Engine, image: str, *, environ: Mapping[str, str], tell: Tell, more: Sequence[str] = ()
) -> int:
    """Golden predictions, then the project's tests (`more` words go to pytest), each in a container without a network;
    the exit code of the first that fails, else 0.

    Raises StrataError where pytest is not installed here, or the engine cannot be started.
    """
    code = _run(engine, _words(engine, image, {}, TRIAL), environ, tell)
    if code != 0 or not has_tests(project):
        return code
    with tempfile.TemporaryDirectory(prefix="strata-test-") as place:
        tools = Path(place) / "tools"
        try:
            lent = packages.needed_by("pytest")
        except StrataError as error:
            raise StrataError(f"The tests of {project.name} need pytest.", hint=error.hint) from None
        copied(packages.installed_files(lent), tools)
        tools.chmod(0o755)
        words = ["-m", "pytest", TESTS, "-q", "-p", "no:cacheprovider", *more]
        mounts = {tools: TOOLS, project.directory: PROJECT}
        return _run(engine, _words(engine, image, mounts, words), environ, tell)


def _words(engine: Engine, image: str, mounts: Mapping[Path, str], words: Sequence[str]) -> list[str]:
    volumes = [part for place, target in mounts.items() for part in ("--volume", f"{place}:{target}:ro,z")]
    inside = ["--workdir", PROJECT, "--env", f"PYTHONPATH={PACKAGES}:{TOOLS}"] if mounts else []
    return [
        engine.program, "run", "--rm", "--network", "none", "--read-only", "--cap-drop", "all", "--security-opt",
        "no-new-privileges", "--user", f"{USER}:{USER}", "--tmpfs", "/tmp:rw,size=64m,mode=1777",  # noqa: S108
        "--no-healthcheck", *volumes, *inside, "--entrypoint", "python3", image, *words,
    ]  # fmt: skip


def _run(engine: Engine, words: Sequence[str], environ: Mapping[str, str], tell: Tell) -> int:
    from strata_git.runs.plugins.command_process import run_command

    return run_command(words, cwd=Path("/"), env={**environ, **engine.environ}, tell=tell).code
