"""The Python example's README, from its first command to its last."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from strata_git.load import load_yaml
from tests.support.environment import remove_home, sealed, short_directory
from tests.support.keys import Keys, KeyStore

pytestmark = pytest.mark.heavy
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def ring(key_store: KeyStore) -> Iterator[Path]:
    home = short_directory()
    shutil.copytree(key_store.ring("alice"), home, dirs_exist_ok=True)
    yield home
    remove_home(home)


def test_every_command_of_its_readme_works(tmp_path: Path, ring: Path, key_store: KeyStore) -> None:
    text = (EXAMPLES / "wine/README.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    assert len(blocks) == 3
    environ = sealed(tmp_path, ring, os.environ) | {"EXAMPLES": str(EXAMPLES)}
    with (tmp_path / "gitconfig").open("a") as stream:
        stream.write(f"[user]\n\tsigningkey = {Keys(ring, key_store).alice}\n")
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    script = "set -eux -o pipefail\n" + "\n".join(blocks)
    ended = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    written = tmp_path / "wines/services/cultivar/deploy/kustomize"
    assert "is up to date" in ended.stdout
    assert load_yaml((written / "deployment.yaml").read_bytes()).value["kind"] == "Deployment"
    assert b"cultivar@v1" in (written / "deployment.yaml").read_bytes()
