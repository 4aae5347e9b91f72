"""Bundles: a model with all that shows it, written where Git is, opened where it is not."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.serving.bundle import RECORD, load_bundle, open_bundle, read_bundle, read_source, write_bundle
from strata_git.serving.gate import NotServed
from strata_git.serving.tables import read_table
from tests.serving.image.shop import Damage, opened, stock
from tests.serving.models import LINEAR
from tests.support.builder import RepositoryBuilder, create
from tests.support.environment import remove_home, sealed, short_directory
from tests.support.keys import Keys, KeyStore

ORIGIN = {"records": [{"sepal": 2, "petal": 2}]}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, key_store: KeyStore) -> Iterator[RepositoryBuilder]:
    home, base = short_directory(), tmp_path_factory.mktemp("bundles")
    shutil.copytree(key_store.ring("alice", "bob"), home, dirs_exist_ok=True)
    repo = create(base / "repo", sealed(base, home, os.environ))
    stock(repo, Keys(home, key_store), build={"image": "example/forest"}, tasks={"lint": {"run": ["true"]}})
    yield repo
    remove_home(home)


@pytest.fixture(scope="module")
def bundled(shop: RepositoryBuilder, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A bundle, and its digest."""
    place = tmp_path_factory.mktemp("bundle") / "first"
    with opened(shop) as one:
        digest = write_bundle(place, one.loaded, one.project, read_source(one.repo, one.loaded))
        again = place.with_name("again")
        assert write_bundle(again, one.loaded, one.project, read_source(one.repo, one.loaded)) == digest
    assert subprocess.run(["diff", "-r", str(place), str(again)], check=False).returncode == 0
    return place, digest


def test_what_a_bundle_holds_and_how_it_answers(bundled: tuple[Path, str]) -> None:
    place, digest = bundled
    names = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert {"service.yaml", "golden.json", "model/model.onnx", "model/CHECKSUMS.txt", "event/tag", "VERIFY.md"} <= names
    said = (place / "service.yaml").read_text()
    assert "build" not in said  # who makes images, and how, is not the image's affair
    assert "tasks" not in said
    loaded = open_bundle(place, digest)
    assert float(loaded.model.predict(read_table(ORIGIN, LINEAR))["score"][0]) == 10
    assert [step.name for step in loaded.steps][-3:] == ["bundle", "load", "golden"]
    bundle = read_bundle(place, digest)
    assert bundle.provenance == loaded.provenance
    assert (bundle.service.name, bundle.provenance.reference, bundle.event) == ("forest", "forest@v1", loaded.event)
    assert bundle.card == (place / "model/card.md").read_text()
    assert load_bundle(bundle).model.format == "onnx"


