"""logs.txt: all that a plugin says while it runs, in the order it was said, with the time and the channel.

Standard output and error are redirected at Python's level for the duration, so progress bars and library warnings land
in the record instead of the user's terminal. Lines are flushed one by one: a killed run has its log up to the end.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from io import TextIOBase
from pathlib import Path
from typing import IO

_LINE_LIMIT = 8000


class Log:
    """An open logs.txt. `write` takes text for a channel: run, out, err or log."""

    def __init__(self, path: Path) -> None:
        self._stream: IO[str] = open(path, "a", encoding="utf-8", errors="backslashreplace", newline="\n")  # noqa: SIM115
        self._lock = threading.Lock()

    def write(self, channel: str, text: str) -> None:
        """Add the lines of `text`, control characters escaped, very long lines cut."""
        from strata_git.errors import printable

        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self._lock:
            if self._stream.closed:  # a thread the plugin left behind
                return
            for line in text.splitlines():
                cut = line if len(line) <= _LINE_LIMIT else line[:_LINE_LIMIT] + " [cut]"
                self._stream.write(f"{stamp} {channel} {printable(cut)}\n")
            self._stream.flush()

    def close(self) -> None:
        with self._lock:
            self._stream.close()


@contextlib.contextmanager
def captured(log: Log) -> Iterator[None]:
    """Send what is printed, warned and logged meanwhile to `log`; everything is put back afterwards."""
    out, err, handler = _Channel(log, "out"), _Channel(log, "err"), _Handler(log)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield
    finally:
        root.removeHandler(handler)
        out.finish()
        err.finish()


class _Channel(TextIOBase):
    """A text stream that hands whole lines to the log; a carriage return (a progress bar's) begins a line anew."""

    def __init__(self, log: Log, name: str) -> None:
        self._log, self._name, self._rest = log, name, ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        whole, newline, rest = (self._rest + text).rpartition("\n")
        self._rest = rest.rpartition("\r")[2]
        if newline:
            self._log.write(self._name, "\n".join(line.rpartition("\r")[2] for line in whole.split("\n")))
        return len(text)

    def finish(self) -> None:
        """Write what was said without a line feed."""
        if self._rest:
            self._log.write(self._name, self._rest)
        self._rest = ""


class _Handler(logging.Handler):
    """Log records of any library that reaches the root logger."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._log.write("log", f"{record.levelname} {record.name}: {record.getMessage()}")
        except Exception:  # noqa: BLE001 - logging's own convention: a bad log call never breaks the program
            self.handleError(record)
