"""One process of R that holds one model: started, listened to, asked, started again when it died.

It listens on a Unix socket in a private directory and answers whoever has its token; both are ours alone. A thread of
ours reads what it says, from its first line to its end.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import secrets
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Event, Lock, Thread
from typing import Any

from strata_git.errors import StrataError, printable
from strata_git.serving.errors import PredictionError, Unanswered
from strata_git.serving.r.interpreter import SERVER, missing_packages, not_loaded

START_SECONDS = 60.0
"""How long a model may take to be loaded."""
GRACE = 2.0
"""Seconds after the time limit, within which R has ended the prediction itself; then the process is ended."""
_SHORTEST, _LONGEST = 0.1, 30.0
_LINE = 1 << 16
_ANSWER = 1 << 30


@dataclass(frozen=True, slots=True)
class Setting:
    """What all processes of one model share: the program, its directory and environment, what server.R is told.

    `log` takes a level of `logging` and a line; only lines of DEBUG may hold values of a request.
    """

    rscript: str
    directory: Path
    environ: Mapping[str, str]
    told: Mapping[str, Any]
    log: Callable[[int, str], None]


class RProcess:
    """One process. `ask` may be called from any thread; one request is under way at a time."""

    def __init__(self, setting: Setting, number: int) -> None:
        """Starts it; `wait_ready` tells how that went."""
        self.versions: Mapping[str, Any] = {}
        self.under_way = 0
        """Requests that it has, or that wait for it."""
        self._setting = setting
        self._number = number
        self._socket = str(setting.directory / f"{number}.sock")
        self._turn = Lock()
        self._changed = Condition(Lock())
        self._closed = Event()
        self._failure: StrataError | None = None
        self._ready = False
        self._token = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._words: deque[str] = deque(maxlen=20)
        self._thread = Thread(target=self._live, name=f"r-{number}", daemon=True)
        self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether it would answer now."""
        return self._ready

    @property
    def pid(self) -> int | None:
        """Its number, while there is one."""
        process = self._process
        return None if process is None else process.pid

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Until the model is loaded. StrataError with the reason where it is not."""
        with self._changed:
            done = self._changed.wait_for(lambda: self._ready or self._failure is not None, seconds)
        if not done:
            self.close()
            raise StrataError(f"R has not loaded the model within {seconds:g} seconds.{self._last_words()}")
        if self._failure is not None:
            raise self._failure

    def ask(self, path: str, body: bytes | None = None, *, seconds: float) -> tuple[int, bytes]:
        """Status and body of an answer, for which R may take so many `seconds`. Raises Unanswered: 503 while there
        is no process, 504 for one that is too slow, and is ended."""
        with self._changed:
            self.under_way += 1
        try:
            with self._turn:
                return self._asked(path, body, seconds)
        finally:
            with self._changed:
                self.under_way -= 1

    def close(self) -> None:
        """End it, and whatever it started."""
        self._closed.set()
        self._end(self._process)
        with self._changed:
            self._changed.notify_all()
        self._thread.join(5)

    def _asked(self, path: str, body: bytes | None, seconds: float) -> tuple[int, bytes]:
        process = self._process
        if not self._ready:
            raise Unanswered("The process of the model is being started again.", status=503)
        connection = _Connection(self._socket, seconds + GRACE)
        try:
            # a new connection each time costs 0.1 ms here; kept ones cost 45 ms where httpuv listens on TCP
            headers = {"strata-token": self._token, "strata-seconds": f"{seconds:g}", "connection": "close"}
            connection.request("GET" if body is None else "POST", path, body, headers)
            answer = connection.getresponse()
            data = answer.read(_ANSWER)
            if not answer.isclosed():
                raise PredictionError("The answer is larger than can be taken in.")
            return answer.status, data
        except TimeoutError:
            self._end(process)  # R does not end by itself what is not R's own code
            raise Unanswered("The model took too long.", status=504) from None
        except (OSError, http.client.HTTPException):
            self._end(process)  # what it started may hold its output open
            raise Unanswered("The process of the model ended.", status=503) from None
        finally:
            connection.close()

    def _end(self, process: subprocess.Popen[bytes] | None) -> None:
        """Kill it and whatever it started, if it is still the one that is asked: its number may be another's by now."""
        with self._changed:
            if process is not None and process is self._process:
                self._ready = False
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)

    def _live(self) -> None:
        """In a thread of its own: start, listen to the end, start again; longer pauses where it dies at once."""
        pause = _SHORTEST
        while not self._closed.is_set():
            began = time.monotonic()
            try:
                code = self._run()
            except OSError as error:
                self._fail(StrataError(f"R cannot be started: {error.strerror}."))
                return
            with self._changed:
                self._ready = False
            if not self.versions:
                said = f"R ended with {code} before the model was loaded.{self._last_words()}"
                self._fail(self._failure or StrataError(said))
                return
            if time.monotonic() - began > 2 * _LONGEST:
                pause = _SHORTEST
            if not self._closed.is_set():
                self._log(logging.WARNING, f"ended with {code}, is started again in {pause:g} s")
            self._closed.wait(pause)
            pause = min(2 * pause, _LONGEST)

    def _run(self) -> int:
        setting = self._setting
        mark, self._token = f"strata-{secrets.token_hex(8)}", secrets.token_hex(32)
        file = setting.directory / f"{self._number}.json"
        told = {**setting.told, "mark": mark, "token": self._token, "socket": self._socket, "parent": os.getpid()}
        with suppress(FileNotFoundError):
            os.unlink(self._socket)
        file.touch(mode=0o600)
        file.write_text(json.dumps(told))
        process = self._process = subprocess.Popen(
            [setting.rscript, "--vanilla", str(SERVER), str(file)],
            cwd=setting.directory, env=dict(setting.environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        if self._closed.is_set():
            self._end(process)
        if (lines := process.stdout) is not None:  # a pipe was asked for
            with lines:
                while line := lines.readline(_LINE):
                    self._hear(line.decode(errors="replace").rstrip("\n"), mark)
        self._end(process)
        with self._changed:
            self._process = None
            return process.wait()

    def _hear(self, line: str, mark: str) -> None:
        word, _, rest = line.partition(" ")
        kind, _, said = rest.partition(" ")
        if word != mark and not line.startswith("strata-r missing "):
            if line:
                self._words.append(line)
                self._log(logging.INFO, line)
        elif kind in ("error", "words"):
            self._log(logging.WARNING if kind == "error" else logging.DEBUG, json.loads(said))
        else:
            with self._changed:
                if kind == "ready":
                    self.versions, self._ready = json.loads(said), True
                else:
                    told = missing_packages(said.split()) if kind == "missing" else not_loaded(json.loads(said))
                    self._failure = told
                self._changed.notify_all()

    def _log(self, level: int, words: str) -> None:
        self._setting.log(level, f"R process {self._number}: {printable(words)}")

    def _fail(self, error: StrataError) -> None:
        with self._changed:
            self._failure = error
            self._changed.notify_all()

    def _last_words(self) -> str:
        return "".join(f" | {printable(line)}" for line in list(self._words)[-5:])[:1000]


def least_loaded(processes: Sequence[RProcess]) -> RProcess:
    """The process with the fewest requests, of those that are ready. Unanswered (503) where none is."""
    there = [one for one in processes if one.ready]
    if not there:
        raise Unanswered("The process of the model is being started again.", status=503)
    return min(there, key=lambda one: one.under_way)


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
