"""Repositories that attack whoever only looks at them, and trees that are not what they seem."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.kinds import Place, strata
from tests.flows.releasing import unchecked
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.canary import plant
from tests.support.fixtures import Builder
from tests.support.keys import Keys

DATA = "datasets/old/v1/data/iris.csv"
LOOKS = (
    "doctor", "doctor --staged", "doctor --at HEAD", "doctor --range HEAD~1..HEAD", "doctor --deep", "verify",
    "verify --all --deep", "status", "stages", "history forest", "index", "list datasets", "show old@v1",
    "lineage old@v1", "hooks status", "trust show", "trust log", "approve --list", "plugins",
    "checksum --print datasets/old/v1",
)  # fmt: skip


def test_no_command_that_looks_runs_what_the_repository_names(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every setting, attribute, hook and variable by which git runs a program names one that leaves a mark."""
    place.repo.write({DATA: place.repo.read(DATA).replace(b"5.1", b"6.1")})
    (tmp_path / "aside").mkdir()
    canary = plant(place.repo, tmp_path / "aside")
    place.repo.try_git("status")
    assert canary.hit.exists(), "plain git runs it"
    canary.hit.unlink()
    for name, value in canary.environ.items():
        monkeypatch.setenv(name, value)
    for words in LOOKS:
        assert strata(place.repo, *words.split()).code in (0, 1, 2, 3), words
        canary.assert_silent()


def test_references_that_look_like_options(place: Place) -> None:
    """They change no answer, and no file appears that they name."""
    repo = place.repo
    before = {words: strata(repo, *words.split()) for words in LOOKS[::2]}
    files = sorted(path.name for path in repo.path.iterdir())
    for name in ("refs/heads/--output=owned", "refs/heads/-x", "refs/tags/--all", "refs/tags/--exec=owned"):
        repo.git("update-ref", name, "HEAD")
    for words, answer in before.items():
        after = strata(repo, *words.split())
        assert (after.code, after.out) == (answer.code, answer.out), words
    for spelt in ("doctor --at --output=owned", "doctor --range -x..--all", "verify --at -x"):
        assert strata(repo, *spelt.split()).code in (0, 1, 2, 3, 64), spelt
    assert sorted(path.name for path in repo.path.iterdir()) == files


def test_bad_in_the_index_and_good_on_the_disk(place: Place) -> None:
    """What is judged is what would be committed."""
    good = place.repo.read(DATA)
    place.repo.write({DATA: good.replace(b"5.1", b"6.1")})
    place.repo.git("add", DATA)
    place.repo.write({DATA: good})
    head = place.repo.head
    answer = place.repo.try_git("commit", "-qm", "Try")
    assert answer.code == 1
    assert f"{DATA}: error STR-I001" in answer.clean().err
    assert place.repo.head == head


@pytest.mark.parametrize(
    "where", ["datasets", pytest.param("datasets/iris", marks=pytest.mark.heavy), "datasets/iris/v1"]
)
def test_a_directory_that_is_a_link(place: Place, tmp_path: Path, where: str) -> None:
    """It leads to files outside that are in perfect order; nobody goes there."""
    outside = tmp_path / "outside"
    for path, data in artifacts.dataset("iris").items():
        target = outside / path.removeprefix("datasets/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    if where == "datasets":
        place.repo.git("rm", "-rqf", "datasets")
    place.repo.symlink({where: str(outside / where.removeprefix("datasets").removeprefix("/"))})
    answer = strata(place.repo, "doctor").expect(2)
    rule = "STR-L020" if where == "datasets" else "STR-L010"
    assert f"{where}: error {rule}" in answer.out
    assert "iris@v1" not in strata(place.repo, "list", "datasets").out
    unchecked(place.repo)
    pushed = place.repo.try_git("push", "-q", "--no-verify", "origin", "HEAD:main")
    assert pushed.code != 0
    assert rule in pushed.clean().err


def test_more_signatures_than_anybody_reads(builder: Builder, keys: Keys) -> None:
    """A file of two mebibytes with a good signature in front is none, at every door."""
    repo = builder().workspace()
    repo.dataset()
    place = "datasets/iris/v1/SIGNATURE.asc"
    good = keys.sign(repo.read("datasets/iris/v1/CHECKSUMS.txt"), "alice")
    repo.write({place: good + b"\n" * (2 << 20)})
    repo.commit("Signed")
    for words in (("doctor",), ("doctor", "--at", "HEAD"), ("verify",), ("verify", "iris@v1", "--at", "HEAD")):
        assert f"{place}: error STR-S001" in strata(repo, *words).expect(2).out


def test_a_damaged_large_file(lfs: RepositoryBuilder, keys: Keys) -> None:
    """Git LFS checks a damaged object out and ends with 0, when its size is what it was."""
    lfs.story()
    lfs.commit("Story")
    for path in (lfs.path / ".git/lfs/objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"XXX" + path.read_bytes()[3:])
    place = "models/forest/v1/model.skops"
    (lfs.path / place).unlink()
    assert lfs.try_git("checkout", "--", place).code == 0
    assert f"{place}: error STR-C005" in strata(lfs, "doctor", "models").expect(2).out
    assert f"{place}: error STR-C005" in strata(lfs, "verify", "forest@v1", "--at", "HEAD", "--deep").expect(2).out
    before = lfs.git("for-each-ref")
    answer = strata(lfs, "promote", "forest@v1", "--key", keys.alice).expect(2)
    assert "STR-P014" in answer.err
    assert lfs.git("for-each-ref") == before
