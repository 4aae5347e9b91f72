"""Sending a queue to a tracking store, so that what was told arrives once, in order, whatever happened in between.

Everything that is sent can be sent again without harm: the run is found by its key, a value stands under its name, a
measurement under its step and time, a file under its path. So a queue is sent from the last place that is known to have
arrived, and what is known is never more than what has.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from strata_git.errors import StrataError, printable
from strata_git.runs.tracking_queue import Begin, Line, Place, Sent, places, read_lines

_LOGIN = re.compile(r"//[^/@\s]+@")
_REFUSED = re.compile(r"\[Errno -?[0-9]+\] ([A-Za-z ]+)")


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement; `at` in milliseconds of Unix time."""

    name: str
    value: float
    step: int
    at: int


@dataclass(frozen=True, slots=True)
class Data:
    """Data that a run read."""

    name: str
    source: str
    digest: str = ""
    rows: int | None = None


class Gone(Exception):
    """The store does not know the run: it was emptied, or is another one."""


class Later(Exception):
    """Not now; not the store's fault."""


class Store(Protocol):
    """The other side. Methods raise whatever their libraries do where the store cannot be reached, and `Gone`.

    What the store refuses for good is given back in words, and not asked again.
    """

    def create(self, begin: Begin, parent: str) -> str:
        """Begin a run; its name there. `parent` is the name there of the run it is part of ("": of none)."""

    def find(self, begin: Begin) -> str:
        """The name there of a run that `create` may have made before ("": none)."""

    def find_run(self, run: str, begin: Begin) -> str:
        """The name there of the run that we call `run`, in the experiment of `begin` ("": none)."""

    def write(self, run: str, params: Mapping[str, str], points: Iterable[Point], tags: Mapping[str, str]) -> list[str]:
        """Settings (the first value stands), measurements and labels."""

    def describe(self, run: str, data: Iterable[Data]) -> list[str]:
        """Which data the run read."""

    def upload(self, run: str, path: Path, folder: str) -> list[str]:
        """A file."""

    def end(self, run: str, status: str, at: int) -> None:
        """How the run ended, and when."""


@dataclass(slots=True)
class _Batch:
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    data: list[Data] = field(default_factory=list)
    files: dict[tuple[str, str], Line] = field(default_factory=dict)
    end: tuple[str, int] | None = None


