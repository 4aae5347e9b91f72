"""The whole chain with real processes: promote, serve, ask, promote under load, go back, be killed, be stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from strata_git.serving.bundle import read_source, write_bundle
from strata_git.serving.gate import open_model
from strata_git.serving.prediction_log import read_log
from strata_git.serving.project.project import demands, log_directory, open_project
from strata_git.serving.supervision.asking import ask
from tests.flows.services import (
    BODY,
    ROW,
    crowd,
    environ_of,
    family,
    is_alive,
    models_of,
    running,
    until,
)
from tests.ledger.lab import SETTINGS, Lab
from tests.serving.models import golden_text, linear, onnx_model, other, served
from tests.support.artifacts import cite, dataset
from tests.support.builder import RepositoryBuilder, create
from tests.support.environment import remove_home, sealed, short_directory
from tests.support.keys import Keys, KeyStore

pytestmark = pytest.mark.heavy
SERVICE = """schema: strata/service/v1
name: bar
model: forest@production
api: {limits: {drain_ms: 3000, deadline_ms: 20000, queue: 4096}}
tasks:
  where: {run: [pwd], description: Say where tasks run.}
"""
FAST = ("--every", "0.1")


@dataclass(frozen=True, slots=True)
class Shop:
    """forest v1 (answers 10) in production, v2 (answers 24) in staging, v3 (gives other golden predictions) known."""

    lab: Lab

    @property
    def repo(self) -> RepositoryBuilder:
        return self.lab.repo

    def promote(self, version: str, to: str | None = None) -> None:
        self.lab.promote(version, to, now=datetime.now(UTC))

    @property
    def state(self) -> dict[str, object]:
        """What `status` says of the service."""
        (said,) = self.repo.strata("service", "status", "bar", "--format", "json").json()["services"]  # type: ignore[misc]
        return said  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, key_store: KeyStore) -> Iterator[Shop]:
    home, base = short_directory(), tmp_path_factory.mktemp("service")
    shutil.copytree(key_store.ring("alice", "bob"), home, dirs_exist_ok=True)
    repo = create(base / "repo", sealed(base, home, os.environ))
    repo.workspace()
    data = repo.dataset("iris")
    models = {"v1": linear(), "v2": other(), "v3": onnx_model([[1.0], [1.0]])}
    outputs = {f"{version}.onnx": model for version, model in models.items()}
    repo.run(inputs=[cite(dataset("iris"), data.path)], outputs=outputs)
    repo.commit("Add what the model came from")
    for version, model in models.items():
        repo.model("forest", version, **served(model))
        repo.commit(f"Add {version}")
    repo.write({"services/bar/service.yaml": SERVICE, "services/bar/tests/golden.json": golden_text(4.5, "v3")})
    repo.commit("Add the service")
    made = Shop(Lab(repo, Keys(home, key_store)))
    for version in ("v1", "v1", "v2"):
        made.promote(version)
    yield made
    remove_home(home)


def test_split_processes_from_the_first_answer_to_the_last(shop: Shop) -> None:
    words = ("bar", "--mode", "split", "--grpc-port", "0", *FAST)
    with (
        tempfile.TemporaryDirectory(prefix="s-") as sockets,
        running(shop.repo, *words, environ={"TMPDIR": sockets}) as service,
    ):
        assert service.score() == 10
        answer = service.ask("/predict", BODY)
        assert answer.provenance["strata-model"] == "forest@v1"
        _as_tritonclient_asks(service.url, service.grpc)
        _without_telemetry(service.process.pid, Path(shop.repo.environ["HOME"]))

        with crowd(service.url) as promoted:  # a promotion loses no request
            shop.promote("v2", "production")
            until(lambda: promoted.seen(24) or promoted.failures, "the promotion")
        assert not promoted.failures
        assert promoted.scores() == {10, 24}
        assert service.ask("/predict", BODY).provenance["strata-model"] == "forest@v2"

        with crowd(service.url) as back:  # neither does the way back
            said = shop.repo.strata(
                "service", "rollback", "bar", "--reason", "wrong on Monday", "--key", shop.lab.keys.alice
            ).expect(0)
            assert "forest@v1 is in production again in place of v2" in said.out
            until(lambda: back.seen(10) or back.failures, "the rollback")
        assert not back.failures
        assert back.scores() == {10, 24}
        reasons = shop.repo.git("tag", "-l", "--format=%(contents)", "forest#production#*")
        assert "wrong on Monday" in reasons

        until(lambda: len(models_of(service.process.pid)) == 1, "the end of the versions before")
        (child,) = models_of(service.process.pid)  # killed: 503 for a while, never a wrong answer
        with crowd(service.url, 8, patient=True) as killed:
            os.kill(child, signal.SIGKILL)
            until(lambda: 503 in killed.statuses(), "the refusals")
            until(lambda: killed.seen(10), "the recovery")
        assert not killed.failures
        assert (killed.statuses(), killed.scores()) == ({200, 503}, {10})
        assert models_of(service.process.pid) != [child]

        pids = family(service.process.pid)
        assert service.stop() == 0
        until(lambda: not any(is_alive(pid) for pid in pids), "the end of all processes")
        assert list(Path(sockets).iterdir()) == []
        assert not (shop.repo.path / ".strata/local/services/bar/state.json").exists()
        assert "STRAY OUTPUT" not in service.log
        assert "Traceback" not in service.log


def _as_tritonclient_asks(url: str, grpc: str) -> None:
    """tritonclient gets the same by both of its ways."""
    import tritonclient.grpc as by_grpc
    import tritonclient.http as by_http

    for kind, address in ((by_grpc, grpc), (by_http, url.removeprefix("http://"))):
        client = kind.InferenceServerClient(address)
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("forest")
        inputs = []
        for name, value in ROW.items():
            inputs.append(kind.InferInput(name, [1], "FP64"))
            inputs[-1].set_data_from_numpy(np.array([value], dtype="float64"))
        assert client.infer("forest", inputs).as_numpy("score").tolist() == [10.0]
        client.close()


def _without_telemetry(pid: int, home: Path) -> None:
    """Whatever predicts was started with onnxruntime's telemetry off, and nothing was left behind."""
    for one in models_of(pid):
        assert environ_of(one)["ORT_DISABLE_TELEMETRY"] == "1"
        assert "onnxruntime" in Path(f"/proc/{one}/maps").read_text()
    assert "onnxruntime" not in Path(f"/proc/{pid}/maps").read_text()  # who holds no model does not load it
    assert not (home / ".cache/Microsoft").exists()


