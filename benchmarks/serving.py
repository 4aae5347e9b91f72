"""Services beside MLServer (REST and gRPC) and `mlflow models serve`: the same estimators, the same requests, in turn.

`python -m benchmarks.serving [--seconds N] [--rounds N] [--models forest,logistic] [--json FILE]`. A random forest of
100 trees and a logistic regression (30 features), 1 and 100 rows, 1 and 16 clients. Of all figures the processor time
that the server's tree of processes spent on a request is the one that other work on the machine disturbs least.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.measure import Goal, Sample, Samples, judged
from benchmarks.report import table
from benchmarks.repositories import Place
from benchmarks.serving_pressure import Figures, over_grpc, over_http
from benchmarks.serving_workspace import MODELS, give_back, workspace

ROWS, CLIENTS = (1, 100), (1, 16)
ONNX, SKOPS, MLSERVER, MLFLOW = "ours, ONNX", "ours, skops", "MLServer", "mlflow models serve"
IN_PROCESS, SPLIT = f"{ONNX}, in process", f"{ONNX}, split"
_WAIT = 240.0
"""Seconds for a server to be there: mlflow's takes half a minute."""
MANY = 1000
"""Requests whose time the tables show."""
_Process = subprocess.Popen[str]
_Lines = Callable[[Sequence[str]], list[str]]
BUDGET = "budget of 200 µs"
_ALONE, _MANY = "forest 1x1", "forest 1x16"
GOALS = (
    Goal("MLServer REST : ours with skops", f"{_MANY} {SKOPS}, in process", f"{_MANY} {MLSERVER} REST", 3.0, True),
    Goal("MLServer REST : ours with ONNX", f"{_MANY} {IN_PROCESS}", f"{_MANY} {MLSERVER} REST", 20.0, True),
    Goal("ours with ONNX : 200 µs of processor time", f"cpu: {_MANY} {IN_PROCESS}", BUDGET, 1.0),
    Goal("split : in process, cpu, 16 clients", f"cpu: {_MANY} {SPLIT}", f"cpu: {_MANY} {IN_PROCESS}", 4.0),
    Goal("split : in process, cpu, 1 client", f"cpu: {_ALONE} {SPLIT}", f"cpu: {_ALONE} {IN_PROCESS}", 4.0),
)


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs: its process, and where it is asked (`path` and `form` of HTTP, or a gRPC target)."""

    name: str
    pid: int
    url: str
    path: str = ""
    form: str = "oip"


def peers_python() -> Path | None:
    """The interpreter of the peers' environment; None where it is not installed (`make serving-peers`)."""
    python = Path(__file__).parent.parent / ".venv-serving-peers" / "bin" / "python"
    return python if python.is_file() else None


def measured(base: Path, peers: Path, models: Sequence[str], seconds: float, rounds: int) -> dict[str, list[Figures]]:
    """Every configuration, each server up for all of its figures; `rounds` times."""
    place = workspace(base)
    ports = [_free_port() for _ in range(4)]
    found: dict[str, list[Figures]] = {}
    try:
        words = [str(peers), str(Path(__file__).with_name("serving_peers.py")), str(base), *map(str, ports[:3])]
        subprocess.run(words, env=_environ(place), check=True, capture_output=True)
        for _ in range(rounds):
            for model in models:
                with ExitStack() as stack:
                    for servers in (
                        _ours(place, model), _mlserver(base, peers, ports, model), _mlflow(base, peers, ports[3], model)
                    ):  # fmt: skip
                        for server in stack.enter_context(servers):
                            _measure(server, model, seconds, base, found)
                        stack.close()
    finally:
        give_back(place.environ)
    return found


def _measure(server: Server, model: str, seconds: float, base: Path, found: dict[str, list[Figures]]) -> None:
    rows = _rows()
    for count in ROWS:
        for clients in CLIENTS:
            given = (rows * count)[:count]
            if server.form == "grpc":
                figures = over_grpc(server.url, model, given, clients=clients, seconds=seconds, pid=server.pid)
            else:
                figures = over_http(
                    server.url, server.path, _body(given, server.form), clients=clients, seconds=seconds,
                    pid=server.pid, scratch=base,
                )  # fmt: skip
            label = f"{model} {count}x{clients} {server.name}"
            found.setdefault(label, []).append(figures)
            _say(label, figures)


def _rows() -> list[list[float]]:
    from sklearn.datasets import load_breast_cancer

    rows: list[list[float]] = load_breast_cancer().data[:100].tolist()
    return rows


def _body(rows: list[list[float]], form: str) -> bytes:
    if form == "mlflow":
        return json.dumps({"inputs": rows}).encode()
    flat = [value for row in rows for value in row]
    tensor = {"name": "predict", "datatype": "FP64", "shape": [len(rows), len(rows[0])], "data": flat}
    return json.dumps({"inputs": [tensor]}).encode()


# --- servers


@contextmanager
def _ours(place: Place, model: str) -> Iterator[Iterator[Server]]:
    """Four services one after the other, each while its figures are taken."""

    def each() -> Iterator[Server]:
        for form in ("onnx", "skops"):
            for mode in ("local", "split"):
                words = [
                    "git-strata", "service", "run", model, "--port", "0", "--grpc-port", "0", "--mode", mode, "--set",
                    f"runtime.format={form}",
                ]  # fmt: skip
                label = f"ours, {form.upper() if form == 'onnx' else form}, {'in process' if mode == 'local' else mode}"
                with _running(words, place.path, _environ(place), place.path.parent / "ours.log") as (process, lines):
                    said = dict(line.split()[:2] for line in lines(("ready", "grpc")))
                    path = f"/v2/models/{model}/infer"
                    yield Server(label, process.pid, said["ready"], path)
                    if (form, mode) == ("onnx", "local"):
                        yield Server(f"{label}, gRPC", process.pid, said["grpc"].rpartition("/")[2], form="grpc")

    yield each()