class Delivery:
    """One queue on its way. Whoever makes this holds the queue.

    `root` is the work tree, below which the record will be; `refused` what the store did not take, in words.
    """

    def __init__(self, place: Place, begin: Begin, store: Store, root: Path) -> None:
        self._place, self._begin, self._store, self._root = place, begin, store, root
        self._sent = Sent(place)
        self.refused: list[str] = []

    def send(self, *, live: bool = False) -> None:
        """Send all there is. Raises what the store raises; what had arrived by then is remembered.

        `live`: the run is at work, so a file that is not found may just be on its way into the record.
        """
        try:
            self._send(live)
        except Gone:  # once: a store that loses what it was just told is not to be helped
            self._sent.forget()
            self._send(live)

    @property
    def ended(self) -> bool:
        """Whether the store knows how the run ended."""
        return self._sent.ended

    @property
    def run(self) -> str:
        """The run's name in the store ("" before it has one)."""
        return self._sent.run

    def end(self, status: str, at: int = 0) -> None:
        """Say how the run ended; `at` in milliseconds (0: when its queue was last written to)."""
        at = at or self._place.queue.stat().st_mtime_ns // 1_000_000
        self._store.end(self._sent.run, status, at)
        self._sent.note(ended=True)

    def _send(self, live: bool) -> None:
        if not self._sent.run:
            self._open()
        while True:
            lines, offset = read_lines(self._place.queue, self._sent.offset)
            if offset == self._sent.offset:
                return
            self._deliver(_batch(lines), live)
            self._sent.note(offset=offset)

    def _open(self) -> None:
        run = self._store.find(self._begin) if self._sent.asked else ""
        if not run:
            parent = self._parent()
            self._sent.note(asked=True)
            run = self._store.create(self._begin, parent)
        self._sent.note(run=run)

    def _parent(self) -> str:
        name = self._begin.parent
        if not name:
            return ""
        above = Place(self._place.folder, name.replace("/", "."))
        known = Sent(above).run or self._store.find_run(name, self._begin)
        if not known and above.queue.exists():
            raise Later(f"{name}, which it is part of, has not arrived yet")
        return known

    def _deliver(self, batch: _Batch, live: bool) -> None:
        run = self._sent.run
        if batch.data:
            self.refused += self._store.describe(run, batch.data)
        if batch.params or batch.points or batch.tags:
            self.refused += self._store.write(run, batch.params, batch.points, batch.tags)
        for (name, folder), line in batch.files.items():
            self._upload(name, folder, line, live)
        if batch.end:
            self.end(*batch.end)

    def _upload(self, name: str, folder: str, line: Line, live: bool) -> None:
        from strata_git.integrity.digest import sha256_files

        path = self._found(line)
        if path is None:
            if live:
                raise Later(f"{printable(name)} is not there")
            self.refused.append(f"{printable(name)} is no longer there")
            return
        shown = f"{folder}/{path.name}" if folder else path.name
        try:
            ((_, digest, _),) = sha256_files([str(path)])
        except StrataError as changed:
            raise Later(changed.message) from None
        if self._sent.files.get(shown) != digest:
            self.refused += self._store.upload(self._sent.run, path, folder)
            self._sent.note(file=shown, sha256=digest)

    def _found(self, line: Line) -> Path | None:
        begin, name = self._begin, str(line.get("path", ""))
        if "kept" in line:
            candidates = [self._place.files / str(line["kept"])]
        else:
            record = self._root / "runs" / begin.run / "artifacts"
            candidates = [Path(begin.artifacts, name), record / name] if begin.artifacts else [record / name]
        return next((path for path in candidates if _is_regular(path)), None)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a queue: `sent`, `working` (its run is not over), `waiting` or `damaged`, and why."""

    run: str
    state: str
    reason: str = ""
    refused: tuple[str, ...] = ()


def deliver_all(
    root: Path,
    local: Path,
    destination: str,
    connect: Callable[[], Store],
    status_of: Callable[[str], str | None],
    *,
    elsewhere: bool = False,
    wanted: Callable[[Begin], bool] = lambda _: True,
    told: Callable[[Delivered], None] = lambda _: None,
) -> list[Delivered]:
    """Send every queue below `local` that nobody holds to the store that `connect` gives.

    Queues for another destination wait (`elsewhere`: they are sent here as well); what is not `wanted` is passed over.
    `status_of` says how a run ended whose queue does not say so, None while it may go on. After two failures in a row
    nothing more is tried: the store is not there. Raises nothing of the store's.
    """
    done: list[Delivered] = []
    failures: list[str] = []
    known: list[Store] = []

    def send(place: Place, begin: Begin) -> Delivered:
        if begin.destination != destination and not elsewhere:
            return Delivered(begin.run, "waiting", f"for {printable(begin.destination)}")
        if len(failures) == 2:
            return Delivered(begin.run, "waiting", failures[-1])
        try:
            known[:] = known or [connect()]
            answer = _deliver(Delivery(place, begin, known[0], root), place, begin, status_of)
        except Exception as error:  # noqa: BLE001 - databases and servers: all they raise is theirs
            failures.extend([] if isinstance(error, Later) else [reason_of(error)])
            return Delivered(begin.run, "waiting", reason_of(error))
        failures.clear()
        return answer

    for place in places(local):
        answer = _held(place, send, wanted)
        if answer is not None:
            done.append(answer)
            told(answer)
    return done


def _held(place: Place, send: Callable[[Place, Begin], Delivered], wanted: Callable[[Begin], bool]) -> Delivered | None:
    """Send one queue while nobody else can; None where it is gone, or not wanted."""
    handle = place.hold()
    if handle is None:
        return Delivered(place.name, "working") if place.queue.exists() else None
    try:
        begin = place.begin()
        if begin is None:
            return Delivered(place.name, "damaged", f"kept as {place.set_aside().name}")
        return send(place, begin) if wanted(begin) else None
    finally:
        os.close(handle)


def _deliver(delivery: Delivery, place: Place, begin: Begin, status_of: Callable[[str], str | None]) -> Delivered:
    delivery.send()
    if not delivery.ended:
        known = status_of(begin.run)
        if known is None:
            return Delivered(begin.run, "working")
        delivery.end(known)
    place.remove()
    return Delivered(begin.run, "sent", refused=tuple(delivery.refused))


def reason_of(error: Exception) -> str:
    """One printable line, without what stands before an @ in an address."""
    if isinstance(error, StrataError | Later):
        return printable(str(error)[:300])
    text = _LOGIN.sub("//***@", str(error).strip())
    if (isinstance(error, OSError) and error.filename is None) or "Max retries exceeded" in text:
        if "timed out" in text or isinstance(error, TimeoutError):
            return "the server did not answer in time"
        known = _REFUSED.search(text)
        return printable(f"the server cannot be reached: {known[1] if known else text}"[:300])
    return printable(f"{type(error).__name__}: {text.partition(chr(10))[0]}"[:300])


def _batch(lines: Iterable[Line]) -> _Batch:
    """Lines put together: the first value of a setting, the last of a label, each file once."""
    batch = _Batch()
    for line in lines:
        match line:
            case {"op": "params", "values": dict(values)}:
                batch.params = {**{str(name): str(value) for name, value in values.items()}, **batch.params}
            case {"op": "tags", "values": dict(values)}:
                batch.tags.update((str(name), str(value)) for name, value in values.items())
            case {"op": "metrics", "values": dict(values), "steps": dict(steps), "at": int(at)}:
                batch.points += [
                    Point(name, value, int(steps.get(name, 0)), at)
                    for name, value in values.items()
                    if isinstance(value, int | float)
                ]
            case {"op": "data", "name": str(name), "source": str(source), "digest": str(digest), "rows": rows}:
                batch.data.append(Data(name, source, digest, rows if isinstance(rows, int) else None))
            case {"op": "file", "path": str(name), "folder": str(folder)}:
                batch.files.pop((name, folder), None)
                batch.files[name, folder] = line
            case {"op": "end", "status": str(status), "at": int(at)}:
                batch.end = (status, at)
    return batch


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False
