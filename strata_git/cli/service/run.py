"""`git strata service run`: a service in the foreground, from the gate to the last answer."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable

import click

from strata_git.cli.output import least_level, note, out, speaks_json
from strata_git.cli.services import opened, set_option
from strata_git.cli.session import Session
from strata_git.errors import StrataError

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@click.command()
@click.argument("name")
@click.option(
    "--mode", type=click.Choice(["local", "split", "compose"]),
    help="Where the model is: in this process, in processes of its own, in containers (default: runtime.mode).",
)  # fmt: skip
@click.option("--host", metavar="HOST", help="Where to listen (default: api.host, this machine alone).")
@click.option("--port", type=click.IntRange(0, 65535), help="For HTTP; 0: any that is free (default: api.port).")
@click.option("--grpc-port", type=click.IntRange(0, 65535), help="For gRPC, the same way (default: api.grpc_port).")
@click.option("--every", type=click.FloatRange(0.05, 3600), default=2.0, show_default=True, metavar="SECONDS",
              help="How often to look whether the ledger says something new.")  # fmt: skip
@click.option("--reload", is_flag=True, help="Load the service's own code again whenever it changes: for writing it.")
@click.option("--wait", is_flag=True, help="Where nothing may be served yet, wait for it instead of ending.")
@set_option
@click.pass_obj
def command(
    session: Session, name: str, mode: str | None, host: str | None, port: int | None, grpc_port: int | None,
    every: float, reload: bool, wait: bool, overrides: tuple[str, ...],
) -> int:  # fmt: skip
    """Run a service until it is asked to stop (Ctrl-C, SIGTERM, `git strata service stop`).

    The model passes the gate first, and its successors do whenever one is promoted. `ready http://HOST:PORT` is
    printed as soon as requests are answered.
    """
    from strata_git.serving.logs import service_log
    from strata_git.serving.polling import settle_polling
    from strata_git.serving.supervision.running import run_service, wished
    from strata_git.serving.supervision.server import require_server

    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "false"  # what we start is another program, and gRPC complains of each
    settle_polling(os.environ)
    require_server()
    project = opened(session, name, overrides)
    wish = wished(
        project.service, mode=mode, host=host, port=port, grpc_port=grpc_port, every=every, reload=reload, wait=wait,
        own_code=project.code is not None,
    )  # fmt: skip
    run: Callable[..., int | None] = run_service
    if wish.mode == "compose":
        from strata_git.serving.image.running import start as run
    voice = Voice(project.name)
    with service_log("json" if speaks_json() else "human", least_level()):
        try:
            code = run(project, wish, environ=session.environ, overrides=overrides, voice=voice) or 0
        except StrataError as error:
            _tell_steps(error)
            raise
    if code:  # in a hurry: threads that still compute are not waited for
        sys.stdout.flush()
        os._exit(code)
    return 0


class Voice:
    """Tells what happens: the log on standard error, and once `ready URL` on standard output."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._log = logging.getLogger("strata.serving")

    def say(self, level: str, text: str) -> None:
        """A line of the log."""
        self._log.log(_LEVELS.get(level, logging.INFO), "%s", text)

    def ready(self, url: str, grpc: str) -> None:
        """Requests are answered from now on."""
        out(f"ready {url}")
        if grpc:
            out(f"grpc {grpc}")
        note(f"Try it: {url}/   its interface: {url}/docs\n  git strata service call {self._name} --example")


def _tell_steps(error: StrataError) -> None:
    """What the gate said up to its refusal."""
    from strata_git.serving.supervision.opening import refusal_steps

    for step, verdict, message in refusal_steps(error):
        note(f"{step}: {verdict}{f', {message}' if message else ''}")
