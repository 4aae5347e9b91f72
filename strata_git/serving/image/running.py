"""`service run --mode compose`: the service as it runs elsewhere, in containers on this machine.

The image is the one that `service build` makes (built where it is not here yet). The ledger is followed as in every
mode: a successor gets containers of its own, which take over once they are ready; where nothing may be served any more
whoever asks is told so.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError
from strata_git.serving.image.containers import Containers, InContainers
from strata_git.serving.image.engines import Engine, find_engine
from strata_git.serving.image.forwarding import Forwarder
from strata_git.serving.image.prepared import Image, prepared
from strata_git.serving.supervision.following import Follower
from strata_git.serving.supervision.lookout import Lookout
from strata_git.serving.supervision.opening import refusal_steps
from strata_git.serving.supervision.places import held_alone, service_directory, socket_directory
from strata_git.serving.supervision.server import Stopping, address_of, bind, heard, run_loop
from strata_git.serving.supervision.state import State, StateKept, born, remove_state
from strata_git.serving.supervision.watch import Watch

if TYPE_CHECKING:
    from strata_git.serving.image.pair import Pair
    from strata_git.serving.project.project import Project
    from strata_git.serving.supervision.running import Voice, Wish

PAUSE = 2.0
"""Seconds before containers that ended are begun again."""


def start(
    project: Project, wish: Wish, *, environ: Mapping[str, str], overrides: Sequence[str] = (), voice: Voice
) -> None:
    """Run a service in containers, in the foreground, until this process is asked to stop.

    Raises gate.NotServed (exit code 2) where the gate refuses at the start, StrataError where there is no engine, the
    port is taken, or an image or container cannot be made.
    """
    if os.name != "posix" or not Path("/proc").is_dir():
        raise StrataError(
            "Containers are run like this on Linux only: elsewhere they are in another machine, and their sockets too.",
            hint=f"git strata service deploy {project.name} --target compose",
        )
    engine = find_engine(project.service.build.engine, environ, to_run=True)
    directory = service_directory(project.root, project.name)
    with (
        held_alone(directory, project.name),
        contextlib.closing(bind(wish.host, wish.port)) as listening,
        socket_directory() as sockets,
    ):
        # before the loop: whoever asks to stop while an image is built stops the build
        first = _first(project, engine, environ, overrides, wish, voice)
        opener = InContainers(project, engine, environ, overrides, voice.say, sockets, first)
        running = _Running(project, wish, opener, environ, voice, directory, listening)
        try:
            run_loop(running.main)
        finally:
            remove_state(directory)


def _first(
    project: Project, engine: Engine, environ: Mapping[str, str], overrides: Sequence[str], wish: Wish, voice: Voice
) -> Image | None:
    """What is begun with; None where the gate refuses, and that is waited for."""
    try:
        return prepared(project, engine, environ, overrides, voice.say)
    except StrataError as error:
        if not wish.wait or not refusal_steps(error):
            raise
        return None


class _Running:
    """One run."""

    def __init__(
        self, project: Project, wish: Wish, opener: InContainers, environ: Mapping[str, str], voice: Voice,
        directory: Path, listening: socket.socket,
    ) -> None:  # fmt: skip
        self._project, self._wish, self._voice = project, wish, voice
        self._listening = listening
        self._since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._forwarder = Forwarder(listening)
        self._lookout = Lookout(Watch(project.root, environ, [project.service.model]), voice.say)
        self._follower: Follower[Containers] = Follower(project.service.model, opener, self._put, voice.say)
        self._now: Containers | None = None
        self._leaving: dict[asyncio.Task[None], Pair] = {}
        self._state = StateKept(directory)

    async def main(self) -> None:
        stopping = Stopping()
        with heard(stopping):
            await self._forwarder.start()
            asked = asyncio.ensure_future(stopping.asked.wait())
            following = asyncio.ensure_future(self._follow())
            try:
                await asyncio.wait({following, asked}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                asked.cancel()
                following.cancel()
                await asyncio.wait({following})
                await self._end(stopping)
            if not following.cancelled():
                following.result()

    async def _follow(self) -> None:
        """Start, and do what the ledger says for ever. Raises what the gate says where it refuses at the start."""
        follower, announced = self._follower, False
        await follower.start(wait=self._wish.wait)
        while True:
            self._write()
            if self._now is not None and not announced:
                announced = True
                self._voice.ready(f"http://{address_of(self._listening)}", "")
            if how := await self._rest():
                await follower.fell(f"{how}; both containers are begun again")
                self._write()
                self._lookout.restless = True
                await asyncio.sleep(PAUSE)
            if (standing := (await self._lookout.ask([follower])).get(follower.reference)) is not None:
                await follower.look(standing)

    async def _rest(self) -> str:
        """Until the next look is due; how containers ended, where they did meanwhile."""
        if self._now is None:
            await asyncio.sleep(self._wish.every)
            return ""
        try:
            return await asyncio.wait_for(self._now.pair.ended(), self._wish.every)
        except TimeoutError:
            return ""

    async def _put(self, containers: Containers | None, reason: str) -> None:
        """They take over at once; whoever answered before ends once it has answered."""
        before, self._now = self._now, containers
        self._forwarder.target = containers.pair.socket if containers is not None else None
        self._forwarder.reason = reason
        if before is not None:
            task = asyncio.ensure_future(before.pair.stop(self._drain))
            self._leaving[task] = before.pair
            task.add_done_callback(self._leaving.pop)

    async def _end(self, stopping: Stopping) -> None:
        """Nothing is left of the service when this returns; who is in a hurry waits for no answers."""
        self._write("the service ends")
        await self._forwarder.stop(0 if stopping.hurry.is_set() else min(self._drain, 1))
        await self._put(None, "the service ends")
        leaving = asyncio.ensure_future(self._left())
        hurry = asyncio.ensure_future(stopping.hurry.wait())
        waiting: set[asyncio.Future[Any]] = {leaving, hurry}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        for pair in () if leaving.done() else self._leaving.values():
            pair.kill()
        await leaving
        self._lookout.close()

    async def _left(self) -> None:
        """Until all containers that are to end have ended."""
        await asyncio.gather(*self._leaving, return_exceptions=True)

    @property
    def _drain(self) -> float:
        return self._project.service.api.limits.drain_ms / 1000

    def _write(self, reason: str = "") -> None:
        """How it stands, for `status` and `stop`; `reason`: it is not ready any more."""
        condition, now = self._follower.condition, self._now
        state = State(
            self._project.name, os.getpid(), born(os.getpid()), self._since, "compose",
            f"http://{address_of(self._listening)}", ready=now is not None and not reason,
            reason=reason or condition.reason or self._lookout.trouble, model=self._project.service.model,
            event=condition.event, drain_ms=self._project.service.api.limits.drain_ms,
            provenance=now.provenance.as_json() if now is not None else {}, steps=condition.steps,
            children=now.pair.pids if now is not None else (),
        )  # fmt: skip
        self._state.keep(state)
