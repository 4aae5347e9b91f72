"""Services as real processes: started, asked by many clients at once, watched, ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from strata_git.serving.supervision.asking import Answer, ask
from tests.support.builder import RepositoryBuilder

PATIENCE = 60.0
"""Seconds after which what does not come counts as never coming."""
ROW = {"sepal": 2, "petal": 2}
"""What the linear model answers with 10, the other one with 24."""
BODY = json.dumps({"records": [ROW]}).encode()


def until(happens: Callable[[], object], what: str = "it") -> None:
    """Wait until something is true."""
    end = time.monotonic() + PATIENCE
    while not happens():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.02)


@dataclass(slots=True)
class Running:
    """A service that was started by the command line. `log` is what it said on standard error."""

    process: subprocess.Popen[bytes]
    url: str = ""
    grpc: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    def ask(self, path: str, body: bytes | None = None) -> Answer:
        headers = {"Content-Type": "application/json"} if body else {}
        return ask(self.url, path, body=body, headers=headers)

    def score(self) -> float:
        answer = self.ask("/predict", BODY)
        assert answer.status == 200, answer.body
        return float(json.loads(answer.body)["predictions"][0]["score"])

    def is_ready(self) -> bool:
        return self.ask("/v2/health/ready").status == 200

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def running(repo: RepositoryBuilder, *words: str, environ: Mapping[str, str] | None = None) -> Iterator[Running]:
    """`git strata service run WORDS --port 0`, once it is ready; ended, however the block is left."""
    process = subprocess.Popen(
        ["git-strata", "service", "run", *words, "--port", "0"], cwd=repo.path, env={**repo.environ, **(environ or {})},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    service = Running(process)
    ready = threading.Event()
    readers = [
        threading.Thread(target=_said, args=(service, ready), daemon=True),
        threading.Thread(target=_told, args=(service,), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        ready.wait(PATIENCE)
        assert service.url, service.log
        yield service
    finally:
        process.kill()
        process.wait()
        for reader in readers:
            reader.join(5)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _said(service: Running, ready: threading.Event) -> None:
    """`ready URL`, and where it speaks gRPC `grpc ADDRESS`; nothing else."""
    assert service.process.stdout is not None
    wanted = 1 + any("grpc" in str(word) for word in service.process.args)  # type: ignore[union-attr]
    for number, line in enumerate(service.process.stdout, 1):
        word, _, address = line.decode().strip().partition(" ")
        if word == "ready":
            service.url = address
        elif word == "grpc":
            service.grpc = address
        else:
            service.lines.append(f"STRAY OUTPUT {line!r}")
        if number == wanted:
            ready.set()
    ready.set()


def _told(service: Running) -> None:
    assert service.process.stderr is not None
    for line in service.process.stderr:
        service.lines.append(line.decode(errors="replace").rstrip())


@dataclass(slots=True)
class Crowd:
    """Clients that ask all the time, each on one connection. `answers` are (moment, status, score), by client."""

    answers: list[list[tuple[float, int, float]]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def statuses(self) -> set[int]:
        return {status for one in self.answers for _, status, _ in one}

    def scores(self) -> set[float]:
        return {score for one in self.answers for _, status, score in one if status == 200}

    def seen(self, score: float) -> bool:
        """Whether the last answer of every client is this."""
        return all(one and one[-1][2] == score for one in self.answers)


@contextmanager
def crowd(url: str, clients: int = 64, *, patient: bool = False) -> Iterator[Crowd]:
    """So many clients on keep-alive connections, until the block is left. `patient` ones go on after a refusal."""
    told = Crowd([[] for _ in range(clients)])
    over = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_crowd(url, told, over, patient)), daemon=True)
    thread.start()
    try:
        until(lambda: all(told.answers) or told.failures, "an answer for every client")
        yield told
    finally:
        over.set()
        thread.join(PATIENCE)


async def _crowd(url: str, told: Crowd, over: threading.Event, patient: bool) -> None:
    await asyncio.gather(*(_client(url, told, place, over, patient) for place in range(len(told.answers))))


async def _client(url: str, told: Crowd, place: int, over: threading.Event, patient: bool) -> None:
    address = urlsplit(url)
    assert address.hostname
    assert address.port
    head = f"POST /predict HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    try:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        while not over.is_set():
            writer.write(request)
            headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(headers.partition("content-length:")[2].split("\r\n")[0])
            body = await reader.readexactly(length)
            status = int(headers.split()[1])
            await asyncio.sleep(0.01)  # the service is to be seen, not the clients
            score = json.loads(body)["predictions"][0]["score"] if status == 200 else -1.0
            told.answers[place].append((time.monotonic(), status, score))
            if status != 200:
                if status == 503 and "retry-after:" not in headers:
                    told.failures.append("503 without Retry-After")
                if not patient:
                    told.failures.append(f"{status}: {body!r}")
                    return
                await asyncio.sleep(0.05)
        writer.close()
    except (OSError, EOFError, ValueError) as error:
        told.failures.append(repr(error))


def children_of(pid: int) -> list[int]:
    """The ids of a process's children."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(word) for word in task.read_text().split()]
    return found


def models_of(pid: int) -> list[int]:
    """Those of them that are model-services."""
    return [one for one in children_of(pid) if b"model_service" in _words(one)]


def _words(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def family(pid: int) -> list[int]:
    """A process and all below it."""
    return [pid, *(one for child in children_of(pid) for one in family(child))]


def environ_of(pid: int) -> dict[str, str]:
    """The environment with which a process was started."""
    said = os.fsdecode(Path(f"/proc/{pid}/environ").read_bytes())
    return dict(line.partition("=")[::2] for line in said.split("\0") if "=" in line)


def is_alive(pid: int) -> bool:
    """Whether there is such a process that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
