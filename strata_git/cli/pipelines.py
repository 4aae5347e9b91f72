"""What commands of pipelines share: their options, the resolved settings, secrets, and log lines while they work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from strata_git.cli.output import least_level, note, speak_as, speaks_json
from strata_git.cli.session import Session
from strata_git.errors import StrataError, UsageError, printable

if TYPE_CHECKING:
    from strata_git.pipeline.observability.spans import Spans
    from strata_git.pipeline.secrets.resolve import Secrets
    from strata_git.pipeline.settings import Configured

F = TypeVar("F", bound=Callable[..., Any])

_set = click.option(
    "--set", "overrides", metavar="A.B=C", multiple=True, help="Change one setting of strata.yaml for this once."
)
_profile = click.option("--profile", metavar="NAME", help="The profile of settings to use (else STRATA_PROFILE).")


def settings_options(command: F) -> F:
    """`--set A.B=C` (as `overrides`) and `--profile NAME`."""
    return _set(_profile(command))


def variable(text: str, option: str) -> tuple[str, str]:
    """NAME=VALUE of a prompt's variable, the value word for word. Raises UsageError."""
    name, found, value = text.partition("=")
    if not found or not name:
        raise UsageError(f"{option} {printable(text)} is not NAME=VALUE.", hint=f"For example {option} text=Hello")
    return name, value


def workspace(session: Session) -> Path:
    """The work tree around us; where there is no repository, the directory we are in (a platform's image has none)."""
    try:
        return session.repository().require_worktree()
    except StrataError:
        if (session.cwd / "strata.yaml").is_file():
            return session.cwd
        raise


def configured(session: Session, overrides: Sequence[str] = (), profile: str | None = None) -> tuple[Path, Configured]:
    """The workspace and its resolved settings; what was said and changes nothing is told."""
    from strata_git.pipeline.settings import load

    session.mask()  # settings are user's texts: from here on nothing that is shown holds a secret
    root = workspace(session)
    settings = load(root, session.environ, overrides, profile)
    told = settings.pipelines.observability
    speak_as(told.log_format, told.log_level)
    for warning in settings.warnings:
        note(f"warning: {warning}", "warning")
    return root, settings


def secrets_of(session: Session, root: Path, settings: Configured) -> Secrets:
    """The secrets that the settings name; what is resolved is masked in all that we show."""
    from strata_git.pipeline.secrets.resolve import Secrets

    return Secrets(settings.pipelines.keys, session.environ, root, session.mask())


@contextmanager
def followed(session: Session) -> Iterator[None]:
    """While a run is made, what its log is told is on standard error as lines of JSON, where those are asked for."""
    if not speaks_json():
        yield
        return
    from strata_git.pipeline.observability.logging import logged, own_stderr
    from strata_git.pipeline.observability.redact import Redactor

    with own_stderr() as stream, logged("json", least_level(), Redactor(session.mask()), stream):
        yield


@contextmanager
def working(session: Session, settings: Configured, secrets: Secrets) -> Iterator[Spans]:
    """While a pipeline works: log lines in the form that is asked for, and spans where they are sent to."""
    from strata_git.pipeline.observability.logging import logged
    from strata_git.pipeline.observability.redact import Redactor
    from strata_git.pipeline.observability.spans import traced

    redactor, asked = Redactor(session.mask()), settings.pipelines.observability
    with logged(asked.log_format, asked.log_level, redactor), traced(asked, redactor, secrets) as spans:
        yield spans
