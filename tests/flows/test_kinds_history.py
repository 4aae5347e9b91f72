"""Repositories that have not all of their history, or show another one: what is judged is real, the rest is named."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.flows.kinds import READS, Place, add, strata
from tests.flows.releasing import unchecked
from tests.support.builder import RepositoryBuilder

pytestmark = pytest.mark.heavy

OLD = tuple(tuple(word.replace("iris@v1", "old@v1") for word in words) for words in READS)
QUICK = 10.0
"""Seconds in which a command answers, whatever it lacks."""


@pytest.fixture
def filtered(place: Place) -> Place:
    """A server that lets partial clones be made, with some history."""
    place.repo.commit("Notes", {"notes.txt": "one\n"})
    place.repo.commit("More notes", {"notes.txt": "two\n"})
    place.repo.git("push", "-q", "origin", "main")
    place.server.git("config", "uploadpack.allowFilter", "true")
    return place


def counting(repo: RepositoryBuilder) -> Path:
    """A file with a line for each time that something is fetched from origin from now on."""
    log = repo.path.with_name("fetches")
    program = repo.path.with_name("counted-upload-pack")
    program.write_text(f'#!/bin/sh\necho fetch >>"{log}"\nexec git upload-pack "$@"\n')
    program.chmod(0o755)
    repo.git("config", "remote.origin.uploadpack", str(program))
    log.touch()
    return log


def looked_at(repo: RepositoryBuilder, *more: tuple[str, ...]) -> dict[str, tuple[int, str]]:
    """What every read command answers, each in good time: exit code and text."""
    answers = {}
    for words in (*OLD, ("doctor", "--strict"), ("verify",), ("status",), *more):
        begun = time.monotonic()
        answer = strata(repo, *words)
        assert time.monotonic() - begun < QUICK, words
        assert answer.code in (0, 2, 3), str(answer)
        answers[" ".join(words)] = answer.code, answer.out + answer.err
    return answers


# --- partial clones


@pytest.mark.parametrize("reachable", [True, False], ids=["online", "offline"])
def test_without_old_contents(filtered: Place, reachable: bool) -> None:
    """What is checked out is here; nothing else is asked for, so nothing is fetched."""
    place = filtered.cloned("partial", "--filter=blob:none")
    fetches = counting(place.repo)
    if not reachable:
        place.server.path.rename(place.server.path.with_name("gone"))
    answers = looked_at(place.repo, ("doctor", "--strict", "--range", "HEAD~2..HEAD"))
    assert {code for code, _ in answers.values()} == {0}
    add(place.repo, "iris")
    strata(place.repo, "doctor", "--strict", "--range", "HEAD~1..HEAD").expect(0)
    if reachable:
        place.repo.git("push", "-q", "origin", "HEAD:refs/heads/work")
    assert fetches.read_text() == ""


@pytest.mark.parametrize("reachable", [True, False], ids=["online", "offline"])
def test_without_old_directories(filtered: Place, reachable: bool) -> None:
    """What needs history says that it is not here and how to fetch it; what needs none goes on."""
    place = filtered.cloned("treeless", "--filter=tree:0")
    fetches = counting(place.repo)
    if not reachable:
        place.server.path.rename(place.server.path.with_name("gone"))
    answers = looked_at(place.repo, ("doctor", "--range", "HEAD~2..HEAD"), ("doctor", "--at", "HEAD~3"))
    lacking = {words for words, (code, said) in answers.items() if code == 3 and "partial clone" in said}
    fine = {words for words, (code, _) in answers.items() if code == 0}
    assert lacking | fine == answers.keys()
    assert {"doctor --strict", "doctor --strict --at HEAD", "stages", "status", "verify"} <= fine
    assert {"index", "lineage old@v1", "doctor --range HEAD~2..HEAD", "doctor --at HEAD~3"} <= lacking
    assert fetches.read_text() == ""


def test_the_command_named_fetches_what_is_missing(filtered: Place) -> None:
    place = filtered.cloned("treeless", "--filter=tree:0")
    hint = strata(place.repo, "index").expect(3).err.splitlines()[1]
    command = hint.partition("Fetch it: git ")[2].partition(",")[0]
    place.repo.git(*command.split())
    assert {code for code, _ in looked_at(place.repo).values()} == {0}


def test_a_refused_change_in_a_treeless_clone(filtered: Place) -> None:
    """Whether the file was released otherwise, only history tells; without it nothing passes."""
    place = filtered.cloned("treeless", "--filter=tree:0")
    place.repo.write({"datasets/old/v1/data/iris.csv": "tampered\n"})
    place.repo.git("add", "--all")
    answer = place.repo.try_git("commit", "-qm", "Tamper")
    assert answer.code != 0
    assert "partial clone" in answer.clean().err


# --- shallow clones


def test_shallow(place: Place) -> None:
    """HEAD itself is judged; where older commits would be needed that is said, and --strict is not content."""
    place.repo.commit("Notes", {"notes.txt": "one\n"})
    place.repo.git("push", "-q", "origin", "main")
    clone = place.cloned("shallow", "--depth=1")
    answers = looked_at(clone.repo)
    assert answers["doctor --strict --at HEAD"][0] == 0
    assert "shallow" in answers["lineage old@v1"][1]
    base = clone.repo.head
    add(clone.repo, "iris")
    answer = strata(clone.repo, "doctor", "--range", f"{base}..HEAD").expect(0)
    assert "not judged: history before the shallow boundary (git fetch --unshallow)" in answer.err
    assert "nothing is wrong in what was judged" in answer.err
    strata(clone.repo, "doctor", "--strict", "--range", f"{base}..HEAD").expect(2)
    clone.repo.git("push", "-q", "origin", "HEAD:refs/heads/work")
    clone.repo.git("fetch", "-q", "--unshallow")
    strata(clone.repo, "doctor", "--strict", "--range", f"{base}..HEAD").expect(0)


def test_a_shallow_clone_still_guards_what_it_has(place: Place) -> None:
    clone = place.cloned("shallow", "--depth=1")
    clone.repo.write({"datasets/old/v1/data/iris.csv": "tampered\n"})
    clone.repo.git("add", "--all")
    assert "STR-I001" in clone.repo.try_git("commit", "-qm", "Tamper").expect(1).err


# --- another history than the real one


@pytest.fixture
def reused(place: Place) -> Place:
    """old@v1 was removed, and its name now stands for other content."""
    repo = place.repo
    repo.git("rm", "-rq", "datasets/old")
    repo.git("commit", "-qm", "Remove old@v1")
    source = repo.path.with_name("other.csv")
    source.write_text("sepal,species\n9.9,virginica\n")
    repo.git("config", "core.hooksPath", "/dev/null")
    repo.strata("dataset", "add", str(source), "--name", "iris").expect(0)
    (repo.path / "datasets/iris").rename(repo.path / "datasets/old")
    metadata = repo.read("datasets/old/v1/metadata.yaml").replace(b"name: iris", b"name: old")
    repo.write({"datasets/old/v1/metadata.yaml": metadata})
    repo.strata("checksum", "datasets/old/v1").expect(0)
    unchecked(repo, "Reuse the name")
    return place


def told(repo: RepositoryBuilder) -> bool:
    return "STR-I006" in strata(repo, "doctor", "--range", "HEAD~1..HEAD").out


def test_a_reused_name_is_told(reused: Place) -> None:
    assert told(reused.repo)


def test_replaced_objects_hide_nothing(reused: Place) -> None:
    """`git replace` lets git's own commands believe in a history without the release."""
    repo = reused.repo
    repo.git("replace", "HEAD~1", repo.git("commit-tree", "-m", "Not so", "HEAD~1^{tree}"))
    assert repo.git("rev-list", "--count", "HEAD") == "2"
    assert told(repo)


def test_grafts_hide_nothing(reused: Place) -> None:
    repo = reused.repo
    (repo.path / ".git/info/grafts").write_text(repo.git("rev-parse", "HEAD~1") + "\n")
    assert repo.git("rev-list", "--count", "HEAD") == "2"
    assert told(repo)
