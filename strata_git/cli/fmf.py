"""`fmf`: the commands of pipelines under a name of their own. Each is the command of `git strata`, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from strata_git import __version__
from strata_git.cli.chosen import Chosen
from strata_git.cli.main import COMMANDS, LazyGroup, answered, begin

_LOG_FORMAT = "LOG_FORMAT"


class Framework(Chosen, LazyGroup):
    """Of all commands those of pipelines."""

    program, whole, others = "fmf", "git strata", COMMANDS
    words = ("keys", "connect", "process", "infer", "run", "prompt", "export")


@click.group(cls=Framework, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fmf (git-strata)")
@click.option("-C", "directory", type=click.Path(file_okay=False, path_type=Path), help="Work as if started there.")
@click.pass_context
def fmf(ctx: click.Context, directory: Path | None) -> None:
    """Documents in, answers out: the pipelines of git-strata."""
    begin(ctx, directory)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it and return its exit code."""
    return answered(fmf, "fmf", arguments, _renamed(os.environ))


def _renamed(environ: Mapping[str, str]) -> Mapping[str, str]:
    """FMF_LOG_FORMAT means STRATA_LOG_FORMAT, where that is not said."""
    said = environ.get(f"FMF_{_LOG_FORMAT}")
    return {f"STRATA_{_LOG_FORMAT}": said, **environ} if said else environ
