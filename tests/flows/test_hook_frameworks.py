"""The same refusals when pre-commit or prek call the hooks: what their file filters cannot see, we see.

Both pass over deletions and links when they look for files to check, and put unstaged edits aside.
"""

from __future__ import annotations

import pytest

from tests.flows.releasing import PLACE, TAMPERINGS, unchecked
from tests.flows.test_sealing import RUNNERS
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


@pytest.fixture(params=[pytest.param("pre-commit", marks=pytest.mark.heavy), "prek"])
def repo(builder: Builder, request: pytest.FixtureRequest) -> RepositoryBuilder:
    """iris@v1 is released two commits ago; a framework owns the hooks."""
    made = builder().workspace()
    made.dataset("iris")
    RUNNERS[request.param](made)
    made.commit("Release iris@v1")
    made.commit("Something else", {"notes.txt": "x\n"})
    return made


@pytest.mark.parametrize("way", ["one file less", "link in a file's place"])
def test_tampering_is_refused(repo: RepositoryBuilder, way: str) -> None:
    head = repo.head
    tampering = TAMPERINGS[way]
    tampering.apply(repo)
    repo.git("add", "--all")
    answer = repo.try_git("commit", "-qm", "tamper")
    said = answer.out + answer.err
    assert answer.code != 0
    assert tampering.rule in said
    assert tampering.path in said
    assert repo.head == head


def test_a_link_is_not_retargeted(repo: RepositoryBuilder) -> None:
    repo.symlink({"datasets/linked/v1/a.csv": "../../iris/v1/train.csv"})
    unchecked(repo, "A link slipped in")
    repo.commit("Later", {"notes.txt": "y\n"})
    repo.delete("datasets/linked/v1/a.csv").symlink({"datasets/linked/v1/a.csv": "/etc/passwd"})
    repo.git("add", "--all")
    answer = repo.try_git("commit", "-qm", "retarget")
    assert answer.code != 0
    assert "STR-I001" in answer.out + answer.err


def test_an_edit_that_is_not_staged_is_not_judged_and_not_lost(repo: RepositoryBuilder) -> None:
    repo.write({f"{PLACE}/train.csv": "edited\n", "notes.txt": "staged\n"})
    repo.git("add", "notes.txt")
    repo.git("commit", "-qm", "notes")
    assert repo.git("status", "--porcelain") == f" M {PLACE}/train.csv"
    assert repo.read(f"{PLACE}/train.csv") == b"edited\n"


def test_half_staged_is_judged_by_the_staged_half(repo: RepositoryBuilder) -> None:
    """Tampered in the index, put right on the disk."""
    good = repo.read(f"{PLACE}/train.csv")
    repo.write({f"{PLACE}/train.csv": "tampered\n"})
    repo.git("add", "--all")
    repo.write({f"{PLACE}/train.csv": good})
    answer = repo.try_git("commit", "-qm", "half")
    assert answer.code != 0
    assert "STR-I001" in answer.out + answer.err
    assert repo.read(f"{PLACE}/train.csv") == good


def test_our_installer_names_the_owner_and_leaves_it(repo: RepositoryBuilder) -> None:
    before = (repo.path / ".git/hooks/pre-commit").read_bytes()
    answer = repo.strata("install").expect(0)
    assert "pre-commit: is called by" in answer.out
    assert (repo.path / ".git/hooks/pre-commit").read_bytes() == before
    assert "pre-push: installed" in answer.out
