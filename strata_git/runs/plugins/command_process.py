"""One program of the user's, from its start to the last of its children: the only place in `runs` that starts any.

Argument lists, never a shell. The program leads a session of its own, so that a signal reaches all of its group; what
leaves the group is found by the mark in its environment (`command_watch`). When this process is killed, a small one
beside it ends the program.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from strata_git.errors import StrataError, printable
from strata_git.runs import limits
from strata_git.runs.interrupt import held
from strata_git.runs.plugins.command_watch import DONE, VARIABLE, end_marked

Tell = Callable[[str, Sequence[str]], None]
"""Takes `out` or `err`, and lines that came together; called in the thread that runs the command."""
KEPT = 20
"""Lines of standard error that are remembered for the message of a failure."""
GRACE = 10.0
"""Seconds that a program has to end by itself after it was asked to."""
_LOADER = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PATH")
_PAUSE = 0.02
_LONGEST = 1 << 16
_LEFT_OPEN = 2.0
_TOGETHER = 1000


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit code (negative: the signal that ended it), whether its time was up, what it last
    said on standard error, and how many processes it had left running."""

    code: int
    timed_out: bool
    last_words: tuple[str, ...]
    left: int


def run_command(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    tell: Tell,
    timeout: float | None = None,
    grace: float = GRACE,
) -> Ended:
    """Run `argv` (`argv[0]` is a path, or is looked up in `env`'s PATH) and hand on lines as they are said.

    Whatever is raised meanwhile, a request to stop above all, is passed on to the program first: the signal that asked
    (SIGTERM for anything else), then SIGKILL after `grace` seconds, or at once when a second one comes. No process
    of the program's is there when this function is left. Raises StrataError when it cannot be started.
    """
    with guarded(env) as (mark, marked_env), contextlib.ExitStack() as starting:
        starting.enter_context(held())
        process = _started(argv, cwd, marked_env)
        voice = _Voice(process, tell)
        try:
            starting.close()
            timed_out = not _ended(process, voice, timeout)
            if timed_out:
                _stop(process, voice, signal.SIGTERM, grace)
        except BaseException as reason:
            limits.heard()
            with contextlib.suppress(BaseException):  # a second request to stop: no more patience
                _stop(process, voice, _signal_of(reason), grace)
            raise
        finally:
            left = _finish(process, voice, mark)
    return Ended(process.returncode, timed_out, tuple(voice.last_words), left)


