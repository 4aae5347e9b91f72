"""`git strata plugins`: what can be run."""

from __future__ import annotations

import click

from strata_git.cli.output import format_option, note, out, out_json, table


@click.command()
@format_option
def command(style: str) -> None:
    """List the plugins that experiments can name."""
    from dataclasses import asdict

    from strata_git.runs.catalog import list_plugins

    listed = list_plugins()
    if style == "json":
        out_json({"schema": "strata/plugins/v1", "plugins": [asdict(one) for one in listed]})
        return
    rows = [(one.name, _state(one.missing, one.problem), one.summary) for one in listed]
    out(table(rows, ("plugin", "state", "what it does")))
    for extra in sorted({extra for one in listed for extra in one.missing}):
        note(f"pip install 'git-strata[{extra}]'")


def _state(missing: tuple[str, ...], problem: str) -> str:
    if problem:
        return "broken"
    return f"needs {', '.join(missing)}" if missing else "ready"
