"""One process of a service: started with an argument list, heard, and never outliving the one that started it.

It says one line of JSON on standard output: `{"ready": …}`, or `{"refused": …}` before it ends. Whatever it writes to
standard error goes to the log. Its standard input is a pipe that says nothing: at its end, which comes even when this
process is killed, the child has to end as well. It leads a session of its own, so that Ctrl-C at a terminal reaches the
service alone, which ends its children in their order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from strata_git.errors import StrataError, printable

LINE = 1 << 20
"""Most bytes of one line."""
Log = Callable[[str], None]
_TICK = 0.05


class ChildRefused(StrataError):
    """The process says that it must not serve: the gate's `step`, and `steps` (name, verdict, message) up to there."""

    exit_code = 2

    def __init__(self, message: str, step: str, steps: Sequence[tuple[str, str, str]], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.step = step
        self.steps = tuple(steps)


class ChildFailed(StrataError):
    """The process ended, or said nothing in time, without a verdict."""


def python(module: str, *arguments: str) -> list[str]:
    """The command that runs a module of ours. `-P`: nothing of the directory that it works in is imported."""
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environ(environ: Mapping[str, str], *, threads: int = 1) -> dict[str, str]:
    """The environment of a process that predicts: no telemetry, as many threads as are asked for."""
    from strata_git.runs.limits import switches

    return {**environ, **switches({"cpus": threads}, environ), "ORT_DISABLE_TELEMETRY": "1"}


class Child:
    """A process that was started; `said` is what it announced. Made by `start_child`."""

    def __init__(self, process: asyncio.subprocess.Process, name: str, log: Log) -> None:
        self.said: dict[str, Any] = {}
        self._process = process
        self._name = name
        self._log = log
        self._reader = asyncio.ensure_future(self._listen())
        self._stopping = False

    @property
    def pid(self) -> int:
        """Its id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it is there."""
        return self._process.returncode is None

    async def ended(self) -> str:
        """Wait until it ends; how it ended, in words."""
        while (code := self._process.returncode) is None:  # `wait` would wait for whoever else holds its pipes, too
            await asyncio.sleep(_TICK)
        if self._process.stdin is not None:
            self._process.stdin.close()
        await asyncio.wait([self._reader], timeout=1)
        self._reader.cancel()
        if code >= 0:
            return f"it ended with exit code {code}"
        with contextlib.suppress(ValueError):
            return f"it was ended by {signal.Signals(-code).name}"
        return f"it was ended by signal {-code}"

    async def stop(self, grace: float) -> None:
        """Ask it to end, and end it after `grace` seconds. A second time does nothing more."""
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.ended(), grace)
        except TimeoutError:
            self._log(f"{self._name} ({self.pid}) did not end within {grace:g} s, and is ended")
            self.kill()
            await self.ended()

    def kill(self) -> None:
        """End it, and whatever it started in its session, at once."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _announced(self) -> dict[str, Any]:
        """The first line of JSON; {} where it ended without one."""
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        while line := await _line(self._process.stdout):
            with contextlib.suppress(ValueError, RecursionError):
                said = json.loads(line)
                if isinstance(said, dict) and said.keys() & {"ready", "refused"}:
                    return said
        return {}

    async def _listen(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - it was started with a pipe
        while line := await _line(self._process.stderr):
            if text := line.decode("utf-8", "backslashreplace").strip():
                self._log(printable(text))


async def start_child(
    argv: Sequence[str], environ: Mapping[str, str], *, name: str, log: Log, seconds: float = 120
) -> Child:
    """Start a process and wait until it is ready.

    Raises ChildRefused with its verdicts, and ChildFailed when it cannot be started, ends without a word, or says
    nothing within `seconds`; it is gone then.
    """
    child = await _started(argv, environ, name, log)
    try:
        said = await asyncio.wait_for(child._announced(), seconds)  # noqa: SLF001 - of this module
    except TimeoutError:
        child.kill()
        await child.ended()
        raise ChildFailed(f"{name} was not ready within {seconds:g} seconds.") from None
    except BaseException:
        child.kill()
        raise
    if isinstance(ready := said.get("ready"), dict):
        child.said = ready
        return child
    how = await child.ended()
    if isinstance(refused := said.get("refused"), dict):
        raise _refusal(name, refused)
    raise ChildFailed(f"{name} could not be started: {how} before it was ready.", hint="Its last words are in the log.")


async def _started(argv: Sequence[str], environ: Mapping[str, str], name: str, log: Log) -> Child:
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=pipe, stdout=pipe, stderr=pipe, env=dict(environ), limit=LINE, start_new_session=True
        )
    except OSError as error:
        raise ChildFailed(f"{name} could not be started: {error.strerror}.") from None
    return Child(process, name, log)


def _refusal(name: str, said: Mapping[str, Any]) -> StrataError:
    steps = [
        (str(one.get("name", "")), str(one.get("verdict", "")), printable(str(one.get("message", ""))))
        for one in said.get("steps", ()) if isinstance(one, dict)
    ]  # fmt: skip
    message, hint = printable(str(said.get("message", "It is refused."))), printable(str(said.get("hint", "")))
    if not steps:
        return ChildFailed(f"{name} could not be started: {message}", hint=hint)
    return ChildRefused(message, str(said.get("step", "")), steps, hint)


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line; of one that is too long, what fits."""
    try:
        return await stream.readline()
    except ValueError:  # longer than the limit: asyncio has dropped it
        return b"(a line that is too long)\n"
