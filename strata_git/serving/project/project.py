"""One service of a workspace, opened: what its file, the environment and the command line say, and what lies beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from strata_git.contracts.layout import NAME, SERVICE_RECORD
from strata_git.errors import StrataError, UsageError, printable

if TYPE_CHECKING:
    from strata_git.contracts.origin import Origin
    from strata_git.contracts.service import Service
    from strata_git.repo.command import Repository
    from strata_git.serving.gate import Demands
    from strata_git.serving.golden import Golden
    from strata_git.serving.own_code import OwnCode

ROOT = "services"
CODE = "model-service"
"""Below a service's directory: code of its own, where there is some."""
LOCAL = ".strata/local/services"
"""Below the work tree: what running services keep; git ignores it."""
_NOTHING: Mapping[str, str] = MappingProxyType({})
_GOLDEN_LIMIT = 16 << 20


@dataclass(frozen=True, slots=True)
class Project:
    """A service, opened.

    `directory` is where it lies in the work tree, `golden` its golden predictions (None: there are none), `code` the
    directory of its own code (None: the model's format needs none), `commit` HEAD (`""`: nothing is committed yet).
    `origin` tells by dotted key where each setting comes from, `values` all settings as plain data, `warnings` what was
    said beside the file and changes nothing.
    """

    name: str
    directory: Path
    service: Service
    golden: Golden | None
    code: Path | None
    commit: str
    origin: Mapping[str, Origin]
    values: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def root(self) -> Path:
        """The work tree."""
        return self.directory.parent.parent

    @property
    def path(self) -> str:
        """Its directory as the repository calls it: `services/churn`."""
        return f"{ROOT}/{self.name}"


def open_project(
    repo: Repository, name: str, *, environ: Mapping[str, str] = _NOTHING, overrides: Sequence[str] = ()
) -> Project:
    """The service `name` (`churn`, `services/churn`) as the work tree has it.

    `environ` is searched for `STRATA_SERVICE__A__B`, `overrides` are texts `a.b=c`. Raises UsageError where there is no
    such service, ConfigurationError for settings that cannot be used (all of them at once), StrataError for golden
    predictions that cannot be read.
    """
    from strata_git.repo.worktree import read_plain
    from strata_git.serving.project.settings import resolve

    name = name.removeprefix(f"{ROOT}/").rstrip("/")
    root = repo.require_worktree()
    data = read_plain(repo, f"{ROOT}/{name}/{SERVICE_RECORD}") if NAME.fullmatch(name) else None
    if data is None:
        raise _unknown(repo, name)
    told = resolve(data, file=f"{ROOT}/{name}/{SERVICE_RECORD}", name=name, environ=environ, overrides=overrides)
    directory = root / ROOT / name
    code = directory / CODE
    return Project(
        name=name, directory=directory, service=told.service, golden=_golden(repo, name, told.service),
        code=code if _has_code(code) else None, commit=repo.head() or "", origin=told.origin, values=told.values,
        warnings=told.warnings,
    )  # fmt: skip


def demands(project: Project) -> Demands:
    """What the gate is asked for: format, threads, golden predictions and how nearly, code of the project's own."""
    from strata_git.serving.gate import Demands

    said = project.service
    return Demands(
        format=said.runtime.format, threads=said.runtime.threads, golden=project.golden,
        absolute=float(said.golden.absolute), relative=float(said.golden.relative), code=own_code(project),
    )  # fmt: skip


def own_code(project: Project) -> OwnCode | None:
    """The project's own code as the work tree has it now, read once; None where there is none.

    Raises StrataError where a service in R has no model.R.
    """
    from strata_git.serving.own_code import read_code

    place = f"{project.path}/{CODE}"
    code = read_code(project.directory / CODE, lang=project.service.lang, place=place)
    if code is None and project.service.lang == "r":
        raise StrataError(f"{place}/model.R is missing: it defines load(path) and predict(model, rows) (STR-V007).")
    return code


def log_directory(root: Path, name: str) -> Path:
    """Where a service of the work tree `root` keeps what was asked and answered, where it does (`log.enabled`)."""
    return root / LOCAL / name / "log"


def services_in(repo: Repository) -> tuple[str, ...]:
    """The names of all services in the work tree."""
    root = repo.require_worktree() / ROOT
    if not root.is_dir():
        return ()
    return tuple(sorted(one.name for one in root.iterdir() if NAME.fullmatch(one.name) and _is_service(one)))


def _is_service(directory: Path) -> bool:
    return not directory.is_symlink() and (directory / SERVICE_RECORD).is_file()


def _unknown(repo: Repository, name: str) -> StrataError:
    from strata_git.contracts.vocabulary import nearest

    known = services_in(repo)
    near = nearest(name, known)
    hint = f"Did you mean {near}? " if near else ""
    if known:
        hint += f"There are: {', '.join(known)}"
    else:
        hint = f"git strata service init {name if NAME.fullmatch(name) else 'NAME'} --model MODEL@production"
    return UsageError(f"There is no service '{printable(name)}' ({ROOT}/NAME/{SERVICE_RECORD}).", hint=hint)


def _golden(repo: Repository, name: str, service: Service) -> Golden | None:
    from strata_git.repo.worktree import read_plain
    from strata_git.serving.golden import parse_golden

    place = f"{ROOT}/{name}/{service.golden.file}"
    data = read_plain(repo, place, _GOLDEN_LIMIT)
    if data is None:
        return None
    try:
        return parse_golden(data)
    except StrataError as error:
        raise StrataError(f"{place}: {error.message}", hint=error.hint) from None


def _has_code(directory: Path) -> bool:
    if directory.is_symlink():
        return False
    return any((directory / one).is_file() for one in ("predict.py", "model.R"))
