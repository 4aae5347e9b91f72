"""What `service check` says of one thing, and what its checks look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from strata_git.config import Settings
    from strata_git.repo.command import Repository
    from strata_git.serving.gate import Loaded
    from strata_git.serving.project.project import Project


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line: which check, how it went, about what, and what to do.

    `skipped` is neither passed nor failed: `message` says why nothing was looked at.
    """

    check: str
    verdict: Literal["passed", "skipped", "warning", "error"]
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """A service that is checked. `loaded` is its model, where the gate let it pass (None: it did not)."""

    repo: Repository
    settings: Settings
    project: Project
    loaded: Loaded | None
    environ: Mapping[str, str]
    now: datetime
