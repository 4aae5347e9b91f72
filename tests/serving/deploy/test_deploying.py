"""`service deploy` and `service eject` as they are called: the model passes the gate, files are written once, and what
is to run them is handed them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from strata_git.cli.main import answered, cli
from strata_git.doctor.judge import judge_worktree
from strata_git.errors import StrataError
from strata_git.load import load_yaml
from strata_git.serving.bundle import read_source, write_bundle
from strata_git.serving.checked import Subject
from strata_git.serving.deploy.judge import judge as judge_manifests
from strata_git.serving.deploy.schemas import judge_document
from strata_git.serving.eject.judge import judge as judge_project
from strata_git.serving.eject.tree import judge_ejected, read_ejected, write_ejected
from tests.ledger.lab import NOW, SETTINGS
from tests.serving.image.shop import opened, stock
from tests.support.builder import RepositoryBuilder, create
from tests.support.environment import remove_home, sealed, short_directory
from tests.support.keys import Keys, KeyStore

DIGEST = f"sha256:{'b' * 64}"
KEY = hashlib.sha256(b"open sesame").hexdigest()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, key_store: KeyStore) -> Iterator[RepositoryBuilder]:
    home, base = short_directory(), tmp_path_factory.mktemp("deployed")
    shutil.copytree(key_store.ring("alice", "bob"), home, dirs_exist_ok=True)
    repo = create(base / "repo", sealed(base, home, os.environ))
    stock(
        repo, Keys(home, key_store), build={"image": "example/forest"}, resources={"replicas": 2},
        api={"auth": {"keys": [{"name": "billing", "sha256": KEY}]}},
    )  # fmt: skip
    yield repo
    remove_home(home)


def called(repo: RepositoryBuilder, *words: str, **environ: str) -> int:
    return answered(cli, "git strata", ["-C", str(repo.path), "service", *words], {**repo.environ, **environ})


def program(directory: Path, name: str, code: int = 0) -> Path:
    """A program that notes what it was called with."""
    directory.mkdir(exist_ok=True)
    script = directory / name
    script.write_text(f"#!{sys.executable}\nimport json, sys\n"
                      f"open({str(directory / 'called')!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
                      f"print('configured')\nsys.exit({code})\n")  # fmt: skip
    script.chmod(0o755)
    return directory / "called"


def test_manifests_are_written_compared_and_handed_over(
    shop: RepositoryBuilder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["deploy", "forest", "--target", "kustomize", "--image", DIGEST]
    place = shop.path / "services/forest/deploy/kustomize"
    assert called(shop, *asked, "--check") == 1
    assert not place.exists()
    assert called(shop, *asked, "--format", "json") == 0
    said = json.loads(capsys.readouterr().out.partition("\n{")[2].join(["{", ""]))
    assert said["schema"] == "strata/deploy/v1"
    assert said["image"] == f"example/forest@{DIGEST}"
    assert sorted(said["files"]) == sorted(path.name for path in place.iterdir())
    assert called(shop, *asked, "--check") == 0
    budget = place / "poddisruptionbudget.yaml"
    assert called(shop, *asked, "--check", "--set", "resources.replicas=1") == 1
    assert called(shop, *asked, "--set", "resources.replicas=1") == 0
    assert not budget.exists()
    noted = program(tmp_path / "bin", "kubectl")
    assert called(shop, *asked, "--apply", PATH=f"{tmp_path / 'bin'}:{shop.environ['PATH']}") == 0
    assert [json.loads(line) for line in noted.read_text().splitlines()] == [["apply", "-k", str(place)]]
    assert "configured" in capsys.readouterr().out
    (place / "service.yaml").write_text("mine: true\n")
    assert called(shop, *asked) == 3
    assert "was not written by git strata service deploy" in capsys.readouterr().err
    (place / "service.yaml").unlink()
    shutil.rmtree(place)
    (tmp_path / "elsewhere").mkdir()
    place.symlink_to(tmp_path / "elsewhere")
    assert called(shop, *asked) == 3
    assert "leads out of the service's directory" in capsys.readouterr().err
    assert called(shop, *asked, "--out", str(place)) == 3
    assert "is a link; nothing was written" in capsys.readouterr().err
    place.unlink()


def test_what_is_missing_is_said_in_one_sentence(
    shop: RepositoryBuilder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["deploy", "forest", "--out", str(tmp_path / "out"), "--image"]
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "git").symlink_to(shutil.which("git", path=shop.environ["PATH"]) or "")
    (bare / "gpg").symlink_to(shutil.which("gpg", path=shop.environ["PATH"]) or "")
    assert called(shop, *asked, DIGEST, "--target", "kserve", "--apply", PATH=str(bare)) == 3
    assert "kubectl is not on PATH; the manifests are in" in capsys.readouterr().err
    noted = program(tmp_path / "docker", "podman-compose")
    assert called(shop, *asked, DIGEST, "--target", "compose", "--apply", PATH=f"{tmp_path / 'docker'}:{bare}") == 0
    assert json.loads(noted.read_text().splitlines()[-1])[1:] == [str(tmp_path / "out/compose.yaml"), "up", "--detach"]
    program(tmp_path / "bad", "kubectl", code=1)
    assert called(shop, *asked, DIGEST, "--target", "kserve", "--apply", PATH=f"{tmp_path / 'bad'}:{bare}") == 3
    assert "apply -k failed with exit code 1" in capsys.readouterr().err
    assert called(shop, *asked, "forest:v1", "--target", "compose") == 64
    assert "names no digest" in capsys.readouterr().err
    assert called(shop, *asked, DIGEST, "--target", "kserve", "--route-image", "forest@v9=x") == 64
    assert called(shop, "deploy", "nobody", "--target", "compose", "--image", DIGEST) == 64


def test_what_lies_beside_a_service_is_checked(shop: RepositoryBuilder) -> None:
    place = shop.path / "services/forest"
    shutil.rmtree(place / "deploy", ignore_errors=True)
    assert called(shop, "deploy", "forest", "--target", "compose", "--image", DIGEST) == 0
    assert called(shop, "eject", "forest") == 0
    with opened(shop) as one:
        subject = Subject(one.repo, SETTINGS, one.project, one.loaded, {}, NOW)
        assert [*judge_manifests(subject), *judge_project(subject)] == []
        assert [
            found for found in judge_worktree(one.repo, ["services/forest"]).findings if found.severity != "info"
        ] == []
        later = replace(one.loaded, provenance=replace(one.loaded.provenance, version="v2"))
        subject = Subject(one.repo, SETTINGS, one.project, later, {}, NOW)
        assert [told.verdict for told in (*judge_manifests(subject), *judge_project(subject))] == ["warning", "warning"]
        written = place / "deploy/compose/compose.yaml"
        written.write_bytes(written.read_bytes().replace(b"read_only", b"reed_only"))
        (place / "ejected/model-interface/oip_pb2_grpc.py").unlink()
        told = [*judge_manifests(subject), *judge_project(subject)]
    assert "reed_only" in told[0].message
    assert {(one.check, one.verdict) for one in told} == {
        ("manifests", "error"), ("manifests", "warning"), ("ejected", "error"),
    }  # fmt: skip
    shutil.rmtree(place / "deploy")
    shutil.rmtree(place / "ejected")


def test_what_ray_imports_answers_from_the_bundle_that_is_pinned(shop: RepositoryBuilder, tmp_path: Path) -> None:
    from starlette.testclient import TestClient

    from strata_git.serving.deploy.ray_app import application

    with opened(shop) as one:
        digest = write_bundle(tmp_path / "bundle", one.loaded, one.project, read_source(one.repo, one.loaded))
    with TestClient(application(tmp_path / "bundle", {"STRATA_BUNDLE": digest})) as client:
        asked = {"records": [{"sepal": 2, "petal": 2}]}
        told = client.post("/predict", json=asked, headers={"X-API-Key": "open sesame"})
        assert told.json() == {"predictions": [{"score": 10.0}]}
        assert told.headers["strata-model"] == "forest@v1"
        assert client.post("/predict", json=asked).status_code == 401
    with pytest.raises(StrataError):
        application(tmp_path / "bundle", {"STRATA_BUNDLE": DIGEST})


@pytest.fixture(scope="module")
def ejected(shop: RepositoryBuilder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("ejected") / "forest"
    assert called(shop, "eject", "forest", "--out", str(place)) == 0
    return place


def test_what_is_ejected_is_whole_and_nothing_is_overwritten(
    shop: RepositoryBuilder, ejected: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = read_ejected(ejected)
    assert files is not None
    assert judge_ejected(files) == []
    assert judge_document("compose", load_yaml(files["compose.yaml"]).value) == []
    assert [name for name, data in files.items() if b"@@" in data and not name.endswith(".onnx")] == []
    for name in files:
        if name.endswith(".py"):
            compile(files[name], name, "exec")
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", str(ejected)]
    linted = subprocess.run(ruff, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout
    assert called(shop, "eject", "forest", "--out", str(ejected)) == 3
    assert "is there already; nothing was written" in capsys.readouterr().err
    with pytest.raises(StrataError, match="is there already"):
        write_ejected({"README.md": b""}, ejected)


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("model-interface/oip.proto", b"string id = 3;", b"string id = 30;", "another message ModelInferRequest"),
        (
            "model-interface/oip.proto",
            b"message ServerLiveRequest",
            b"option a = 1;\nmessage ServerLiveRequest",
            "cannot be compared",
        ),
        ("model-interface/oip_pb2.py", b"AddSerializedFile", b"AddNothing", "it holds no descriptor"),
        ("model-interface/oip_pb2.py", b"ServerLiveRequest", b"ServerLiveReques_", "has a message ServerLiveReques_"),
        ("model-interface/oip_pb2.py", b"_POOL", b"(", "cannot be read"),
        ("model-interface/oip_pb2_grpc.py", b"/ModelInfer", b"/ModelGuess", "has no method ModelInfer"),
        ("model-service/model/model.onnx", b"linear", b"lunear", "is not the file that model.json names"),
        ("model-service/model/model.json", b"model.onnx", b"other.onnx", "model-service/model/other.onnx is missing"),
        ("model-service/model/model.json", b'"files"', b'"flies"', "names no file"),
        ("model-service/model/model.json", b"{", b"", "model.json: "),
        ("tests/test_service.py", b"", b"", "tests/test_service.py is missing"),
    ],
)
def test_an_ejected_tree_is_judged(ejected: Path, name: str, old: bytes, new: bytes, told: str) -> None:
    files = read_ejected(ejected) or {}
    changed = files.pop(name).replace(old, new)
    if old:
        files[name] = changed
    assert any(told in one for one in judge_ejected(files)), judge_ejected(files)


@pytest.mark.heavy
def test_an_ejected_service_passes_its_own_tests_without_git_strata(ejected: Path) -> None:
    """Both programs are started there; the golden predictions are what the model answers in this process."""
    guard = ejected.parent / "guard"
    guard.mkdir()
    (guard / "strata_git.py").write_text("raise ImportError('an ejected service stands alone')\n")
    environ = {**os.environ, "PYTHONPATH": str(guard)}
    asked = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"]
    ended = subprocess.run(asked, cwd=ejected, env=environ, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "3 passed" in ended.stdout


@pytest.mark.heavy
def test_protoc_makes_the_same_stubs(ejected: Path, tmp_path: Path) -> None:
    """grpc_tools.protoc, of the same .proto, in place of ours."""
    files = read_ejected(ejected) or {}
    (tmp_path / "oip.proto").write_bytes(files["model-interface/oip.proto"])
    asked = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--python_out=.", "--grpc_python_out=.", "oip.proto"]
    subprocess.run(asked, cwd=tmp_path, check=True, timeout=60)
    for name in ("oip_pb2.py", "oip_pb2_grpc.py"):
        files[f"model-interface/{name}"] = (tmp_path / name).read_bytes()
    assert judge_ejected(files) == []
