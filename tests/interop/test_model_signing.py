"""model.sig between us and the model-signing tool of the OpenSSF: either verifies what the other signed.

The program is found by STRATA_MODEL_SIGNING, in `.venv-peers` (`make peers`), or on PATH; without it these tests fail.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from strata_git.integrity.oms import read_bundle
from strata_git.integrity.oms_keys import load_public_key, verify_bundle
from tests.integrity.oms import CURVES, edited, key_pair
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import ROOT, Builder

NAMED = os.environ.get("STRATA_MODEL_SIGNING", "")  # read before the tests' environment is sealed
SIG = "models/forest/v1/model.sig"
OURS = [
    pytest.param(curve, marks=pytest.mark.heavy if curve != "secp384r1" else ())
    for curve in sorted(CURVES)
    if curve != "secp256k1"
]

Tool = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tool() -> Tool:
    """`model_signing WORDS...`."""
    places = [NAMED, str(ROOT / ".venv-peers" / "bin" / "model_signing"), shutil.which("model_signing") or ""]
    program = next((place for place in places if place and Path(place).exists()), None)
    assert program is not None, "model_signing is not installed; run: make peers"

    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *map(str, words)], capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    repo = builder().workspace()
    repo.story()
    repo.commit()
    return repo


def keys(folder: Path, curve: str = "secp256r1") -> tuple[Path, Path]:
    files = folder / f"{curve}.pem", folder / f"{curve}.pub"
    for file, data in zip(files, key_pair(curve), strict=True):
        file.write_bytes(data)
    return files


def theirs(tool: Tool, repo: RepositoryBuilder, public: Path) -> subprocess.CompletedProcess[str]:
    """Their verdict on our directory."""
    return tool("verify", "key", "--public_key", public, "--signature", repo.path / SIG, repo.path / "models/forest/v1")


def sign(tool: Tool, repo: RepositoryBuilder, private: Path, *words: str) -> None:
    """A model.sig by their hand."""
    done = tool(
        "sign", "key", "--private_key", private, "--signature", repo.path / SIG, *words, repo.path / "models/forest/v1"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def ours(repo: RepositoryBuilder, code: int, public: Path) -> tuple[str, set[str]]:
    """Our verdict: the status of the signature, and the rules that speak."""
    words = ("verify", "models/forest@v1", "--oms-key", str(public), "--format", "json")
    rows: Any = repo.strata(*words).expect(code).json()["artifacts"]
    return rows[0]["model_signature"]["status"], {finding["rule"] for finding in rows[0]["findings"]}


@pytest.mark.parametrize("curve", OURS)
def test_they_verify_what_we_sign(tool: Tool, repo: RepositoryBuilder, curve: str) -> None:
    private, public = keys(repo.path.parent, curve)
    repo.strata("sign", "models/forest@v1", "--oms", "--key", str(private)).expect(0)
    assert theirs(tool, repo, public).returncode == 0
    repo.write({"models/forest/v1/SIGNATURE.asc": "a signature that came later"})
    assert theirs(tool, repo, public).returncode == 0  # what comes later does not undo it
    repo.write({"models/forest/v1/card.md": "tampered\n"})
    assert theirs(tool, repo, public).returncode != 0
    assert ours(repo, 2, public)[0] == "good"  # of what was signed; the file is told by its own rule


@pytest.mark.parametrize("curve", OURS)
def test_we_verify_what_they_sign(tool: Tool, repo: RepositoryBuilder, curve: str) -> None:
    private, public = keys(repo.path.parent, curve)
    sign(tool, repo, private)
    assert ours(repo, 0, public) == ("good", set())
    repo.strata("doctor", "--strict").expect(0)


def test_neither_takes_a_signature_by_another_key(tool: Tool, repo: RepositoryBuilder) -> None:
    private, _ = keys(repo.path.parent, "secp256r1")
    _, other = keys(repo.path.parent, "secp384r1")
    repo.strata("sign", "models/forest@v1", "--oms", "--key", str(private)).expect(0)
    assert theirs(tool, repo, other).returncode != 0
    assert ours(repo, 0, other) == ("unknown-key", {"STR-S012"})


def test_neither_takes_what_was_changed_after_signing(tool: Tool, repo: RepositoryBuilder) -> None:
    private, public = keys(repo.path.parent)
    sign(tool, repo, private)

    def change(bundle: Any) -> None:
        bundle["dsseEnvelope"]["signatures"][0]["sig"] = "MAYCAQECAQE="

    repo.write({SIG: edited(repo.read(SIG), change)})
    assert theirs(tool, repo, public).returncode != 0
    assert ours(repo, 2, public) == ("bad", {"STR-S011"})


def test_what_they_leave_out_on_request_is_an_error_here(tool: Tool, repo: RepositoryBuilder) -> None:
    private, public = keys(repo.path.parent)
    sign(tool, repo, private, "--ignore-paths", str(repo.path / "models/forest/v1/card.md"))
    assert theirs(tool, repo, public).returncode == 0
    assert ours(repo, 2, public) == ("good", {"STR-S010"})


def test_what_they_never_look_at_is_refused_here(tool: Tool, repo: RepositoryBuilder) -> None:
    """Git's own names are skipped by them: a file so named could be added to a signed model."""
    private, public = keys(repo.path.parent)
    sign(tool, repo, private)
    repo.write({"models/forest/v1/.github/x": "smuggled", "models/forest/v1/.gitattributes": "* text\n"})
    assert theirs(tool, repo, public).returncode == 0
    assert {"STR-C004"} <= ours(repo, 2, public)[1]
    assert "STR-L018" in repo.strata("doctor").expect(2).out


def test_a_copy_under_another_name_passes_with_them_and_not_here(tool: Tool, repo: RepositoryBuilder) -> None:
    private, public = keys(repo.path.parent)
    sign(tool, repo, private)
    shutil.copytree(repo.path / "models/forest/v1", repo.path / "models/other/v1")
    copied = repo.path / "models/other/v1"
    assert tool("verify", "key", "--public_key", public, "--signature", copied / "model.sig", copied).returncode == 0
    answer = repo.strata("verify", "models/other@v1", "--oms-key", str(public)).expect(2)
    assert "STR-C007" in answer.out


def test_names_that_sort_differently_are_signed_alike(tool: Tool, tmp_path: Path) -> None:
    """The specification sorts names, the tool sorts parts of paths: `a-b` and `a/b` change places."""
    model = tmp_path / "model"
    (model / "a").mkdir(parents=True)
    for name in ("a/b", "a-b", "a.b"):
        (model / name).write_text(name)
    private, public = keys(tmp_path)
    assert tool("sign", "key", "--private_key", private, "--signature", tmp_path / "s", model).returncode == 0
    bundle = read_bundle((tmp_path / "s").read_bytes())
    assert set(bundle.manifest.resources) == {"a/b", "a-b", "a.b"}
    assert verify_bundle(bundle, [load_public_key(public.read_bytes())]).good


def test_the_key_is_named_alike(tool: Tool, repo: RepositoryBuilder) -> None:
    private, public = keys(repo.path.parent)
    sign(tool, repo, private)
    said = json.loads(repo.read(SIG))
    assert said["verificationMaterial"]["publicKey"]["hint"] == load_public_key(public.read_bytes()).hint
    assert json.loads(b64decode(said["dsseEnvelope"]["payload"]))["subject"][0]["name"] == "v1"
