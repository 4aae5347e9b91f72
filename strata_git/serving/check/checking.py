"""Every check of a service, in one list: its settings, the gate, and then the table of all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING

from strata_git.contracts.layers import ConfigurationError
from strata_git.errors import MissingExtra, StrataError, UsageError, printable
from strata_git.serving.checked import Subject, Verdict
from strata_git.serving.gate import NotServed, Step, open_model
from strata_git.serving.loading import close_model
from strata_git.serving.project.project import Project, demands, open_project

if TYPE_CHECKING:
    from strata_git.config import Settings
    from strata_git.repo.command import Repository
    from strata_git.serving.gate import Loaded

CHECKS: Mapping[str, str] = {
    "doctor": "strata_git.serving.check.house:judge",
    "versions": "strata_git.serving.check.versions:judge",
    "work-tree": "strata_git.serving.check.work_tree:judge",
    "golden": "strata_git.serving.check.golden_file:judge",
    "routes": "strata_git.serving.check.routes:judge",
    "access": "strata_git.serving.check.access:judge",
    "code": "strata_git.serving.check.code:judge",
    "lock": "strata_git.serving.check.lock:judge",
    "r": "strata_git.serving.check.language:judge",
    "drift": "strata_git.serving.check.log:judge",
    "openapi": "strata_git.serving.check.openapi:judge",
    "image": "strata_git.serving.image.judge:judge",
    "manifests": "strata_git.serving.deploy.judge:judge",
    "ejected": "strata_git.serving.eject.judge:judge",
}
"""Name of a check -> `module:function`, imported when it is its turn. The function takes a `Subject` and yields
verdicts; one that yields none has passed."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, in the order of the checks."""

    service: str
    verdicts: tuple[Verdict, ...]

    @property
    def code(self) -> int:
        """0: all is well; 1: there are warnings; 2: there are errors."""
        found = {one.verdict for one in self.verdicts}
        return 2 if "error" in found else 1 if "warning" in found else 0


def check_service(
    repo: Repository, settings: Settings, name: str, *,
    environ: Mapping[str, str], overrides: Sequence[str] = (), now: datetime | None = None,
) -> Report:  # fmt: skip
    """Check the service `name` as the work tree has it. Nothing is written, and nothing is served.

    Raises UsageError where there is no such service, MissingExtra where what it needs is not installed.
    """
    at = now or datetime.now(UTC)
    found: list[Verdict] = []
    try:
        project = open_project(repo, name, environ=environ, overrides=overrides)
        asked = demands(project)
    except UsageError:
        raise
    except ConfigurationError as error:
        return Report(name, tuple(Verdict("config", "error", str(one), error.hint) for one in error.complaints))
    except StrataError as error:
        return Report(name, (Verdict("config", "error", error.message, error.hint),))
    found += [Verdict("config", "warning", one) for one in project.warnings]
    found += [] if project.warnings else [Verdict("config", "passed", f"{project.path}/service.yaml")]
    loaded: Loaded | None = None
    try:
        loaded = open_model(repo, settings, project.service.model, demands=asked, now=at)
        found += [_of_step(step) for step in loaded.steps]
    except NotServed as error:
        found += [_of_step(step, error.hint) for step in error.steps]
    subject = Subject(repo, settings, project, loaded, environ, at)
    try:
        for check in CHECKS:
            found += _judged(check, subject)
    finally:
        if loaded is not None:
            close_model(loaded.model)
    return Report(project.name, tuple(found))


def _judged(check: str, subject: Subject) -> Iterator[Verdict]:
    module, _, function = CHECKS[check].partition(":")
    try:
        told = list(getattr(import_module(module), function)(subject))
    except MissingExtra as error:
        told = [Verdict(check, "skipped", error.message, error.hint)]
    except StrataError as error:
        told = [Verdict(check, "error", error.message, error.hint)]
    yield from told or [Verdict(check, "passed")]


def _of_step(step: Step, hint: str = "") -> Verdict:
    kinds: dict[str, str] = {"refused": "error"}
    kind = kinds.get(step.verdict, step.verdict)
    return Verdict(f"gate: {step.name}", kind, printable(step.message), hint if kind == "error" else "")  # type: ignore[arg-type]


def describe(project: Project) -> str:
    """One line about what is checked."""
    return f"{project.path}: {project.service.model}"