def test_what_may_be_served_no_more_is_not(shop: Shop) -> None:
    lab, repo = shop.lab, shop.repo
    with running(repo, "bar", *FAST) as service:
        assert service.score() == 10
        assert "onnxruntime" in Path(f"/proc/{service.process.pid}/maps").read_text()
        assert not (Path(repo.environ["HOME"]) / ".cache/Microsoft").exists()

        shop.promote("v3", "staging")  # its golden predictions do not come out again: the version before goes on
        shop.promote("v3", "production")
        until(lambda: "v1 goes on answering" in service.log, "the refusal")
        assert service.score() == 10
        assert (shop.state["ready"], "golden" in str(shop.state["reason"])) == (True, True)

        shop.promote("v3", "staging")  # demoted: no version is in production any more
        _refused(service.url, shop, "no version is in production")
        assert "v1 answers no more" in service.log

        shop.promote("v1", "staging")
        shop.promote("v1", "production")
        until(service.is_ready, "the return")
        assert service.score() == 10

        head = repo.git("rev-parse", "HEAD")
        repo.write({"models/forest/v1/model.onnx": other()})  # altered, and committed past the hooks
        repo.git("-c", "core.hooksPath=/dev/null", "commit", "-qam", "Flip")
        _refused(service.url, shop, "model.onnx was changed in HEAD")
        repo.git("reset", "-q", "--hard", head)
        until(service.is_ready, "the return")

        tag = max(repo.git("tag", "-l", "forest#production#*").split(), key=lambda name: int(name.rpartition("#")[2]))
        honest = lab.oid(f"refs/tags/{tag}")
        unsigned = repo.git("cat-file", "tag", honest).partition("-----BEGIN")[0]
        lab.move_ref(tag, repo.git("hash-object", "-w", "-t", "tag", "--stdin", stdin=unsigned.encode()))
        _refused(service.url, shop, "its events cannot be built on")
        lab.move_ref(tag, lab.oid("HEAD"))
        _refused(service.url, shop, "its events cannot be built on")
        lab.move_ref(tag, honest)
        until(service.is_ready, "the return")
        assert service.score() == 10

        busy = repo.strata("service", "run", "bar", "--port", "0").expect(3)  # one a work tree
        assert "runs already" in busy.err
        said = repo.strata("service", "call", "bar", json.dumps(ROW)).expect(0)
        assert json.loads(said.out) == {"predictions": [{"score": 10.0}]}
        assert "strata-model: forest@v1" in said.err
        assert "ready" in repo.strata("service", "status").expect(0).out
        assert "has ended" in repo.strata("service", "stop", "bar").expect(0).out
        assert service.process.wait(5) == 0
    assert repo.strata("service", "status", "bar").expect(1).out == ""


