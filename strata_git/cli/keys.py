"""`git strata keys test`: which secrets can be had, and why one cannot; never what they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.pipelines import configured, secrets_of, settings_options
from strata_git.cli.session import Session
from strata_git.errors import StrataError, UsageError, printable

if TYPE_CHECKING:
    from strata_git.contracts.pipeline import Key


@click.group()
def command() -> None:
    """Secrets that strata.yaml names."""


@command.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@settings_options
@format_option
@click.pass_obj
def test(session: Session, names: tuple[str, ...], overrides: tuple[str, ...], profile: str | None, style: str) -> int:
    """Ask for every secret (or those NAMEd) where it is kept, and tell which can be had. Values are never shown.

    Exit code 0 when all can be had, 2 when one cannot.
    """
    from dataclasses import asdict

    from strata_git.pipeline.secrets.probe import probe

    root, settings = configured(session, overrides, profile)
    keys = settings.pipelines.keys
    probed = probe(keys, _chosen(tuple(keys), names), secrets_of(session, root, settings))
    warnings = [warning for file in _files(keys) for warning in _exposed(session, root, file)]
    if style == "json":
        out_json({"schema": "strata/keys/v1", "keys": [asdict(one) for one in probed], "warnings": warnings})
    elif not probed:
        out("strata.yaml names no secrets (section keys): nothing to test.")
    else:
        out(table([(one.name, one.place, one.kind or "resolves") for one in probed], ("name", "kept in", "state")))
        for one in probed:
            if not one.resolves:
                note("\n".join([one.why, *(f"  {line}" for line in one.hint.splitlines())]), "error")
        for warning in warnings:
            note(f"warning: {warning}", "warning")
    return 0 if all(one.resolves for one in probed) else 2


def _chosen(known: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            from strata_git.pipeline.vocabulary import nearest

            near = nearest(name, known)
            hint = f"Did you mean '{near}'?" if near else f"The section keys has: {', '.join(known) or 'none'}"
            raise UsageError(f"strata.yaml has no secret '{printable(name)}'.", hint=hint)
    return tuple(dict.fromkeys(names)) or known


def _files(keys: dict[str, Key]) -> list[str]:
    """The files of variables that some key is kept in."""
    return list(dict.fromkeys(file for key in keys.values() if (file := getattr(key, "file", None))))


def _exposed(session: Session, root: Path, file: str) -> list[str]:
    """What is wrong with how a file of secrets lies there: others may read it, or Git would take it up."""
    path = root / file
    if not path.is_file():
        return []
    found = []
    if path.stat().st_mode & 0o077:
        found.append(f"{printable(file)} can be read by others: chmod 600 {printable(file)}")
    if not os.path.isabs(file) and not _is_ignored(session, file):
        found.append(f"{printable(file)} is not ignored by Git: echo '/{printable(file)}' >>.gitignore")
    return found


def _is_ignored(session: Session, file: str) -> bool:
    try:
        repo = session.repository()
    except StrataError:
        return True  # there is no Git to take it up
    asked = os.fsencode(file) + b"\0"
    return bool(repo.try_user_git("check-ignore", "-z", "--stdin", input=asked).out)
