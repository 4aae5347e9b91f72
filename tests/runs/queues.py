"""A tracking store in memory that can be away, and short words for queues."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from strata_git.runs.tracking_courier import Pace, QueueTracker, Route
from strata_git.runs.tracking_delivery import Data, Delivered, Gone, Point, deliver_all
from strata_git.runs.tracking_queue import Begin

QUICK = Pace(head_start=0, interval=0.01, patience=10)


@dataclass
class Shown:
    """A run as the store has it."""

    name: str
    parent: str
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    points: set[tuple[str, int, float, int]] = field(default_factory=set)
    data: set[tuple[str, str]] = field(default_factory=set)
    files: dict[str, bytes] = field(default_factory=dict)
    status: str = "running"


class MemoryStore:
    """Keeps what MLflow keeps, the way it does: what is sent twice stands once. `fails` is asked before each call, and
    again after it (the answer got lost); it raises to fail."""

    def __init__(self, fails: Callable[[str], None] = lambda _: None) -> None:
        self.runs: dict[str, Shown] = {}
        self.fails = fails
        self.calls: list[str] = []
        self.uploads: list[str] = []

    def by_name(self) -> dict[str, Shown]:
        """What is there; a name that is there twice fails."""
        names = [run.name for run in self.runs.values()]
        assert len(names) == len(set(names)), names
        return {run.name: run for run in self.runs.values()}

    def create(self, begin: Begin, parent: str) -> str:
        self._call("create")
        identity = f"id{len(self.runs)}"
        self.runs[identity] = Shown(begin.run, parent, {**begin.tags, "key": begin.key})
        self._call("created")
        return identity

    def find(self, begin: Begin) -> str:
        self._call("find")
        return next((name for name, run in self.runs.items() if run.tags["key"] == begin.key), "")

    def find_run(self, run: str, begin: Begin) -> str:
        self._call("find_run")
        return next((name for name, one in self.runs.items() if one.name == run), "")

    def write(self, run: str, params: Mapping[str, str], points: Iterable[Point], tags: Mapping[str, str]) -> list[str]:
        self._call("write")
        shown = self._run(run)
        shown.points |= {(one.name, one.step, one.value, one.at) for one in points}
        shown.tags.update(tags)
        refused = [name for name, value in params.items() if shown.params.setdefault(name, value) != value]
        self._call("written")
        return refused

    def describe(self, run: str, data: Iterable[Data]) -> list[str]:
        self._call("describe")
        self._run(run).data |= {(one.name, one.digest) for one in data}
        return []

    def upload(self, run: str, path: Path, folder: str) -> list[str]:
        self._call("upload")
        name = f"{folder}/{path.name}" if folder else path.name
        self._run(run).files[name] = path.read_bytes()
        self.uploads.append(name)
        self._call("uploaded")
        return []

    def end(self, run: str, status: str, at: int) -> None:
        self._call("end")
        self._run(run).status = status
        self._call("ended")

    def _call(self, what: str) -> None:
        self.calls.append(what)
        self.fails(what)

    def _run(self, run: str) -> Shown:
        if run not in self.runs:
            raise Gone(run)
        return self.runs[run]


@dataclass
class Desk:
    """A work tree's `.strata/local` and a store; `statuses` is how runs ended, by their records."""

    root: Path
    store: MemoryStore
    statuses: dict[str, str] = field(default_factory=dict)

    @property
    def local(self) -> Path:
        return self.root / ".strata/local"

    def begin(self, run: str, *, parent: str = "", destination: str = "there") -> Begin:
        place = self.root / f".strata/local/pending/{run}/record/artifacts"
        place.mkdir(parents=True, exist_ok=True)
        return Begin(run, "uuid", destination, "toy", f"key of {run}", 1000, parent, str(place), {"strata.run": run})

    def route(self, pace: Pace = QUICK) -> Route:
        return Route(
            self.root,
            self.local,
            "there",
            lambda: self.store,
            self.statuses.get,
            pace,
            lambda error: "busy" in str(error),
        )

    def tracker(
        self, run: str, *, parent: str = "", deliver: bool = False, keep: bool = False, pace: Pace = QUICK
    ) -> QueueTracker:
        begin = self.begin(run, parent=parent)
        return QueueTracker(self.local, begin, self.route(pace) if deliver else None, keep=keep)

    def artifacts(self, run: str) -> Path:
        return self.root / f".strata/local/pending/{run}/record/artifacts"

    def publish(self, run: str) -> None:
        """Put the record in place."""
        (self.root / "runs").mkdir(exist_ok=True)
        (self.root / f".strata/local/pending/{run}/record").rename(self.root / "runs" / run)

    def sync(self, *, elsewhere: bool = False, destination: str = "there") -> list[Delivered]:
        return deliver_all(
            self.root, self.local, destination, lambda: self.store, self.statuses.get, elsewhere=elsewhere
        )

    def left(self) -> list[str]:
        """What lies in the queue's folder."""
        return sorted(path.name for path in (self.local / "tracking").iterdir())


def eventually(true: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.005)
