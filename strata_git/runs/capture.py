"""logs.txt: all that a plugin says while it runs, in the order it was said, with the time and the channel.

Standard output and error are redirected for the duration, Python's and, in the main thread, those of the process
(libraries in C, children), so progress bars and library warnings land in the record instead of the user's terminal.
Lines are flushed one by one: a killed run has its log up to the end. Secrets are masked line by line, however a line
was written; of a private key all lines are left out.
"""

from __future__ import annotations

import codecs
import contextlib
import logging
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from io import TextIOBase
from pathlib import Path
from typing import IO

from strata_git.errors import StrataError
from strata_git.runs.masking import MASKED, Mask

_LINE_LIMIT = 8000
_KEY_LINE = re.compile(r"[A-Za-z0-9+/=]{0,128}|[A-Za-z0-9-]{1,30}: [ -~]{0,100}")
"""What stands between the first and the last line of a private key."""
_OWN = logging.getLogger("strata.run")
"""What is said of a run, for whoever follows it where it was started (`pipeline.observability.logging.logged`)."""
_FOLLOWED = ("run", "log")
_LOOK_EVERY = 0.1
"""Seconds between two looks at what the process itself wrote."""


class Log:
    """An open logs.txt. `write` takes text for a channel: run, out, err or log; secrets that `mask` knows stay out."""

    def __init__(self, path: Path, mask: Mask | None = None) -> None:
        self.mask = mask or Mask()
        self.place = path.parent
        self._stream: IO[str] = open(path, "a", encoding="utf-8", errors="backslashreplace", newline="\n")  # noqa: SIM115
        self._lock = threading.Lock()
        self._keys: set[str] = set()

    def write(self, channel: str, text: str, *, follow: bool = True) -> None:
        """Add the lines of `text`, secrets masked, control characters escaped, very long lines cut.

        Where the disk is full the line is lost, and the run goes on: its end will say so.
        """
        from strata_git.errors import printable

        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        window = self.mask.longest
        huge = len(text) > _LINE_LIMIT << 4
        told: list[str] = []
        with self._lock:
            if self._stream.closed:  # a thread the plugin left behind
                return
            for line in text.splitlines() if huge else self.mask.text(text).splitlines():
                masked = self.mask.text(line[: _LINE_LIMIT + window]) if huge else line
                shown = self._without_key(channel, _cut(masked, window))
                if shown is not None:
                    told.append(shown)
                    with contextlib.suppress(OSError):
                        self._stream.write(f"{stamp} {channel} {printable(shown)}\n")
            with contextlib.suppress(OSError):
                self._stream.flush()
        if follow and channel in _FOLLOWED and told and logging.getLogger("strata").level:
            _OWN.info("%s", "\n".join(told), extra={"strata_fields": {"run": self.place.parent.name}})

    def close(self) -> None:
        """Write out what is left. Raises StrataError when the disk refuses it; the file is closed all the same."""
        from strata_git.repo.files import unwritable

        try:
            with self._lock:
                self._stream.close()
        except OSError as error:
            raise unwritable(Path(self._stream.name), error) from None

    def discard(self) -> None:
        """Close the log of a run that leaves none."""
        with contextlib.suppress(StrataError):
            self.close()

    def _without_key(self, channel: str, line: str) -> str | None:
        """`line`; of a private key, that came line by line, its first one stands for all of them."""
        if channel in self._keys:
            if "-----END" in line:
                self._keys.discard(channel)
                return None
            if _KEY_LINE.fullmatch(line.strip()):
                return None
            self._keys.discard(channel)  # it was no key, only its first line's words
        begins = line.find("-----BEGIN ")
        if begins < 0 or "PRIVATE KEY" not in line[begins:]:
            return line
        if "-----END" not in line[begins:]:
            self._keys.add(channel)
        return line[:begins] + MASKED