def _refused(url: str, shop: Shop, words: str) -> None:
    """503 with Retry-After, not ready, and the reason where people look."""

    def answers() -> bool:
        return ask(url, "/v2/health/ready").status == 503

    until(answers, words)
    answer = ask(url, "/predict", body=BODY, headers={"Content-Type": "application/json"})
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) >= 1
    until(lambda: words in str(shop.state["reason"]), f"'{words}' in {shop.state['reason']}")


def test_what_may_not_be_served_yet_is_waited_for(shop: Shop) -> None:
    shop.promote("v1", "staging")
    refused: list[int] = []

    def allow() -> None:
        def waiting() -> list[dict[str, str]]:
            said = shop.repo.strata("service", "status", "bar", "--format", "json").json()["services"]
            return [one for one in said if "no version is in production" in one["reason"]]  # type: ignore[union-attr,misc,index]

        until(waiting, "the wait")
        refused.append(ask(waiting()[0]["url"], "/predict", body=BODY).status)
        shop.promote("v1", "production")

    allowing = threading.Thread(target=allow)
    allowing.start()
    with running(shop.repo, "bar", "--wait", *FAST) as service:
        allowing.join()
        assert (refused, service.score()) == ([503], 10)
        assert "it is waited for" in service.log


def test_what_keeps_a_service_from_starting_is_one_sentence(shop: Shop) -> None:
    repo = shop.repo

    def start(*words: str) -> tuple[str, ...]:
        return ("service", "run", "bar", "--set", "golden.file=tests/none.json", *words)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = repo.strata(*start("--port", port)).expect(3)
        assert f"Something else listens on 127.0.0.1:{port} already." in said.err
        said = repo.strata(*start("--port", "0", "--grpc-port", port)).expect(3)
        assert "--grpc-port 0" in said.err
    said = repo.strata(*start("--host", "0.0.0.0")).expect(2)
    assert "asks nobody who they are" in said.err
    said = repo.strata(*start("--port", "0", "--mode", "split", "--set", "model=forest@archived")).expect(2)
    assert "not served (ledger)" in said.err
    assert "ready" not in said.out
    head = repo.git("rev-parse", "HEAD")  # a version that is not served, but might be come back to
    repo.write({"models/forest/v3/model.onnx": other()})
    repo.git("-c", "core.hooksPath=/dev/null", "commit", "-qam", "Flip")
    said = repo.strata("service", "check", "bar").expect(2)
    assert "models/forest/v3/model.onnx was changed in HEAD" in said.out + said.err
    repo.git("reset", "-q", "--hard", head)


def test_children_do_not_outlive_who_was_killed(shop: Shop) -> None:
    with running(shop.repo, "bar", "--mode", "split", "--set", "runtime.workers=2", *FAST) as service:
        children = models_of(service.process.pid)
        assert len(children) == 2
        os.kill(service.process.pid, signal.SIGKILL)
        until(lambda: not any(is_alive(pid) for pid in children), "the end of the children")
    assert shop.repo.strata("service", "status", "bar").code == 1  # a stale state counts for nothing


