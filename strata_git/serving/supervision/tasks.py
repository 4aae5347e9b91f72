"""Commands of a project: the tasks that service.yaml names, and its tests. Words, never a line for a shell."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from strata_git.errors import StrataError, UsageError, printable
from strata_git.serving.supervision.places import service_directory

if TYPE_CHECKING:
    from strata_git.serving.project.project import Project

Tell = Callable[[str, Sequence[str]], None]
"""Takes `out` or `err`, and lines."""
PYTHON = "${python}"
"""In the words of a task: the Python that git-strata runs in."""
TESTS = "tests"


def task_words(project: Project, task: str) -> list[str]:
    """The program and its arguments. Raises UsageError where there is no such task."""
    tasks = project.service.tasks
    if task not in tasks:
        from strata_git.contracts.vocabulary import nearest

        near = nearest(task, sorted(tasks))
        known = f"There are: {', '.join(sorted(tasks))}" if tasks else f"{project.path}/service.yaml names none (tasks)"
        raise UsageError(
            f"The service {project.name} has no task '{printable(task)}'.",
            hint=f"Did you mean {near}? {known}" if near else known,
        )
    return [sys.executable if word == PYTHON else word for word in tasks[task].run]


def run_task(project: Project, task: str, *, environ: Mapping[str, str], tell: Tell, more: Sequence[str] = ()) -> int:
    """Run a task in the project's directory, `more` words after its own, and hand on what it says; its exit code
    (128 + the signal that ended it).

    PATH ends with the directory of this Python, so that `pytest` and `ruff` are found beside it. Raises UsageError
    where there is no such task, StrataError where it cannot be started.
    """
    return run_words([*task_words(project, task), *more], project.directory, environ=environ, tell=tell)


def run_words(words: Sequence[str], directory: Path, *, environ: Mapping[str, str], tell: Tell) -> int:
    """Run a program in a directory; see `run_task`. None of its processes is left when this returns."""
    from strata_git.runs.interrupt import signals_as_interruption
    from strata_git.runs.plugins.command_process import run_command

    path = os.pathsep.join((environ.get("PATH", os.defpath), str(Path(sys.executable).parent)))
    with signals_as_interruption():
        ended = run_command(list(words), cwd=directory, env={**environ, "PATH": path}, tell=tell)
    return ended.code if ended.code >= 0 else 128 - ended.code


def has_tests(project: Project) -> bool:
    """Whether the project has tests for pytest."""
    return any((project.directory / TESTS).glob("**/test_*.py"))


def run_tests(project: Project, *, environ: Mapping[str, str], tell: Tell, more: Sequence[str] = ()) -> int:
    """Run the project's own tests by pytest, its code measured by coverage as `build.coverage` says; the exit
    code.

    Raises StrataError where pytest, or pytest-cov when it is asked for, is not installed.
    """
    service_directory(project.root, project.name)  # where the project's settings let coverage write
    return run_words(pytest_words(project, more), project.directory, environ=environ, tell=tell)


def pytest_words(project: Project, more: Sequence[str] = ()) -> list[str]:
    """The command that runs the project's tests."""
    from importlib.util import find_spec

    wanted = project.service.build.coverage
    measured = wanted is not None and project.code is not None
    missing = [
        package for package, module in (("pytest", "pytest"), *([("pytest-cov", "pytest_cov")] if measured else []))
        if find_spec(module) is None
    ]  # fmt: skip
    if missing:
        raise StrataError(
            f"The tests of {project.name} need {' and '.join(missing)}, which is not installed.",
            hint=f"{Path(sys.executable).name} -m pip install {' '.join(missing)}",
        )
    words = [sys.executable, "-m", "pytest", TESTS, "-q", "-p", "no:cacheprovider"]
    if measured and project.code is not None:
        words += [f"--cov={project.code.name}", "--cov-branch", "--cov-report=term-missing:skip-covered"]
        words.append(f"--cov-fail-under={wanted}")
    return [*words, *more]
