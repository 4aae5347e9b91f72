"""Some commands of a group under the name of a program of their own."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import ClassVar

import click

from strata_git.errors import UsageError, printable


class Chosen(click.Group):
    """Goes before the group's own class: `class Operations(Chosen, Services)`."""

    program: ClassVar[str]
    """The program's name."""
    whole: ClassVar[str]
    """How the group is called that has all of them: `git strata service`."""
    words: ClassVar[Sequence[str]]
    """The commands, in the order of the work."""
    others: ClassVar[Container[str]]
    """All commands of the group."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Those that were chosen."""
        return list(self.words)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, as the group has it. UsageError, which says where else it may be, for any other word."""
        if cmd_name in self.words:
            return super().get_command(ctx, cmd_name)
        known = f"{self.whole} {cmd_name}" if cmd_name in self.others else "git strata --help"
        raise UsageError(
            f"{self.program} has no command '{printable(cmd_name)}'.",
            hint=f"It has: {', '.join(self.words)}. Everything else: {printable(known)}",
        )

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The overview."""
        found = [(name, self.get_command(ctx, name)) for name in self.words]
        with formatter.section(f"Commands, each the same as of {self.whole}"):
            formatter.write_dl([(name, command.get_short_help_str(80)) for name, command in found if command])