def _cut(line: str, window: int) -> str:
    """A masked line of bounded length. What may be the beginning of a secret, at the end of what was kept, goes too."""
    return line if len(line) <= _LINE_LIMIT else line[: min(_LINE_LIMIT, len(line) - window)] + " [cut]"


@contextlib.contextmanager
def captured(log: Log) -> Iterator[None]:
    """Send what is printed, warned and logged meanwhile to `log`; everything is put back afterwards."""
    out, err, handler = _Channel(log, "out"), _Channel(log, "err"), _Handler(log)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with _descriptors(log), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield
    finally:
        root.removeHandler(handler)
        out.finish()
        err.finish()


@contextlib.contextmanager
def _descriptors(log: Log) -> Iterator[None]:
    """The same for descriptors 1 and 2, which belong to the process: only its main thread takes them.

    They lead into files without names, read by a thread. Pipes would do without them, but whoever fills a pipe while
    holding Python's lock waits for a reader that cannot run.
    """
    if threading.current_thread() is not threading.main_thread() or not _are_open(1, 2):
        yield
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    taken = [one for one in (_taken(1, "out", log), _taken(2, "err", log)) if one is not None]
    done = threading.Event()
    reader = threading.Thread(target=_follow, args=(taken, done), name="strata-log", daemon=True)
    reader.start()
    try:
        yield
    finally:
        _flush_libraries()
        for tail in taken:
            os.dup2(tail.saved, tail.number)
        done.set()
        reader.join()
        for tail in taken:
            tail.finish()


def _taken(number: int, name: str, log: Log) -> _Tail | None:
    """Lead a descriptor into a file of its own; None where there is no room for one, and nothing changes."""
    import fcntl

    try:
        file = tempfile.TemporaryFile(buffering=0, dir=log.place)  # noqa: SIM115 - closed by finish
    except OSError:
        return None
    fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)  # children write to it as well
    saved = os.dup(number)
    os.dup2(file.fileno(), number)
    return _Tail(file, number, saved, _Channel(log, name))


def _flush_libraries() -> None:
    """What libraries in C hold back for a file would come out on the user's terminal later."""
    with contextlib.suppress(Exception):
        import ctypes

        ctypes.CDLL(None).fflush(None)


class _Tail:
    """A descriptor that leads into a file, and what its writers have added since the last look."""

    def __init__(self, file: IO[bytes], number: int, saved: int, channel: _Channel) -> None:
        self.number, self.saved = number, saved
        self._file, self._channel, self._at = file, channel, 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def look(self) -> None:
        """Hand on what is new."""
        while data := os.pread(self._file.fileno(), 1 << 16, self._at):
            self._at += len(data)
            self._channel.write(self._decoder.decode(data))

    def finish(self) -> None:
        """Hand on what is left, and let go of the file."""
        self.look()
        self._channel.finish()
        os.close(self.saved)
        self._file.close()


def _follow(taken: list[_Tail], done: threading.Event) -> None:
    while not done.wait(_LOOK_EVERY):
        for tail in taken:
            tail.look()


def _are_open(*numbers: int) -> bool:
    try:
        return all(os.fstat(number) is not None for number in numbers)
    except OSError:
        return False


class _Channel(TextIOBase):
    """A text stream that hands whole lines to the log; a carriage return (a progress bar's) begins a line anew.

    Of a line that does not end, as much is kept as the log would show, and what is needed to see where it may be cut.
    """

    def __init__(self, log: Log, name: str) -> None:
        self._log, self._name, self._rest = log, name, ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        whole, newline, rest = (self._rest + text).rpartition("\n")
        self._rest = rest.rpartition("\r")[2][: _LINE_LIMIT + 1 + self._log.mask.longest]
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
        if record.name == _OWN.name:
            return  # it stands there already
        try:
            self._log.write("log", f"{record.levelname} {record.name}: {record.getMessage()}", follow=False)
        except Exception:  # noqa: BLE001 - logging's own convention: a bad log call never breaks the program
            self.handleError(record)
