"""The group of `git strata service`."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS: tuple[str, ...] = (
    "init", "check", "build", "run", "stop", "test", "task", "call", "bench", "config", "deploy", "status", "rollback",
    "drift", "eject", "proto",
)  # fmt: skip
"""In the order of the work; each is the module of that name."""


class Services(click.Group):
    """A group whose commands are imported when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command, in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"strata_git.cli.service.{cmd_name}").command
        command.name = cmd_name
        return command


@click.group(cls=Services)
def command() -> None:
    """Serve a promoted model: make, check, run, build and deploy a service."""
