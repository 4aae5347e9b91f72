"""Asking a service as hard as so many clients can, and what that took: time, answers, processor time of its processes.

The clients are coroutines of one event loop, which itself costs about 0.1 ms of processor time a request: on a machine
with few processors the times are those of a busy neighbour. Processor time per request is what stays comparable.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from strata_git.serving.backends.http_exchange import Address, Exchange, Unreachable

WARM = 0.3
"""Share of the time that is spent asking before anything is counted; at most a second."""


@dataclass(frozen=True, slots=True)
class Load:
    """What was asked and answered in `seconds`.

    `latencies` are seconds of each answered request, sorted. `statuses` counts the answers by HTTP status (0: none
    came). `server` and `client` are seconds of processor time: of the service's processes (None: not known here), and
    of asking.
    """

    clients: int
    rows: int
    seconds: float
    latencies: Sequence[float]
    statuses: Mapping[int, int]
    server: float | None
    client: float

    @property
    def requests(self) -> int:
        """Requests that were answered well."""
        return len(self.latencies)

    @property
    def failed(self) -> int:
        """All others."""
        return sum(count for status, count in self.statuses.items() if status != 200)

    @property
    def per_second(self) -> float:
        """Good answers a second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def server_each(self) -> float | None:
        """Seconds of processor time of the service for one request."""
        asked = self.requests + self.failed
        return self.server / asked if self.server is not None and asked else None

    @property
    def client_each(self) -> float:
        """The same of asking."""
        return self.client / max(self.requests + self.failed, 1)

    def quantile(self, share: float) -> float:
        """Seconds within which that share of the good answers came; 0 where there are none."""
        if not self.latencies:
            return 0.0
        return self.latencies[min(int(share * len(self.latencies)), len(self.latencies) - 1)]


@dataclass(slots=True)
class _Tally:
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


async def put_to_work(
    address: str, path: str, body: bytes, *, clients: int, seconds: float, rows: int = 1, pid: int = 0,
    headers: Mapping[str, str] | None = None,
) -> Load:  # fmt: skip
    """POST `body` again and again, from so many clients with a connection each, for so long after warming up.

    `pid` is the service's process, whose processor time and that of all it started is read. Raises StrataError for what
    is no address.
    """
    exchange = Exchange(Address.parse(address), headers={"Content-Type": "application/json", **(headers or {})})
    try:
        await _asked(exchange, path, body, clients, min(seconds * WARM, 1.0), _Tally())
        tally = _Tally()
        server, client, begun = processor_seconds(pid), time.process_time(), time.perf_counter()
        await _asked(exchange, path, body, clients, seconds, tally)
        taken, spent = time.perf_counter() - begun, time.process_time() - client
        after = processor_seconds(pid)
    finally:
        await exchange.close()
    used = after - server if after is not None and server is not None else None
    return Load(clients, rows, taken, sorted(tally.latencies), dict(tally.statuses), used, spent)


async def _asked(exchange: Exchange, path: str, body: bytes, clients: int, seconds: float, tally: _Tally) -> None:
    until = time.perf_counter() + seconds

    async def client() -> None:
        now = time.perf_counter()
        while now < until:
            try:
                status = (await exchange.ask("POST", path, body)).status
            except Unreachable:
                status = 0
                await asyncio.sleep(0.01)
            done = time.perf_counter()
            tally.statuses[status] += 1
            if status == 200:
                tally.latencies.append(done - now)
            now = done

    await asyncio.gather(*(client() for _ in range(clients)))


def processor_seconds(pid: int, proc: Path = Path("/proc")) -> float | None:
    """Processor time of a process, of all it started that live, and of those it has waited for; None: not told here."""
    found: dict[int, tuple[int, int]] = {}
    try:
        names = [name for name in os.listdir(proc) if name.isdecimal()]
    except OSError:
        return None
    for name in names:
        try:
            words = (proc / name / "stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        found[int(name)] = int(words[1]), sum(map(int, words[11:15]))  # proc(5): 4 ppid, 14-17 ticks used
    if pid not in found:
        return None
    total, pending = 0, [pid]
    while pending:
        one = pending.pop()
        total += found[one][1]
        pending += [child for child, (parent, _) in found.items() if parent == one]
    return total / os.sysconf("SC_CLK_TCK")
