"""The live dashboard as a process, and plain requests to it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse

from tests.support.builder import RepositoryBuilder
from tests.support.process import LIMIT


@dataclass(frozen=True)
class Got:
    """What was answered."""

    code: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Served:
    """A running dashboard."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", **headers: str) -> Got:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer: HTTPResponse = connection.getresponse()
            return Got(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        return self.process.wait(timeout=LIMIT)


@contextmanager
def serving(repo: RepositoryBuilder, *options: str) -> Iterator[Served]:
    """`git strata dashboard --port 0` from its word that it is ready until the block ends."""
    words = [sys.executable, "-m", "strata_git", "dashboard", "--port", "0", *options]
    process = subprocess.Popen(
        words, cwd=repo.path, env=repo.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        ready = process.stdout.readline()
        assert ready.startswith("ready http://127.0.0.1:"), ready + (process.stderr.read() if process.stderr else "")
        yield Served(process, int(ready.rsplit(":", 1)[1]))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        for stream in (process.stdout, process.stderr):
            if stream:
                stream.close()