def test_code_of_its_own_is_loaded_again_while_it_is_written(shop: Shop) -> None:
    repo, code = shop.repo, "services/own/model-service/predict.py"
    repo.write({
        "services/own/service.yaml": "schema: strata/service/v1\nname: own\nmodel: forest@v1\nlog: {enabled: true}\n",
        code: "def predict(model, rows):\n    return [1.0 for _ in rows]\n",
    })  # fmt: skip
    with running(repo, "own", "--reload", *FAST) as service:
        assert service.score() == 1
        repo.write({code: "def predict(model, rows):\n    return [float(row['sepal']) for row in rows]\n"})
        until(lambda: service.score() == 2, "the new code")
        repo.write({code: "def predict(model, rows):\n    retrun 3\n"})
        until(lambda: "model-service/predict.py:2" in service.log, "the complaint")
        assert service.score() == 2
        repo.write(
            {code: "import time\ndef predict(model, rows):\n    time.sleep(0.5)\n    return [3.0 for _ in rows]\n"}
        )
        until(lambda: service.score() == 3, "the mended code")
        late: list[float] = []
        asking = threading.Thread(target=lambda: late.append(service.score()))
        asking.start()
        time.sleep(0.2)
        assert service.stop(signal.SIGINT) == 0
        asking.join()
        assert late == [3]  # what was under way is answered
        assert next(iter(read_log(log_directory(repo.path, "own")))).inputs == ROW
        assert "Traceback" not in service.log


def test_canaries_answer_their_share_and_shadows_are_asked(shop: Shop) -> None:
    routes = "[{model: forest@v2, mode: canary, percent: 50}, {model: forest@v2, mode: shadow, percent: 100}]"
    text = f"schema: strata/service/v1\nname: mixed\nmodel: forest@v1\nruntime: {{workers: 2}}\nroutes: {routes}\n"
    shop.repo.write({"services/mixed/service.yaml": text})
    with running(shop.repo, "mixed", *FAST) as service:
        assert len(models_of(service.process.pid)) == 6  # more workers than one are processes of their own
        with crowd(service.url, 8) as asked:
            until(lambda: {10, 24} <= asked.scores() or asked.failures, "both versions")
        assert not asked.failures
        assert asked.scores() == {10, 24}
        until(lambda: "agreed" in service.ask("/metrics").body.decode(), "the shadow's counts")
        assert service.stop() == 0


def test_a_bundle_is_served_without_a_repository(shop: Shop, tmp_path: Path) -> None:
    digest = _bundled(shop, tmp_path / "bundle")
    environ = {name: shop.repo.environ[name] for name in ("PATH", "HOME", "LANG")}
    words = [
        sys.executable,
        "-m",
        "strata_git.serving.api_service",
        "--bundle",
        str(tmp_path / "bundle"),
        "--port",
        "0",
    ]
    with subprocess.Popen(
        words, cwd=tmp_path, env={**environ, "STRATA_BUNDLE": digest}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().split()[1]
        answer = ask(url, "/predict", body=BODY, headers={"Content-Type": "application/json"})
        assert json.loads(answer.body) == {"predictions": [{"score": 24.0}]}
        assert answer.provenance["strata-model"] == "forest@v2"
        process.terminate()
        assert process.wait(10) == 0
    wrong = subprocess.run(
        words, cwd=tmp_path, env={**environ, "STRATA_BUNDLE": digest[:-1] + ("0" if digest[-1] != "0" else "1")},
        capture_output=True, check=False, timeout=30,
    )  # fmt: skip
    assert (wrong.returncode, wrong.stdout) == (3, b"")


def _bundled(shop: Shop, place: Path) -> str:
    repo = shop.repo.repository()
    project = open_project(repo, "bar", overrides=["model=forest@v2"])
    loaded = open_model(repo, SETTINGS, "forest@v2", demands=demands(project))
    try:
        return write_bundle(place, loaded, project, read_source(repo, loaded))
    finally:
        repo.close()
