"""`ao`: the commands of services under a name of their own. Each is the command of `git strata service`, and nothing
else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from strata_git import __version__
from strata_git.cli.main import answered, begin
from strata_git.cli.service.group import COMMANDS, Services
from strata_git.errors import UsageError, printable

WORDS = ("init", "check", "build", "run", "config")


class Operations(Services):
    """Of all commands of services those that every service needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Those, in the order of the work."""
        return list(WORDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, as `git strata service` has it. UsageError, which says where else it may be, for other words."""
        if cmd_name in WORDS:
            return super().get_command(ctx, cmd_name)
        known = f"git strata service {cmd_name}" if cmd_name in COMMANDS else "git strata --help"
        raise UsageError(
            f"ao has no command '{printable(cmd_name)}'.",
            hint=f"It has: {', '.join(WORDS)}. Everything else: {printable(known)}",
        )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The overview."""
        found = [(name, self.get_command(ctx, name)) for name in WORDS]
        with formatter.section("Commands, each the same as of git strata service"):
            formatter.write_dl([(name, command.get_short_help_str(80)) for name, command in found if command])


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
