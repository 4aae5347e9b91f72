"""How a version comes to answer: in this process, or in others. It passes the gate wherever it is loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from strata_git.serving.supervision.child import Child, ChildRefused, Log, child_environ, python, start_child
from strata_git.serving.supervision.children import Children, InChildren

if TYPE_CHECKING:
    from strata_git.contracts.service import Batch, Limits
    from strata_git.serving.backends.backend import Backend
    from strata_git.serving.gate import Loaded, Step
    from strata_git.serving.project.project import Project
    from strata_git.serving.provenance import Provenance

MODEL_SERVICE = "strata_git.serving.model_service"
REHEARSAL = "strata_git.serving.supervision"
Verdicts = tuple[tuple[str, str, str], ...]
T = TypeVar("T")


class Answering(Protocol):
    """What answers with a version, whatever it is: a backend, containers."""

    @property
    def provenance(self) -> Provenance:
        """Which version it is and where it comes from."""


A = TypeVar("A", bound=Answering)
A_co = TypeVar("A_co", bound=Answering, covariant=True)


@dataclass(frozen=True, slots=True)
class Opened(Generic[A_co]):
    """A version that may answer: what answers, the event that put it where it is, and the gate's verdicts."""

    backend: A_co
    event: str
    steps: Verdicts


class Opener(Protocol[A_co]):
    """Loads what a reference means now."""

    async def open(self, reference: str, *, tried: bool) -> Opened[A_co]:
        """The version, loaded. `tried`: something answers meanwhile, so this is tried in a child before it may disturb
        that. Raises gate.NotServed or ChildRefused where the gate refuses, StrataError where it cannot be loaded."""


@dataclass(frozen=True, slots=True)
class Place:
    """What every opener works from. `overrides` are the texts `a.b=c` the service was started with, `restless` is told
    why a process begun again is another version, `sockets` is a private directory."""

    project: Project
    environ: Mapping[str, str]
    overrides: Sequence[str]
    sockets: Path
    log: Log
    restless: Callable[[str], None]

    @property
    def arguments(self) -> list[str]:
        """What a process is told of the service."""
        options = [part for one in self.overrides for part in ("--set", one)]
        return ["--repository", str(self.project.root), "--service", self.project.name, *options]

    @property
    def drain(self) -> float:
        """Seconds that answering what is under way may take."""
        return self.project.service.api.limits.drain_ms / 1000


class InThisProcess:
    """Mode `local`: a successor is rehearsed in a child, then loaded here, off the event loop."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def open(self, reference: str, *, tried: bool) -> Opened[Backend]:
        """See `Opener`."""
        if tried:
            await self._rehearse(reference)
        loaded, backend = await in_daemon(lambda: self._load(reference))
        return Opened(backend, loaded.event, steps_of(loaded))

    async def _rehearse(self, reference: str) -> None:
        place = self._place
        threads = place.project.service.runtime.threads
        argv = python(REHEARSAL, *place.arguments, "--model", reference)
        child = await start_child(argv, child_environ(place.environ, threads=threads), name="rehearsal", log=place.log)
        await child.stop(1)

    def _load(self, reference: str) -> tuple[Loaded, Backend]:
        from strata_git.serving.backends.in_process import InProcess

        service = self._place.project.service
        place = self._place
        loaded = load_at(place.project.root, place.project.name, place.environ, place.overrides, reference)
        batch, limits = service.runtime.batch, service.api.limits
        if service.lang == "r":
            return loaded, _in_r(loaded, batch, limits, service.runtime.workers)
        return loaded, InProcess(loaded.model, loaded.provenance, batch, limits)


async def in_daemon(work: Callable[[], T]) -> T:
    """What `work` gives, made in a thread that the process does not wait for: code of a service's own may hang."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def tell(made: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(made)  # type: ignore[arg-type]

    def worked() -> None:
        made, error = None, None
        try:
            made = work()
        except BaseException as raised:  # noqa: BLE001 - it is raised where it is awaited
            error = raised
        with suppress(RuntimeError):  # the loop is gone, and nobody waits
            loop.call_soon_threadsafe(tell, made, error)

    Thread(target=worked, name="loading", daemon=True).start()
    return await future


