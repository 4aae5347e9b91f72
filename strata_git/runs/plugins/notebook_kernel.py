"""A notebook executed, cell by cell, by a kernel in a process of its own; nbclient speaks to it.

The kernel is reached by sockets in a private directory (ipc), never by the network. Signals stay the run's: nbclient's
own handlers, which would turn a request to stop into a dead kernel, are not installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strata_git.errors import StrataError, printable
from strata_git.runs.plugins.command_process import guarded
from strata_git.runs.plugins.notebook_cells import first_line

_METRICS = (
    "__import__('json').dumps({str(name): float(value) for name, value in globals().get('strata_metrics', {}).items()})"
)
_STARTUP = 60


@dataclass(frozen=True, slots=True)
class Session:
    """How to execute: directory and environment of the kernel, its name ("" for the notebook's own), seconds for a
    cell and for all of them, and who is told lines (`out` or `err`) and cells (done, of how many)."""

    cwd: Path
    env: Mapping[str, str]
    kernel: str
    seed: int
    cell_timeout: float | None
    timeout: float | None
    tell: Callable[[str, str], None]
    progress: Callable[[int, int | None], None]


def execute_notebook(notebook: dict[str, Any], name: str, session: Session) -> dict[str, float]:
    """Execute `notebook` in place, as far as it goes, and return its variable `strata_metrics`.

    Raises StrataError, naming the cell, when one fails or takes too long, and where there is no such kernel.
    """
    with guarded(session.env) as (_, env), _short_directory() as sockets:
        lines = _Lines(session.tell)
        client = _client(notebook, session, lines, sockets)
        kernel_env = {**env, "IPYTHONDIR": str(sockets / "ipython")}
        try:
            with asyncio.Runner() as runner:
                metrics, refused = runner.run(_told(client, name, session, kernel_env))
        finally:
            lines.finish()
            notebook["cells"] = _plain(client.nb.cells)
    if refused is not None:
        raise StrataError(refused[0], hint=refused[1])
    return metrics


@contextlib.contextmanager
def _short_directory() -> Iterator[Path]:
    """Names of sockets hold about 100 characters."""
    parent = tempfile.gettempdir()
    with tempfile.TemporaryDirectory(prefix="nb", dir=parent if len(parent) < 60 else "/tmp") as place:  # noqa: S108
        yield Path(place)


def _client(notebook: dict[str, Any], session: Session, lines: _Lines, sockets: Path) -> Any:
    """nbclient's client, with a kernel manager that knows where its sockets are."""
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    class Client(NotebookClient):
        """Tells what cells print while they print it."""

        def output(self, outs: Any, msg: Any, display_id: Any, cell_index: int) -> Any:
            if msg["msg_type"] == "stream":
                lines.take("err" if msg["content"]["name"] == "stderr" else "out", msg["content"]["text"])
            return super().output(outs, msg, display_id, cell_index)

    manager = AsyncKernelManager(
        kernel_name=session.kernel,
        transport="ipc",
        ip=str(sockets / "s"),
        connection_file=str(sockets / "kernel.json"),
    )
    return Client(
        nbformat.from_dict(notebook),  # type: ignore[no-untyped-call]
        km=manager,
        timeout=session.cell_timeout,
        startup_timeout=_STARTUP,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=["--HistoryManager.enabled=False"] if _is_ipython(manager) else [],
    )


class _Lines:
    """Whole lines out of pieces."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._rest = {"out": "", "err": ""}

    def take(self, channel: str, text: str) -> None:
        *lines, self._rest[channel] = (self._rest[channel] + text).split("\n")
        for line in lines:
            self._tell(channel, line.rpartition("\r")[2])

    def finish(self) -> None:
        for channel, rest in self._rest.items():
            if rest:
                self._tell(channel, rest)
            self._rest[channel] = ""


async def _told(
    client: Any, name: str, session: Session, env: dict[str, str]
) -> tuple[dict[str, float], tuple[str, str] | None]:
    """Metrics, and in words why there are none. An error raised in a task would keep all frames above it in memory."""
    try:
        return await _executed(client, name, session, env), None
    except StrataError as error:
        return {}, (error.message, error.hint)


async def _executed(client: Any, name: str, session: Session, env: dict[str, str]) -> dict[str, float]:
    await client.async_start_new_kernel(cwd=str(session.cwd), env=env)
    try:
        try:
            await client.async_start_new_kernel_client()
        except RuntimeError as error:
            raise StrataError(f"The kernel of {printable(name)} did not start: {printable(str(error))}") from None
        if _is_ipython(client.km):
            await _asked(client, _seeding(session.seed))
        try:
            async with asyncio.timeout(session.timeout) as limit:
                await _cells(client, name, session)
        except (StrataError, TimeoutError):  # nbclient takes the end of its task for the end of its kernel
            if not limit.expired():
                raise
            raise StrataError(f"{printable(name)} took longer than params.timeout, {session.timeout:g} s.") from None
        return await _measured(client, name) if _is_ipython(client.km) else {}
    finally:
        with contextlib.suppress(Exception):  # a kernel that is gone is what is wanted
            await client.km.shutdown_kernel(now=True)
        if client.kc is not None:
            client.kc.stop_channels()
        await client.km.cleanup_resources()


async def _cells(client: Any, name: str, session: Session) -> None:
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    total = len(client.nb.cells)
    for index, cell in enumerate(client.nb.cells):
        where = f"Cell [{client.code_cells_executed + 1}] of {printable(name)} ({first_line(cell.source)})"
        try:
            await client.async_execute_cell(cell, index, execution_count=client.code_cells_executed + 1)
        except CellExecutionError as error:
            said = printable(f"{error.ename}: {error.evalue}".strip().rstrip(":"))[:1000]
            raise StrataError(f"{where} raised {said}") from None
        except CellTimeoutError:
            limit = session.cell_timeout or 0
            raise StrataError(f"{where} took longer than params.cell_timeout, {limit:g} s.") from None
        except DeadKernelError:
            raise StrataError(
                f"{where} ended its kernel.", hint="It may have run out of memory, or called exit()."
            ) from None
        session.progress(index + 1, total)


async def _measured(client: Any, name: str) -> dict[str, float]:
    """The notebook's variable `strata_metrics`, numbers by name; nothing where there is none."""
    import ast
    import json

    content = (await _asked(client, "", metrics=_METRICS))["user_expressions"].get("metrics", {})
    if content.get("status") != "ok":
        said = printable(f"{content.get('ename')}: {content.get('evalue')}")[:300]
        raise StrataError(f"strata_metrics of {printable(name)} must map names to numbers: {said}")
    found: dict[str, float] = json.loads(ast.literal_eval(content["data"]["text/plain"]))
    return found


async def _asked(client: Any, code: str, **expressions: str) -> dict[str, Any]:
    """Let the kernel do something that is part of no cell."""
    message = client.kc.execute(code, silent=True, store_history=False, user_expressions=expressions)
    reply = await client.async_wait_for_reply(message)
    content: dict[str, Any] = reply["content"] if reply else {}
    return content


def _seeding(seed: int) -> str:
    """Code that seeds a kernel as runs are seeded, whatever is installed there."""
    from strata_git.runs import seeding

    source = Path(seeding.__file__).read_text(encoding="utf-8")
    return f"(lambda ns: (exec({source!r}, ns), ns['keep_seeded']({seed})))({{'__name__': 'strata_seeding'}})"


def _is_ipython(manager: Any) -> bool:
    spec = manager.kernel_spec
    return spec is not None and str(spec.language).lower() == "python"


def _plain(cells: Any) -> list[dict[str, Any]]:
    import json

    made: list[dict[str, Any]] = json.loads(json.dumps(cells))
    return made
