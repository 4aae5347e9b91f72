"""The two programs that reading documents starts: this interpreter, as a worker that may die, and tesseract.

Argument lists, never a shell; both get an environment of a few harmless variables, so that no secret is within reach of
a parser that a document has taken over.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_PASSED = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "TESSDATA_PREFIX", "SYSTEMROOT")
_FIXED = {
    "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
    # one document, one processor: how many are read at once is decided above
    "OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
}  # fmt: skip
_BEGIN = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from strata_git.pipeline.documents.worker import serve; serve()"
)


Process = subprocess.Popen[bytes]


def surroundings(environ: Mapping[str, str]) -> dict[str, str]:
    """What of `environ` such a program gets."""
    return {name: environ[name] for name in _PASSED if name in environ} | _FIXED


_MODEST = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
"""Arrow's own allocator sets a gigabyte aside at once, all that a document may take."""


def start_worker(directory: Path, environ: Mapping[str, str]) -> Process:
    """A worker (`worker.serve`), in a group of its own."""
    paths = json.dumps([os.path.abspath(path) if path else os.getcwd() for path in sys.path])
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _BEGIN, paths],
        cwd=directory,
        env={**surroundings(environ), **_MODEST},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def end(process: Process) -> None:
    """Kill a worker and whatever it started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()


def stop(process: Process) -> None:
    """Kill a worker and wait until it is gone."""
    end(process)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()


def exit_code(process: Process, seconds: float) -> int | None:
    """How a worker ended (negative: by which signal); None when it does not within `seconds`."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


def answer(command: list[str], data: bytes, seconds: float, environ: Mapping[str, str]) -> tuple[int, bytes, bytes]:
    """Run a program to its end with `data` on its standard input: exit code, standard output and error.

    Raises TimeoutError when it takes longer, OSError when it cannot be started.
    """
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=seconds, env=surroundings(environ), check=False
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{Path(command[0]).name} took longer than {seconds:g} seconds") from None
    return done.returncode, done.stdout, done.stderr
