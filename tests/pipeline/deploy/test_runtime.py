"""The function in AWS's own runtime interface client, as the image starts it, and the job's command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from queue import Queue
from time import time
from typing import Any

import pytest

from tests.pipeline.deploy.function import CANARY, Function, deployed
from tests.support import s3_server
from tests.support.fixtures import Builder
from tests.support.listening import listening

pytestmark = pytest.mark.heavy
TEMPLATE = Path(__file__).parents[3] / "templates/pipeline/deploy"


@pytest.fixture
def function(builder: Builder, tmp_path: Path) -> Iterator[Function]:
    with s3_server.serving() as server:
        yield deployed(builder().workspace(), server, tmp_path / "scratch")


@contextmanager
def platform(events: Queue[tuple[str, bytes]], said: Queue[tuple[str, Any]]) -> Iterator[str]:
    """Lambda's runtime interface: the next event, what came of it (AWS: Lambda runtime API, 2018-06-01)."""

    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            request, event = events.get()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", request)
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time() + 120) * 1000)))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(event)))
            self.end_headers()
            self.wfile.write(event)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            said.put((self.path.rpartition("/")[2], json.loads(body)))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Api)
    with listening(server):
        yield f"127.0.0.1:{server.server_port}"


def test_as_the_image_starts_it(function: Function) -> None:
    lines = (TEMPLATE / "Containerfile.lambda").read_text().splitlines()
    start = json.loads(next(line for line in lines if line.startswith("ENTRYPOINT")).partition(" ")[2])
    start += json.loads(next(line for line in lines if line.startswith("CMD")).partition(" ")[2])
    assert start[0] == "python"
    events: Queue[tuple[str, bytes]] = Queue()
    said: Queue[tuple[str, Any]] = Queue()
    events.put(("request-1", b'{"chain": "chains/summarise.yaml"}'))
    events.put(("request-2", b'{"detail-type": "x", "source": "y", "detail": {"chain": "chains/none.yaml"}}'))
    with platform(events, said) as address:
        environ = {**function.environ, "AWS_LAMBDA_RUNTIME_API": address, "AWS_LAMBDA_FUNCTION_NAME": "example"}
        environ |= {"HOME": "/nowhere", "AWS_LAMBDA_FUNCTION_VERSION": "1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024"}
        environ |= {"AWS_LAMBDA_LOG_GROUP_NAME": "g", "AWS_LAMBDA_LOG_STREAM_NAME": "s"}
        process = subprocess.Popen(
            [sys.executable, *start[1:]], env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=os.sep
        )
        try:
            kind, answer = said.get(timeout=50)
            other, error = said.get(timeout=50)
        finally:
            process.kill()
            told = process.communicate()[0].decode()
    assert (kind, answer["status"], answer["error"]) == ("response", "succeeded", None), told
    assert (other, error["errorType"]) == ("error", "Unsuccessful"), told
    assert "There is no chain chains/none.yaml" in error["errorMessage"]
    assert function.untouched()
    assert CANARY not in told
    assert '"request": "request-1"' in told


def test_the_job(function: Function, builder: Builder) -> None:
    """The command of the container, in a clone of its own; the record is in the bucket, under a number of its own."""
    lines = (TEMPLATE / "Containerfile.batch").read_text().splitlines()
    words = json.loads(next(line for line in lines if line.startswith("CMD")).partition(" ")[2])
    s3 = f"type: s3, endpoint: '{function.server.url}', region: us-east-1"
    job = builder("job")
    job.git("pull", "--quiet", str(function.baked), "HEAD")
    environ = {name: value for name, value in function.environ.items() if not name.startswith("STRATA_")}
    environ |= {
        "STRATA_PROFILE": "aws_batch",
        "STRATA_SINKS__OUT": f"{{{s3}, bucket: answers}}",
        "STRATA_SINKS__RECORDS": f"{{{s3}, bucket: records}}",
        "STRATA_EXECUTION__SCRATCH": str(function.scratch / "not-there-yet"),
    }
    function.server.client().put_object(Bucket="records", Key=f"claims/run-{day()}-041.json", Body=b"{}")
    done = job.strata(*words, "--format", "json", env=environ).expect(0)
    told = json.loads(done.out)
    assert told["id"].endswith("-042")
    assert f"runs/{told['id']}/run.yaml" in function.keys("records")
    assert f"{told['id']}/manifest.json" in function.keys("answers")
    assert all(json.loads(line)["message"] for line in done.err.splitlines())
    wrong = job.strata(*words[:-1], "nothing", env=environ).expect(3)
    assert "no sink 'nothing' of type s3" in wrong.err


def day() -> str:
    from datetime import UTC, datetime

    return f"{datetime.now(UTC):%Y-%m-%d}"
