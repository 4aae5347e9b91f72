"""How gRPC's core is told to wait, where its version is known."""

from __future__ import annotations

import subprocess
import sys

import pytest

from strata_git.serving import polling

TALK = """
import os
from strata_git.serving.polling import settle_polling
settle_polling(os.environ)
from concurrent.futures import ThreadPoolExecutor
import grpc
server = grpc.server(ThreadPoolExecutor(1))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
    grpc.channel_ready_future(channel).result(10)
server.stop(0)
"""


@pytest.mark.parametrize(
    ("version", "chosen"), [((1, 59), None), ((1, 60), polling.CHOSEN), ((1, 85), polling.CHOSEN), ((1, 86), None)]
)
def test_only_versions_that_are_known_are_told(
    version: tuple[int, int], chosen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "_version", lambda: version)
    environ: dict[str, str] = {}
    polling.settle_polling(environ)
    assert environ.get(polling.VARIABLE) == chosen
    own = {polling.VARIABLE: "mine"}
    polling.settle_polling(own)
    assert own == {polling.VARIABLE: "mine"}


def test_the_version_that_is_installed_is_known_and_complains_of_nothing(hermetic: dict[str, str]) -> None:
    environ: dict[str, str] = {}
    polling.settle_polling(environ)
    assert environ == {polling.VARIABLE: polling.CHOSEN}
    done = subprocess.run([sys.executable, "-c", TALK], env=hermetic, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
