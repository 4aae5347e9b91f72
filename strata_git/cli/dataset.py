"""`git strata dataset`: datasets as versions under contract."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from strata_git.authoring.commit import commit_command, commit_paths
from strata_git.authoring.dataset import AddedDataset, DatasetRequest, add_dataset
from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session
from strata_git.errors import UsageError, printable
from strata_git.repo.command import Repository


@click.group()
def command() -> None:
    """Add datasets."""


@command.command("add")
@click.argument("source")
@click.option("--name", required=True, help="Name of the dataset.")
@click.option(
    "--split", "splits", multiple=True, metavar="NAME=GLOB", help="Files of a split (default: all in `data`)."
)
@click.option("--description", default="", help="What it is.")
@click.option("--licence", "--license", default="NOASSERTION", show_default=True, help="SPDX identifier.")
@click.option("--source", "origin", default="", help="Where it comes from (default: SOURCE as given).")
@click.option("--process", default="copied unchanged", show_default=True, help="How it was made.")
@click.option("--parent", "parents", multiple=True, metavar="REF", help="A dataset version it was made from.")
@click.option("--header/--no-header", default=True, show_default=True, help="Tables begin with column names.")
@click.option("--commit", is_flag=True, help="Commit it, hooks on.")
@format_option
@click.pass_obj
def add(session: Session, /, source: str, splits: tuple[str, ...], commit: bool, style: str, **about: object) -> None:
    """Copy SOURCE, a file or a directory, into the next version of a dataset."""
    repo = session.repository()
    pairs = tuple(_pair(text) for text in splits)
    request = DatasetRequest(
        source=session.cwd / source,
        splits=pairs,
        given=str(about.pop("origin") or source),
        **about,  # type: ignore[arg-type]
    )
    with _progress() as tell:
        added = add_dataset(repo, request, progress=tell)
    for warning in added.warnings:
        note(f"warning: {warning}")
    message = f"Add {added.artifact.reference}"
    made = commit_paths(repo, [added.artifact.path], message, force=added.ignored) if commit else None
    if made is not None and made.said:
        note(made.said)
    if style == "json":
        out_json(_plain(added) | {"commit": made.oid if made else None})
        return
    _show(added)
    if made is not None:
        out(f"committed as {made.oid}" + ("" if made.branch else " (HEAD is detached: the commit is on no branch)"))
    else:
        out(f"\nNext:\n  {_command(repo, session.cwd, added, message)}")


def _pair(text: str) -> tuple[str, str]:
    name, equals, glob = text.partition("=")
    if not equals or not name or not glob:
        raise UsageError(f"--split {printable(text)} is not NAME=GLOB.", hint="Such as: --split 'train=train/**'")
    return name, glob


def _command(repo: Repository, cwd: Path, added: AddedDataset, message: str) -> str:
    root = repo.require_worktree()
    directory = "" if root.samefile(cwd) else str(root)
    return commit_command([added.artifact.path], message, directory=directory, force=added.ignored)


def _show(added: AddedDataset) -> None:
    out(f"{added.artifact.reference}  {added.digest}")
    for name, split in added.splits.items():
        rows = "" if split["rows"] is None else f", {split['rows']} rows"
        out(f"  {name}: {split['files']} files{rows}, {split['bytes']} bytes")


def _plain(added: AddedDataset) -> dict[str, object]:
    return {
        "schema": "strata/dataset-added/v1",
        "ref": added.artifact.reference,
        "path": added.artifact.path,
        "digest": added.digest,
        "content_hash": added.content_hash,
        "files": added.files,
        "bytes": added.bytes,
        "splits": {name: dict(split) for name, split in added.splits.items()},
        "warnings": list(added.warnings),
    }


@contextmanager
def _progress() -> Iterator[Callable[[int], None] | None]:
    """Bytes copied, told on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, SpinnerColumn, TransferSpeedColumn

    with Progress(SpinnerColumn(), DownloadColumn(), TransferSpeedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("copying", total=None)
        yield lambda count: bar.advance(task, count)
