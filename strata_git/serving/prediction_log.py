"""What was asked and answered, kept for looking at drift: where the service says so, without the columns it omits.

One line of JSON a row: `{"time", "request", "model", "row", "inputs": {column: value}, "outputs": {output: value}}`. A
thread writes; a request is never waited for and never fails by it: what comes while too much waits is left out and
counted. Files are turned over by size and the oldest go: the log never grows beyond its bound.
"""

from __future__ import annotations

import json
import logging
import os
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError

if TYPE_CHECKING:
    from strata_git.contracts import service
    from strata_git.serving.columns import Table
    from strata_git.serving.provenance import Provenance

FILE = "predictions.jsonl"
"""The file that is written now; full ones are called `predictions-000001.jsonl` and on."""
SIZE = 64 << 20
"""Bytes after which a file is full."""
FILES = 15
"""Most full files that are kept."""
WAITING = 1024
WAITING_ROWS = 50_000
"""Most requests, and most of their rows, that wait to be written."""
_LINE = 1 << 20
_LOG = logging.getLogger("strata.serving")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row that was answered. `time` is UTC, `model` the version that answered (`churn@v2`)."""

    time: datetime
    request: str
    model: str
    row: int
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]


class PredictionLog:
    """The log of one service in `directory`, which is made when something is written."""

    def __init__(
        self, settings: service.PredictionLog, directory: Path, *, size: int = SIZE, files: int = FILES,
        clock: Callable[[], datetime] | None = None, chance: Callable[[], float] = random.random,
    ) -> None:  # fmt: skip
        self._share = settings.percent / 100
        self._omit = frozenset(settings.omit)
        self._directory = directory
        self._size, self._files = size, files
        self._clock = clock or (lambda: datetime.now(UTC))
        self._chance = chance
        self._waiting: deque[tuple[str, str, datetime, Table, Mapping[str, Any]]] = deque()
        self._waiting_rows = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._file: int | None = None
        self._written = self._dropped = self._failed = 0

    def offer(self, request: str, provenance: Provenance, table: Table, outputs: Mapping[str, Any]) -> None:
        """Keep it, if it is its turn and not too much waits. Returns at once."""
        if self._share < 1 and self._chance() >= self._share:
            return
        with self._changed:
            if self._closed:
                return
            if len(self._waiting) >= WAITING or self._waiting_rows + table.rows > WAITING_ROWS:
                self._dropped += 1
                return
            self._waiting.append((request, provenance.reference, self._clock(), table, outputs))
            self._waiting_rows += table.rows
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_all, name="prediction-log", daemon=True)
                self._thread.start()
            self._changed.notify()

    def counts(self) -> dict[str, int]:
        """Requests written, left out because too much waited, and not written because writing failed."""
        return {"written": self._written, "dropped": self._dropped, "failed": self._failed}

    def close(self, timeout: float = 5.0) -> None:
        """Write what waits, within `timeout` seconds, and take nothing more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout)

    def _write_all(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    if self._closed:
                        self._shut()
                        return
                    self._changed.wait()
                one = self._waiting.popleft()
                self._waiting_rows -= one[3].rows
            try:
                self._write(b"".join(self._lines(*one)))
                self._written += 1
            except Exception as error:  # noqa: BLE001 - a full disk or a strange value is no reason not to answer
                self._failed += 1
                self._shut()
                if self._failed == 1:
                    _LOG.warning("the prediction log cannot be written: %s", type(error).__name__)

    def _lines(
        self, request: str, model: str, moment: datetime, table: Table, outputs: Mapping[str, Any]
    ) -> Iterator[bytes]:
        from strata_git.serving.tables import prediction_records

        told = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        asked, given = (
            {name: array for name, array in columns.items() if name not in self._omit}
            for columns in (table.columns, outputs)
        )
        blank: list[dict[str, Any]] = [{}] * table.rows
        rows = zip(
            prediction_records(asked) if asked else blank, prediction_records(given) if given else blank, strict=True
        )
        for place, (inputs, answers) in enumerate(rows):
            entry = {
                "time": told, "request": request, "model": model, "row": place, "inputs": inputs, "outputs": answers
            }  # fmt: skip
            yield json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"

    def _write(self, data: bytes) -> None:
        if self._file is None:
            self._file = self._opened()
        if (at := os.fstat(self._file).st_size) and at + len(data) > self._size:
            self._turn_over()
            self._file = self._opened()
        while data:
            data = data[os.write(self._file, data) :]

    def _opened(self) -> int:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._directory.is_symlink():  # whoever put it there would choose who reads
            raise NotADirectoryError
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(self._directory / FILE, flags, 0o600)

    def _turn_over(self) -> None:
        self._shut()
        full = log_files(self._directory)[:-1]
        number = int(full[-1].stem.rpartition("-")[2]) + 1 if full else 1
        (self._directory / FILE).rename(self._directory / f"predictions-{number:06d}.jsonl")
        for old in [*full, None][: -self._files]:
            if old is not None:
                old.unlink(missing_ok=True)

    def _shut(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def log_files(directory: Path) -> list[Path]:
    """The log's files that are there, the oldest first."""
    full = [one for one in directory.glob("predictions-*.jsonl") if one.stem.rpartition("-")[2].isdecimal()]
    full.sort(key=lambda one: int(one.stem.rpartition("-")[2]))
    now = directory / FILE
    return [*full, now] if now.exists() else full


def read_log(directory: Path, *, since: datetime | None = None) -> Iterator[Entry]:
    """The rows that were kept, the oldest first; a line that was cut short is passed over.

    Raises StrataError where a file cannot be read.
    """
    for path in log_files(directory):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # turned over meanwhile
        except OSError as error:
            raise StrataError(f"{path.name} of the prediction log cannot be read: {error.strerror}.") from None
        with open(descriptor, "rb") as file:
            while line := file.readline(_LINE):
                entry = _entry(line)
                if entry is not None and (since is None or entry.time >= since):
                    yield entry


def _entry(line: bytes) -> Entry | None:
    try:
        said = json.loads(line)
        moment = datetime.fromisoformat(said["time"])
        inputs, outputs = said["inputs"], said["outputs"]
        if not isinstance(inputs, dict) or not isinstance(outputs, dict) or moment.tzinfo is None:
            return None
        return Entry(moment, str(said["request"]), str(said["model"]), int(said["row"]), inputs, outputs)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
