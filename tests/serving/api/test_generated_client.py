"""A client that a stock generator makes of the OpenAPI document alone gets the same answers, typed by the columns."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.serving.api.application import Scores, application
from tests.serving.api.test_browser import served
from tests.serving.models import MIXED

pytestmark = pytest.mark.heavy

SCRIPT = """
import sys
from made.api.predict import predict
from made.api.protocol import model_infer, server_ready
from made.client import Client
from made.models import Error, InferRequest, Record, Records

client = Client(base_url=sys.argv[1], raise_on_unexpected_status=True)
record = Record(age=40, weight=61.5, plan="Straße", active=True, trace=[1.5, 2.0])
answer = predict.sync_detailed(client=client, body=Records(records=[record, record]))
print(answer.headers["strata-model"], [one.score for one in answer.parsed.predictions])
large = Record(age=10**12, weight=1, plan="", active=True, trace=[1, 2])
wrong = predict.sync(client=client, body=Records(records=[large]))
assert isinstance(wrong, Error), wrong
print(wrong.error.field)
tensors = [{"name": "age", "datatype": "INT32", "shape": [1], "data": [40]},
           {"name": "weight", "datatype": "FP32", "shape": [1], "data": [1.0]},
           {"name": "plan", "datatype": "BYTES", "shape": [1], "data": ["a"]},
           {"name": "active", "datatype": "BOOL", "shape": [1], "data": [True]},
           {"name": "trace", "datatype": "FP64", "shape": [1, 2], "data": [2.0, 3.0]}]
told = model_infer.sync(client=client, body=InferRequest.from_dict({"inputs": tensors}))
print(told.outputs[0].data)
"""


def test_a_generated_client_is_answered(tmp_path: Path) -> None:
    def answer(table: Any) -> dict[str, Any]:
        columns = table.columns
        return {"score": columns["age"].astype(float) + columns["trace"][:, 0]}

    app = application(Scores(MIXED, answer=answer))
    (tmp_path / "openapi.json").write_bytes(orjson.dumps(app.openapi()))
    (tmp_path / "config.yml").write_text("post_hooks: []\n")
    words = [Path(sys.executable).parent / "openapi-python-client", "generate", "--path", "openapi.json"]
    options = ["--output-path", "made", "--meta", "none", "--config", "config.yml"]
    environ = {**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "120"}
    made = subprocess.run([*words, *options], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    lines = (made.stdout + made.stderr).splitlines()
    warned = [line for line in lines if line.startswith(("WARNING", "ERROR", "Unable", "Unsupported"))]
    assert set(warned) <= {
        "Unsupported content type text/csv", "WARNING parsing POST /predict within predict.",
        "Unsupported content type application/vnd.apache.arrow.stream",
        "WARNING parsing POST /invocations within predict.",
    }, warned  # fmt: skip
    with served(app) as home:
        (tmp_path / "use.py").write_text(SCRIPT)
        done = subprocess.run([sys.executable, "use.py", home], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["churn@v3 [41.5, 41.5]", "age", "[42.0]"]
