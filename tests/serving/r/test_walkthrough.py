"""docs/services-in-r.md, every command of it, from an empty directory to a URL; and what the service must not answer.

The page's commands are run as they stand but for the port, the directory of the examples, and a key without passphrase.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.environment import sealed, short_directory, stop_agents

pytestmark = pytest.mark.heavy
ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/mtcars"
PAGE = (ROOT / "docs/services-in-r.md").read_text()
BLOCK = re.compile(r"^```sh( [a-z]+)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PATIENCE = 120.0
NEWER = """
lines <- readLines("scripts/fit.R")
writeLines(sub("factor(cylinders)", "cylinders", lines, fixed = TRUE), "scripts/fit.R")
"""


@dataclass
class Cars:
    """The workspace that the page makes, the address that it names, and the service that runs."""

    path: Path
    url: str
    environ: dict[str, str]
    running: subprocess.Popen[str]
    out: str

    def run(self, *words: str, code: int = 0, **environ: str) -> str:
        given = {"cwd": self.path, "env": self.environ | environ, "capture_output": True}
        done = subprocess.run(words, text=True, check=False, **given)
        assert done.returncode == code, f"{words}: {done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def ask(self, path: str, body: Any = None) -> tuple[int, Any, Mapping[str, str]]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read()), dict(answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read()), dict(error.headers)

    def mpg(self, rows: list[dict[str, Any]]) -> list[float]:
        status, said, _ = self.ask("/predict", {"records": rows})
        assert status == 200, said
        return [one["mpg"] for one in said["predictions"]]

    def by_rscript(self, version: str) -> tuple[list[dict[str, Any]], list[float]]:
        """All 32 cars, and what predict() says of them in R, with the file of that version."""
        words = f"""
        cars <- rbind(read.csv("datasets/mtcars/v1/train/train.csv"), read.csv("datasets/mtcars/v1/test/test.csv"))
        found <- predict(readRDS("models/mileage/{version}/model.rds"), cars)
        form <- "%.17g %.17g %d %s %.17g\\n"
        cat(with(cars, sprintf(form, weight, horsepower, cylinders, transmission, found)), sep = "")
        """
        rows, answers = [], []
        for line in self.run("Rscript", "--vanilla", "-e", words).splitlines():
            weight, power, cylinders, transmission, mpg = line.split()
            rows.append({
                "weight": float(weight), "horsepower": float(power), "cylinders": int(cylinders),
                "transmission": transmission,
            })  # fmt: skip
            answers.append(float(mpg))
        return rows, answers

    def release(self, version: str) -> None:
        """Fit anew, as the page says it, up to production."""
        self.run("git-strata", "run", "experiments/mileage.yaml", "--commit")
        run = sorted(one.name for one in (self.path / "runs").iterdir() if one.name.startswith("run-"))[-1]
        self.run("git-strata", "model", "create", "mileage", "--run", run, "--commit")
        self.run("git-strata", "sign", f"models/mileage/{version}", "--commit")
        for reason in ("tried", "good"):
            self.run("git-strata", "promote", f"mileage@{version}", "--reason", reason)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def until_ready(url: str, running: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert running.poll() is None, running.communicate()
        try:
            with urllib.request.urlopen(f"{url}/v2/health/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("not ready")


@pytest.fixture(scope="module")
def cars(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cars]:
    """The page as far as its service runs; the last commands, which end it, are the last test's."""
    gnupg, base, port = short_directory(), tmp_path_factory.mktemp("cars"), free_port()
    environ = sealed(base / "sealed", gnupg, os.environ) | {
        "EXAMPLES": str(ROOT / "examples"), "STRATA_SERVICE__API__PORT": str(port),
        "TMPDIR": tempfile.mkdtemp(dir="/tmp"),
    }  # fmt: skip
    said = PAGE.replace("8080", str(port)).replace("/tmp/cars", str(base / "data"))
    said = said.replace("key new --configure", "key new --configure --no-passphrase")
    blocks = [(found[1].strip() if found[1] else "", found[2]) for found in BLOCK.finditer(said)]
    at = [kind for kind, _ in blocks].index("background")
    script = "set -eu\n" + "".join(text for kind, text in blocks[:at] if kind != "skip")
    done = subprocess.run(["bash", "-c", script], cwd=base, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    path, url = base / "cars", f"http://127.0.0.1:{port}"
    log = base / "log"
    with log.open("w") as err:
        words = blocks[at][1].split()
        running = subprocess.Popen(words, cwd=path, env=environ, stdout=subprocess.PIPE, stderr=err, text=True,
                                   start_new_session=True)  # fmt: skip
    try:
        until_ready(url, running)
        tried = subprocess.run(["bash", "-c", "set -eu\n" + blocks[at + 1][1]], cwd=path, env=environ,
                               capture_output=True, text=True, check=False)  # fmt: skip
        assert tried.returncode == 0, tried.stdout + tried.stderr
        yield Cars(path, url, environ, running, done.stdout + done.stderr + tried.stdout)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)  # git, and what it started
        running.communicate()
        stop_agents(gnupg)
        for place in (gnupg, environ["TMPDIR"]):
            shutil.rmtree(place, ignore_errors=True)


