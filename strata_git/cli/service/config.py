"""`git strata service config`: a service's settings as they are in force, and where each comes from."""

from __future__ import annotations

from typing import Any

import click

from strata_git.cli.config import text
from strata_git.cli.output import format_option, out, out_json, table
from strata_git.cli.services import opened, set_option
from strata_git.cli.session import Session
from strata_git.contracts.layers import dotted, leaves, nested
from strata_git.errors import UsageError, printable


@click.command()
@click.argument("name")
@click.argument("settings", metavar="[SETTING]...", nargs=-1)
@click.option("--origin", is_flag=True, help="Say of each value where it comes from.")
@set_option
@format_option
@click.pass_obj
def command(
    session: Session, name: str, settings: tuple[str, ...], origin: bool, overrides: tuple[str, ...], style: str
) -> None:
    """Show the settings of a service in force: service.yaml, STRATA_SERVICE__A__B=C in the environment, --set A.B=C."""
    project = opened(session, name, overrides)
    rows = _chosen(dict(leaves(project.values)), settings)
    if style == "json":
        origins = {dotted(path): project.origin[dotted(path)].plain() for path in rows}
        out_json({
            "schema": "strata/service-config/v1", "service": project.name, "settings": nested(rows),
            "origin": origins, "warnings": list(project.warnings),
        })  # fmt: skip
    elif origin:
        lines = [(dotted(path), text(value), str(project.origin[dotted(path)])) for path, value in rows.items()]
        out(table(lines, ("setting", "value", "from")))
    else:
        from strata_git.load import dump_yaml

        out(dump_yaml(nested({path: value for path, value in rows.items() if value is not None})).decode().rstrip())


def _chosen(rows: dict[Any, object], names: tuple[str, ...]) -> dict[Any, object]:
    """The settings below the names; all of them where none is given."""
    if not names:
        return rows
    for name in names:
        if not any(_is_below(path, name) for path in rows):
            from strata_git.contracts.vocabulary import nearest

            near = nearest(name, [dotted(path) for path in rows])
            hint = f"Did you mean {near}?" if near else "git strata service config NAME shows all there are"
            raise UsageError(f"There is no setting {printable(name)}.", hint=hint)
    return {path: value for path, value in rows.items() if any(_is_below(path, name) for name in names)}


def _is_below(path: tuple[str | int, ...], name: str) -> bool:
    wanted = tuple(name.split("."))
    return tuple(map(str, path[: len(wanted)])) == wanted
