"""`checksum`: what it repairs, what it refuses, and the lines it prints."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from strata_git.authoring.checksum import seal_directory
from strata_git.contracts.layout import Artifact
from strata_git.errors import StrataError
from strata_git.load import load_yaml
from strata_git.repo.command import Repository
from strata_git.repo.lfs import format_pointer
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.environment import unmeasured
from tests.support.fixtures import Builder
from tests.support.keys import Keys

IRIS = Artifact("dataset", "iris", "v1")


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    return builder().workspace()


def opened(repo: RepositoryBuilder) -> Repository:
    return Repository.discover(repo.path, repo.environ)


def test_a_true_directory_is_left_alone(repo: RepositoryBuilder) -> None:
    repo.dataset()
    before = {path: path.read_bytes() for path in repo.path.glob("datasets/**/*") if path.is_file()}
    assert seal_directory(opened(repo), IRIS).changed == ()
    assert {path: path.read_bytes() for path in repo.path.glob("datasets/**/*") if path.is_file()} == before


def test_changed_data_are_counted_and_hashed_again_and_comments_stay(repo: RepositoryBuilder) -> None:
    repo.dataset()
    path = "datasets/iris/v1/metadata.yaml"
    repo.write({path: b"# by hand\n" + repo.read(path).replace(b"    rows: 2\n", b"    rows: 2  # flowers\n")})
    repo.write({"datasets/iris/v1/train.csv": artifacts.TRAIN + b"1,2,x\n"})
    assert seal_directory(opened(repo), IRIS).changed == ("metadata.yaml", "CHECKSUMS.txt")
    text = repo.read(path)
    assert text.startswith(b"# by hand\n")
    assert b"    rows: 3  # flowers\n" in text
    repo.strata("doctor", "--strict").expect(0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: b"\n".join(line for line in text.split(b"\n") if not line.startswith(b"content_hash")),
        lambda text: text.replace(b"content_hash: sha256:", b"content_hash: sha256:0 #"),
        lambda text: text.replace(b"    files: 1\n", b""),
        lambda text: text.replace(b"    files: 1\n", b"    files: 100\n"),
    ],
)
def test_metadata_is_mended(repo: RepositoryBuilder, spoil: object) -> None:
    repo.dataset()
    path = "datasets/iris/v1/metadata.yaml"
    true = load_yaml(repo.read(path)).value
    assert callable(spoil)
    repo.write({path: spoil(repo.read(path))})
    seal_directory(opened(repo), IRIS)
    assert load_yaml(repo.read(path)).value == true


def test_every_unreleased_kind_is_sealed_and_released_ones_are_refused(repo: RepositoryBuilder) -> None:
    repo.dataset("old")
    repo.commit()
    repo.dataset(seal=False)
    repo.run(seal=False)
    repo.prompt(seal=False)
    done = repo.strata("checksum", "--format", "json").expect(0).json()["artifacts"]
    assert isinstance(done, list)
    assert [row["ref"] for row in done] == ["datasets/iris@v1", "prompts/summarise@v1", artifacts.RUN]
    assert all(row["changed"] == ["CHECKSUMS.txt"] for row in done)
    for row in done:
        where = repo.path / row["path"]
        subprocess.run(["sha256sum", "--strict", "--quiet", "-c", "CHECKSUMS.txt"], cwd=where, check=True)
    repo.write({"datasets/old/v1/train.csv": "changed"})
    before = repo.read("datasets/old/v1/CHECKSUMS.txt")
    refused = repo.strata("checksum", "datasets/old/v1").expect(3)
    assert "is released" in refused.err
    assert repo.read("datasets/old/v1/CHECKSUMS.txt") == before


def test_a_pointer_left_by_git_lfs_counts_as_its_file(repo: RepositoryBuilder) -> None:
    repo.dataset()
    listed = repo.read("datasets/iris/v1/CHECKSUMS.txt")
    sha256 = next(line.split()[0] for line in listed.decode().splitlines() if line.endswith("train.csv"))
    repo.write({"datasets/iris/v1/train.csv": format_pointer(sha256, len(artifacts.TRAIN))})
    sealed = seal_directory(opened(repo), IRIS)
    assert repo.read("datasets/iris/v1/CHECKSUMS.txt") == listed
    assert sealed.changed == () or sealed.changed == ("metadata.yaml",)


def test_a_signed_list_is_not_touched(repo: RepositoryBuilder, keys: Keys) -> None:
    repo.dataset()
    signature = keys.sign(repo.read("datasets/iris/v1/CHECKSUMS.txt"), "alice")
    repo.write({"datasets/iris/v1/SIGNATURE.asc": signature, "datasets/iris/v1/train.csv": "x"})
    with pytest.raises(StrataError, match="is signed") as error:
        seal_directory(opened(repo), IRIS)
    assert "git strata sign datasets/iris/v1" in error.value.hint


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ({"datasets/iris/v1/metadata.yaml": None}, "has no metadata.yaml"),
        ({"datasets/iris/v1/metadata.yaml": "a: [\n"}, "metadata.yaml:"),
        ({"datasets/iris/v1/metadata.yaml": "- a\n"}, "not a mapping"),
        ({"datasets/iris/v1/con.csv": "x"}, "reserved"),
    ],
)
def test_what_cannot_be_sealed(repo: RepositoryBuilder, spoil: dict[str, str | None], told: str) -> None:
    repo.dataset()
    repo.write(spoil)
    before = repo.read("datasets/iris/v1/CHECKSUMS.txt")
    with pytest.raises(StrataError, match=told):
        seal_directory(opened(repo), IRIS)
    assert repo.read("datasets/iris/v1/CHECKSUMS.txt") == before


def test_links_are_refused(repo: RepositoryBuilder) -> None:
    repo.dataset()
    repo.symlink({"datasets/iris/v1/odd": "/etc/passwd"})
    with pytest.raises(StrataError, match="symbolic link"):
        seal_directory(opened(repo), IRIS)


def test_printed_lines_are_sha256sums_own(hermetic: dict[str, str], tmp_path: Path) -> None:
    outside = RepositoryBuilder(tmp_path, hermetic)
    names = ["a", "d/b c", "d/-", "d/back\\slash", "d/new\nline", "é", os.fsdecode(b"\xff")]
    outside.write({f"x/{name}": f"{name!r}" for name in names})
    outside.symlink({"x/link": "a"})
    done = outside.strata("checksum", "--print", "x").expect(0)
    expected = subprocess.run(
        "find x -type f -print0 | xargs -0 sha256sum", shell=True, cwd=tmp_path, capture_output=True, check=True
    )
    assert sorted(done.out.splitlines()) == sorted(os.fsdecode(expected.stdout).splitlines())
    assert "left out 1 links" in done.err
    checked = subprocess.run(["sha256sum", "-c", "--quiet"], cwd=tmp_path, input=os.fsencode(done.out), check=False)
    assert checked.returncode == 0
    assert outside.strata("checksum", "--print", cwd="x/d").out.count("\n") == 4
    assert outside.strata("checksum", "--print", "x/a").out.endswith("  x/a\n")
    outside.strata("checksum", "--print", "nosuch").expect(3)


def test_printing_loads_nothing_heavy(hermetic: dict[str, str], tmp_path: Path) -> None:
    import sys

    code = (
        "import sys\nfrom strata_git.cli.main import main\nmain(['checksum', '--print', '.'])\n"
        "print(sorted({'yaml', 'pydantic', 'rich', 'subprocess', 'sqlite3', 'gnupg'} & set(sys.modules)))"
    )
    (tmp_path / "a").write_bytes(b"x")
    command, environ = [sys.executable, "-c", code], unmeasured(hermetic)
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
