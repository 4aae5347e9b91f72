"""Images as they are built and run: the same twice, without a network, answering, ending, refusing what was altered."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from strata_git.serving.tables import read_table
from tests.ledger.lab import Lab
from tests.serving.image.shop import opened, stock
from tests.serving.image.workshop import NAME, Workshop, wait_for, workshop
from tests.serving.models import LINEAR
from tests.support.builder import create
from tests.support.environment import remove_home, sealed, short_directory
from tests.support.fixtures import ROOT
from tests.support.keys import Keys, KeyStore

pytestmark = pytest.mark.heavy

ROWS = {"records": [{"sepal": 2, "petal": 2}, {"sepal": -1.5, "petal": 0.25}]}
TASKS = {"lint": {"run": ["true"]}, "broken": {"run": ["false"]}}


@dataclass(frozen=True, slots=True)
class Yard:
    """A repository with a service, and engines."""

    lab: Lab
    shop: Workshop
    environ: dict[str, str]

    @property
    def program(self) -> list[str]:
        """`git strata`, of a copy of this package that nobody edits meanwhile."""
        return [sys.executable, "-P", "-m", "strata_git"]

    def strata(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.program, *words], cwd=self.lab.repo.path, env=self.environ, capture_output=True, text=True
        )
        assert done.returncode == code, done.stderr
        return done

    def build(self, *words: str, code: int = 0) -> str:
        """The image's id."""
        return self.strata("service", "build", "forest", *words, code=code).stdout.strip()


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory, key_store: KeyStore) -> Iterator[Yard]:
    home, base = short_directory(), tmp_path_factory.mktemp("images")
    shutil.copytree(key_store.ring("alice", "bob"), home, dirs_exist_ok=True)
    environ = sealed(base, home, os.environ)
    repo, keys = create(base / "repo", environ), Keys(home, key_store)
    build = {"packages": "installed", "base": NAME, "image": "example/forest", "checks": ["lint"], "engine": "podman"}
    lab = stock(repo, keys, build=build, tasks=TASKS)
    for name in ("requirements", "strata_git", "templates", "tfc"):
        shutil.copytree(ROOT / name, base / "frozen" / name, ignore=shutil.ignore_patterns("__pycache__"))
    with workshop() as shop:
        path = f"{shop.environ['PATH'].partition(os.pathsep)[0]}{os.pathsep}{environ['PATH']}"
        frozen = {"PATH": path, "PYTHONPATH": str(base / "frozen")}
        yield Yard(lab, shop, environ | dict(shop.environ) | frozen)
    remove_home(home)


@pytest.fixture(scope="module")
def image(yard: Yard) -> str:
    """Built once; the tests below use it."""
    return yard.build()


def test_the_same_goes_in_the_same_comes_out(yard: Yard, image: str) -> None:
    assert yard.build("--no-cache", "--tag", "example/again:1") == image
    told = yard.shop.inspect("example/again:1")
    config = told["Config"]
    assert isinstance(config, dict)
    labels = config["Labels"]
    assert (labels["strata.model"], labels["org.opencontainers.image.version"]) == ("forest@v1", "v1")
    assert labels["org.opencontainers.image.revision"] == yard.lab.oid("HEAD")
    assert config["User"] == "65532:65532"
    assert f"STRATA_BUNDLE={labels['strata.bundle']}" in config["Env"]
    assert "ORT_DISABLE_TELEMETRY=1" in config["Env"]
    text = json.dumps(told)
    assert str(yard.lab.repo.path) not in text  # nothing tells of this machine
    assert "build" not in (yard.shop.podman("run", "--rm", "--network", "none", "--entrypoint", "cat",
                           "example/again:1", "/srv/strata/bundle/service.yaml").stdout)  # fmt: skip


def test_checks_that_fail_fail_the_build(yard: Yard) -> None:
    told = yard.strata("service", "build", "forest", "--set", "build.checks=[lint, broken]", code=2)
    assert "failed   broken: the task ended with exit code 1" in told.stderr
    assert "no image was made" in told.stderr