@contextlib.contextmanager
def guarded(env: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """A mark, and `env` with it: what is started with that is ended at the latest when the block is left, even by the
    death of this process."""
    from secrets import token_hex

    mark = token_hex(16)
    reading, writing = os.pipe()
    with contextlib.ExitStack() as starting:
        starting.enter_context(held())
        try:
            watcher = _watcher(reading, mark, env)
        except OSError as error:
            os.close(writing)
            raise StrataError(f"No process could be started: {error.strerror}.") from None
        finally:
            os.close(reading)
        try:
            starting.close()
            yield mark, {**env, VARIABLE: mark}
        finally:
            try:
                end_marked(mark)
                with contextlib.suppress(OSError):
                    os.write(writing, DONE)
            finally:  # interrupted even here: what is left is the watcher's to end
                os.close(writing)
                watcher.wait()


def _watcher(reading: int, mark: str, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """The small process that ends the program when this one is no longer there."""
    watch = Path(__file__).with_name("command_watch.py")
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(watch), str(reading), mark],
        env={name: env[name] for name in _LOADER if name in env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(reading,),
        cwd="/",
        start_new_session=True,
    )


class _Voice:
    """What the program says, line by line, in the order it arrives."""

    def __init__(self, process: subprocess.Popen[bytes], tell: Tell) -> None:
        self.last_words: deque[str] = deque(maxlen=KEPT)
        self._tell = tell
        self._lines: queue.Queue[tuple[str, str]] = queue.Queue(10_000)
        self._kept: tuple[str, str] | None = None
        streams = {"out": process.stdout, "err": process.stderr}
        self._readers = [
            threading.Thread(target=self._read, args=(channel, stream), daemon=True)
            for channel, stream in streams.items()
            if stream is not None
        ]
        for reader in self._readers:
            reader.start()

    def hear(self, seconds: float) -> bool:
        """Hand on the lines that are there, waiting so long for the first; whether there was one."""
        try:
            channel, line = self._kept or self._lines.get(timeout=seconds)
            self._kept = None
        except queue.Empty:
            return False
        lines = [line, *self._more(channel)]
        if channel == "err":
            self.last_words.extend(one.strip() for one in lines if one.strip())
        self._tell(channel, lines)
        return True

    def _more(self, channel: str) -> Iterator[str]:
        """What was said on the same channel meanwhile; the first line of the other one is kept for the next time."""
        for _ in range(_TOGETHER):
            try:
                found = self._lines.get_nowait()
            except queue.Empty:
                return
            if found[0] != channel:
                self._kept = found
                return
            yield found[1]

    def hear_out(self) -> None:
        """Hand on all that is left. Whoever still holds the pipes open is not waited for long."""
        end = time.monotonic() + _LEFT_OPEN
        while self.hear(_PAUSE) or (any(one.is_alive() for one in self._readers) and time.monotonic() < end):
            pass

    def _read(self, channel: str, stream: IO[bytes]) -> None:
        rest = b""
        with contextlib.suppress(OSError, ValueError), stream:
            while part := os.read(stream.fileno(), _LONGEST):
                *lines, rest = (rest + part).split(b"\n")
                if len(rest) > _LONGEST:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._lines.put((channel, _text(line)))
            if rest:
                self._lines.put((channel, _text(rest)))


def _text(line: bytes) -> str:
    """A line as a terminal would show it at last: a carriage return begins it anew."""
    return line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "backslashreplace")


def _started(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    import shutil

    name = argv[0]
    program = str(cwd / name) if "/" in name else shutil.which(name, path=env.get("PATH", os.defpath))
    if program is None:
        raise StrataError(
            f"The program '{printable(name)}' was not found on PATH.",
            hint="Install it, or name it by its path. ${python} is the Python that git-strata runs in.",
        )
    try:
        return subprocess.Popen(
            [program, *argv[1:]],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise StrataError(f"'{printable(name)}' could not be started: {printable(str(reason))}.") from None


def _ended(process: subprocess.Popen[bytes], voice: _Voice, seconds: float | None) -> bool:
    """Listen until the program ends, or its time is up; whether it ended."""
    end = None if seconds is None else time.monotonic() + seconds
    while not _is_over(process):
        if end is not None and time.monotonic() > end:
            return False
        voice.hear(_PAUSE)
    return True


def _is_over(process: subprocess.Popen[bytes]) -> bool:
    """Whether the program has ended. It stays a zombie where the system can do that: its id is nobody else's then."""
    if process.returncode is not None:
        return True
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _stop(process: subprocess.Popen[bytes], voice: _Voice, number: signal.Signals, grace: float) -> None:
    _signal_group(process, number)
    if not _ended(process, voice, grace):
        _signal_group(process, signal.SIGKILL)
        _ended(process, voice, grace)


def _finish(process: subprocess.Popen[bytes], voice: _Voice, mark: str) -> int:
    """Nothing of the program is left, and all it said is handed on; how many processes it had left running."""
    left = end_marked(mark)
    _signal_group(process, signal.SIGKILL)
    process.wait()
    voice.hear_out()
    return left


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.returncode is None:  # reaped ids may be somebody else's
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


def _signal_of(reason: BaseException) -> signal.Signals:
    """The signal that asked to stop: runs' Interrupted names it, Ctrl-C is SIGINT, anything else ends the work."""
    if isinstance(reason, KeyboardInterrupt):
        return getattr(signal.Signals, str(reason), signal.SIGINT)
    return signal.SIGTERM
