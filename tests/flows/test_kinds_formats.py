"""The same day's work where ids are longer, references are kept otherwise, or nothing was committed yet."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.kinds import DATA, READS, Place, add, made, read, strata, work
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.newer_git import newer_git, with_git
from tests.support.process import Completed, run

pytestmark = pytest.mark.heavy

__all__ = ["newer_git"]


def test_sha256(tmp_path: Path, hermetic: dict[str, str]) -> None:
    place = made(tmp_path, hermetic, "--object-format=sha256")
    work(place)
    place.repo.git("push", "-q", "origin", ":refs/heads/work")
    assert "work" not in place.server.git("for-each-ref")


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_reftables(
    tmp_path: Path, hermetic: dict[str, str], monkeypatch: pytest.MonkeyPatch, newer_git: Path, object_format: str
) -> None:
    """References live in one table; no file is called after a branch."""
    monkeypatch.setenv("PATH", os.pathsep.join((str(newer_git), hermetic["PATH"])))
    environ = hermetic | {"PATH": os.environ["PATH"]}
    place = made(tmp_path, environ, "--ref-format=reftable", f"--object-format={object_format}")
    assert (place.repo.path / ".git/reftable/tables.list").exists()
    side = place.repo.worktree("side")
    work(place)
    place.repo.git("push", "-q", "origin", ":refs/heads/work")
    work(Place(side, place.server), branch="side")


def test_a_newer_git(place: Place, monkeypatch: pytest.MonkeyPatch, newer_git: Path) -> None:
    """What one git made the other goes on with."""
    monkeypatch.setenv("PATH", os.pathsep.join((str(newer_git), os.environ["PATH"])))
    work(Place(with_git(place.repo, newer_git), with_git(place.server, newer_git)))


# --- repositories without a working tree, without a commit, without permission


def test_bare(place: Place) -> None:
    """All that reads works; what writes says why not."""
    add(place.repo, "iris")
    place.repo.git("push", "-q", "origin", "main")
    read(place.server)
    strata(place.server, "doctor", "--strict").expect(0)
    answers = [
        strata(place.server, "dataset", "add", str(place.repo.path.parent / "iris.csv"), "--name", "x"),
        strata(place.server, "checksum"),
        strata(place.server, "doctor", "--staged"),
        strata(place.server, "sign", "datasets/iris/v1"),
    ]
    for answer in answers:
        assert (answer.code, "is a bare repository" in answer.err) == (3, True), str(answer)


def test_a_mirror(place: Place) -> None:
    mirror = place.cloned("mirror.git", "--mirror", "--bare").repo
    strata(mirror, "doctor", "--strict").expect(0)
    strata(mirror, "verify").expect(0)


def test_nothing_committed_yet(builder: Builder) -> None:
    repo = builder("empty")
    repo.strata("init", "--no-lfs").expect(0)
    strata(repo, "doctor", "--strict").expect(0)
    strata(repo, "status").expect(0)
    strata(repo, "stages").expect(0)
    for words in (("doctor", "--at", "HEAD"), ("doctor", "--range", "HEAD~1..HEAD"), ("lineage", "iris@v1")):
        answer = strata(repo, *words).expect(3)
        assert answer.err.count("\n") <= 2, str(answer)
    repo.git("add", "--all")
    strata(repo, "doctor", "--staged", "--strict").expect(0)
    repo.git("commit", "-qm", "First")
    strata(repo, "doctor", "--strict", "--at", "HEAD").expect(0)


def test_an_unborn_branch_beside_history(place: Place) -> None:
    """`checkout --orphan`: the next commit has no parent, though the repository has commits."""
    place.repo.git("checkout", "-q", "--orphan", "fresh")
    strata(place.repo, "doctor", "--strict").expect(0)
    place.repo.git("commit", "-qm", "Anew")
    strata(place.repo, "doctor", "--strict").expect(0)


@pytest.fixture
def sealed_off(place: Place) -> Iterator[Place]:
    """Nobody may write into the repository. (Whoever owns every file may all the same: see `as_anybody`.)"""
    add(place.repo, "iris")
    everything = [place.repo.path, *place.repo.path.rglob("*")]
    modes = {path: path.lstat().st_mode for path in everything if not path.is_symlink()}
    for path, mode in modes.items():
        path.chmod(stat.S_IMODE(mode) & ~0o222 | 0o444)
    yield place
    for path, mode in modes.items():
        path.chmod(stat.S_IMODE(mode))


def as_anybody(repo: RepositoryBuilder, *words: str) -> Completed:
    """`git strata <words>` without the right to write everywhere that a superuser has."""
    if os.geteuid() != 0:
        return repo.strata(*words)
    without = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--")
    return run(*without, sys.executable, "-m", "strata_git", *words, cwd=repo.path, environ=repo.environ).clean()


def test_a_repository_that_may_only_be_read(sealed_off: Place) -> None:
    """Reading needs no place to write to: nothing is remembered, nothing is complained of."""
    for words in (*READS, ("doctor", "--strict"), ("status",), ("hooks", "status")):
        as_anybody(sealed_off.repo, *words).expect(0)


def test_writing_where_one_may_not(sealed_off: Place) -> None:
    source = str(sealed_off.repo.path.parent / "iris.csv")
    answer = as_anybody(sealed_off.repo, "dataset", "add", source, "--name", "more").expect(3)
    assert "ermission" in answer.err or "may not" in answer.err, str(answer)


def test_a_repository_of_somebody_else(place: Place, tmp_path: Path) -> None:
    """Refused in one sentence with the command that trusts it; after that everything works."""
    add(place.repo, "iris")
    real = next(found for one in place.repo.environ["PATH"].split(":") if (found := Path(one, "git")).exists())
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {real} "$@"\n')
    program.chmod(0o755)
    environ = place.repo.environ | {"PATH": f"{program.parent}:{place.repo.environ['PATH']}"}
    theirs = RepositoryBuilder(place.repo.path, environ, place.repo.clock)
    for words in READS:
        said = theirs.strata(*words).expect(3).err
        assert "it belongs to another user" in said
        assert f"git config --global --add safe.directory {place.repo.path}" in said
    for path in (place.repo.path, place.server.path):
        place.repo.git("config", "--global", "--add", "safe.directory", str(path))
    for words in (*READS[:2], ("doctor", "--strict")):
        theirs.strata(*words).expect(0)
    assert theirs.try_git("push", "-q", "origin", "HEAD:refs/heads/work").code == 0
    assert DATA in place.server.git("ls-tree", "-r", "--name-only", "work")
