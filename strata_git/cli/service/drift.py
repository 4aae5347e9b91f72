"""`git strata service drift`: what a service was asked, beside what its model learned from; the result is a run."""

from __future__ import annotations

from typing import Any

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.services import opened, require_serving, set_option
from strata_git.cli.session import Session
from strata_git.errors import StrataError, UsageError, printable


@click.command()
@click.argument("name")
@click.option("--since", metavar="TIME", help="Only requests from then on: 2026-11-01, 2026-11-01T12:00, or 7d, 12h.")
@click.option("--file", "rows", metavar="ROWS.jsonl", help="Rows (an object a line) in place of the service's own log.")
@click.option("--split", metavar="NAME", help="The split to compare with (else drift.split, else train).")
@set_option
@format_option
@click.pass_context
def command(
    context: click.Context, name: str, since: str | None, rows: str | None, split: str | None,
    overrides: tuple[str, ...], style: str,
) -> None:  # fmt: skip
    """Compare what a service was asked with what its model was made from, column by column; the result is a run.

    Exit code 0: nothing has drifted; 1: some column has. No value that was asked is recorded.
    """
    from strata_git.runs.execute import execute
    from strata_git.runs.spec import RunSpec
    from strata_git.serving.drift_plugin import REPORT

    require_serving()
    session: Session = context.obj
    project = opened(session, name, overrides)
    params = _params(session, project, since=since, rows=rows, split=split)
    model = str(params["model"])
    spec = RunSpec(
        experiment=f"drift_{project.name}", plugin="drift", params=params, inputs={"model": f"models/{model}"}
    )
    done = execute(session.repository(), session.settings(), spec, session.environ)
    if done.status != "succeeded":
        raise StrataError(f"{done.id} {done.status}: {printable(done.error or '')}", hint=f"runs/{done.id}/logs.txt")
    report = _report(session, f"{done.path}/artifacts/{REPORT}")
    drifted = report["drifted"]
    if style == "json":
        out_json({**report, "run": done.id})
    else:
        lines = [
            (one["name"], *(f"{one[what]:.4f}" for what in ("psi", "ks", "noise")), "yes" if one["drifted"] else "")
            for one in report["columns"]
        ]
        out(table(lines, ("column", "psi", "ks", "noise", "drifted")))
        counted = report["rows"]
        note(f"{counted['requests']} rows beside {counted['reference']} of {report['reference']}, {report['split']}")
        note(f"{done.path}: {len(drifted)} of {len(lines)} columns drifted")
        note("next:")
        note(f"  {session.commit_command([done.path], f'Add {done.id}: drift of {project.name}')}")
    context.exit(1 if drifted else 0)


def _params(
    session: Session, project: Any, *, since: str | None, rows: str | None, split: str | None
) -> dict[str, Any]:
    from strata_git.contracts.service import Drift

    drift = project.service.drift or Drift()
    params: dict[str, Any] = {
        "service": project.name, "model": _served_now(session, project), "split": split or drift.split,
        "statistic": drift.statistic, "threshold": drift.threshold,
    }  # fmt: skip
    if since:
        params["since"] = _moment(since)
    if rows:
        import os

        params["file"] = os.path.relpath(session.cwd / rows, project.root)
    else:
        _require_log(project)
    return params


def _require_log(project: Any) -> None:
    from strata_git.serving.prediction_log import log_files
    from strata_git.serving.project.project import log_directory

    if not log_files(log_directory(project.root, project.name)):
        raise StrataError(
            f"Nothing that was asked of {project.name} is kept here.",
            hint="Say log: {enabled: true} in service.yaml and run it; or hand rows over with --file ROWS.jsonl",
        )
    if not project.service.log.enabled:
        note("warning: log.enabled is false: this service keeps no requests now", "warning")


def _served_now(session: Session, project: Any) -> str:
    """The exact version that the service answers with; its events are judged, its bytes are not loaded."""
    from strata_git.serving.gate import current_version

    return current_version(session.repository(), session.settings(), project.service.model)


def _moment(text: str) -> str:
    """A time, or so long before now, as ISO 8601 with a zone (UTC where none is given)."""
    from datetime import UTC, datetime, timedelta

    units = {"d": "days", "h": "hours", "m": "minutes"}
    if text[-1:] in units and text[:-1].isdecimal() and len(text) < 7:
        return (datetime.now(UTC) - timedelta(**{units[text[-1]]: int(text[:-1])})).isoformat(timespec="seconds")
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        hint = "For example 2026-11-01, 2026-11-01T12:00, 7d, 12h"
        raise UsageError(f"--since {printable(text)} is no time.", hint=hint) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat(timespec="seconds")


def _report(session: Session, path: str) -> dict[str, Any]:
    import json

    made: dict[str, Any] = json.loads((session.repository().require_worktree() / path).read_bytes())
    return made
