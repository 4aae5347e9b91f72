"""The versions of a service, followed: the one in force, canaries and shadows, looked at whenever the ledger moves."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from strata_git.serving.supervision.children import InChildren
from strata_git.serving.supervision.following import Follower, Put, Say
from strata_git.serving.supervision.lookout import Lookout
from strata_git.serving.supervision.opening import Opener

if TYPE_CHECKING:
    from strata_git.contracts.service import Route
    from strata_git.serving.backends.backend import Backend
    from strata_git.serving.project.project import Project
    from strata_git.serving.router import Router
    from strata_git.serving.supervision.watch import Watch


class Wishes(Protocol):
    """What of a wish is the life's affair; see `running.Wish`."""

    @property
    def every(self) -> float: ...

    @property
    def reload(self) -> bool: ...

    @property
    def wait(self) -> bool: ...


class Life:
    """Keeps a router's versions what the ledger says. `told` is called after every look with whether it is ready."""

    def __init__(
        self, project: Project, wish: Wishes, router: Router, watch: Watch, opener: Opener[Backend], say: Say
    ) -> None:  # fmt: skip
        self._wish = wish
        self._router = router
        self._lookout = Lookout(watch, say)
        self._say = say
        self._code = project.code
        self._seen_code = code_state(project.code)
        self._woken = asyncio.Event()
        self._stopped = False
        self._routes: list[tuple[Route, Backend | None]] = [(route, None) for route in project.service.routes]
        self.told: Callable[[bool], None] = lambda _ready: None
        self.main: Follower[Backend] = Follower(project.service.model, opener, self._put_main, say)
        self._followers = [self.main] + [
            Follower(route.model, opener, self._put_route(place), say)
            for place, (route, _) in enumerate(self._routes)
        ]  # fmt: skip

    @property
    def reason(self) -> str:
        """Why nothing answers, or what of the last change could not be done; `""`: all is well."""
        told = [one.condition.reason for one in self._followers if one.condition.reason]
        return "; ".join([*told, self._lookout.trouble] if self._lookout.trouble else told)

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of all processes that answer."""
        backends = [one.backend for one in self._followers]
        return tuple(pid for one in backends if isinstance(one, InChildren) for pid in one.pids)

    async def run(self) -> None:
        """Start, and follow until stopped. Raises what the gate says where it refuses at the start."""
        await self._begin()
        while not self._stopped:
            ready = await self._router.ready()
            self.told(ready)
            await self._rest(self._wish.every if ready or self.main.backend is None else min(self._wish.every, 0.2))
            if not self._stopped:
                await self._look()

    def wake(self, reason: str) -> None:
        """Look at once, at the service's own code as well: a process that was begun again is not what it was."""
        self._say("warning", reason)
        self._lookout.restless = True
        self._woken.set()

    def stop(self) -> None:
        """Follow no more."""
        self._stopped = True
        self._woken.set()

    def end(self, *, at_once: bool) -> None:
        """All processes are to end: without time for answers, or (`at_once`) killed."""
        for one in self._followers:
            if isinstance(one.backend, InChildren):
                (one.backend.kill if at_once else one.backend.hasten)()

    def close(self) -> None:
        """Ask the ledger no more."""
        self._lookout.close()

    async def _begin(self) -> None:
        for one in self._followers:
            await one.start(wait=self._wish.wait and one is self.main)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), seconds)
        except TimeoutError:
            return
        self._woken.clear()

    async def _look(self) -> None:
        code = code_state(self._code) if self._wish.reload or self._lookout.restless else self._seen_code
        anew = code != self._seen_code
        standings = await self._lookout.ask(self._followers, again=anew)
        if self._lookout.trouble:
            return
        self._seen_code = code
        if anew:
            self._say("info", "the service's own code has changed and is loaded again")
        for one in self._followers:
            if (standing := standings.get(one.reference)) is not None:
                await one.look(standing, anew=anew)

    async def _put_main(self, backend: Backend | None, reason: str) -> None:
        await self._router.swap(backend, reason=reason)

    def _put_route(self, place: int) -> Put:
        async def put(backend: Backend | None, _reason: str) -> None:
            self._routes[place] = (self._routes[place][0], backend)
            there = [(route, one) for route, one in self._routes if one is not None]
            await self._router.set_routes(
                canaries=[(one, route.percent) for route, one in there if route.mode == "canary"],
                shadows=[(one, route.percent) for route, one in there if route.mode == "shadow"],
            )

        return put


def code_state(directory: Path | None) -> tuple[tuple[str, int, int], ...]:
    """What tells whether code has changed: path, time and size of each of its files."""
    if directory is None:
        return ()
    found = []
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        for name in sorted(names):
            try:
                status = os.lstat(os.path.join(folder, name))
            except OSError:
                continue
            if not name.endswith((".pyc", "~")) and not name.startswith("."):
                found.append((os.path.join(folder, name), status.st_mtime_ns, status.st_size))
    return tuple(found)
