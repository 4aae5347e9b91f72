"""`git strata config`: every setting as it is in force, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from strata_git.cli.output import format_option, out, out_json, table
from strata_git.cli.pipelines import configured, settings_options
from strata_git.cli.session import Session
from strata_git.contracts.layers import dotted, leaves, nested
from strata_git.errors import UsageError, printable

if TYPE_CHECKING:
    from strata_git.pipeline.observability.redact import Redactor
    from strata_git.pipeline.settings import Configured

_FREE = ("otlp_headers", "options")
"""Mappings whose keys are not ours: a value there may be a secret that somebody wrote down."""


@click.command()
@click.argument("names", metavar="[SETTING]...", nargs=-1)
@click.option("--origin", is_flag=True, help="Say of each value where it comes from.")
@settings_options
@format_option
@click.pass_obj
def command(
    session: Session, names: tuple[str, ...], origin: bool, overrides: tuple[str, ...], profile: str | None, style: str
) -> None:
    """Show the settings in force: strata.yaml, the profile, STRATA_A__B__C in the environment, --set. Of secrets the
    names."""
    from strata_git.pipeline.observability.redact import Redactor

    _, settings = configured(session, overrides, profile)
    redactor = Redactor(session.mask())
    rows = {path: _shown(path, value, redactor) for path, value in leaves(settings.values)}
    rows = _chosen(rows, names)
    if style == "json":
        out_json(_plain(settings, rows))
    elif origin:
        lines = [(dotted(path), text(value), str(_from(settings, path))) for path, value in rows.items()]
        out(table(lines, ("setting", "value", "from")))
    else:
        from strata_git.load import dump_yaml

        out(dump_yaml(nested({path: value for path, value in rows.items() if value is not None})).decode().rstrip())


def _chosen(rows: dict[Any, object], names: tuple[str, ...]) -> dict[Any, object]:
    """The settings below the names; all of them where none is given."""
    chosen = {
        path: value
        for path, value in rows.items()
        if not names or any(tuple(name.split(".")) == path[: name.count(".") + 1] for name in names)
    }
    for name in names:
        if not any(tuple(name.split(".")) == path[: name.count(".") + 1] for path in chosen):
            from strata_git.pipeline.vocabulary import nearest

            near = nearest(name, [dotted(path) for path in rows] + [str(path[0]) for path in rows])
            hint = f"Did you mean {near}?" if near else "git strata config shows all there are"
            raise UsageError(f"There is no setting {printable(name)}.", hint=hint)
    return chosen


def _shown(path: tuple[str | int, ...], value: object, redactor: Redactor) -> object:
    from strata_git.contracts.pipeline import SECRET

    if isinstance(value, str) and SECRET.fullmatch(value):
        return value  # a name, and no more
    if isinstance(value, str) and any(part in _FREE for part in path[:-1]):
        return redactor.plain({str(path[-1]): value})[str(path[-1])]
    return redactor.text(value) if isinstance(value, str) else value


def _from(settings: Configured, path: tuple[str | int, ...]) -> Any:
    return settings.origin[dotted(path)]


def _plain(settings: Configured, rows: Mapping[Any, object]) -> dict[str, object]:
    return {
        "schema": "strata/config/v1",
        "profile": settings.profile,
        "settings": nested(rows),
        "origin": {dotted(path): _from(settings, path).plain() for path in rows},
        "warnings": list(settings.warnings),
    }


def text(value: object) -> str:
    """A value as a person reads it."""
    if isinstance(value, str):
        return value
    import json

    return json.dumps(value, ensure_ascii=False)