def _in_r(loaded: Loaded, batch: Batch, limits: Limits, workers: int) -> Backend:
    from strata_git.serving.r.model import RModel
    from strata_git.serving.r.processes import RProcesses

    assert isinstance(loaded.model, RModel)  # noqa: S101 - the gate loads R's models so
    return RProcesses(loaded.model, loaded.provenance, batch, limits, workers=workers)


def load_at(
    root: Path, name: str, environ: Mapping[str, str], overrides: Sequence[str], reference: str,
    progress: Callable[[Step], None] | None = None,
) -> Loaded:  # fmt: skip
    """What a reference means, passed through the gate in this process; the service as its files say now."""
    from strata_git.repo.command import Repository
    from strata_git.serving.gate import open_model
    from strata_git.serving.project.project import demands, open_project
    from strata_git.serving.supervision.watch import read_settings

    repo = Repository.discover(root, environ)
    try:
        project = open_project(repo, name, environ=environ, overrides=overrides)
        return open_model(repo, read_settings(repo), reference, demands=demands(project), progress=progress)
    finally:
        repo.close()


def steps_of(loaded: Loaded) -> Verdicts:
    """The gate's verdicts as plain texts."""
    return tuple((step.name, step.verdict, step.message) for step in loaded.steps)


class InModelServices:
    """Mode `split`: fresh model-service processes for every version, joined to this one by Unix sockets."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._generation = 0

    async def open(self, reference: str, *, tried: bool) -> Opened[Backend]:  # noqa: ARG002 - the new processes are the trial
        """See `Opener`."""
        from strata_git.serving.backends.grpc import GrpcBackend
        from strata_git.serving.columns import signature_of
        from strata_git.serving.provenance import read_provenance

        place, service = self._place, self._place.project.service
        self._generation += 1
        count, generation = service.runtime.workers, self._generation
        sockets = [place.sockets / f"{generation}-{number}" for number in range(count)]

        async def start(number: int) -> Child:
            asked = [*place.arguments, "--model", reference, "--socket", str(sockets[number])]
            environ = child_environ(place.environ, threads=service.runtime.threads)
            name = f"model-service {number}"
            return await start_child(python(MODEL_SERVICE, *asked), environ, name=name, log=place.log)

        children = Children(count, start, log=place.log, restless=place.restless, drain=place.drain)
        said = await children.begin()
        try:
            provenance = read_provenance(said.get("provenance"))
            signature = signature_of({"signature": said.get("signature")})
            targets = [f"unix:{socket}" for socket in sockets]
            batch = service.runtime.batch if said.get("rowwise") is True else None
            backend = GrpcBackend(targets, signature, provenance, batch=batch, limits=service.api.limits)
        except BaseException:
            await children.end()
            raise
        return Opened(InChildren(backend, children), str(said.get("event", "")), _verdicts(said))


def _verdicts(said: Mapping[str, Any]) -> Verdicts:
    found = said.get("steps")
    rows = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return tuple((str(one.get("name", "")), str(one.get("verdict", "")), str(one.get("message", ""))) for one in rows)


def opener_for(place: Place, mode: str) -> Opener[Backend]:
    """The opener of a mode. A service in R has processes of R, whatever the mode, and they are this one's."""
    split = mode == "split" and place.project.service.lang != "r"
    return InModelServices(place) if split else InThisProcess(place)


def refusal_steps(error: BaseException) -> Verdicts:
    """The gate's verdicts in a refusal, whoever made it; () for other errors."""
    from strata_git.serving.gate import NotServed

    if isinstance(error, NotServed):
        return tuple((step.name, step.verdict, step.message) for step in error.steps)
    return error.steps if isinstance(error, ChildRefused) else ()
