"""`git strata service init`: a service for a promoted model."""

from __future__ import annotations

from typing import Any

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.services import opened, require_serving
from strata_git.cli.session import Session
from strata_git.errors import UsageError, printable


@click.command()
@click.argument("name")
@click.option("--model", metavar="MODEL@STAGE", help="What is served: churn@production, or churn@v3 for ever.")
@click.option("--lang", type=click.Choice(["python", "r"]), help="What the model is written in (default: python).")
@click.option("--with-code", is_flag=True, help="Begin code of your own: model-service/predict.py, with a test.")
@click.option("--golden", is_flag=True, help="Of a service that is there: make its golden predictions anew, no more.")
@click.option("--commit", is_flag=True, help="Commit what was written (hooks run).")
@format_option
@click.pass_obj
def command(
    session: Session, name: str, model: str | None, lang: str | None, with_code: bool, golden: bool, commit: bool,
    style: str,
) -> None:  # fmt: skip
    """Make the service NAME, which answers with a promoted model.

    The model passes the gate first. Written are services/NAME/service.yaml, golden predictions from rows that the model
    has not learned from, and a README; with --with-code (or --lang r) also two functions that load and ask the model.
    """
    require_serving()
    made = _renewed(session, name, model) if golden else _made(session, name, model, lang, with_code)
    if style == "json":
        out_json({
            "schema": "strata/service-made/v1", "service": made.name, "path": made.path, "model": made.model,
            "version": made.version, "written": list(made.written), "kept": list(made.kept),
            "golden": {"rows": made.rows, "source": made.source, "missing": made.unproved},
        })  # fmt: skip
    else:
        _tell(made)
    paths = [f"{made.path}/{one}" for one in made.written]
    if commit and paths:
        from strata_git.authoring.commit import commit_paths

        note(f"committed {commit_paths(session.repository(), paths, made.message).oid}")
    note("next:")
    if not commit:
        note(f"  {session.commit_command([made.path], made.message)}")
    note(f"  git strata service check {made.name}")
    note(f"  git strata service run {made.name}")


def _made(session: Session, name: str, model: str | None, lang: Any, with_code: bool) -> Any:
    from strata_git.serving.project.init import init_service

    if model is None:
        raise UsageError("Which model? Say --model MODEL@STAGE.", hint="git strata stages shows what is promoted")
    return init_service(
        session.repository(), session.settings(), name, model, lang=lang or "python", with_code=with_code
    )


def _renewed(session: Session, name: str, model: str | None) -> Any:
    from strata_git.serving.project.init import renew_golden

    if model is not None:
        raise UsageError("--golden takes the model that the service names; leave --model out.")
    return renew_golden(session.repository(), session.settings(), opened(session, name))


def _tell(made: Any) -> None:
    out(f"{made.path}  {made.model}, now {made.version}")
    for path in made.written:
        out(f"  {path}")
    for path in made.kept:
        note(f"kept as it was: {made.path}/{path}")
    if made.unproved:
        note(f"no golden predictions: {printable(made.unproved)}", "warning")
    else:
        note(f"golden predictions: {made.rows} rows of {printable(made.source)}")
