"""What git was told not to look at (`--assume-unchanged`, `--skip-worktree`, sparse checkouts) is looked at here."""

from __future__ import annotations

import pytest

from strata_git.repo.command import Repository
from strata_git.repo.worktree import WorkTree, unsettled_paths, unstaged_paths
from strata_git.runs.dirty import code_state
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

FLAGS = ("--assume-unchanged", "--skip-worktree")


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    made = builder().workspace()
    made.dataset("iris")
    made.commit("iris", {"code.py": "x = 1\n"})
    return made


def content(repo: Repository, path: str) -> bytes | None:
    tree = WorkTree(repo, [path])
    entry = tree.get(path)
    return None if entry is None else tree.read(entry)


@pytest.mark.parametrize("flag", FLAGS)
def test_a_change_is_seen(repo: RepositoryBuilder, flag: str) -> None:
    repo.git("update-index", flag, "code.py")
    assert unstaged_paths(repo.repository(), ["code.py"]) == []
    repo.write({"code.py": "x = 2\n"})
    assert repo.git("status", "--porcelain") == ""
    assert unstaged_paths(repo.repository(), ["code.py"]) == ["code.py"]
    assert content(repo.repository(), "code.py") == b"x = 2\n"


def test_a_file_taken_for_unchanged_and_gone(repo: RepositoryBuilder) -> None:
    repo.git("update-index", "--assume-unchanged", "code.py")
    repo.delete("code.py")
    assert unstaged_paths(repo.repository(), ["code.py"]) == ["code.py"]


def test_a_file_left_out_on_purpose_is_not_missed(repo: RepositoryBuilder) -> None:
    repo.git("update-index", "--skip-worktree", "code.py")
    repo.delete("code.py")
    assert unsettled_paths(repo.repository(), None) == set()
    assert content(repo.repository(), "code.py") == b"x = 1\n"


def test_nothing_is_missed_in_a_sparse_checkout(repo: RepositoryBuilder) -> None:
    for sparse in ("--no-sparse-index", "--sparse-index"):
        repo.git("sparse-checkout", "set", sparse, "elsewhere")
        assert unsettled_paths(repo.repository(), None) == set()


@pytest.mark.parametrize("flag", FLAGS)
def test_the_doctor_tells(repo: RepositoryBuilder, flag: str) -> None:
    path = "datasets/iris/v1/train.csv"
    repo.git("update-index", flag, path)
    repo.strata("doctor").expect(0)
    repo.write({path: "tampered\n"})
    answer = repo.strata("doctor").expect(2)
    assert "STR-C005" in answer.out
    assert path in answer.out


def test_a_run_from_hidden_changes_is_not_clean(repo: RepositoryBuilder) -> None:
    repo.git("update-index", "--assume-unchanged", "code.py")
    assert not code_state(repo.repository()).dirty
    repo.write({"code.py": "x = 2\n"})
    assert code_state(repo.repository()).dirty
