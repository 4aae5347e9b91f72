"""The three commands from a shell: what they print, what they end with, what they leave."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.exchange.converting import story
from tests.exchange.evidences import audited, unpacked
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    return story(builder())


def test_evidence_from_a_bare_clone(repo: RepositoryBuilder, keys: Keys, tmp_path: Path) -> None:
    repo.git("config", "user.signingkey", keys.alice)
    repo.strata("promote", "forest", "--reason", "looked at").expect(0)
    bare = repo.clone("bare.git", "--mirror")
    done = bare.strata("evidence", "forest@staging", "-o", str(tmp_path / "e.tar.gz"), "--format", "json").expect(0)
    told = done.json()
    assert (told["schema"], told["keys"]) == ("strata/evidence-written/v1", [keys.alice])
    assert audited(unpacked(tmp_path / "e.tar.gz", tmp_path / "out"), "-k", keys.alice).code == 0
    assert "--force" in bare.strata("evidence", "forest@v1", "-o", str(tmp_path / "e.tar.gz")).expect(3).err
    assert "forest" in bare.strata("evidence", "forest@production", "-o", str(tmp_path / "f.tar.gz")).expect(3).err
    assert not (tmp_path / "f.tar.gz").exists()


def test_what_is_wrong_is_told_and_packed(repo: RepositoryBuilder, tmp_path: Path) -> None:
    repo.write({"datasets/iris/v1/train.csv": "sepal,petal,species\n1,2,x\n"})
    repo.commit("Tamper")
    done = repo.strata("evidence", "iris@v1", "-o", "e.tar.gz").expect(2)
    assert "STR-C005" in done.err
    folder = unpacked(repo.path / "e.tar.gz", tmp_path / "out")
    said = json.loads((folder / "evidence.json").read_bytes())
    assert {finding["rule"] for finding in said["findings"]} >= {"STR-C005"}


def test_convert_prints_one_document_and_warns_beside_it(repo: RepositoryBuilder) -> None:
    repo.write({"datasets/iris/v1/train.csv": "sepal,petal,species\n1,2,x\n"})
    repo.commit("Tamper")
    done = repo.strata("convert", "iris@v1", "--to", "croissant").expect(0)
    assert json.loads(done.out)["name"] == "iris"
    assert "warning: datasets/iris@v1 has" in done.err
    assert repo.strata("convert", "iris@v1", "--to", "prov", "--tracking-uri", "x").expect(64).out == ""
    assert "describes a" in repo.strata("convert", "iris@v1", "--to", "cyclonedx").expect(3).err


def test_import_commits_when_asked(repo: RepositoryBuilder, tmp_path: Path) -> None:
    place = tmp_path / "tiny"
    place.mkdir()
    (place / "model.onnx").write_bytes(b"\x08\x09")
    refused = repo.strata("import", "hf", str(place), "--name", "tiny", "--metric", "f1=often").expect(64)
    assert "no finite number" in refused.err
    (place / "model.onnx").unlink()
    (place / "data.csv").write_text("a\n1\n")
    done = repo.strata("import", "hf", str(place), "--name", "tiny", "--commit", "--format", "json").expect(0)
    assert done.json()["commit"] == repo.head
    assert repo.paths("HEAD:datasets/tiny/v1") == ["CHECKSUMS.txt", "data/data.csv", "metadata.yaml"]
