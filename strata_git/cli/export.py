"""`git strata export`: rows of a file into a sink that strata.yaml names."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.pipelines import configured, secrets_of, settings_options, working
from strata_git.cli.session import Session
from strata_git.errors import UsageError, printable


@click.command()
@click.option("--sink", required=True, help="The sink, by its name in strata.yaml.")
@click.option(
    "--input", "source", metavar="FILE", required=True, help="Rows: .jsonl, .csv or .parquet, or a gzip of it."
)
@click.option("--run", "run_id", metavar="RUN", help="The run they come from (default: the one whose file it is).")
@click.option("--part", metavar="NAME", help="What part of the run they are (default: the file's name).")
@settings_options
@format_option
@click.pass_obj
def command(
    session: Session,
    sink: str,
    source: str,
    run_id: str | None,
    part: str | None,
    overrides: tuple[str, ...],
    profile: str | None,
    style: str,
) -> None:
    """Give rows to a sink, once: a second time nothing is written.

    Of runs/ID/artifacts/outputs.jsonl the run is ID and the part is outputs.
    """
    from strata_git.pipeline.sinks.catalog import exporter
    from strata_git.pipeline.sinks.reading import read_rows

    path = session.cwd / source
    if not path.is_file():
        raise UsageError(f"There is no file {printable(source)}.")
    root, settings = configured(session, overrides, profile)
    secrets, run = secrets_of(session, root, settings), run_id or _run_of(path)
    with working(session, settings, secrets):
        target = exporter(settings.pipelines, sink, root=root, secrets=secrets, environ=session.environ)
        receipt = target.write(read_rows(path), run_id=run, part=part or path.name.partition(".")[0])
    if style == "json":
        out_json({"schema": "strata/export/v1", **asdict(receipt), "files": list(receipt.files)})
        return
    what = f"{receipt.run} {receipt.part}: {receipt.rows} rows"
    if not receipt.changed:
        out(f"{receipt.uri}  has {what} already; nothing was written")
        return
    out(f"{receipt.uri}  {what}, {receipt.written} written")
    if receipt.dropped:
        note(f"{receipt.dropped} rows had the key of a later one and were left out")
    for name in receipt.files:
        note(f"  {name}")


def _run_of(path: Path) -> str:
    """The run whose file this is."""
    found = re.search(r"/runs/([^/]+)/", path.resolve().as_posix())
    if found is None:
        raise UsageError(
            f"{printable(str(path))} does not lie in a run.", hint="Say which run its rows are of: --run RUN"
        )
    return found[1]
