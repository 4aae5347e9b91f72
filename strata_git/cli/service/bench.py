"""`git strata service bench`: how quickly a service answers, and what that costs it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from strata_git.cli.output import format_option, note, out, out_json
from strata_git.cli.services import opened, set_option
from strata_git.cli.session import Session
from strata_git.errors import StrataError, printable

if TYPE_CHECKING:
    from strata_git.serving.workload import Load

_KEY = "STRATA_API_KEY"
_WAIT = 180.0
"""Seconds for a service to be ready."""


@click.command()
@click.argument("name")
@click.option("--rows", type=click.IntRange(1, 1_000_000), default=1, show_default=True, help="Rows of each request.")
@click.option("--clients", type=click.IntRange(1, 4096), default=16, show_default=True,
              help="How many ask at once, each on a connection of its own.")  # fmt: skip
@click.option("--seconds", type=click.FloatRange(0.1, 3600), default=5.0, show_default=True, help="For how long.")
@click.option("--mode", type=click.Choice(["local", "split"]), help="Mode of the service that is started here.")
@click.option("--url", metavar="URL", help="A service that answers there, instead of this work tree's.")
@set_option
@format_option
@click.pass_obj
def command(
    session: Session, name: str, rows: int, clients: int, seconds: float, mode: str | None, url: str | None,
    overrides: tuple[str, ...], style: str,
) -> int:  # fmt: skip
    """Ask a service as fast as it answers: median and 99th percentile, requests a second, processor time a request.

    The service that runs in this work tree is asked, or one that is started for it (always with --mode or --set). Its
    own example record is what it is asked with. Exit code 1 where a request was not answered.
    """
    from strata_git.serving.supervision.server import require_server

    require_server("Measuring a service")
    load, asked = asyncio.run(_measured(session, name, rows, clients, seconds, mode, url, overrides))
    if style == "json":
        out_json({"schema": "strata/service-bench/v1", "service": name, "url": asked, **_plain(load)})
    else:
        _show(load)
    return 1 if load.failed else 0


async def _measured(
    session: Session, name: str, rows: int, clients: int, seconds: float, mode: str | None, url: str | None,
    overrides: tuple[str, ...],
) -> tuple[Load, str]:  # fmt: skip
    from strata_git.serving.workload import put_to_work

    key = session.environ.get(_KEY, "")
    headers = {"X-API-Key": key} if key else {}
    async with _service(session, name, mode, url, overrides) as (address, pid):
        body = await asyncio.to_thread(_body, address, rows, headers)
        load = await put_to_work(
            address, "/predict", body, clients=clients, seconds=seconds, rows=rows, pid=pid, headers=headers
        )
    return load, address


@asynccontextmanager
async def _service(
    session: Session, name: str, mode: str | None, url: str | None, overrides: tuple[str, ...]
) -> AsyncIterator[tuple[str, int]]:
    """Where the service answers, and its process (0: not known)."""
    from strata_git.serving.supervision.child import python
    from strata_git.serving.supervision.state import read_state

    if url is not None:
        yield url, 0
        return
    project = opened(session, name, overrides)
    state = read_state(project.root, project.name)
    if state is not None and mode is None and not overrides:
        note(f"asking the service that runs at {state.url}")
        yield state.url, state.pid
        return
    words = python("strata_git", "service", "run", project.name, "--port", "0")
    words += ["--mode", mode] if mode else []
    words += [part for one in overrides for part in ("--set", one)]
    process = await asyncio.create_subprocess_exec(
        *words, cwd=project.root, env={**session.environ}, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        said = asyncio.ensure_future(process.stderr.read() if process.stderr is not None else _nothing())
        yield await _ready(process, said), process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await said


async def _nothing() -> bytes:
    return b""


async def _ready(process: asyncio.subprocess.Process, said: asyncio.Future[bytes]) -> str:
    assert process.stdout is not None  # noqa: S101 - it was started with a pipe
    try:
        async with asyncio.timeout(_WAIT):
            while line := (await process.stdout.readline()).decode():
                if line.startswith("ready "):
                    return line.removeprefix("ready ").strip()
    except TimeoutError:
        raise StrataError("The service was not ready in time.", hint="git strata service check") from None
    last = (await said).decode(errors="replace").strip().splitlines()
    told = f" {printable(last[-1])}" if last else ""
    raise StrataError(f"The service could not be started.{told}", hint="git strata service check", exit_code=2)


def _body(address: str, rows: int, headers: dict[str, str]) -> bytes:
    from strata_git.serving.supervision.asking import ask

    told = ask(address, "/prototype", headers=headers)
    if not told.is_fine:
        raise StrataError(f"{told.status}: {told.complaint}", hint="git strata service status", exit_code=2)
    said = json.loads(told.body)
    records = said["records"] if isinstance(said, dict) and isinstance(said.get("records"), list) else [said]
    return json.dumps({"records": (records * rows)[:rows]}).encode()


def _plain(load: Load) -> dict[str, object]:
    server = load.server_each
    return {
        "clients": load.clients, "rows": load.rows, "seconds": round(load.seconds, 3), "requests": load.requests,
        "failed": load.failed, "statuses": {str(status): count for status, count in sorted(load.statuses.items())},
        "requests_per_second": round(load.per_second, 1), "p50_ms": round(load.quantile(0.5) * 1000, 3),
        "p99_ms": round(load.quantile(0.99) * 1000, 3), "max_ms": round(load.quantile(1.0) * 1000, 3),
        "server_cpu_us": None if server is None else round(server * 1e6, 1),
        "client_cpu_us": round(load.client_each * 1e6, 1),
    }  # fmt: skip


def _show(load: Load) -> None:
    server = load.server_each
    out(f"{load.requests} requests of {load.rows} row{'s' if load.rows > 1 else ''} by {load.clients} clients "
        f"in {load.seconds:.1f} s: {load.per_second:.0f} a second")  # fmt: skip
    out(f"half of them within {load.quantile(0.5) * 1000:.2f} ms, 99 in 100 within {load.quantile(0.99) * 1000:.2f} ms")
    out("processor time a request: " + (f"{server * 1e6:.0f} µs" if server is not None else "not known here"))
    note(f"asking itself took {load.client_each * 1e6:.0f} µs of processor time a request, on the same machine")
    if load.failed:
        bad = ", ".join(
            f"{count} x {status or 'no answer'}" for status, count in load.statuses.items() if status != 200
        )
        out(f"{load.failed} requests were not answered: {bad}")
