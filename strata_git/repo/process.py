"""One process: an argument list, captured streams, never a shell."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from strata_git.errors import StrataError, printable


class Result(NamedTuple):
    """What a finished git process left: exit code, standard output, standard error."""

    code: int
    out: bytes
    err: bytes

    @property
    def reason(self) -> str:
        """The first line of the complaint that says something, printable."""
        lines = [line for line in self.err.decode(errors="replace").splitlines() if line.strip()]
        telling = [line for line in lines if line.startswith(("fatal:", "error:"))]
        return printable((telling or lines or [f"exit code {self.code}"])[0])


def run(
    command: list[str],
    *,
    directory: Path,
    env: Mapping[str, str],
    input: bytes | None = None,  # noqa: A002
) -> Result:
    """Run one command with an argument list and captured streams; StrataError when it is not installed."""
    return started(command, directory=directory, env=env, input=input)()


def started(
    command: list[str],
    *,
    directory: Path,
    env: Mapping[str, str],
    input: bytes | None = None,  # noqa: A002
) -> Callable[[], Result]:
    """Start a command and go on; what is returned waits for its end. It is `run` for what can happen side by side."""
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=dict(env),
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError as error:
        missing = command[0] if not error.filename or error.filename == command[0] else str(error.filename)
        raise StrataError(
            f"{printable(missing)} was not found.", hint="Install git 2.36 or newer and put it on PATH."
        ) from None
    except OSError as error:
        raise StrataError(f"{command[0]} could not be started: {error.strerror}.") from None

    def finished() -> Result:
        with process:
            try:
                out, err = process.communicate(input)
            except BaseException:
                process.kill()
                raise
        return Result(process.returncode, out, err)

    return finished


def run_within(
    command: list[str],
    *,
    directory: Path,
    env: Mapping[str, str],
    seconds: float,
    most: int,
    watch: Callable[[], str] = str,
    input: bytes = b"",  # noqa: A002
) -> Result:
    """Run one command that talks to a stranger: for so long, and for so many bytes of answer, then all of it is ended.

    `watch` is asked again and again; what it says (`""`: nothing) ends the command, too. Raises StrataError with the
    reason then.
    """
    import tempfile  # hooks load this module, too

    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
        given.write(input)
        given.seek(0)
        try:
            process = subprocess.Popen(
                command, cwd=directory, env=dict(env), stdin=given, stdout=out, stderr=err, start_new_session=True
            )
        except OSError as error:
            raise StrataError(f"{command[0]} could not be started: {error.strerror}.") from None
        end = time.monotonic() + seconds
        try:
            while (code := _ended(process)) is None:
                written = os.fstat(out.fileno()).st_size + os.fstat(err.fileno()).st_size
                too_much = f"it sent more than {most} bytes" if written > most else watch()
                if too_much or time.monotonic() > end:
                    raise StrataError(f"{too_much or f'it took longer than {seconds:g} seconds'}.")
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        out.seek(0)
        err.seek(0)
        return Result(code, out.read(most), err.read(most))


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(0.1)
    except subprocess.TimeoutExpired:
        return None
