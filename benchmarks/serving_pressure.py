"""So many clients asking one server: by wrk where it is installed, which costs least, else by ours; or over gRPC."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from strata_git.serving.workload import processor_seconds, put_to_work

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one configuration: requests a second, seconds within which half and 99 % came, processor seconds a request."""

    per_second: float
    p50: float
    p99: float
    cpu: float


def over_http(url: str, path: str, body: bytes, *, clients: int, seconds: float, pid: int, scratch: Path) -> Figures:
    """POST the body again and again. SystemExit where not every request was answered."""
    wrk = shutil.which("wrk")
    if wrk is None:
        load = asyncio.run(put_to_work(url, path, body, clients=clients, seconds=seconds, pid=pid))
        if load.failed or not load.requests:
            raise SystemExit(f"{url}{path}: {load.statuses}")
        return Figures(load.per_second, load.quantile(0.5), load.quantile(0.99), load.server_each or 0.0)
    script = scratch / "post.lua"
    text = body.decode().replace("\\", "\\\\").replace("'", "\\'")
    script.write_text(f"wrk.method = 'POST'\nwrk.body = '{text}'\nwrk.headers['Content-Type'] = 'application/json'\n")
    words = [wrk, "-t1", f"-c{clients}", "--latency", "--timeout", "30s", "-s", str(script)]
    subprocess.run([*words, "-d1s", url + path], capture_output=True, check=True)
    told = ""
    for longer in (1, 10):  # a server may need more than the time for the first of them
        before = processor_seconds(pid) or 0.0
        asked = [*words, f"-d{max(round(seconds), 1) * longer}s", url + path]
        told = subprocess.run(asked, capture_output=True, check=True).stdout.decode()
        if not re.search(r"\b0 requests in", told):
            break
    return _of_wrk(told, (processor_seconds(pid) or 0.0) - before)


def _of_wrk(told: str, cpu: float) -> Figures:
    requests = re.search(r"(\d+) requests in ([\d.]+)(m?s)", told)
    if requests is None or "Non-2xx" in told or not int(requests[1]):
        raise SystemExit(f"wrk: {told}")
    quantiles = {
        share: float(value) * _UNITS[unit] for share, value, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s|m)\b", told)
    }
    count, taken = int(requests[1]), float(requests[2]) * _UNITS[requests[3]]
    return Figures(count / taken, quantiles["50"], quantiles["99"], cpu / count)


def over_grpc(
    target: str, model: str, rows: Sequence[Sequence[float]], *, clients: int, seconds: float, pid: int
) -> Figures:
    """ModelInfer with one matrix of rows, again and again."""
    return asyncio.run(_grpc(target, model, rows, clients, seconds, pid))


async def _grpc(
    target: str, model: str, rows: Sequence[Sequence[float]], clients: int, seconds: float, pid: int
) -> Figures:
    import grpc.aio
    import numpy as np

    from strata_git.serving import oip, oip_grpc
    from strata_git.serving.tensors import Tensor

    request = oip_grpc.write_request(model, "", [Tensor("predict", "FP64", np.array(rows))])
    taken: list[float] = []
    async with grpc.aio.insecure_channel(target) as channel:
        client = oip.Client(channel)

        async def ask(until: float) -> None:
            now = time.perf_counter()
            while now < until:
                await client.call("ModelInfer", request)
                done = time.perf_counter()
                taken.append(done - now)
                now = done

        await asyncio.gather(*(ask(time.perf_counter() + 1) for _ in range(clients)))
        taken.clear()
        before, begun = processor_seconds(pid) or 0.0, time.perf_counter()
        await asyncio.gather(*(ask(begun + seconds) for _ in range(clients)))
        spent, cpu = time.perf_counter() - begun, (processor_seconds(pid) or 0.0) - before
    taken.sort()
    return Figures(len(taken) / spent, taken[len(taken) // 2], taken[int(len(taken) * 0.99)], cpu / len(taken))
