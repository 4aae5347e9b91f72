"""The tracker of a run at work: what is told goes into a queue, and a thread sends it on.

The run never waits for the tracking store. Short runs are sent when they are over, so that loading the store's client
takes no time from their beginning. At the end there is a bounded time for what is left; what does not arrive in it
stays in the queue for the next run, or for `git strata runs sync`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from strata_git.errors import StrataError
from strata_git.runs.tracking_delivery import Delivery, Later, Store, deliver_all, reason_of
from strata_git.runs.tracking_files import files_below
from strata_git.runs.tracking_queue import Begin, Writer, milliseconds


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: `head_start` before the first sending, `interval` between sendings, `patience` after the run's end."""

    head_start: float = 5
    interval: float = 2
    patience: float = 60


@dataclass(frozen=True, slots=True)
class Route:
    """Where queues go: `destination` without credentials, `connect` gives the store, and may take seconds.

    `is_busy` knows the failures after which it is worth asking again as long as patience lasts, even when the run is
    over: a database that others hold, and not a server that is down.
    """

    root: Path
    local: Path
    destination: str
    connect: Callable[[], Store]
    status_of: Callable[[str], str | None]
    pace: Pace = Pace()
    is_busy: Callable[[Exception], bool] = lambda _: False


class Courier:
    """The thread that sends a run's queue, and those that earlier runs, or parts of this one, left."""

    def __init__(self, writer: Writer, begin: Begin, route: Route) -> None:
        self._writer, self._begin, self._route = writer, begin, route
        self._over = threading.Event()
        self._settled = threading.Event()
        self._last = 0.0
        self._store: Store | None = None
        self._delivery: Delivery | None = None
        self.arrived = False
        self._busy = False
        self.refused: tuple[str, ...] = ()
        self.failure = "the tracking store has not answered in time"
        self._thread = threading.Thread(target=self._work, name="strata-tracking", daemon=True)
        self._thread.start()

    @property
    def run(self) -> str:
        """The run's name on the other side, once it has one."""
        return self._delivery.run if self._delivery else ""

    def settle(self) -> None:
        """The queue is complete: see to it that it arrives with all parts of the run, for as long as patience lasts.

        What other runs left has a moment more; what does not arrive in it is for the next one.
        """
        self._last = time.monotonic() + self._route.pace.patience
        self._over.set()
        self._settled.wait(self._route.pace.patience)
        self._thread.join(self._route.pace.interval)

    def leave(self) -> None:
        """Stop without an end; the queue stays."""
        self._last = 0.0
        self._over.set()
        self._thread.join(self._route.pace.interval)

    def _work(self) -> None:
        pace = self._route.pace
        self._over.wait(pace.head_start)
        pause = pace.interval
        try:
            while True:
                over = self._over.is_set()  # asked first: what was told before it is in the file
                failed = self._round(over)
                if over and (not failed or not self._busy or time.monotonic() > self._last):
                    return
                pause = min(pause * 2, 30.0) if failed else pace.interval
                time.sleep(min(pause, 1.0)) if over else self._over.wait(pause)
        finally:
            self._settled.set()
            self._writer.close()

    def _round(self, over: bool) -> bool:
        """Send what there is; whether that failed."""
        try:
            self._store = self._store or self._route.connect()
            delivery = self._delivery or Delivery(self._writer.place, self._begin, self._store, self._route.root)
            self._delivery = delivery
            delivery.send(live=not over)
            self.refused = tuple(delivery.refused)
        except Later as waits:
            self.failure = reason_of(waits)
            return False
        except Exception as error:  # noqa: BLE001 - databases and servers: all they raise is theirs
            self.failure, self._busy = reason_of(error), self._route.is_busy(error)
            return True
        if over and delivery.ended:
            self.arrived = True
            self._writer.place.remove()
        self._others(self._store, lambda begin: begin.parent == self._begin.run)
        if self.arrived:
            self._settled.set()
        self._others(self._store, lambda _: True)
        return False

    def _others(self, store: Store, wanted: Callable[[Begin], bool]) -> None:
        route = self._route
        deliver_all(route.root, route.local, route.destination, lambda: store, route.status_of, wanted=wanted)


class QueueTracker:
    """The adapter of a run whose tracking store may be slow, away, or die: nothing here waits for it but `finish`.

    Without `route` the queue is only written, for another process to send: that of the run this one is part of.
    `keep` has files copied into the queue: those of a run whose own files are gone when it is sent.
    """

    def __init__(self, local: Path, begin: Begin, route: Route | None, *, keep: bool = False) -> None:
        """Raises StrataError where the queue cannot be written."""
        try:
            self._writer = Writer(local, begin)
        except OSError as error:
            raise StrataError(
                f"What is told to the tracker cannot be written below {local}: {error.strerror}.",
                hint="Check free space and permissions, or run with --tracking none.",
            ) from None
        self._artifacts = Path(begin.artifacts) if begin.artifacts and not keep else None
        self._steps: dict[str, int] = {}
        self._kept = 0
        self._courier = Courier(self._writer, begin, route) if route else None

    @property
    def reference(self) -> str:
        return self._courier.run if self._courier else ""

    @property
    def waiting(self) -> str:
        return "" if self._courier is None or self._courier.arrived else self._courier.failure

    def log_params(self, params: Mapping[str, object]) -> None:
        self._writer.write("params", values={name: str(value) for name, value in params.items()})

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        steps = {name: self._step(name, step) for name in metrics}
        self._writer.write("metrics", values=dict(metrics), steps=steps, at=milliseconds())

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        self.log_metrics({name: value}, step)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self._writer.write("tags", values=dict(tags))

    def log_artifact(self, path: Path, folder: str = "") -> None:
        if self._artifacts is not None and path.is_relative_to(self._artifacts):
            self._writer.write("file", path=path.relative_to(self._artifacts).as_posix(), folder=folder)
        else:
            self._writer.write("file", path=str(path), folder=folder, kept=self._copied(path))

    def log_artifacts(self, directory: Path, folder: str = "") -> None:
        for path, place in files_below(directory, folder):
            self.log_artifact(path, place)

    def log_input(self, name: str, *, source: str, digest: str = "", rows: int | None = None) -> None:
        self._writer.write("data", name=name, source=source, digest=digest, rows=rows)

    def finish(self, status: str) -> None:
        self._writer.write("end", status=status, at=milliseconds())
        if self._courier is None:
            self._writer.close()
        else:
            self._courier.settle()

    def leave(self) -> None:
        if self._courier is None:
            self._writer.close()
        else:
            self._courier.leave()

    def _copied(self, path: Path) -> str:
        """A file that no record keeps, as it is now."""
        from strata_git.repo.files import copy_file

        self._kept += 1
        kept = f"{self._kept}/{path.name}"
        target = self._writer.place.files / kept
        target.parent.mkdir(parents=True, exist_ok=True)
        copy_file(path, target)
        return kept

    def _step(self, name: str, step: int | None) -> int:
        """The value of the highest step is shown as the last one: without a step, count them ourselves."""
        last = self._steps.get(name, -1)
        self._steps[name] = last + 1 if step is None else max(step, last)
        return self._steps[name] if step is None else step
