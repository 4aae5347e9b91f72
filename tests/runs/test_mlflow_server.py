"""A real MLflow server on PostgreSQL: killed while a run works, started again, and nothing is missing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strata_git.runs.tracking_choice import route
from strata_git.runs.tracking_delivery import deliver_all
from tests.dashboard.browser import MODULES, ROOT
from tests.runs.many import sixteen
from tests.runs.running import visible
from tests.runs.shown import agree, runs_in, workspace
from tests.support.bad_line import bad_line
from tests.support.builder import RepositoryBuilder, create
from tests.support.environment import sealed
from tests.support.mlflow_server import MlflowServer
from tests.support.postgres import Postgres, postgres
from tests.support.process import run as run_program

pytestmark = [pytest.mark.heavy, pytest.mark.filterwarnings("ignore")]  # other people's code

AUDIT = """
import sys
def hook(event, args):
    if event in ("socket.connect", "socket.sendto"):
        where = args[1][0] if isinstance(args[1], tuple) else ""
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        where = args[0] or ""
    else:
        return
    if where not in ("", "localhost", "127.0.0.1", "::1", b"localhost", b"127.0.0.1"):
        with open({log!r}, "a") as log:
            log.write(f"{{event}} {{where}} {{sys.argv}}\\n")
sys.addaudithook(hook)
"""
"""Writes down each attempt to reach anybody but this machine, in every Python that is started."""
EXPERIMENTS = ROOT / "templates/workspace/experiments"
REAL = """\
plugin: sklearn
experiment: real
seed: 7
dataset_id: sklearn:breast_cancer
data_spec: {validation: 0.15, test: 0.15}
params: {model: random_forest, n_estimators: 5}
"""
PLOTS = {"confusion_matrix.png", "roc_curve.png", "calibration.png", "feature_importance.png"}


@pytest.fixture(scope="module")
def database() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    made = sealed(tmp_path_factory.mktemp("sealed"), tmp_path_factory.mktemp("g"), os.environ)
    watched = tmp_path_factory.mktemp("watched")
    (watched / "sitecustomize.py").write_text(AUDIT.format(log=str(watched / "strangers")))
    return made | {"PYTHONPATH": str(watched)}


@pytest.fixture(scope="module")
def server(
    database: Postgres, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MlflowServer]:
    made = MlflowServer(database.uri, tmp_path_factory.mktemp("server"), environ)
    try:
        yield made.start()
    finally:
        made.kill()


@pytest.fixture
def repo(environ: dict[str, str], server: MlflowServer, tmp_path: Path) -> RepositoryBuilder:
    return workspace(
        create(tmp_path / "repo", environ | {"MLFLOW_TRACKING_URI": server.uri, "MLFLOW_EXPERIMENT": tmp_path.name})
    )


def client_of(server: MlflowServer) -> Any:
    from strata_git.runs.mlflow import reading_client

    return reading_client(server.uri)


def test_a_server_that_dies_while_a_run_works_has_everything_once_it_is_back(
    repo: RepositoryBuilder, server: MlflowServer, database: Postgres, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    words = ["run", "experiments/curve.yaml", "--set", f"params.until={go}"]
    run = subprocess.Popen(
        [sys.executable, "-m", "strata_git", *words], cwd=repo.path, env=repo.environ, stderr=subprocess.PIPE, text=True
    )
    try:
        arrived = "SELECT count(*) FROM metrics JOIN runs USING (run_uuid) WHERE runs.status = 'RUNNING'"
        until = time.monotonic() + 60
        while not database.ask(arrived)[0][0]:
            assert run.poll() is None, "it ended too soon"
            assert time.monotonic() < until, "nothing arrived while the run worked"
            time.sleep(0.1)
        server.kill()
        go.touch()
        told = run.communicate(timeout=120)[1]
    finally:
        run.kill()
        run.wait()
    assert run.returncode == 0, told
    assert "tracking waits, the record is complete: the server cannot be reached: Connection refused" in told
    (name,) = visible(repo)
    rows = database.ask("SELECT status, (SELECT count(*) FROM metrics m WHERE m.run_uuid = r.run_uuid) FROM runs r")
    ((status, measured),) = rows
    assert (status, measured) == ("RUNNING", 6)

    server.start()
    sync = repo.strata("runs", "sync", "--format", "json").expect(0).json()
    assert sync["runs"] == [{"run": name, "state": "sent", "reason": "", "refused": []}]
    client = client_of(server)
    agree(repo, client, runs_in(client, repo.environ["MLFLOW_EXPERIMENT"])[name])
    assert list((repo.path / ".strata/local/tracking").iterdir()) == []
    assert "nothing waits" in repo.strata("runs", "sync").expect(0).err


def test_sixteen_at_once_arrive_at_the_server(repo: RepositoryBuilder, server: MlflowServer) -> None:
    sixteen(repo, client_of(server), repo.environ["MLFLOW_EXPERIMENT"])


@pytest.mark.parametrize("seed", [1, 2])
def test_over_a_bad_line_everything_arrives_once(
    repo: RepositoryBuilder, server: MlflowServer, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests that never arrive, answers that are lost, come late or say 500: sent again until nothing is left."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    experiment = {"MLFLOW_EXPERIMENT": f"line-{seed}"}
    nobody = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", **experiment}
    for number in range(2):
        repo.strata("run", "experiments/curve.yaml", "--set", f"seed={number}", env=nobody).expect(0)
    with bad_line(server.port, seed, faults=0.3, pause=1.5) as (address, happened):
        way = route({"MLFLOW_TRACKING_URI": address, **experiment}, repo.path / ".strata/local")
        for _ in range(150):
            if not deliver_all(way.root, way.local, way.destination, way.connect, way.status_of, elsewhere=True):
                break
    assert {"500", "cut before", "cut after", "well"} <= set(happened), happened
    client = client_of(server)
    shown = runs_in(client, f"line-{seed}")
    assert sorted(shown) == visible(repo)
    for run in shown.values():
        agree(repo, client, run)


def test_the_pages_of_mlflow_compare_what_differs_only_in_its_yaml(
    repo: RepositoryBuilder, server: MlflowServer, tmp_path: Path
) -> None:
    """Made-up data and real data, one plugin: in a browser both runs stand side by side, numbers, settings, plots."""
    made_up = (EXPERIMENTS / "synthetic.yaml").read_text().replace("n_estimators: 60", "n_estimators: 5")
    repo.write({"synthetic.yaml": made_up, "real.yaml": REAL})
    told = [repo.strata("run", file, "--format", "json").expect(0).json() for file in ("synthetic.yaml", "real.yaml")]
    client = client_of(server)
    shown = runs_in(client, repo.environ["MLFLOW_EXPERIMENT"])
    runs = [shown[str(one["id"])] for one in told]
    assert [run.data.metrics for run in runs] == [one["metrics"] for one in told]
    assert runs[0].data.metrics.keys() == runs[1].data.metrics.keys()
    listed = [{file.path for file in client.list_artifacts(run.info.run_id)} for run in runs]
    assert listed[0] & listed[1] >= PLOTS

    ids = json.dumps([run.info.run_id for run in runs])
    experiment = runs[0].info.experiment_id
    above, pictured = look(
        {
            "url": f'{server.uri}/#/compare-runs?runs={ids}&experiments=["{experiment}"]',
            "texts": [*(run.info.run_name for run in runs), "Artifacts", *PLOTS],
            "height": 2600,
            "screenshot": str(tmp_path / "compare.png"),
        },
        {
            "url": f"{server.uri}/#/experiments/{experiment}/runs/{runs[1].info.run_id}/artifacts/roc_curve.png",
            "texts": ["roc_curve.png"],
            "pictures": True,
            "screenshot": str(tmp_path / "plot.png"),
        },
        environ=repo.environ,
    )
    words = above["text"]
    assert {"data_spec.kind", "params.model", "sklearn:breast_cancer", "real", "synthetic"} <= set(words.split())
    for name in runs[0].data.metrics:
        assert name in words
        for run in runs:
            assert f"{round(run.data.metrics[name], 3):g}" in words, name
    assert any(src.startswith("blob:") and width > 200 for src, width, _ in pictured["pictures"])
    for one in (above, pictured):
        assert one["missing"] == []
        assert [url for url in one["requests"] if not url.startswith((server.uri, "blob:", "data:"))] == []


def test_nobody_but_this_machine_was_called(environ: dict[str, str]) -> None:
    """By the runs of this module, nor by the server: telemetry is off everywhere."""
    strangers = Path(environ["PYTHONPATH"], "strangers")
    assert not strangers.exists(), strangers.read_text()
    probe = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
    run_program(sys.executable, "-c", probe, cwd=ROOT, environ=environ)
    assert "192.0.2.1" in strangers.read_text(), "the watch itself does not work"


def look(*steps: dict[str, object], environ: dict[str, str]) -> list[dict[str, Any]]:
    """What `look.cjs` sees; a page that cannot be looked at fails the test."""
    assert MODULES.is_dir(), "run: scripts/node-tools.sh"
    program = subprocess.run([ROOT / "scripts/browser.sh", "--which"], capture_output=True, text=True, check=False)
    assert program.returncode == 0, program.stderr
    with tempfile.NamedTemporaryFile("w", suffix=".json") as job:
        json.dump({"browser": program.stdout.strip(), "modules": str(MODULES), "steps": steps}, job)
        job.flush()
        done = run_program("node", Path(__file__).parent / "look.cjs", job.name, cwd=ROOT, environ=environ).expect(0)
    told: list[dict[str, Any]] = json.loads(done.out)
    assert [one["failed"] for one in told if "failed" in one] == []
    return told
