"""What commands of services share: their options, and the project that a name means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from strata_git.cli.output import note
from strata_git.cli.session import Session

if TYPE_CHECKING:
    from strata_git.serving.project.project import Project

F = TypeVar("F", bound=Callable[..., Any])

set_option: Callable[[F], F] = click.option(
    "--set", "overrides", metavar="A.B=C", multiple=True, help="Change one setting of service.yaml for this once."
)
"""`--set A.B=C`, as `overrides`."""


def opened(session: Session, name: str, overrides: Sequence[str] = ()) -> Project:
    """The service as its file, the environment and the command line say; what changes nothing is told."""
    from strata_git.serving.project.project import open_project

    project = open_project(session.repository(), name, environ=session.environ, overrides=overrides)
    warn(project.warnings)
    return project


def require_serving(what: str = "Serving a model") -> None:
    """Raise MissingExtra where what every service needs is not installed."""
    from strata_git.runs.catalog import require

    require({"serve": ("numpy", "orjson")}, what)


def warn(warnings: Sequence[str]) -> None:
    """Tell what was said and changes nothing."""
    for warning in warnings:
        note(f"warning: {warning}", "warning")
