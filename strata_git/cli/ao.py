"""`ao`: the commands of services under a name of their own. Each is the command of `git strata service`, and nothing
else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from strata_git import __version__
from strata_git.cli.chosen import Chosen
from strata_git.cli.main import answered, begin
from strata_git.cli.service.group import COMMANDS, Services


class Operations(Chosen, Services):
    """Of all commands of services those that every service needs."""

    program, whole, others = "ao", "git strata service", COMMANDS
    words = ("init", "check", "build", "run", "config")


@click.group(cls=Operations, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ao (git-strata)")
@click.option("-C", "directory", type=click.Path(file_okay=False, path_type=Path), help="Work as if started there.")
@click.pass_context
def ao(ctx: click.Context, directory: Path | None) -> None:
    """From a promoted model to a service: the services of git-strata."""
    begin(ctx, directory)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and return its exit code."""
    return answered(ao, "ao", arguments, os.environ)
