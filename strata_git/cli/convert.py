"""`git strata convert`: an artifact as other tools read it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strata_git.cli.output import note, out
from strata_git.cli.session import Session
from strata_git.errors import StrataError, UsageError, printable
from strata_git.exchange.convert import FILES

if TYPE_CHECKING:
    from strata_git.exchange.subject import Subject

MLFLOW = "mlflow"


@click.command()
@click.argument("references", nargs=-1, required=True, metavar="REF...")
@click.option("--to", "format_", required=True, type=click.Choice([*FILES, MLFLOW]), help="The format.")
@click.option(
    "-o",
    "--output",
    default="",
    metavar="FILE|DIR",
    help="Where to write (default: standard output). A directory gets the format's usual file name.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@click.option("--at", "revision", default="HEAD", show_default=True, help="Artifacts as of this commit.")
@click.option("--base", default="", metavar="URL", help="Croissant: put this address before the paths of files.")
@click.option(
    "--tracking-uri",
    default="",
    metavar="URI",
    help="MLflow: the store (default: MLFLOW_TRACKING_URI, else the workspace's own).",
)
@click.option("--experiment", default="", help="MLflow: the experiment for runs (default: the run's own).")
@click.pass_obj
def command(
    session: Session, /, references: tuple[str, ...], format_: str, output: str, force: bool, **more: str
) -> None:
    """Tell of REF in another tool's format, from Git objects alone.

    croissant and hf-card describe datasets (hf-card models, too), cyclonedx models, prov, prov-n and ro-crate anything
    with its lineage, dvc runs and models (several at once), and mlflow registers a run or a model version.
    """
    from strata_git.exchange.convert import document
    from strata_git.exchange.reading import read_subject
    from strata_git.index.build import build
    from strata_git.integrity.gpg import Gpg

    if format_ != MLFLOW and (more["tracking_uri"] or more["experiment"]):
        raise UsageError("--tracking-uri and --experiment go with --to mlflow.")
    repo = session.repository()
    index = build(repo, more["revision"])
    verifier, repository = Gpg(None, environ=session.environ), session.settings().repository
    subjects = [read_subject(repo, index, name, verifier, repository=repository) for name in references]
    for subject in subjects:
        if wrong := subject.record.count("error"):
            note(f"warning: {subject.record.reference} has {wrong} errors; see: git strata doctor")
    if format_ == MLFLOW:
        if output or more["base"]:
            raise UsageError("-o and --base do not go with --to mlflow.", hint="--tracking-uri names the store.")
        for subject in subjects:
            _register(session, subject, more["tracking_uri"], more["experiment"])
        return
    data = document(subjects, format_, base=more["base"])
    if not output:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    target = _target(session.cwd / output, output, FILES[format_])
    _write(target, data, force)
    note(f"written: {printable(str(target))}")


def _target(path: Path, said: str, usual: str) -> Path:
    return path / usual if path.is_dir() or said.endswith("/") else path


def _write(target: Path, data: bytes, force: bool) -> None:
    from strata_git.repo.files import unwritable, write_file

    if not force and target.exists() and target.read_bytes() != data:
        raise StrataError(f"{printable(str(target))} is there already.", hint="Add --force to replace it.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(target, error) from None
    write_file(target, data)


def _register(session: Session, subject: Subject, uri: str, experiment: str) -> None:
    from strata_git.checks.plain import text
    from strata_git.exchange.mlflow_registry import store, to_mlflow

    record = subject.documents.get("run.yaml") or subject.run.get("run.yaml", {})
    named = experiment or text(record.get("experiment")) or subject.artifact.name
    repo = session.repository()
    local = repo.directory / ".strata" / "local"
    place = store(session.environ, local, named, uri=uri, named=bool(experiment))
    told = to_mlflow(repo, subject, place)
    out(f"{subject.record.reference}  run {told.run}")
    if told.version:
        aliases = f" ({', '.join(told.aliases)})" if told.aliases else ""
        out(f"  registered as {told.model} version {told.version}{aliases}")
    note("new: " + ", ".join(told.made) if told.made else "nothing was new")
