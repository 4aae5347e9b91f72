"""What a compose file starts, started here without containers: the api-service, its model-service and a canary."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from strata_git.load import dump_yaml
from strata_git.serving.bundle import read_source, write_bundle
from strata_git.serving.deploy.manifest import described
from strata_git.serving.deploy.rendering import render
from strata_git.serving.gate import open_model
from strata_git.serving.image.entry import BUNDLE, PORT, SOCKETS
from strata_git.serving.project.project import demands, open_project
from tests.ledger.lab import NOW, SETTINGS, Lab
from tests.serving.models import golden_text, other, served
from tests.support.builder import RepositoryBuilder
from tests.support.environment import short_directory
from tests.support.fixtures import Builder
from tests.support.keys import Keys

pytestmark = pytest.mark.heavy
IMAGE = f"forest@sha256:{'a' * 64}"
SERVICE = {
    "schema": "strata/service/v1", "name": "forest", "model": "forest@production",
    "routes": [{"model": "forest@v2", "mode": "canary", "percent": 50}],
}  # fmt: skip


def test_the_api_service_asks_a_canary_for_its_share(builder: Builder, keys: Keys, tmp_path: Path) -> None:
    repo = builder().workspace()
    for version, data in (("v1", None), ("v2", other())):
        repo.model("forest", version, **served(data))
        repo.commit(f"Add {version}")
    lab = Lab(repo, keys)
    for version in ("v1", "v1", "v2"):
        lab.promote(version)
    files = {"service.yaml": dump_yaml(SERVICE), "tests/golden.json": golden_text()}
    repo.commit("Add a service", {f"services/forest/{name}": data for name, data in files.items()})
    with started(repo, tmp_path) as address:
        told = Counter(ask(address) for _ in range(100))
    assert set(told) == {("forest@v1", 10.0), ("forest@v2", 24.0)}
    assert 20 <= told["forest@v2", 24.0] <= 80


@contextmanager
def started(repo: RepositoryBuilder, place: Path) -> Iterator[str]:
    """The address of what the rendered services answer at."""
    opened, now = repo.repository(), NOW + timedelta(hours=1)
    project = open_project(opened, "forest")
    bundles = {}
    for name, reference in (("api-service", "forest@production"), ("canary-forest-v2", "forest@v2")):
        loaded = open_model(opened, SETTINGS, reference, demands=demands(project), now=now)
        digest = write_bundle(place / name, loaded, project, read_source(opened, loaded))
        bundles[name] = (str(place / name), digest)
        if name == "api-service":
            deployment = described(project.service, loaded.provenance, IMAGE, routed={"forest@v2": IMAGE})
    opened.close()
    bundles["model-service"] = bundles["api-service"]
    services: dict[str, Any] = render("compose", deployment).documents["compose.yaml"][0]["services"]
    sockets, processes = short_directory(), []
    try:
        for name, one in services.items():
            bundle, digest = bundles[name]
            here = {BUNDLE: bundle, str(PORT): "0", "0.0.0.0": "127.0.0.1", one["entrypoint"][0]: sys.executable}
            words = [
                here.get(word, word).replace(SOCKETS, str(sockets)) for word in (*one["entrypoint"], *one["command"])
            ]
            environ = {**os.environ, "STRATA_BUNDLE": digest}
            processes.append(subprocess.Popen(words, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE))
        api = processes[list(services).index("api-service")]
        assert api.stdout is not None
        ready, address = api.stdout.readline().decode().split()
        assert ready == "ready"
        yield address
    finally:
        for process in processes:
            process.terminate()
        begun = time.monotonic()
        codes = [process.wait(20) for process in processes]
        for process in processes:
            process.communicate()
        shutil.rmtree(sockets, ignore_errors=True)
    assert codes == [0, 0, 0]
    assert time.monotonic() - begun < 10


def ask(address: str) -> tuple[str, float]:
    """Which version answers, and what."""
    body = json.dumps({"records": [{"sepal": 2, "petal": 2}]}).encode()
    asked = urllib.request.Request(f"{address}/predict", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        return answer.headers["strata-model"], json.load(answer)["predictions"][0]["score"]
