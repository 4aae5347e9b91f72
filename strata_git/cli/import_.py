"""`git strata import`: what other tools hold becomes an artifact."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session
from strata_git.errors import UsageError, printable

Facts = dict[str, object]
commit_option = click.option("--commit", is_flag=True, help="Commit it, hooks on.")


@click.group()
def command() -> None:
    """Make artifacts of what other tools hold: DVC-tracked data, runs of MLflow and DVCLive, Hugging Face models."""


@command.command()
@click.argument("pointer", metavar="FILE.dvc|dvc.yaml")
@click.option("--name", required=True, help="Name of the dataset.")
@click.option("--out", "output", default="", metavar="PATH", help="Which output, where the file names several.")
@click.option("--cache", default="", metavar="DIR", help="DVC's cache, where it is not .dvc/cache.")
@click.option(
    "--split", "splits", multiple=True, metavar="NAME=GLOB", help="Files of a split (default: all in `data`)."
)
@click.option("--description", default="", help="What it is.")
@click.option("--licence", "--license", default="NOASSERTION", show_default=True, help="SPDX identifier.")
@commit_option
@format_option
@click.pass_obj
def dvc(
    session: Session, /, pointer: str, name: str, splits: tuple[str, ...], commit: bool, style: str, **more: str
) -> None:
    """Take data that DVC tracks, from its cache or its work tree, into the next version of a dataset.

    Its MD5 is checked; nothing is asked of a remote (dvc pull does that).
    """
    from strata_git.exchange.from_dvc import DvcImport, import_dvc

    wanted = DvcImport(
        session.cwd / pointer,
        name,
        more["output"],
        session.cwd / more["cache"] if more["cache"] else None,
        tuple(_pair(text, "--split") for text in splits),
        more["description"],
        more["licence"],
    )
    added = import_dvc(session.repository(), wanted)
    facts: Facts = {"reference": added.artifact.reference, "digest": added.digest, "files": added.files}
    message = f"Add {added.artifact.reference} from DVC"
    _told(session, added.artifact.path, facts, added.warnings, message, commit, style, force=added.ignored)


@command.command()
@click.argument("wanted", metavar="RUN_ID|models:/NAME/VERSION")
@click.option(
    "--tracking-uri",
    default="",
    metavar="URI",
    help="The store (default: MLFLOW_TRACKING_URI, else the workspace's own).",
)
@click.option("--nested", is_flag=True, help="Take the runs that are part of it, too, each as a run of its own.")
@commit_option
@format_option
@click.pass_obj
def mlflow(session: Session, wanted: str, tracking_uri: str, nested: bool, commit: bool, style: str) -> None:
    """Take a run of MLflow, with parameters, metrics, steps and files; for a registered model its version, too."""
    from strata_git.exchange.from_mlflow import import_mlflow
    from strata_git.runs.mlflow import Place

    repo = session.repository()
    local = Place.chosen(session.environ, repo.require_worktree() / ".strata" / "local", "")
    made = import_mlflow(repo, wanted, tracking_uri or local.uri, nested=nested)
    facts: Facts = {"reference": made.run.id, "digest": made.run.digest, "files": made.run.files}
    then = [f"git strata model create {made.model} --run {made.run.id}"] if made.model else []
    if nested:
        facts["nested"] = [one.id for one in made.nested]
    parts = [one.path for one in made.nested]
    _told(session, made.run.path, facts, (), made.run.message, commit, style, then=then, parts=parts)


@command.command()
@click.argument("directory", metavar="DIR")
@click.option("--experiment", default="", help="Name of the experiment (default: the directory's).")
@commit_option
@format_option
@click.pass_obj
def dvclive(session: Session, directory: str, experiment: str, commit: bool, style: str) -> None:
    """Take what DVCLive wrote (metrics.json, params.yaml, plots) as a run."""
    from strata_git.exchange.from_dvclive import import_dvclive

    made = import_dvclive(session.repository(), session.cwd / directory, experiment=experiment)
    facts: Facts = {"reference": made.id, "digest": made.digest, "files": made.files}
    _told(session, made.path, facts, (), made.message, commit, style)


@command.command()
@click.argument("directory", metavar="DIR")
@click.option("--name", required=True, help="Name of the model or dataset.")
@click.option("--kind", type=click.Choice(["model", "dataset"]), help="What it is (default: told by its files).")
@click.option("--source", default="", help="Where it comes from, such as org/model@revision.")
@click.option("--licence", "--license", default="", help="SPDX identifier (default: the card's).")
@click.option("--metric", "metrics", multiple=True, metavar="NAME=NUMBER", help="A figure that the card lacks.")
@click.option("--allow-pickle", "pickles", is_flag=True, help="Take files that can run code when they are loaded.")
@commit_option
@format_option
@click.pass_obj
def hf(session: Session, /, directory: str, metrics: tuple[str, ...], commit: bool, style: str, **more: object) -> None:
    """Take a local Hugging Face directory as the next version of a model or dataset."""
    from strata_git.exchange.from_hf import HfImport, import_hf

    kind = str(more.pop("kind") or "")
    figures = tuple(_figure(text) for text in metrics)
    wanted = HfImport(session.cwd / directory, kind=kind, metrics=figures, **more)  # type: ignore[arg-type]
    made = import_hf(session.repository(), wanted)
    facts: Facts = {"reference": made.artifact.reference, "digest": made.digest, "files": made.files}
    _told(session, made.artifact.path, facts, made.warnings, made.message, commit, style)


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name or not value:
        raise UsageError(f"{option} {printable(text)} is not NAME=VALUE.")
    return name, value


def _figure(text: str) -> tuple[str, float]:
    from strata_git.checks.plain import number

    name, value = _pair(text, "--metric")
    try:
        figure = number(float(value))
    except ValueError:
        figure = None
    if figure is None:
        raise UsageError(f"--metric {printable(text)}: '{printable(value)}' is no finite number.")
    return name, figure


def _told(
    session: Session,
    path: str,
    facts: Facts,
    warnings: Sequence[str],
    message: str,
    commit: bool,
    style: str,
    *,
    force: bool = False,
    then: Sequence[str] = (),
    parts: Sequence[str] = (),
) -> None:
    from strata_git.authoring.commit import commit_command, commit_paths

    repo = session.repository()
    for warning in warnings:
        note(f"warning: {warning}")
    made = commit_paths(repo, [path, *parts], message, force=force) if commit else None
    if style == "json":
        out_json({"schema": "strata/imported/v1", **facts, "path": path, "warnings": list(warnings),
                  "commit": made.oid if made else None})  # fmt: skip
        return
    out(f"{facts['reference']}  {facts['digest']}")
    out(f"  {path}, {facts['files']} files")
    for part in parts:
        out(f"  {part}, part of it")
    root = repo.require_worktree()
    elsewhere = "" if Path(root).resolve() == session.cwd.resolve() else str(root)
    if made is not None:
        note(f"committed {made.oid}")
    if made is None or then:
        note("next:")
    if made is None:
        note(f"  {commit_command([path, *parts], message, directory=elsewhere, force=force)}")
    for line in then:
        note(f"  {line}")