@contextmanager
def _mlserver(base: Path, peers: Path, ports: Sequence[int], model: str) -> Iterator[Iterator[Server]]:
    words = [str(peers.with_name("mlserver")), "start", str(base / "mlserver")]
    with _running(words, base, _plain_environ(base), base / "peers.log") as (process, _):
        url, path = f"http://127.0.0.1:{ports[0]}", f"/v2/models/{model}"
        _await(url, f"{path}/ready", process)
        yield iter((
            Server(f"{MLSERVER} REST", process.pid, url, f"{path}/infer"),
            Server(f"{MLSERVER} gRPC", process.pid, f"127.0.0.1:{ports[1]}", form="grpc"),
        ))  # fmt: skip


@contextmanager
def _mlflow(base: Path, peers: Path, port: int, model: str) -> Iterator[Iterator[Server]]:
    words = [
        str(peers.with_name("mlflow")), "models", "serve", "-m", str(base / "mlflow" / model), "--env-manager", "local",
        "-h", "127.0.0.1", "-p", str(port), "--workers", "1",
    ]  # fmt: skip
    with _running(words, base, _plain_environ(base), base / "peers.log") as (process, _):
        url = f"http://127.0.0.1:{port}"
        _await(url, "/ping", process)
        yield iter((Server(MLFLOW, process.pid, url, "/invocations", "mlflow"),))


@contextmanager
def _running(
    words: Sequence[str], directory: Path, environ: Mapping[str, str], log: Path
) -> Iterator[tuple[_Process, _Lines]]:
    """A server in a process group of its own; and what reads its lines until each of some words has begun one."""
    with log.open("a") as stream:
        process = subprocess.Popen(
            words, cwd=directory, env=dict(environ), stdout=subprocess.PIPE, stderr=stream, text=True,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def lines(wanted: Sequence[str]) -> list[str]:
        found: list[str] = []
        assert process.stdout is not None
        while len(found) < len(wanted):
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"{' '.join(words)} ended: {log.read_text()[-2000:]}")
            if line.startswith(tuple(wanted)):
                found.append(line)
        return found

    try:
        yield process, lines
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _await(url: str, path: str, process: _Process) -> None:
    from strata_git.errors import StrataError
    from strata_git.serving.supervision.asking import ask

    until = time.monotonic() + _WAIT
    while time.monotonic() < until and process.poll() is None:
        try:
            if ask(url, path, seconds=2).is_fine:
                return
        except StrataError:
            pass
        time.sleep(0.2)
    raise SystemExit(f"{url}{path} did not answer")


def _environ(place: Place) -> dict[str, str]:
    return {**place.environ, "OMP_NUM_THREADS": "1", "MLFLOW_TRACKING_URI": "", "PYTHONWARNINGS": "ignore"}


def _plain_environ(base: Path) -> dict[str, str]:
    python = str((peers_python() or Path(sys.executable)).parent)
    path = os.pathsep.join((python, os.environ.get("PATH", os.defpath)))
    return {
        "PATH": path,
        "HOME": str(base / "home"),
        "OMP_NUM_THREADS": "1",
        "LANG": "C.UTF-8",
        "PYTHONWARNINGS": "ignore",
    }


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


# --- figures


def samples_of(found: Mapping[str, Sequence[Figures]]) -> Samples:
    """The time of MANY requests, by throughput and of processors; `cpu:` has the latter in both places."""
    made: dict[str, list[Sample]] = {}
    for label, figures in found.items():
        made[label] = [Sample(MANY / one.per_second, MANY * one.cpu) for one in figures]
        if label.endswith((IN_PROCESS, SPLIT)) and re.search(r" 1x(1|16) ", label):
            made[f"cpu: {label}"] = [Sample(MANY * one.cpu, MANY * one.cpu) for one in figures]
    rounds = max((len(one) for one in made.values()), default=0)
    made[BUDGET] = [Sample(MANY * 200e-6, MANY * 200e-6)] * rounds
    return made


def services(base: Path, peers: Path, *, quick: bool, rounds: int = 1) -> Samples:
    """The row of `python -m benchmarks`."""
    models = ("forest",) if quick else tuple(MODELS)
    return samples_of(measured(base, peers, models, 1.0 if quick else 3.0, rounds))


def _say(label: str, one: Figures) -> None:
    times = f"{1000 * one.p50:>9.2f}{1000 * one.p99:>9.2f} ms"
    print(f"{label:<48}{times}{one.per_second:>9.0f}/s{1e6 * one.cpu:>8.0f} µs cpu", flush=True)


def main() -> None:
    """Print every figure as it is taken, and the goals at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each figure (%(default)s)")
    parser.add_argument("--rounds", type=int, default=1, help="how often each is taken (%(default)s)")
    parser.add_argument("--models", default=",".join(MODELS), help="which models (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    asked = parser.parse_args()
    peers = peers_python()
    if peers is None:
        parser.error("the peers are not installed: make serving-peers")
    with tempfile.TemporaryDirectory(prefix="strata-serving-") as base:
        found = measured(Path(base), peers, asked.models.split(","), asked.seconds, asked.rounds)
    samples = samples_of(found)
    print(table([(f"serving: {MANY} requests", samples, judged(GOALS, samples))]))
    if asked.json is not None:
        told = {label: [asdict(one) for one in figures] for label, figures in found.items()}
        asked.json.write_text(json.dumps({"schema": "strata/benchmarks-serving/v1", "figures": told}, indent=2) + "\n")


if __name__ == "__main__":
    main()
