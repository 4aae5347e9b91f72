"""`fmf`: the commands of pipelines under a name of their own. Each is the command of `git strata`, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from strata_git import __version__
from strata_git.cli.main import COMMANDS, LazyGroup, answered, begin
from strata_git.errors import UsageError, printable

WORDS = ("keys", "connect", "process", "infer", "run", "prompt", "export")
_LOG_FORMAT = "LOG_FORMAT"


class Framework(LazyGroup):
    """Of all commands those of pipelines."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Those, in the order of the work."""
        return list(WORDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, as `git strata` has it. UsageError, which says where else it may be, for any other word."""
        if cmd_name in WORDS:
            return super().get_command(ctx, cmd_name)
        known = f"git strata {cmd_name}" if cmd_name in COMMANDS else "git strata --help"
        raise UsageError(
            f"fmf has no command '{printable(cmd_name)}'.",
            hint=f"It has: {', '.join(WORDS)}. Everything else: {printable(known)}",
        )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The overview."""
        found = [(name, self.get_command(ctx, name)) for name in WORDS]
        with formatter.section("Commands, each the same as of git strata"):
            formatter.write_dl([(name, command.get_short_help_str(80)) for name, command in found if command])


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
