"""A worker under guard: asked for one document at a time, ended when it takes too long, started anew when it died.

So a parser that crashes, hangs or eats memory costs the one document that made it do so.
"""

from __future__ import annotations

import json
import select
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from strata_git.errors import StrataError
from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.programs import Process, end, exit_code, start_worker, stop

_START_SECONDS = 120
_LONGEST_ANSWER = 1 << 24


class Guard:
    """One worker and its keeper. Not for several threads at once."""

    def __init__(self, directory: Path, environ: Mapping[str, str], limits: Limits) -> None:
        self._directory, self._environ, self._limits = directory, environ, limits
        self._process: Process | None = None
        self._retired = False
        self.started = 0

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The worker's answer; for a worker that failed, a refusal that says how.

        Raises StrataError when no worker can be started at all.
        """
        process = self._running()
        assert process.stdin is not None  # noqa: S101 - a pipe was asked for
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        except OSError:  # it died since its last answer: not this document's doing
            self.close()
            process = self._running()
            assert process.stdin is not None  # noqa: S101 - a pipe was asked for
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        line = self._line(process, self._limits.seconds)
        if line.endswith(b"\n"):
            answer: dict[str, Any] = json.loads(line)
            if answer.pop("resident", 0) > self._limits.memory // 2 or answer.get("why") == "memory":
                self.close()  # what a document took is not always given back
            return answer
        return self._fallen(process, late=line == b"late")

    def close(self) -> None:
        """End the worker."""
        if self._process is not None:
            stop(self._process)
            self._process = None

    def retire(self) -> None:
        """End the worker, for good: whoever waits for it is answered now, and nobody is any more."""
        self._retired = True
        if self._process is not None:
            end(self._process)

    def _running(self) -> Process:
        if self._retired:
            raise StrataError("Reading documents was given up.")
        if self._process is None:
            try:
                process = start_worker(self._directory, self._environ)
            except OSError as error:
                raise StrataError(f"No process can be started to read documents: {error.strerror}.") from None
            self.started += 1
            if not self._line(process, _START_SECONDS).endswith(b"\n"):
                stop(process)
                raise StrataError(
                    "The process that reads documents does not start.",
                    hint="Is there memory left? Try python -c 'import strata_git.pipeline.documents.worker'",
                )
            self._process = process
        return self._process

    def _line(self, process: Process, seconds: float) -> bytes:
        """One line of the worker's; `late` when it took too long, less than a line when it died."""
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        end = time.monotonic() + seconds
        gathered = b""
        while not gathered.endswith(b"\n") and len(gathered) < _LONGEST_ANSWER:
            left = end - time.monotonic()
            ready = select.select([process.stdout], [], [], max(0.0, left))[0]
            if not ready:
                return b"late"
            part = process.stdout.read1(1 << 16)  # type: ignore[attr-defined]
            if not part:
                break
            gathered += part
        return gathered

    def _fallen(self, process: Process, *, late: bool) -> dict[str, Any]:
        if late:
            self.close()
            reason = f"reading it took longer than {self._limits.seconds:g} seconds"
            return {"status": "refused", "why": "timeout", "reason": reason}
        code = exit_code(process, 5)
        self.close()
        if code is not None and code in (-signal.SIGXCPU,):
            return {"status": "refused", "why": "timeout", "reason": "reading it took too much processor time"}
        told = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        reason = f"the process that read it ended with {told}"
        killed = code == -signal.SIGKILL
        return {"status": "refused", "why": "memory" if killed else "crashed", "reason": reason}
