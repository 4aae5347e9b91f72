"""`git strata service check`: all that can be known about a service before anybody asks it."""

from __future__ import annotations

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.services import require_serving, set_option
from strata_git.cli.session import Session
from strata_git.errors import printable

_MARKS = {"passed": "ok", "skipped": "--", "warning": "warning", "error": "ERROR"}


@click.command()
@click.argument("name")
@set_option
@format_option
@click.pass_context
def command(context: click.Context, name: str, overrides: tuple[str, ...], style: str) -> None:
    """Check a service: its settings, every step of the gate, golden predictions, its code and what it would run in.

    The model is loaded, and with it the service's own code (model-service/), as the work tree has it.

    Exit code 0: all is well; 1: there are warnings; 2: it would not be served.
    """
    from strata_git.serving.check.checking import check_service

    require_serving()
    session: Session = context.obj
    report = check_service(session.repository(), session.settings(), name, environ=session.environ, overrides=overrides)
    if style == "json":
        out_json({
            "schema": "strata/service-check/v1", "service": report.service, "code": report.code,
            "verdicts": [
                {"check": one.check, "verdict": one.verdict, "message": one.message, "hint": one.hint}
                for one in report.verdicts
            ],
        })  # fmt: skip
    else:
        for one in report.verdicts:
            out(f"{_MARKS[one.verdict]:8}{one.check}" + (f": {printable(one.message)}" if one.message else ""))
            if one.hint and one.verdict in ("warning", "error"):
                for line in one.hint.splitlines():
                    out(f"        {printable(line)}")
        if report.code < 2:
            note(f"next: git strata service run {report.service}")
    context.exit(report.code)