def test_the_page_shows_what_comes_out(cars: Cars) -> None:
    shown = next(json.loads(one) for one in re.findall(r"```json\n(\{.*?\})\n```", PAGE, re.DOTALL))
    assert json.loads(cars.out.strip().splitlines()[-1])["predictions"][0]["mpg"] == pytest.approx(
        shown["predictions"][0]["mpg"], abs=1e-9
    )
    assert "10 rows of datasets/mtcars@v1, test" in cars.out
    assert "the model was made with" in cars.out
    experiment = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert experiment
    assert (EXAMPLE / "experiments/mileage.yaml").read_text().endswith(experiment[1])


def test_answers_are_those_of_predict_in_rscript(cars: Cars) -> None:
    rows, expected = cars.by_rscript("v1")
    assert len(rows) == 32
    assert cars.mpg(rows) == pytest.approx(expected, abs=1e-12, rel=0)
    status, _, headers = cars.ask("/predict", {"records": rows[:1]})
    assert status == 200
    assert (headers["strata-model"], headers["strata-format"]) == ("mileage@v1", "rds")
    assert headers["strata-signer"]
    import tritonclient.http

    client = tritonclient.http.InferenceServerClient(cars.url.removeprefix("http://"))
    inputs = []
    for name, datatype, dtype in (("weight", "FP64", "f8"), ("horsepower", "FP64", "f8"), ("cylinders", "INT32", "i4"),
                                  ("transmission", "BYTES", "O")):  # fmt: skip
        one = tritonclient.http.InferInput(name, [len(rows)], datatype)
        one.set_data_from_numpy(np.array([row[name] for row in rows], dtype=dtype))
        inputs.append(one)
    try:
        assert client.is_model_ready("mileage")
        found = client.infer("mileage", inputs).as_numpy("mpg")
    finally:
        client.close()
    assert found.tolist() == pytest.approx(expected, abs=1e-12, rel=0)


def test_requests_at_fault_are_told_by_column(cars: Cars) -> None:
    row = {"weight": 2.62, "horsepower": 110, "cylinders": 6, "transmission": "manual"}
    for wrong, field in (
        ({"cylinders": 5}, "cylinders"), ({"transmission": "hidden"}, "transmission"), ({"weight": None}, "weight"),
        ({"horsepower": "hidden"}, "horsepower"), ({"transmission": "a\0hidden"}, "transmission"),
        ({"cylinders": -(2**31)}, "cylinders"),
    ):  # fmt: skip
        status, said, _ = cars.ask("/predict", {"records": [row | wrong]})
        assert (status, field in said["error"]["field"]) == (422, True), said
        assert "hidden" not in json.dumps(said)


def test_the_example_is_a_whole_service(cars: Cars) -> None:
    """What lies in examples/mtcars/services passes every check, and gives its golden predictions, where the page is."""
    place = cars.path / "services/mileage"
    kept = place.rename(cars.path.parent / "kept")
    shutil.copytree(EXAMPLE / "services/mileage", place)
    try:
        told = cars.run("git-strata", "service", "check", "mileage", code=1)  # for it is not committed
    finally:
        shutil.rmtree(place)
        kept.rename(place)
    assert "10 rows came out again" in told
    assert "ERROR" not in told


def test_nobody_elses_model_is_read(cars: Cars) -> None:
    """Without a policy that is believed, an rds file is not even read; nor where golden predictions differ."""
    told = cars.run("git-strata", "service", "check", "mileage", code=2, XDG_CONFIG_HOME=str(cars.path / "nowhere"))
    assert "gate: load" not in told
    golden = cars.path / "services/mileage/tests/golden.json"
    before = golden.read_text()
    golden.write_text(re.sub(r"1[0-9]\.", "99.", before))
    try:
        told = cars.run("git-strata", "service", "check", "mileage", code=2)
    finally:
        golden.write_text(before)
    assert "golden predictions do not come out again" in told


def test_a_newer_model_takes_over_while_it_runs_and_the_page_ends_it(cars: Cars) -> None:
    rows, first = cars.by_rscript("v1")
    cars.run("Rscript", "--vanilla", "-e", NEWER)
    cars.run("git", "commit", "--quiet", "-a", "-m", "Cylinders as a number")
    cars.release("v2")
    _, second = cars.by_rscript("v2")
    assert first != second
    end, found = time.monotonic() + PATIENCE, first
    while found != pytest.approx(second, abs=1e-12, rel=0):
        found = cars.mpg(rows)  # never anything but the one or the other, never an error
        assert found == pytest.approx(first, abs=1e-12, rel=0) or found == pytest.approx(second, abs=1e-12, rel=0)
        assert time.monotonic() < end
    processes = processes_of_r(cars.running.pid)
    assert processes
    cars.run(*["git-strata", "service", "stop", "mileage"])
    assert cars.running.wait(PATIENCE) == 0
    assert not any(Path(f"/proc/{one}").exists() for one in processes)
    assert not list(Path(cars.environ["TMPDIR"]).glob("strata-r-*"))


def processes_of_r(parent: int) -> list[int]:
    """The processes of R below a process, at any depth."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            status, words = Path(f"/proc/{name}/status").read_text(), Path(f"/proc/{name}/cmdline").read_bytes()
        except OSError:
            continue
        if f"\nPPid:\t{parent}\n" in status:
            found += [int(name)] if b"server.R" in words else processes_of_r(int(name))
    return found
