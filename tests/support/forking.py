"""`git strata` without waiting for Python to start: one process has our modules loaded, each call is a fork of it.

Starting Python and importing click, pydantic and our own modules takes several times as long as most commands work, and
tests give thousands of them. A fork begins where a started program has imported what it needs; everything else (the
environment, the directory, the three streams, exit handlers) it gets as any program does. What decides how Python
itself starts, such as PYTHONPATH or the locale, must be as it was for the process that is forked; else a program is
started.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

STARTING = ("PYTHON", "LC_", "LANG", "LD_")
"""Beginnings of the variables that a Python reads before any of our code."""
BACKLOG = 64


class Server:
    """The process that is forked, and how it is asked."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.starting = starting(environ)
        self.place = Path(tempfile.mkdtemp(prefix="fork-"))
        self.address = str(self.place / "s")
        command = [sys.executable, "-m", "tests.support.forking", self.address]
        root = Path(__file__).parent.parent.parent
        self.process = subprocess.Popen(
            command, cwd=root, env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        with self.process.stdout as told:
            ready = told.readline()
        if ready != b"ready\n":
            self.stop()
            raise RuntimeError("git strata could not be loaded: standard error says why")

    def run(
        self, words: Sequence[str], cwd: Path, environ: Mapping[str, str], stdin: bytes, limit: float
    ) -> tuple[int, bytes, bytes]:
        """Exit code, standard output and standard error of `git strata <words>`.

        Raises subprocess.TimeoutExpired after `limit` seconds, the command being killed.
        """
        asked = json.dumps([list(words), os.fspath(cwd), dict(environ)]).encode()
        with (
            tempfile.TemporaryFile() as request, tempfile.TemporaryFile() as source,
            tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err,
            socket.socket(socket.AF_UNIX) as line,
        ):  # fmt: skip
            for stream, data in ((request, asked), (source, stdin)):
                stream.write(data)
                stream.flush()
                stream.seek(0)
            line.connect(self.address)
            socket.send_fds(line, [b"r"], [stream.fileno() for stream in (request, source, out, err)])
            line.settimeout(limit)
            with line.makefile("rb") as told:
                pid = int(told.readline())
                try:
                    code = int(told.readline())
                except TimeoutError:
                    os.kill(pid, signal.SIGKILL)
                    raise subprocess.TimeoutExpired(list(words), limit) from None
            out.seek(0)
            err.seek(0)
            return code, out.read(), err.read()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        Path(self.address).unlink(missing_ok=True)
        self.place.rmdir()


_server: Server | None = None


def starting(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(STARTING)}


def server_for(environ: Mapping[str, str]) -> Server | None:
    """This process's server, started when first asked for; None where Python would start otherwise than it did."""
    global _server
    if _server is None:
        _server = Server(environ)
        atexit.register(_server.stop)
    return _server if _server.starting == starting(environ) else None


def serve(address: str) -> None:
    """Load what commands load, then fork for whoever asks, for ever."""
    _load()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(BACKLOG)
        os.write(1, b"ready\n")
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the processes that answer
        while True:
            line, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(line)
            line.close()


def _load() -> None:
    import gc
    from importlib import import_module

    from strata_git.cli.main import COMMANDS

    for module, _ in COMMANDS.values():
        with contextlib.suppress(ImportError):  # whoever gives the command is told
            import_module(f"strata_git.cli.{module}")
    for name in ("contracts.shape", "doctor.judge", "index.build", "ledger.events", "authoring.promote", "load"):
        import_module(f"strata_git.{name}")
    for name in ("yaml", "sqlite3", "gnupg", "pydantic"):
        import_module(name)
    gc.collect()
    gc.freeze()


def _answer(line: socket.socket) -> None:
    """Run what is asked in a process of its own, and tell its number and then its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(line, 1, 4)
    request, source, out, err = streams
    pid = os.fork()
    if pid == 0:
        line.close()
        with open(request, "rb") as stream:
            words, cwd, environ = json.load(stream)
        for number, stream_number in enumerate((source, out, err)):
            os.dup2(stream_number, number)
            os.close(stream_number)
        _become(words, cwd, environ)
    line.sendall(b"%d\n" % pid)
    _, status = os.waitpid(pid, 0)
    line.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _become(words: list[str], cwd: str, environ: dict[str, str]) -> None:
    """What `python -m strata_git <words>` does after its imports, to the very end of the process."""
    import threading

    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["git-strata", *words]
    sys.path.pop(0)  # where the server was started; the installed command has no such place
    code: object = 70
    try:
        from strata_git.cli.main import main

        code = main()
    except SystemExit as request:
        code = request.code
    except BaseException:  # noqa: BLE001 - what the interpreter would do
        import traceback

        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    serve(sys.argv[1])