def test_two_containers_without_a_network_answer_as_the_model_does_and_end(
    yard: Yard, image: str, tmp_path: Path
) -> None:
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("w") as one, err.open("w") as two:
        process = subprocess.Popen(
            [*yard.program, "service", "run", "forest", "--mode", "compose", "--port", "0"],
            cwd=yard.lab.repo.path, env=yard.environ, stdout=one, stderr=two, text=True,
        )  # fmt: skip
    try:
        wait_for(out, "ready ", process)
        url = out.read_text().split()[1]
        asked = urllib.request.Request(
            f"{url}/predict", json.dumps(ROWS).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:
            told, header = json.load(answer), answer.headers["strata-model"]
        with opened(yard.lab.repo) as here:
            expected = here.loaded.model.predict(read_table(ROWS, LINEAR))["score"].tolist()
        assert ([row["score"] for row in told["predictions"]], header) == (expected, "forest@v1")
        names = yard.shop.podman("ps", "--format", "{{.Names}}").stdout.split()
        assert sorted(name.split("-")[2] for name in names) == ["api", "model"]
        for name in names:
            held = yard.shop.inspect(name)
            assert held["Image"] == image.removeprefix("sha256:")  # what was built is what runs
            host = held["HostConfig"]
            assert isinstance(host, dict)
            assert (host["NetworkMode"], host["ReadonlyRootfs"]) == ("none", True)
            assert held["EffectiveCaps"] in ([], None)
            assert "no-new-privileges" in host["SecurityOpt"]
            inside = yard.shop.podman("exec", name, "cat", "/proc/net/dev", "/proc/1/status").stdout
            assert [line.split(":")[0].strip() for line in inside.splitlines()[2:3]] == ["lo"]
            assert "NoNewPrivs:\t1" in inside
            assert "Uid:\t65532\t65532" in inside
        begun = time.monotonic()
        process.terminate()
        assert process.wait(20) == 0, err.read_text()
        assert time.monotonic() - begun < 10
    finally:
        process.kill()
        process.wait()
    assert yard.shop.podman("ps", "--all", "--quiet").stdout == ""


def test_containers_do_not_outlive_whoever_started_them(yard: Yard, image: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("w") as one:
        process = subprocess.Popen(
            [*yard.program, "service", "run", "forest", "--mode", "compose", "--port", "0"],
            cwd=yard.lab.repo.path, env=yard.environ, stdout=one, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
    wait_for(out, "ready ", process)
    process.kill()
    process.wait()
    end = time.monotonic() + 15
    while (left := yard.shop.podman("ps", "--quiet").stdout) and time.monotonic() < end:
        time.sleep(0.2)
    assert left == ""


def test_containers_that_end_are_begun_again_and_a_demoted_model_answers_no_more(
    yard: Yard, image: str, tmp_path: Path
) -> None:
    out, err = tmp_path / "out", tmp_path / "err"

    def status() -> int:
        try:
            with urllib.request.urlopen(f"{url}/v2/health/ready", timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code if "retry-after" in error.headers else -error.code

    def wait_until(happens: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not happens():
            assert time.monotonic() < end, err.read_text()
            time.sleep(0.1)

    yard.lab.promote("v1", "staging")
    words = ("service", "run", "forest", "--mode", "compose", "--port", "0", "--every", "0.5", "--wait")
    with out.open("w") as one, err.open("w") as two:
        process = subprocess.Popen(
            [*yard.program, *words], cwd=yard.lab.repo.path, env=yard.environ, stdout=one, stderr=two, text=True
        )
    try:
        wait_until(lambda: "it is waited for" in err.read_text())
        assert out.read_text() == ""
        yard.lab.promote("v1", "production")
        wait_for(out, "ready ", process)
        url = out.read_text().split()[1]
        (name,) = (one for one in yard.shop.podman("ps", "--format", "{{.Names}}").stdout.split() if "-model-" in one)
        yard.shop.podman("kill", name)
        wait_until(lambda: status() == 503)
        wait_until(lambda: status() == 200)
        assert "both containers are begun again" in err.read_text()
        yard.lab.promote("v1", "staging")  # demoted
        wait_until(lambda: status() == 503)
        told = json.loads(yard.strata("service", "status", "forest", "--format", "json", code=1).stdout)
        assert "no version" in told["services"][0]["reason"]
        wait_until(lambda: yard.shop.podman("ps", "--quiet").stdout == "")
        yard.lab.promote("v1", "production")
        wait_until(lambda: status() == 200)
        process.terminate()
        assert process.wait(20) == 0, err.read_text()
    finally:
        process.kill()
        process.wait()


def test_an_altered_bundle_is_refused(yard: Yard, image: str, tmp_path: Path) -> None:
    made = yard.shop.podman("create", "--network", "none", "example/forest:v1").stdout.strip()
    yard.shop.podman("cp", f"{made}:/srv/strata/bundle", str(tmp_path / "bundle"))
    model = tmp_path / "bundle/model/model.onnx"
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(bytes(data))
    for part in (tmp_path, *tmp_path.rglob("*")):
        part.chmod(0o755 if part.is_dir() else 0o644)
    told = yard.shop.podman(
        "run", "--rm", "--network", "none", "--volume", f"{tmp_path / 'bundle'}:/srv/strata/bundle:ro",
        "--entrypoint", "python3", "example/forest:v1", "-m", "strata_git.serving.model_service",
        "--bundle", "/srv/strata/bundle", "--socket", "/tmp/model.sock", check=False,
    )  # fmt: skip
    assert "model/model.onnx has other bytes" in told.stdout
    assert told.returncode != 0
    assert '"ready"' not in told.stdout


def test_the_projects_tests_in_the_image(yard: Yard, image: str) -> None:
    tests = yard.lab.repo.path / "services/forest/tests/test_here.py"
    tests.write_text(
        "import os\nfrom pathlib import Path\n\ndef test_who():\n    assert os.getuid() == 65532\n"
        "\ndef test_harm():\n    Path('/srv/strata/bundle/more').touch()\n"
    )
    try:
        told = yard.strata("service", "test", "forest", "--container", "-k", "who")
        assert "1 passed, 1 deselected" in told.stdout + told.stderr
        assert "passed   golden" in told.stdout + told.stderr
        told = yard.strata("service", "test", "forest", "--container", code=2)
        assert "Read-only file system" in told.stdout + told.stderr
    finally:
        tests.unlink()


def test_layouts_without_an_engine(yard: Yard, tmp_path: Path) -> None:
    digest = yard.build("--oci", str(tmp_path / "artifact"))
    told = subprocess.run(["skopeo", "inspect", f"oci:{tmp_path / 'artifact'}"], check=True, capture_output=True)
    said = json.loads(told.stdout)
    assert (said["Digest"], said["Labels"]["strata.model"]) == (digest, "forest@v1")
    base = tmp_path / "base"
    for words in (["init", "--layout", str(base)], ["new", "--image", f"{base}:1"]):
        subprocess.run(["umoci", *words], check=True, capture_output=True)
    digest = yard.build("--oci", str(tmp_path / "image"), "--base", str(base))
    told = subprocess.run(
        ["skopeo", "inspect", "--config", f"oci:{tmp_path / 'image'}"], check=True, capture_output=True
    )
    config = json.loads(told.stdout)
    assert config["config"]["Entrypoint"][-1] == "/srv/strata/bundle"
    assert (config["config"]["User"], len(config["rootfs"]["diff_ids"])) == ("65532:65532", 3)
    refused = yard.strata("service", "build", "forest", "--oci", str(tmp_path / "image"), code=3)
    assert "is not empty" in refused.stderr
