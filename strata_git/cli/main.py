"""`git strata`: the lazy group, and the one place where errors become exit codes (DESIGN: 0 1 2 verdicts, 3 inability,
64 usage, 70 our bug, 130 interrupted)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import click

from strata_git import __version__
from strata_git.cli.output import complain, note, speak, traceback_of
from strata_git.cli.session import Session
from strata_git.errors import StrataError, printable

COMMANDS: dict[str, tuple[str, str]] = {
    # name: (module in strata_git.cli, group in the overview)
    "init": ("init", "workspace"),
    "status": ("status", "workspace"),
    "doctor": ("doctor", "workspace"),
    "explain": ("explain", "workspace"),
    "install": ("install", "workspace"),
    "uninstall": ("uninstall", "workspace"),
    "hooks": ("hooks", "workspace"),
    "merge-driver": ("merge_driver", "workspace"),
    "config": ("config", "workspace"),
    "dataset": ("dataset", "artifacts"),
    "model": ("model", "artifacts"),
    "list": ("list", "artifacts"),
    "show": ("show", "artifacts"),
    "checksum": ("checksum", "integrity"),
    "sign": ("sign", "integrity"),
    "verify": ("verify", "integrity"),
    "trust": ("trust", "integrity"),
    "key": ("key", "integrity"),
    "promote": ("promote", "ledger"),
    "approve": ("approve", "ledger"),
    "demote": ("demote", "ledger"),
    "archive": ("archive", "ledger"),
    "resolve": ("resolve", "ledger"),
    "stages": ("stages", "ledger"),
    "history": ("history", "ledger"),
    "push": ("push", "ledger"),
    "fetch": ("fetch", "ledger"),
    "index": ("index", "index"),
    "lineage": ("lineage", "index"),
    "dashboard": ("dashboard", "index"),
    "report": ("report", "index"),
    "federate": ("federate", "index"),
    "impact": ("impact", "index"),
    "diff": ("diff", "index"),
    "compare": ("compare", "index"),
    "log": ("log", "index"),
    "bisect": ("bisect", "index"),
    "search": ("search", "index"),
    "whois": ("whois", "index"),
    "storage": ("storage", "index"),
    "convert": ("convert", "exchange"),
    "import": ("import_", "exchange"),
    "evidence": ("evidence", "exchange"),
    "run": ("run", "runs"),
    "sweep": ("sweep", "runs"),
    "reproduce": ("reproduce", "runs"),
    "runs": ("runs", "runs"),
    "plugins": ("plugins", "runs"),
    "keys": ("keys", "pipelines"),
    "connect": ("connect", "pipelines"),
    "process": ("process", "pipelines"),
    "export": ("export", "pipelines"),
    "prompt": ("prompt", "pipelines"),
    "infer": ("infer", "pipelines"),
    "service": ("service.group", "services"),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"strata_git.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The overview, by group."""
        for group in dict.fromkeys(group for _, group in COMMANDS.values()):
            rows = []
            for name, (_, belongs) in COMMANDS.items():
                command = self.get_command(ctx, name) if belongs == group else None
                if command is not None and not command.hidden:
                    rows.append((name, command.get_short_help_str(80)))
            with formatter.section(group):
                formatter.write_dl(rows)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="git-strata")
@click.option("-C", "directory", type=click.Path(file_okay=False, path_type=Path), help="Work as if started there.")
@click.pass_context
def cli(ctx: click.Context, directory: Path | None) -> None:
    """The Git-native, local-first home of a machine-learning project's whole life."""
    begin(ctx, directory)


def begin(ctx: click.Context, directory: Path | None) -> None:
    """What every command works from: the environment that was handed in, and the directory that `-C` names."""
    try:
        cwd = Path.cwd() if directory is None else Path.cwd() / directory
    except FileNotFoundError:
        raise StrataError("The current directory is no longer there.", hint="cd into the repository again") from None
    if not cwd.is_dir():
        raise StrataError(f"{printable(str(cwd))} is not a directory.")
    ctx.obj = Session(environ=dict(ctx.obj), cwd=cwd)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code. Nothing but text reaches the user, whatever happens."""
    return answered(cli, "git strata", arguments, os.environ)


def answered(group: click.Group, name: str, arguments: Sequence[str] | None, environ: Mapping[str, str]) -> int:
    """The exit code of `group` as the program `name`, which works from a snapshot of `environ`."""
    speak(environ)
    try:
        answer = group.main(args=arguments, prog_name=name, standalone_mode=False, obj=environ)
        sys.stdout.flush()
        return answer if isinstance(answer, int) else 0
    except click.exceptions.Exit as request:
        return request.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        note("interrupted", "error")
        return 130
    except click.ClickException as error:
        complain(error.format_message(), exit_code=64)
        return 64
    except StrataError as error:
        complain(error.message, error.hint, exit_code=error.exit_code)
        return error.exit_code
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the reader left; nothing more can be said
        return 141
    except Exception as error:  # noqa: BLE001 - the last catch: a bug of ours, told as one
        return _bug(error)


def _bug(error: Exception) -> int:
    import traceback

    steps = traceback.extract_tb(error.__traceback__)
    place = f"{Path(steps[-1].filename).name}:{steps[-1].lineno}" if steps else "?"
    told = printable(f"{type(error).__name__}: {error}".splitlines()[0][:300])
    hint = "STRATA_DEBUG=1 shows where it happened; please report it."
    complain(f"this is a bug of git-strata {__version__}, at {place}: {told}", hint, exit_code=70, level="critical")
    if os.environ.get("STRATA_DEBUG") == "1":
        click.echo(traceback_of(error), err=True)
    return 70
