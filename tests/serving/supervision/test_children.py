"""Processes of a service: started, heard, begun again, and gone with the one that started them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import Any

import pytest

from strata_git.serving.errors import Unanswered
from strata_git.serving.supervision import children
from strata_git.serving.supervision.child import ChildFailed, ChildRefused, child_environ, start_child
from strata_git.serving.supervision.children import Children, InChildren
from tests.serving.stand_ins import rows
from tests.serving.supervision.answering import backed

READY = json.dumps({"ready": {"provenance": {"version": "v1", "digest": "d"}}})
REFUSED = json.dumps({
    "refused": {"message": "not\u001b served", "hint": "h", "step": "golden",
                "steps": [{"name": "golden", "verdict": "refused", "message": "m"}]},
})  # fmt: skip


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


async def started(script: str, **options: Any) -> Any:
    return await start_child(
        shell(script), {"PATH": os.environ["PATH"]}, name="it", log=options.pop("log", str), **options
    )


def test_what_a_process_announces() -> None:
    async def main() -> None:
        lines: list[str] = []
        child = await started(f"echo words; echo noise >&2; echo '{READY}'; cat", log=lines.append)
        assert child.said["provenance"]["version"] == "v1"
        assert child.is_running
        await child.stop(5)
        assert lines == ["noise"]
        with pytest.raises(ChildRefused) as refused:
            await started(f"echo '{REFUSED}'; exit 2")
        assert (refused.value.step, refused.value.steps) == ("golden", (("golden", "refused", "m"),))
        assert refused.value.message == r"not\x1b served"
        for script, words in (
            ("exit 7", "exit code 7"),
            ("kill -9 $$", "SIGKILL"),
            ("echo '{\"refused\": {}}'", "It is refused"),
        ):
            with pytest.raises(ChildFailed, match=words):
                await started(script)
        with pytest.raises(ChildFailed, match=r"not ready within 0.1 s"):
            await started("cat", seconds=0.1)
        with pytest.raises(ChildFailed, match="No such file"):
            await start_child(["/no/such/program"], {}, name="it", log=str)

    asyncio.run(main())


def test_a_process_that_hears_nothing_is_ended_and_none_has_telemetry() -> None:
    async def main() -> None:
        lines: list[str] = []
        child = await started(f"trap '' TERM; echo '{READY}'; while :; do sleep 0.1; done", log=lines.append)
        await child.stop(0.1)
        assert not child.is_running
        assert "did not end within 0.1 s" in lines[-1]

    asyncio.run(main())
    environ = child_environ({"PATH": "/bin"}, threads=3)
    assert (environ["ORT_DISABLE_TELEMETRY"], environ["OMP_NUM_THREADS"], environ["PATH"]) == ("1", "3", "/bin")


def test_a_process_that_dies_is_begun_again_unless_another_version_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "FIRST_PAUSE", 0.02)

    async def main() -> None:
        restless: list[str] = []
        said = [READY, READY, READY.replace("v1", "v2"), READY]

        async def start(_number: int) -> Any:
            return await started(f"echo '{said.pop(0) if said else READY}'; cat")

        these = Children(1, start, log=str, restless=restless.append, drain=0.1)
        backend = InChildren(backed("v1"), these)
        assert (await these.begin())["provenance"]["version"] == "v1"
        assert await backend.ready()
        (first,) = backend.pids
        os.kill(first, signal.SIGKILL)
        while first in these.pids:
            await asyncio.sleep(0.005)
        with pytest.raises(Unanswered) as error:
            await backend.predict(rows(1))
        assert (error.value.status, error.value.retry_after) == (503, 1)
        while not these.pids:
            await asyncio.sleep(0.005)
        (second,) = these.pids
        assert await backend.predict(rows(1))
        assert not restless
        os.kill(second, signal.SIGKILL)
        while second in these.pids or not these.pids:  # v2 comes, and is sent away; then v1
            await asyncio.sleep(0.005)
        assert restless == ["another version, or other code, is in its place"]
        (last,) = these.pids
        await backend.close()
        assert not backend.pids
        with pytest.raises(ProcessLookupError):
            os.kill(last, 0)

    asyncio.run(asyncio.wait_for(main(), 20))


def test_all_processes_begin_with_one_version_or_none_does() -> None:
    async def main() -> None:
        made: list[Any] = []

        async def start(number: int) -> Any:
            made.append(await started(f"echo '{READY.replace('v1', f'v{number}')}'; cat"))
            return made[-1]

        these = Children(2, start, log=str, restless=str, drain=0.1)
        with pytest.raises(ChildFailed, match="changed while"):
            await these.begin()
        assert len(made) == 2
        assert not any(one.is_running for one in made)

    asyncio.run(main())
