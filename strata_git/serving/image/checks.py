"""What must pass before an image is made: the tasks that `build.checks` names, and the coverage of own code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from strata_git.errors import StrataError
from strata_git.serving.supervision.tasks import Tell, has_tests, run_task, run_tests

if TYPE_CHECKING:
    from strata_git.serving.project.project import Project

COVERAGE = "coverage"


@dataclass(frozen=True, slots=True)
class Check:
    """One check's verdict, and why."""

    name: str
    verdict: Literal["passed", "failed", "skipped"]
    message: str = ""


def run_checks(project: Project, *, environ: Mapping[str, str], tell: Tell) -> Iterator[Check]:
    """Each check once it has ended; what the programs say goes to `tell`. The first that fails is the last."""
    for task in project.service.build.checks:
        check = _task(project, task, environ, tell)
        yield check
        if check.verdict == "failed":
            return
    if project.service.build.coverage is not None:
        yield _coverage(project, environ, tell)


def _task(project: Project, task: str, environ: Mapping[str, str], tell: Tell) -> Check:
    try:
        code = run_task(project, task, environ=environ, tell=tell)
    except StrataError as error:
        return Check(task, "failed", error.message)
    return Check(task, "passed") if code == 0 else Check(task, "failed", f"the task ended with exit code {code}")


def _coverage(project: Project, environ: Mapping[str, str], tell: Tell) -> Check:
    wanted = project.service.build.coverage
    if project.code is None or project.service.lang != "python":
        return Check(COVERAGE, "skipped", "there is no Python code of its own")
    if not has_tests(project):
        return Check(COVERAGE, "failed", f"{project.path}/tests has no tests, and build.coverage asks for {wanted} %")
    try:
        code = run_tests(project, environ=environ, tell=tell)
    except StrataError as error:
        return Check(COVERAGE, "failed", error.message)
    if code == 0:
        return Check(COVERAGE, "passed", f"at least {wanted} %")
    return Check(COVERAGE, "failed", f"tests fail, or run less than {wanted} % of the code (exit code {code})")
