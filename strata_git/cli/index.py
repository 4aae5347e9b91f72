"""`git strata index`: the index of a revision, counted for people or whole for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from strata_git.cli.moments import Moment
from strata_git.cli.output import format_option, note, out
from strata_git.cli.session import Session

if TYPE_CHECKING:
    from strata_git.index.records import Index


@click.command()
@click.option("--json", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write the index to this file.")
@click.option(
    "--parquet", "tables", type=click.Path(file_okay=False, path_type=Path),
    help="Write the tables artifacts, metrics, files, edges and events to this directory.",
)  # fmt: skip
@click.option(
    "--at", "revision", default="HEAD", show_default=True, help="Artifacts as of this commit; stages as they are now."
)
@click.option(
    "--at-time", "moment", type=Moment(), metavar="TIME",
    help="Artifacts as the branch (--at) had them then, and the stages of then: 2026-11-21, 2026-11-21T17:00:00Z.",
)  # fmt: skip
@click.option("--rebuild", is_flag=True, help="Forget all that is remembered, and read everything again.")
@format_option
@click.pass_obj
def command(
    session: Session, target: Path | None, tables: Path | None, revision: str, moment: int | None, rebuild: bool,
    style: str,
) -> None:  # fmt: skip
    """Index artifacts, lineage and stages from the history.

    What was read before is not read again. Nothing in the working tree, the Git index or the references changes.
    """
    from strata_git.cli.progress import counting
    from strata_git.index.build import build

    repo = session.repository()
    if moment is not None:
        from strata_git.index.moment import commit_at

        revision = commit_at(repo, revision, moment)
    with counting("read") as progress:
        index = build(repo, revision, fresh=rebuild, moment=moment, progress=progress, tell=note)
        if tables is not None:
            from strata_git.index.tables import write_tables

            told = write_tables(repo, index, session.cwd / tables)
            note(f"wrote {told} tables into {tables}")
        if target is not None:
            from strata_git.repo.files import write_file

            write_file(session.cwd / target, _document(index))
            note(f"wrote {target}")
        if style == "json":
            _print(_document(index))
        else:
            from strata_git.index.overview import overview

            out(overview(index))


def _document(index: Index) -> bytes:
    from strata_git.index.export import index_document
    from strata_git.index.lazy import LazyIndex
    from strata_git.load import dump_json

    return index.document() if isinstance(index, LazyIndex) else dump_json(index_document(index))


def _print(document: bytes) -> None:
    import sys

    sys.stdout.flush()
    sys.stdout.buffer.write(document)
    sys.stdout.buffer.flush()
