"""Both services as they run, asked for the golden predictions.

pip install -r api-service/requirements.txt -r model-service/requirements.txt pytest
pytest tests
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden.json"
RELATIVE, ABSOLUTE = float("@@RELATIVE@@"), float("@@ABSOLUTE@@")
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir="/tmp") as place, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        at = f"unix:{place}/model.sock"
        commands = (
            [sys.executable, "model-service/server.py", "--listen", at],
            [sys.executable, "-m", "uvicorn", "--app-dir", "api-service", "app:app", "--port", str(port)],
        )
        started = [subprocess.Popen(one, cwd=ROOT, env=os.environ | {"MODEL": at}) for one in commands]
        try:
            yield _ready(f"http://127.0.0.1:{port}")
        finally:
            for process in started:
                process.terminate()
            codes = {process.wait(15) for process in started}
            assert codes <= {0, -signal.SIGTERM}  # uvicorn, once it is done, ends by the signal


def _ready(address: str) -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{address}/v2/health/ready", timeout=5):
                return address
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the services did not become ready")


def _ask(address: str, said: object) -> dict:
    asked = urllib.request.Request(f"{address}/predict", json.dumps(said).encode(), JSON)
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return {**json.load(answer), "headers": dict(answer.headers)}


def test_what_the_prototype_shows_is_answered(address: str) -> None:
    with urllib.request.urlopen(f"{address}/prototype", timeout=30) as answer:
        given = _ask(address, json.load(answer))
    assert len(given["predictions"]) == 1
    assert given["headers"]["strata-model"] == "@@REFERENCE@@"


@pytest.mark.skipif(not GOLDEN.exists(), reason="the service has no golden predictions")
def test_golden_predictions_come_out_again(address: str) -> None:
    golden = json.loads(GOLDEN.read_text())
    tables = [[dict(zip(golden[side]["columns"], row, strict=True)) for row in golden[side]["rows"]]
              for side in ("inputs", "outputs")]  # fmt: skip
    given = _ask(address, {"records": tables[0]})["predictions"]
    for told, expected in zip(given, tables[1], strict=True):
        for name, value in expected.items():
            assert told[name] == (pytest.approx(value, rel=RELATIVE, abs=ABSOLUTE)
                                  if isinstance(value, float | int) else value)  # fmt: skip


def test_a_row_that_misses_a_column_is_refused_by_its_name(address: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        _ask(address, {"records": [{"nobody-knows-this": 1}]})
    assert refused.value.code == 422
    assert json.load(refused.value)["error"]["field"]
