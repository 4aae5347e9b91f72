"""Model-services as processes of their own: the gate before them, stock clients, deadlines, death and a quiet end."""

from __future__ import annotations

import asyncio
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strata_git.serving.backends.grpc import GrpcBackend, Tls
from strata_git.serving.columns import Table, signature_of
from strata_git.serving.errors import Unanswered
from strata_git.serving.provenance import Provenance, read_provenance
from tests.ledger.lab import Lab
from tests.serving.models import LINEAR, other, served
from tests.support.builder import create
from tests.support.environment import remove_home, sealed, short_directory
from tests.support.keys import Keys, KeyStore

pytestmark = pytest.mark.heavy
SERVICE = b"schema: strata/service/v1\nname: shop\nmodel: forest@production\napi: {limits: {drain_ms: 3000}}\n"
TABLE = Table(LINEAR.inputs, 2, matrix=np.array([[2.0, 2.0], [1.0, 0.5]]))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, key_store: KeyStore) -> Iterator[Lab]:
    """forest v1 in production, served by `shop`; v2 registered."""
    home, base = short_directory(), tmp_path_factory.mktemp("processes")
    shutil.copytree(key_store.ring("alice"), home, dirs_exist_ok=True)
    repo = create(base / "repo", sealed(base, home, os.environ))
    repo.workspace()
    repo.model("forest", "v1", **served())
    repo.commit("Add v1")
    repo.model("forest", "v2", **served(other()))
    repo.commit("Add v2")
    repo.write({"services/shop/service.yaml": SERVICE})
    repo.commit("Serve it")
    made = Lab(repo, Keys(home, key_store))
    for _ in range(2):
        made.promote("v1")
    yield made
    remove_home(home)


class Service:
    """A process, and what it said."""

    def __init__(self, lab: Lab, *more: str, where: tuple[str, ...], **variables: str) -> None:
        words = [sys.executable, "-m", "strata_git.serving.model_service", "--repository", str(lab.repo.path)]
        environ = {**lab.repo.environ, **variables}
        environ.pop("ORT_DISABLE_TELEMETRY", None)
        self.process = subprocess.Popen(
            [*words, "--service", "shop", *where, *more], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self.said: dict[str, Any] = {}

    def hear(self) -> Service:
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], 60)[0], "it says nothing"
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1].decode()
        self.said = json.loads(line)
        return self

    @property
    def provenance(self) -> Provenance:
        return read_provenance(self.said["ready"]["provenance"])

    def backend(self, **options: Any) -> GrpcBackend:
        signature = signature_of({"signature": self.said["ready"]["signature"]})
        return GrpcBackend(self.said["ready"]["address"], signature, self.provenance, **options)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


@contextmanager
def running(lab: Lab, *more: str, socket: Path | None = None, **variables: str) -> Iterator[Service]:
    where = ("--socket", str(socket)) if socket else ("--port", "0")
    service = Service(lab, *more, where=where, **variables)
    try:
        yield service.hear()
    finally:
        service.end()


def answers(service: Service, **options: Any) -> list[float]:
    async def ask() -> list[float]:
        backend = service.backend(**options)
        try:
            found: list[float] = (await backend.predict(TABLE, timeout=20))["score"].tolist()
            return found
        finally:
            await backend.close()

    return asyncio.run(ask())


@pytest.fixture
def place() -> Iterator[Path]:
    made = short_directory()
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_what_is_promoted_answers_and_ends_quietly_when_asked(lab: Lab, place: Path) -> None:
    import tritonclient.grpc as triton

    home = Path(lab.repo.environ["HOME"])
    with running(lab, socket=place / "m.sock") as service:
        said = service.said["ready"]
        assert service.provenance.reference == "forest@v1"
        assert {one["verdict"] for one in said["steps"]} <= {"passed", "skipped"}
        assert said["rowwise"] is True
        assert answers(service) == [10.0, 3.5]
        client = triton.InferenceServerClient(said["address"])
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("forest", "v1")
        assert [one.name for one in client.get_model_metadata("forest").inputs] == ["sepal", "petal"]
        inputs = []
        for name, column in zip(("sepal", "petal"), TABLE.arrays, strict=True):
            inputs.append(triton.InferInput(name, [2], "FP64"))
            inputs[-1].set_data_from_numpy(np.ascontiguousarray(column))
        answer = client.infer("forest", inputs, outputs=[triton.InferRequestedOutput("score")])
        assert answer.as_numpy("score").tolist() == [10.0, 3.5]
        client.close()
        environ = Path(f"/proc/{service.process.pid}/environ")
        maps = Path(f"/proc/{service.process.pid}/maps")
        if maps.exists():  # telemetry is off before the runtime is loaded, whoever started the process
            assert "onnxruntime" in maps.read_text()
            assert b"HOME=" in environ.read_bytes()
        assert not (home / ".cache" / "Microsoft").exists()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 0
        assert service.process.stderr is not None
        assert service.process.stderr.read() == b""


