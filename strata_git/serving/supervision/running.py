"""A service from its start to its end: ports, a model, the ledger followed, its state told, and a quiet death."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from strata_git.checks.services import is_loopback
from strata_git.errors import StrataError, printable
from strata_git.serving.prediction_log import PredictionLog
from strata_git.serving.project.project import log_directory
from strata_git.serving.supervision.cards import card_reader
from strata_git.serving.supervision.life import Life
from strata_git.serving.supervision.opening import Place, opener_for
from strata_git.serving.supervision.places import held_alone, service_directory, socket_directory
from strata_git.serving.supervision.server import (
    Stopping,
    address_of,
    bind,
    heard,
    http_server,
    require_server,
    run_loop,
    serve_until_asked,
)
from strata_git.serving.supervision.state import State, StateKept, born, remove_state
from strata_git.serving.supervision.watch import Watch

if TYPE_CHECKING:
    from strata_git.contracts.service import Service
    from strata_git.serving.api.app import Api
    from strata_git.serving.grpc_front import Front
    from strata_git.serving.project.project import Project
    from strata_git.serving.router import Router


@dataclass(frozen=True, slots=True)
class Wish:
    """How a service is to run: `mode` is `local` or `split`; port 0: any that is free; `grpc_port` None: no gRPC.

    `every` are seconds between two looks at the ledger. `reload`: code of the service's own is loaded again when it
    changes. `wait`: where nothing may be served yet, wait for it instead of ending.
    """

    mode: str
    host: str
    port: int
    grpc_port: int | None = None
    every: float = 2.0
    reload: bool = False
    wait: bool = False


class Voice(Protocol):
    """Who is told what happens."""

    def say(self, level: str, text: str) -> None:
        """A line of the log."""

    def ready(self, url: str, grpc: str) -> None:
        """Requests are answered from now on; `grpc` is `""` where there is none. Once."""


def wished(
    service: Service, *, mode: str | None = None, host: str | None = None, port: int | None = None,
    grpc_port: int | None = None, every: float = 2.0, reload: bool = False, wait: bool = False, own_code: bool = False,
) -> Wish:  # fmt: skip
    """A wish from the service's settings and what was asked for beside them. More workers than one are processes of
    their own, and so are several versions where `own_code` answers with them: modules of one name would be one module.
    R has processes of its own in every mode.

    Raises StrataError for an address that others can reach, where nobody has to say who asks (TFC-0012 4.3).
    """
    mode = mode or service.runtime.mode
    several = service.runtime.workers > 1 or (own_code and bool(service.routes))
    if mode == "local" and several and service.lang == "python":
        mode = "split"
    chosen = Wish(
        mode, host or service.api.host, service.api.port if port is None else port,
        service.api.grpc_port if grpc_port is None else grpc_port, every, reload, wait,
    )  # fmt: skip
    if not is_loopback(chosen.host) and not service.api.auth.required:
        raise StrataError(
            f"{printable(chosen.host)} can be reached by others, and the service asks nobody who they are.",
            hint="Name keys or a provider under api.auth in service.yaml, or listen on 127.0.0.1",
            exit_code=2,
        )
    return chosen


def run_service(
    project: Project, wish: Wish, *, environ: Mapping[str, str], overrides: Sequence[str] = (), voice: Voice
) -> int:
    """Run a service in this process, in the foreground, until it is asked to stop; the exit code: 0, or 128 + the
    signal where it was asked twice and ended with answers under way.

    Raises gate.NotServed or ChildRefused (exit code 2) where the gate refuses at the start, StrataError where ports
    are taken, the service runs already, or it cannot be started.
    """
    require_server()
    directory = service_directory(project.root, project.name)
    with (
        held_alone(directory, project.name),
        contextlib.closing(bind(wish.host, wish.port)) as listening,
        socket_directory() as sockets,
    ):
        run = _Run(project, wish, environ, overrides, voice, directory, listening, sockets)
        try:
            return int(run_loop(run.main))
        finally:
            remove_state(directory)


class _Run:
    """One run: what its parts have in common."""

    def __init__(
        self, project: Project, wish: Wish, environ: Mapping[str, str], overrides: Sequence[str], voice: Voice,
        directory: Path, listening: socket.socket, sockets: Path,
    ) -> None:  # fmt: skip
        self._project = project
        self._wish = wish
        self._environ = environ
        self._overrides = overrides
        self._voice = voice
        self._listening = listening
        self._sockets = sockets
        self._since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._state = StateKept(directory)
        self._announced = False
        self._front: Front | None = None
        self._log: PredictionLog | None = None
        self._app: Any = None

    async def main(self) -> int:
        from strata_git.serving.router import Router

        service, stopping, router = self._project.service, Stopping(), Router()
        life = self._life(router)
        drain = service.api.limits.drain_ms / 1000
        with heard(stopping):
            self._app = self._application(router)
            server = http_server(self._app, drain=drain)
            self._front = await self._gate_for_grpc(router)
            self._write(life, ready=False)
            serving = asyncio.ensure_future(
                serve_until_asked(server, [self._listening], stopping, before=lambda: self._drain(life, drain))
            )
            living = asyncio.ensure_future(life.run())
            try:
                await asyncio.wait({serving, living}, return_when=asyncio.FIRST_COMPLETED)
                if not stopping.asked.is_set():
                    stopping.ask()
                await serving
            finally:
                await self._end(life, router, stopping, living)
            if living.done() and not living.cancelled():
                living.result()
        return 128 + stopping.number if stopping.hurry.is_set() else 0

    def _life(self, router: Router) -> Life:
        place = Place(
            self._project, self._environ, self._overrides, self._sockets,
            log=lambda text: self._voice.say("info", text), restless=lambda reason: life.wake(reason),
        )  # fmt: skip
        service = self._project.service
        references = [service.model, *(route.model for route in service.routes)]
        watch = Watch(self._project.root, self._environ, references)
        life = Life(self._project, self._wish, router, watch, opener_for(place, self._wish.mode), self._voice.say)
        life.told = lambda ready: self._told(life, ready)
        return life

    def _application(self, router: Router) -> Api:
        from strata_git.serving.api.app import create_app

        project = self._project
        if project.service.log.enabled:
            self._log = PredictionLog(project.service.log, log_directory(project.root, project.name))
        card = card_reader(project.root, self._environ)
        return create_app(
            project.service, router, card=card, golden=project.golden, root=project.directory, log=self._log,
            hosts=(self._wish.host,),
        )  # fmt: skip

    async def _gate_for_grpc(self, router: Router) -> Front | None:
        if self._wish.grpc_port is None:
            return None
        from strata_git.serving.grpc_front import start_front

        host, port = self._wish.host, self._wish.grpc_port
        with contextlib.closing(bind(host, port, setting="api.grpc_port")) as tried:  # for its one clear sentence
            port = tried.getsockname()[1]
        shared = self._app.context
        return await start_front(
            self._project.service, router, shared.authenticator, host=host, port=port,
            observe=shared.observe, keep=shared.keep,
        )  # fmt: skip

    def _told(self, life: Life, ready: bool) -> None:
        """After every look: the state is written where it changed, and who waits is told once."""
        self._write(life, ready=ready)
        if ready and not self._announced:
            self._announced = True
            self._voice.ready(self._url, self._grpc)

    def _drain(self, life: Life, drain: float) -> None:
        self._voice.say("info", "asked to stop: what is under way is answered, and nothing more is taken")
        life.stop()
        self._app.state.draining = True
        self._write(life, ready=False, reason="the service ends")
        if self._front is not None:
            self._ending = asyncio.ensure_future(self._front.stop(drain))

    async def _end(self, life: Life, router: Router, stopping: Stopping, living: asyncio.Task[None]) -> None:
        """Nothing is left of the service when this returns."""
        life.stop()
        life.end(at_once=stopping.hurry.is_set())
        living_or_not = [living] if not living.done() else []
        if living_or_not:
            living.cancel()
            await asyncio.wait(living_or_not)
        if self._front is not None:
            await self._front.stop(0)
        closing = asyncio.ensure_future(router.close())
        hurry = asyncio.ensure_future(stopping.hurry.wait())
        await asyncio.wait({closing, hurry}, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not closing.done():
            life.end(at_once=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(closing, 1)
        life.close()
        if self._log is not None:
            self._log.close()

    @property
    def _url(self) -> str:
        return f"http://{address_of(self._listening)}"

    @property
    def _grpc(self) -> str:
        if self._front is None:
            return ""
        host = address_of(self._listening).rpartition(":")[0]
        return f"{host}:{self._front.port}"

    def _write(self, life: Life, *, ready: bool, reason: str = "") -> None:
        main = life.main
        backend = main.backend
        state = State(
            self._project.name, os.getpid(), born(os.getpid()), self._since, self._wish.mode, self._url, self._grpc,
            ready=ready, reason=reason or life.reason, model=self._project.service.model, event=main.condition.event,
            drain_ms=self._project.service.api.limits.drain_ms,
            provenance=backend.provenance.as_json() if backend is not None else {}, steps=main.condition.steps,
            children=life.pids,
        )  # fmt: skip
        self._state.keep(state)
