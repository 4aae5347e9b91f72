"""Two containers of one image: the model-service, which has no network at all, and the api-service before it.

They share a directory with their sockets and nothing else. Neither can write to its own files, gain privileges, or be
root. Both hang on this process: at the end of their standard input, however that comes, they end as well.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from strata_git.serving.image.engines import Engine
from strata_git.serving.image.entry import API, API_SOCKET, MODEL, SOCKETS, USER, api_arguments
from strata_git.serving.supervision.child import Child, Log, start_child

if TYPE_CHECKING:
    from strata_git.contracts.service import Resources

_GRACE = 3.0


@dataclass(frozen=True, slots=True)
class Pair:
    """Both containers, running. `socket` is where the api-service answers on this machine."""

    engine: Engine
    names: tuple[str, str]
    children: tuple[Child, Child]
    socket: Path

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of the processes that hold them."""
        return tuple(child.pid for child in self.children if child.is_running)

    async def ended(self) -> str:
        """Wait until one of them ends by itself; which, and how."""
        waiting = {asyncio.ensure_future(child.ended()): name
                   for child, name in zip(self.children, ("model-service", "api-service"), strict=True)}  # fmt: skip
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            first = next(iter(done))
            return f"the {waiting[first]}: {first.result()}"
        finally:
            for task in waiting:
                task.cancel()

    def kill(self) -> None:
        """No more time for answers."""
        for child in self.children:
            child.kill()

    async def stop(self, drain: float) -> None:
        """The api-service first, which answers what is under way; then the other. Nothing of them is left."""
        for child in reversed(self.children):
            await child.stop(drain + _GRACE)
        await asyncio.gather(*(asyncio.to_thread(_removed, self.engine, name) for name in self.names))


async def start_pair(
    engine: Engine, image: str, service: str, directory: Path, *, resources: Resources, log: Log, seconds: float = 120
) -> Pair:
    """Start both in the private directory `directory`, where their sockets will be, and wait until both are ready.

    Raises ChildRefused where the model-service refuses its bundle, ChildFailed where one does not start.
    """
    mark = token_hex(4)
    sockets = directory / mark
    sockets.mkdir()
    sockets.chmod(0o777)  # the directory around it is private; in a container another user writes here
    names = (f"strata-{service}-model-{mark}", f"strata-{service}-api-{mark}")
    api = [*API, *api_arguments(socket=API_SOCKET)]
    children: list[Child] = []
    try:
        for name, command, said in zip(names, (list(MODEL), api), ("model-service", "api-service"), strict=True):
            words = run_words(engine, image, command, name=name, service=service, sockets=sockets, resources=resources)
            children.append(await start_child(words, engine.environ, name=said, log=log, seconds=seconds))
    except BaseException:
        for name, child in zip(names, children, strict=False):
            child.kill()
            await asyncio.to_thread(_removed, engine, name)
        await asyncio.to_thread(_removed, engine, names[len(children)])
        raise
    return Pair(engine, names, (children[0], children[1]), sockets / Path(API_SOCKET).name)


def run_words(
    engine: Engine, image: str, command: Sequence[str], *, name: str, service: str, sockets: Path,
    resources: Resources, mounts: Mapping[Path, str] | None = None,
) -> list[str]:  # fmt: skip
    """The words that run `command` in a container of `image`: no network, nothing that can be written but /tmp."""
    limits = [part for option, value in (("--cpus", _cpus(resources.cpu)), ("--memory", _bytes(resources.memory)))
              if value for part in (option, value)]  # fmt: skip
    volumes = {sockets: f"{SOCKETS}:z", **(mounts or {})}
    return [
        engine.program, "run", "--interactive", "--rm", "--name", name, "--label", f"strata.service={service}",
        "--network", "none", "--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges",
        "--user", f"{USER}:{USER}", "--tmpfs", "/tmp:rw,size=64m,mode=1777", "--no-healthcheck",  # noqa: S108
        "--log-driver", "none", *limits,
        *(part for place, target in volumes.items() for part in ("--volume", f"{place}:{target}")),
        "--entrypoint", command[0], image, *command[1:],
    ]  # fmt: skip


def _removed(engine: Engine, name: str) -> None:
    """It is gone with its process; whatever kept it is undone."""
    with contextlib.suppress(Exception):
        engine.ask("rm", "--force", name)


def _cpus(quantity: str | None) -> str:
    if quantity is None:
        return ""
    return f"{int(quantity[:-1]) / 1000:g}" if quantity.endswith("m") else quantity


def _bytes(quantity: str | None) -> str:
    """As docker and podman write it: `512Mi` is `512m` there."""
    if quantity is None:
        return ""
    units = {"Ki": "k", "Mi": "m", "Gi": "g", "k": "k", "M": "m", "G": "g"}
    unit = next((one for one in units if quantity.endswith(one)), "")
    return quantity.removesuffix(unit) + units.get(unit, "b")
