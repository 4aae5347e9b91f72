"""Asking a service as hard as one can, and what is told of it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from strata_git.serving.workload import Load, processor_seconds, put_to_work


def test_every_answer_is_counted_and_timed(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.mktemp("w") / "s"
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(2)
                assert b"x-api-key: k" in head
                asked += 1
                status = 429 if asked % 10 == 0 else 200
                writer.write(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % status)
        except asyncio.IncompleteReadError:
            writer.close()

    async def main() -> Load:
        async with await asyncio.start_unix_server(answer, str(place)):
            address, headers = f"unix:{place}", {"x-api-key": "k"}
            load = await put_to_work(
                address, "/predict", b"{}", clients=4, seconds=0.2, rows=3, pid=os.getpid(), headers=headers
            )
            await asyncio.sleep(0.01)
            return load

    load = asyncio.run(main())
    assert (load.clients, load.rows) == (4, 3)
    assert load.requests == load.statuses[200] > load.failed == load.statuses[429] > 0
    assert load.requests + load.failed < asked  # those that warmed it up do not count
    assert 0 < load.quantile(0.5) <= load.quantile(0.99) <= load.quantile(1) <= load.seconds
    assert load.per_second == pytest.approx(load.requests / load.seconds)
    assert load.server_each is not None
    assert 0 <= load.client_each < 0.1


def test_a_service_that_is_not_there() -> None:
    load = asyncio.run(put_to_work("unix:/nowhere/s", "/", b"{}", clients=2, seconds=0.05))
    assert (load.requests, load.quantile(0.5), load.server_each) == (0, 0.0, None)
    assert set(load.statuses) == {0}


def test_processor_time_is_that_of_a_whole_tree(tmp_path: Path) -> None:
    def stat(pid: int, parent: int, *ticks: int) -> None:
        (tmp_path / str(pid)).mkdir()
        words = ["S", str(parent), *["0"] * 9, *map(str, ticks), "0"]
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a) b) {' '.join(words)}\n")

    stat(10, 1, 100, 20, 3, 4)
    stat(11, 10, 50, 0, 0, 0)
    stat(12, 11, 7, 0, 0, 0)
    stat(13, 1, 1000, 0, 0, 0)
    (tmp_path / "14").mkdir()  # gone meanwhile
    (tmp_path / "self").mkdir()
    assert processor_seconds(10, tmp_path) == 184 / os.sysconf("SC_CLK_TCK")
    assert processor_seconds(99, tmp_path) is None
    assert processor_seconds(10, tmp_path / "absent") is None
