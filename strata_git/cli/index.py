"""`git strata index`: the index of a revision, counted for people or whole for programs."""

from __future__ import annotations

from pathlib import Path

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.session import Session


@click.command()
@click.option("--json", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write the index to this file.")
@click.option(
    "--at", "revision", default="HEAD", show_default=True, help="Artifacts as of this commit; stages as they are now."
)
@click.option("--rebuild", is_flag=True, help="Judge every artifact again, whatever is remembered.")
@format_option
@click.pass_obj
def command(session: Session, target: Path | None, revision: str, rebuild: bool, style: str) -> None:
    """Index artifacts, lineage and stages from the history."""
    from strata_git.index.build import build
    from strata_git.index.export import index_document
    from strata_git.index.render import index_text

    repo = session.repository()
    index = build(repo, revision, fresh=rebuild)
    if target is not None:
        from strata_git.load import dump_json
        from strata_git.repo.files import write_file

        write_file(session.cwd / target, dump_json(index_document(index)))
        note(f"wrote {target}")
    if style == "json":
        out_json(index_document(index))
    else:
        out(index_text(index))