def test_what_the_gate_refuses_is_told_and_ends_with_two(lab: Lab, place: Path) -> None:
    for words, step in ((("--model", "forest@archived"), "ledger"), (("--model", "nobody@v1"), "ledger")):
        service = Service(lab, *words, where=("--socket", str(place / "r.sock"))).hear()
        told = service.said["refused"]
        assert (told["step"], told["steps"][-1]["verdict"]) == (step, "refused")
        assert service.process.wait(20) == 2
        service.end()
    (place / "file").write_text("no socket")
    service = Service(lab, where=("--socket", str(place / "file"))).hear()
    assert "no socket" in service.said["refused"]["message"]
    assert service.process.wait(20) == 3
    service.end()


def test_killed_begun_again_and_another_version_in_its_place(lab: Lab, place: Path) -> None:
    """Between the two there is a refusal to be asked again, and never an answer that is not of the version asked."""
    socket = place / "k.sock"

    async def main() -> None:
        with running(lab, socket=socket) as first:
            backend = first.backend(batch=None)
            assert (await backend.predict(TABLE, timeout=20))["score"].tolist() == [10.0, 3.5]
            first.process.send_signal(signal.SIGKILL)
            first.process.wait(20)
            with pytest.raises(Unanswered) as gone:
                await backend.predict(TABLE, timeout=20)
            assert (gone.value.status, gone.value.retry_after) == (503, 1)
            assert not await backend.ready()
        lab.promote("v2", "staging")
        with running(lab, "--model", "forest@v2", socket=socket) as stranger:
            assert stranger.provenance.version == "v2"
            for _ in range(100):
                with pytest.raises(Unanswered) as wrong:
                    await backend.predict(TABLE, timeout=20)
                assert wrong.value.status == 503
            assert not await backend.ready()
        with running(lab, socket=socket):
            until = time.monotonic() + 20
            while not await backend.ready():
                assert time.monotonic() < until
                await asyncio.sleep(0.05)
            found = await asyncio.gather(*(backend.predict(TABLE, timeout=20) for _ in range(50)))
            assert all(one["score"].tolist() == [10.0, 3.5] for one in found)
        await backend.close()

    asyncio.run(main())


def test_it_ends_with_whoever_started_it(lab: Lab, place: Path) -> None:
    with running(lab, socket=place / "p.sock") as service:
        assert service.process.stdin is not None
        service.process.stdin.close()  # as when the parent is killed
        assert service.process.wait(20) == 0


def test_over_tcp_with_certificates_of_both_sides(lab: Lab, place: Path) -> None:
    files = certificates(place)
    words = [f"--tls-{name}={files[name]}" for name in ("key", "certificate", "ca")]
    with running(lab, *words) as service:
        known = Tls(*(files[name].read_bytes() for name in ("ca", "key", "certificate")))
        assert answers(service, tls=known) == [10.0, 3.5]
        for stranger in (Tls(ca=known.ca), None):
            with pytest.raises(Unanswered):
                answers(service, tls=stranger)


def certificates(place: Path) -> dict[str, Path]:
    """A certificate for 127.0.0.1 that is its own authority, by openssl."""
    key, certificate = place / "key.pem", place / "certificate.pem"
    words = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
        "-subj", "/CN=model", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate),
    ]  # fmt: skip
    subprocess.run(words, check=True, capture_output=True)
    return {"key": key, "certificate": certificate, "ca": certificate}


def test_a_service_is_measured(lab: Lab) -> None:
    words = [sys.executable, "-m", "strata_git", "service", "bench", "shop", "--clients", "2", "--rows", "3"]
    done = subprocess.run(
        [*words, "--seconds", "0.3", "--mode", "split", "--format", "json"], cwd=lab.repo.path,
        env=dict(lab.repo.environ), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["schema"], told["clients"], told["rows"], told["failed"]) == ("strata/service-bench/v1", 2, 3, 0)
    assert told["requests"] > 10
    assert 0 < told["p50_ms"] <= told["p99_ms"] <= told["max_ms"]
    assert told["server_cpu_us"] > 0
