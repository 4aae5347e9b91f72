"""DVC's data comes in by its MD5 and goes on by our SHA-256; what a hostile pointer names is not opened."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.exchange.from_dvc import DvcImport, import_dvc
from strata_git.load import load_yaml
from tests.index.opening import opened
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

A, B = b"a,b\n1,2\n", b"a,b\n3,4\n5,6\n"


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def cached(root: Path, data: bytes, *, suffix: str = "", old: bool = False) -> str:
    name = md5(data)
    place = root / ".dvc/cache" / ("" if old else "files/md5") / name[:2] / (name[2:] + suffix)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return name + suffix


def directory(root: Path, files: dict[str, bytes], *, old: bool = False) -> str:
    rows = [{"md5": cached(root, data, old=old), "relpath": name} for name, data in files.items()]
    return cached(root, json.dumps(rows).encode(), suffix=".dir", old=old)


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    repo = builder().workspace()
    repo.commit("Begin")
    return repo


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    (tmp_path / "theirs" / ".dvc").mkdir(parents=True)
    return tmp_path / "theirs"


def bring(repo: RepositoryBuilder, pointer: Path, **more: object) -> dict[str, object]:
    added = import_dvc(opened(repo), DvcImport(pointer, "data", **more))  # type: ignore[arg-type]
    value = load_yaml(repo.read(f"{added.artifact.path}/metadata.yaml")).value
    assert isinstance(value, dict)
    return value


def pointed(theirs: Path, text: str, name: str = "data.dvc") -> Path:
    (theirs / name).write_text(text)
    return theirs / name


@pytest.mark.parametrize("old", [False, True])
def test_a_directory_comes_from_the_cache_alone(repo: RepositoryBuilder, theirs: Path, old: bool) -> None:
    listed = directory(theirs, {"train/a.csv": A, "b.csv": B}, old=old)
    said = bring(repo, pointed(theirs, f"outs:\n- md5: {listed}\n  path: data\n"), splits=(("train", "train/**"),))
    assert repo.read("datasets/data/v1/train/train/a.csv") == A
    assert said["provenance"]["source"] == "dvc:data.dvc (data)"  # type: ignore[index]
    assert listed in said["provenance"]["process"]  # type: ignore[index]
    repo.commit("Add")
    repo.strata("doctor", "--strict").expect(0)


def test_a_file_comes_from_the_work_tree_and_its_commit_is_named(
    repo: RepositoryBuilder, theirs: Path, builder: Builder
) -> None:
    other = builder("dvc")
    (other.path / ".dvc").mkdir()
    pointer = pointed(other.path, f"outs:\n- md5: {md5(A)}\n  path: a.csv\n  hash: md5\n", "a.csv.dvc")
    head = other.commit("Data", {"a.csv": A})
    said = bring(repo, pointer)
    assert said["provenance"]["source"] == f"dvc:a.csv.dvc@{head} (a.csv)"  # type: ignore[index]
    (other.path / "a.csv").write_bytes(B)
    with pytest.raises(StrataError, match="does not have the md5"):
        bring(repo, pointer)
    (other.path / "a.csv").unlink()
    with pytest.raises(StrataError, match="neither in DVC's cache nor"):
        bring(repo, pointer)
    assert not (repo.path / "datasets/data/v2").exists()
    assert list((repo.path / ".strata/local/pending").glob("import-*")) == []


def test_line_ends_were_evened_before_version_3(repo: RepositoryBuilder, theirs: Path) -> None:
    (theirs / "a.csv").write_bytes(A.replace(b"\n", b"\r\n"))
    bring(repo, pointed(theirs, f"outs:\n- md5: {md5(A)}\n  path: a.csv\n"))
    with pytest.raises(StrataError, match="does not have the md5"):
        bring(repo, pointed(theirs, f"outs:\n- md5: {md5(A)}\n  path: a.csv\n  hash: md5\n"))


def test_a_stage_is_read_from_the_lock(repo: RepositoryBuilder, theirs: Path) -> None:
    cached(theirs, A)
    cached(theirs, B)
    held = {"a.csv": A, "b.csv": B}
    rows = "".join(f"    - path: {name}\n      hash: md5\n      md5: {md5(data)}\n" for name, data in held.items())
    pointed(theirs, f"schema: '2.0'\nstages:\n  make:\n    cmd: x\n    outs:\n{rows}", "dvc.lock")
    pointer = pointed(theirs, "stages: {}\n", "dvc.yaml")
    with pytest.raises(StrataError, match="2 outputs") as told:
        bring(repo, pointer)
    assert "--out: a.csv, b.csv" in told.value.hint
    bring(repo, pointer, out="b.csv")
    assert repo.read("datasets/data/v1/data/b.csv") == B


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("outs:\n- md5: {md5}\n  path: ../../etc/passwd\n", "no plain relative path"),
        ("outs:\n- md5: {md5}\n  path: /etc/passwd\n", "no plain relative path"),
        ("outs:\n- md5: {md5}\n  path: link/a.csv\n", "is a link"),
        ("wdir: ../..\nouts:\n- md5: {md5}\n  path: a.csv\n", "no plain relative path"),
        ("outs: &a\n- md5: {md5}\n  path: *a\n", "anchors"),
        ("outs:\n- path: s3://bucket/key\n  etag: x\n", "has no md5"),
        ("outs: []\n", "names no output"),
        ("a: b: c\n", "not YAML"),
        ("outs:\n- md5: ../../../x\n  path: a.csv\n", "has no md5"),
    ],
)
def test_hostile_pointers(repo: RepositoryBuilder, theirs: Path, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.csv").write_bytes(A)
    (theirs / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StrataError, match=told):
        bring(repo, pointed(theirs, text.format(md5=md5(A))))
    assert not (repo.path / "datasets").exists()


def test_a_list_that_leads_out(repo: RepositoryBuilder, theirs: Path) -> None:
    listed = directory(theirs, {"../../x": A})
    with pytest.raises(StrataError, match="no plain relative path"):
        bring(repo, pointed(theirs, f"outs:\n- md5: {listed}\n  path: data\n"))
    place = theirs / ".dvc/cache/files/md5" / listed[:2] / listed[2:]
    place.write_bytes(b"[]")
    with pytest.raises(StrataError, match="md5 it is stored under"):
        bring(repo, pointed(theirs, f"outs:\n- md5: {listed}\n  path: data\n"))
