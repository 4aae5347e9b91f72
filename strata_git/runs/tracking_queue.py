"""What a run tells its tracker, kept in files until the tracker has all of it (TFC-0010 5.3).

    .strata/local/tracking/<run>.jsonl   one JSON object a line, in the order things were told
    .strata/local/tracking/<run>.sent    what has arrived: the run's name on the other side, how far, files by digest
    .strata/local/tracking/<run>.files/  files that were told of and that no record keeps

Whoever writes or sends a queue holds its `.jsonl` (flock): the run itself while it works, afterwards one sender at a
time. Lines are appended and left to the kernel: they survive the end of the process in whatever way, not a power cut,
after which a damaged end is passed over.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

FOLDER = "tracking"
SCHEMA = "strata/tracking/v1"
_QUEUE, _SENT, _FILES, _DAMAGED = ".jsonl", ".sent", ".files", ".damaged"
_PART = 4 << 20

Line = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Begin:
    """How a queue begins: which run, for whom.

    `destination` names the tracking store without credentials, `at` is in milliseconds of Unix time, `key` is drawn by
    lot so that the run is found again on the other side, `parent` is the run this one is part of, `artifacts` where the
    run's files are while it works.
    """

    run: str
    repository: str
    destination: str
    experiment: str
    key: str
    at: int
    parent: str = ""
    artifacts: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one queue."""

    folder: Path
    name: str

    @property
    def queue(self) -> Path:
        return self.folder / f"{self.name}{_QUEUE}"

    @property
    def sent(self) -> Path:
        return self.folder / f"{self.name}{_SENT}"

    @property
    def files(self) -> Path:
        return self.folder / f"{self.name}{_FILES}"

    def begin(self) -> Begin | None:
        """The first line; None where it cannot be read."""
        lines, _ = read_lines(self.queue, 0, first=True)
        return _begin(lines[0]) if lines else None

    def hold(self) -> int | None:
        """Take the queue for sending: a handle that holds it; None where it is gone, or somebody else has it."""
        try:
            handle = os.open(self.queue, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_nlink:
                return handle
        except OSError:
            pass
        os.close(handle)
        return None

    def remove(self) -> None:
        """Everything has arrived. Whoever calls this holds the queue."""
        for path in (self.queue, self.sent):
            with suppress(OSError):
                path.unlink()
        shutil.rmtree(self.files, ignore_errors=True)

    def set_aside(self) -> Path:
        """Keep a queue that cannot be read where nobody tries to send it."""
        target = self.folder / f"{self.name}{_DAMAGED}"
        os.replace(self.queue, target)
        return target


def places(local: Path) -> list[Place]:
    """The queues below `local` (a work tree's `.strata/local`), by name: a run before what is part of it."""
    folder = local / FOLDER
    try:
        names = [name for name in os.listdir(folder) if name.endswith(_QUEUE) and not name.startswith(".")]
    except OSError:
        return []
    return [Place(folder, name) for name in sorted(name.removesuffix(_QUEUE) for name in names)]


def damaged(local: Path) -> list[str]:
    """The runs whose queues were put aside, because nobody can read what is in them."""
    try:
        names = sorted(os.listdir(local / FOLDER))
    except OSError:
        return []
    return [name.removesuffix(_DAMAGED) for name in names if name.endswith(_DAMAGED)]


class Writer:
    """The queue of a run that is at work; held until `close`."""

    def __init__(self, local: Path, begin: Begin) -> None:
        """Raises OSError where nothing can be written."""
        self.place = Place(local / FOLDER, queue_name(begin.run))
        self.place.folder.mkdir(parents=True, exist_ok=True)
        new = self.place.folder / f".{self.place.name}.{os.getpid()}.new"
        self._handle = os.open(
            new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644
        )
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            self.write("begin", schema=SCHEMA, **asdict(begin))
            os.rename(new, self.place.queue)  # whoever sees it finds it held and begun
        except BaseException:
            os.close(self._handle)
            with suppress(OSError):
                new.unlink()
            raise

    def write(self, what: str, **facts: object) -> None:
        """Append one line; OSError where the disk refuses, nothing half written being left then."""
        data = json.dumps({"op": what, **facts}, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        size = os.fstat(self._handle).st_size
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._handle, view) :]
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._handle, size)
            raise

    def close(self) -> None:
        """Let go; from now on anybody may send it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class Sent:
    """What has arrived of a queue, written beside it as it goes. What is lost of this is sent twice, to no harm."""

    def __init__(self, place: Place) -> None:
        self._path = place.sent
        self.run = ""
        self.asked = False
        self.ended = False
        self.offset = 0
        self.files: dict[str, str] = {}
        for line in read_lines(self._path, 0)[0]:
            self._take(line)

    def note(self, **facts: object) -> None:
        """Remember, here and on disk."""
        self._take(facts)
        data = json.dumps(facts, separators=(",", ":")).encode() + b"\n"
        with open(self._path, "ab") as stream:
            stream.write(data)

    def forget(self) -> None:
        """Begin anew: the other side no longer knows the run."""
        with suppress(OSError):
            self._path.unlink()
        self.run, self.asked, self.ended, self.offset = "", False, False, 0
        self.files.clear()

    def _take(self, line: Line) -> None:
        match line:
            case {"asked": True}:
                self.asked = True
            case {"ended": True}:
                self.ended = True
            case {"run": str(run)}:
                self.run = run
            case {"offset": int(offset)}:
                self.offset = offset
            case {"file": str(path), "sha256": str(digest)}:
                self.files[path] = digest


def read_lines(path: Path, offset: int, *, first: bool = False) -> tuple[list[dict[str, object]], int]:
    """The whole lines from `offset` on, at most a few MiB of them, and where the next one begins.

    What cannot be read is passed over, and a line without its end is not there yet. No file: nothing.
    """
    try:
        with open(path, "rb") as stream:
            stream.seek(offset)
            data = stream.read(_PART)
            while b"\n" not in data and (more := stream.read(_PART)):  # one line longer than a part
                data += more
    except OSError:
        return [], offset
    data = data[: data.find(b"\n") + 1] if first else data[: data.rfind(b"\n") + 1]
    return list(_parsed(data.split(b"\n"))), offset + len(data)


def queue_name(run: str) -> str:
    """The file name of a run's queue; a part of a run is named `<run>/<part>`."""
    return run.replace("/", ".")


def milliseconds() -> int:
    """Now, as trackers count time."""
    return time.time_ns() // 1_000_000


def _parsed(lines: Sequence[bytes]) -> Iterator[dict[str, object]]:
    for line in lines:
        try:
            value = json.loads(line) if line else None
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _begin(line: Line) -> Begin | None:
    if line.get("op") != "begin" or line.get("schema") != SCHEMA:
        return None
    known = {one.name: line.get(one.name) for one in fields(Begin)}
    texts = [value for name, value in known.items() if name not in ("at", "tags")]
    tags = known["tags"]
    whole = isinstance(known["at"], int) and all(isinstance(value, str) for value in texts) and isinstance(tags, dict)
    return Begin(**known) if whole else None  # type: ignore[arg-type]
