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
from strata_git.serving.gate import NotServed
from strata_git.serving.image.engines import Engine, find_engine
from strata_git.serving.image.forwarding import Forwarder
from strata_git.serving.image.pair import Pair, start_pair
from strata_git.serving.image.prepared import Image, prepared
from strata_git.serving.supervision.places import held_alone, service_directory, socket_directory
from strata_git.serving.supervision.server import Stopping, address_of, bind, heard, run_loop
from strata_git.serving.supervision.state import State, born, remove_state, write_state

if TYPE_CHECKING:
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
        first = prepared(project, engine, environ, overrides, voice.say)
        running = _Running(project, wish, engine, environ, overrides, voice, directory, listening, sockets, first)
        try:
            run_loop(running.main)
        finally:
            remove_state(directory)


class _Running:
    """One run."""

    def __init__(
        self, project: Project, wish: Wish, engine: Engine, environ: Mapping[str, str], overrides: Sequence[str],
        voice: Voice, directory: Path, listening: socket.socket, sockets: Path, first: Image,
    ) -> None:  # fmt: skip
        self._project, self._wish, self._engine = project, wish, engine
        self._environ, self._overrides, self._voice = environ, overrides, voice
        self._directory, self._listening, self._sockets = directory, listening, sockets
        self._since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._drain = project.service.api.limits.drain_ms / 1000
        self._pair: Pair | None = None
        self._image: Image | None = None
        self._first = first

    async def main(self) -> None:
        stopping = Stopping()
        with heard(stopping):
            forwarder = Forwarder(self._listening)
            await forwarder.start()
            asked = asyncio.ensure_future(stopping.asked.wait())
            try:
                beginning = asyncio.ensure_future(self._take(forwarder, self._first))
                await asyncio.wait({beginning, asked}, return_when=asyncio.FIRST_COMPLETED)
                if not beginning.done():
                    beginning.cancel()
                    await asyncio.wait({beginning})
                    return
                beginning.result()
                self._voice.ready(self._url, "")
                while not asked.done():
                    await self._watched(forwarder, asked)
            finally:
                asked.cancel()
                self._write(ready=False, reason="the service ends")
                await forwarder.stop(0 if stopping.hurry.is_set() else min(self._drain, 1))
                if self._pair is not None:
                    await self._pair.stop(0 if stopping.hurry.is_set() else self._drain)

    async def _take(self, forwarder: Forwarder, image: Image) -> None:
        """An image takes over; whoever answered before ends once it has answered."""
        service = self._project.service
        pair = await start_pair(
            self._engine, image.id, service.name, self._sockets, resources=service.resources,
            log=lambda text: self._voice.say("info", text),
        )  # fmt: skip
        before, self._pair, self._image = self._pair, pair, image
        forwarder.target, forwarder.reason = pair.socket, ""
        self._write(ready=True)
        self._voice.say("info", f"{image.provenance.reference} answers, in containers of {image.id[7:19]}")
        if before is not None:
            await before.stop(self._drain)

    async def _watched(self, forwarder: Forwarder, asked: asyncio.Future[Any]) -> None:
        """Until something has to be done: a look at the ledger, containers that ended, the end."""
        waiting: set[asyncio.Future[Any]] = {asked}
        ended = asyncio.ensure_future(self._pair.ended()) if self._pair is not None else None
        if ended is not None:
            waiting.add(ended)
        await asyncio.wait(waiting, timeout=self._wish.every, return_when=asyncio.FIRST_COMPLETED)
        if ended is not None and not ended.done():
            ended.cancel()
        if asked.done():
            return
        if ended is not None and ended.done() and not ended.cancelled():
            await self._fell(forwarder, ended.result())
            await asyncio.wait({asked}, timeout=PAUSE)
        if not asked.done():
            await self._looked(forwarder)

    async def _fell(self, forwarder: Forwarder, how: str) -> None:
        self._voice.say("error", f"{how}; both containers are begun again")
        await self._silence(forwarder, how)

    async def _silence(self, forwarder: Forwarder, reason: str) -> None:
        """Nothing answers any more."""
        forwarder.target, forwarder.reason = None, reason
        pair, self._pair = self._pair, None
        self._write(ready=False, reason=reason)
        if pair is not None:
            await pair.stop(self._drain)

    async def _looked(self, forwarder: Forwarder) -> None:
        try:
            event = await asyncio.to_thread(self._event)
        except NotServed as error:
            if self._pair is not None:
                self._voice.say("error", f"nothing is served any more: {error.message}")
                await self._silence(forwarder, error.message)
            forwarder.reason = error.message
            return
        except StrataError as error:
            self._voice.say("error", f"the ledger cannot be asked: {error.message}")
            return
        if self._pair is not None and self._image is not None and event == self._image.event:
            return
        try:
            await self._take(forwarder, await asyncio.to_thread(self._prepared))
        except StrataError as error:
            forwarder.reason = forwarder.reason and error.message
            self._voice.say("error", f"the successor is not taken: {error.message}")
            self._write(ready=self._pair is not None, reason=error.message)

    def _event(self) -> str:
        from strata_git.repo.command import Repository
        from strata_git.serving.gate import current_event
        from strata_git.serving.supervision.watch import read_settings

        repo = Repository.discover(self._project.root, self._environ)
        try:
            return current_event(repo, read_settings(repo), self._project.service.model)
        finally:
            repo.close()

    def _prepared(self) -> Image:
        return prepared(self._project, self._engine, self._environ, self._overrides, self._voice.say)

    @property
    def _url(self) -> str:
        return f"http://{address_of(self._listening)}"

    def _write(self, *, ready: bool, reason: str = "") -> None:
        image = self._image
        state = State(
            self._project.name, os.getpid(), born(os.getpid()), self._since, "compose", self._url, ready=ready,
            reason=reason, model=self._project.service.model, event=image.event if image else "",
            drain_ms=self._project.service.api.limits.drain_ms,
            provenance=image.provenance.as_json() if image else {}, steps=image.steps if image else (),
            children=self._pair.pids if self._pair else (),
        )  # fmt: skip
        with contextlib.suppress(StrataError):  # a full disk does not end a service
            write_state(self._directory, state)