def test_stock_tools_follow_the_same_trail(
    shop: RepositoryBuilder, bundled: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, digest = bundled
    text = (place / "VERIFY.md").read_text()
    assert "gpg --verify event/signature.asc event/payload" in text
    monkeypatch.setenv("GNUPGHOME", shop.environ["GNUPGHOME"])
    for command, where in (
        (["sha256sum", "--strict", "--ignore-missing", "-c", "CHECKSUMS.txt"], "model"),
        (["gpg", "--verify", "event/signature.asc", "event/payload"], "."),
    ):
        assert any(" ".join(command) in line for line in text.splitlines())
        subprocess.run(command, cwd=place / where, check=True, capture_output=True)
    tag = subprocess.run(
        ["git", "hash-object", "-t", "tag", "event/tag"], cwd=place, check=True, capture_output=True, text=True
    )
    assert tag.stdout.strip() == json.loads((place / RECORD).read_text())["event"]
    assert f"sha256:{hashlib.sha256((place / RECORD).read_bytes()).hexdigest()}" == digest
    listed = hashlib.sha256((place / "model/CHECKSUMS.txt").read_bytes()).hexdigest()
    assert f'"digest":"sha256:{listed}"' in (place / "event/payload").read_text()


def _flip(place: Path) -> None:
    data = bytearray(place.read_bytes())
    data[-1] ^= 1
    place.write_bytes(bytes(data))


def _linked(place: Path) -> None:
    os.rename(place, place.with_name("elsewhere"))
    place.symlink_to("elsewhere")


def _forged(place: Path) -> None:
    """The model and the bundle's own record of it are replaced; the list that the event signs is not."""
    record = place.parent.parent / RECORD
    _flip(place)
    said = json.loads(record.read_text())
    said["files"]["model/model.onnx"] = hashlib.sha256(place.read_bytes()).hexdigest()
    record.write_text(json.dumps(said))


@pytest.mark.parametrize(
    ("what", "damage", "words"),
    [
        ("model/model.onnx", _flip, "has other bytes"),
        ("golden.json", _flip, "has other bytes"),
        ("service.yaml", _flip, "has other bytes"),
        (RECORD, _flip, "not the bundle that is asked for"),
        ("model/CHECKSUMS.txt", _flip, "has other bytes"),
        ("model/metadata.yaml", Path.unlink, "is missing"),
        ("model/model.onnx", _linked, "neither a file nor a directory"),
        ("model/more.py", Path.touch, "is not listed"),
        ("event", shutil.rmtree, "is missing"),
    ],
)
def test_a_bundle_that_was_altered_is_refused(
    bundled: tuple[Path, str], tmp_path: Path, what: str, damage: Damage, words: str
) -> None:
    place, digest = tmp_path / "bundle", bundled[1]
    shutil.copytree(bundled[0], place)
    damage(place / what)
    with pytest.raises(NotServed, match=words) as error:
        open_bundle(place, digest)
    assert (error.value.exit_code, error.value.step) == (2, "bundle")
    with pytest.raises(StrataError):
        read_bundle(place, digest)


def test_who_forges_the_record_too_needs_the_signature(bundled: tuple[Path, str], tmp_path: Path) -> None:
    place = tmp_path / "bundle"
    shutil.copytree(bundled[0], place)
    _forged(place / "model/model.onnx")
    with pytest.raises(NotServed, match="not the bundle that is asked for"):
        open_bundle(place, bundled[1])
    forged = f"sha256:{hashlib.sha256((place / RECORD).read_bytes()).hexdigest()}"
    with pytest.raises(NotServed, match=r"is not the file that CHECKSUMS\.txt lists"):
        open_bundle(place, forged)


SAID = [
    "golden.file=tests/none.json", "api.auth.oidc.issuer=https://example.org", "api.auth.oidc.audience=x",
    "api.auth.oidc.jwks=tests/golden.json",
]  # fmt: skip
PREDICT = """def predict(model, rows):
    return [{"score": 100 * row["sepal"]} for row in rows]
"""


def test_code_of_its_own_comes_along_and_answers(shop: RepositoryBuilder, tmp_path: Path) -> None:
    code = shop.path / "services/forest/model-service/predict.py"
    code.parent.mkdir()
    code.write_text(PREDICT)
    try:
        with opened(shop, overrides=SAID) as one:
            source = read_source(one.repo, one.loaded)
            digest = write_bundle(tmp_path / "bundle", one.loaded, one.project, source)
            code.write_text(PREDICT + "\n")
            with pytest.raises(StrataError, match="is not any more what the model was tried with"):
                write_bundle(tmp_path / "other", one.loaded, one.project, source)
    finally:
        shutil.rmtree(code.parent)
    loaded = open_bundle(tmp_path / "bundle", digest)
    assert float(loaded.model.predict(read_table(ORIGIN, LINEAR))["score"][0]) == 200
    assert loaded.provenance.code.startswith("sha256:")
    assert (tmp_path / "bundle/tests/golden.json").is_file()  # public keys, where the service says they are


def test_no_digest_no_bundle(bundled: tuple[Path, str], tmp_path: Path) -> None:
    for place, digest in ((bundled[0], ""), (bundled[0], "sha256:0"), (tmp_path / "none", bundled[1])):
        with pytest.raises(StrataError):
            read_bundle(place, digest)
