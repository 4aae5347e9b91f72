"""Looking at a repository runs no program that the repository, or a stray variable, names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strata_git.repo.command import Repository
from strata_git.repo.environment import acting_environment, reading_environment
from strata_git.repo.refs import list_refs
from strata_git.repo.tree import commit_tree, index_tree
from strata_git.repo.worktree import WorkTree, unstaged_paths
from tests.support.builder import RepositoryBuilder
from tests.support.canary import Canary, plant
from tests.support.fixtures import Builder

Hostile = tuple[RepositoryBuilder, Canary]


@pytest.fixture
def hostile(builder: Builder, tmp_path: Path) -> Hostile:
    """Two commits, one staged change, one change in the working tree; every file is as young as the index."""
    repo = builder().workspace()
    repo.dataset()
    repo.commit("iris")
    repo.dataset("iris", "v2")
    repo.commit("iris v2")
    repo.write({"datasets/iris/v3/metadata.yaml": b"x: 1\n"})
    repo.git("add", "--all")
    repo.write({"datasets/iris/v3/data.csv": b"untracked\n"})
    canary = plant(repo, tmp_path)
    newest = max(path.stat().st_mtime for path in repo.path.rglob("*"))
    for path in [p for p in repo.path.rglob("*") if p.is_file() and ".git" not in p.parts]:
        os.utime(path, (newest + 60, newest + 60))
    quiet = ("filter.evil.clean=", "filter.evil.process=", "filter.evil.required=false", "core.fsmonitor=false")
    settings = [word for setting in (*quiet, "core.hooksPath=/dev/null") for word in ("-c", setting)]
    repo.git(*settings, "update-index", "-q", "--really-refresh")
    os.utime(repo.path / ".git/index", (newest + 60, newest + 60))
    canary.hit.unlink(missing_ok=True)
    return repo, canary


def test_the_canary_sings_for_plain_git(hostile: Hostile) -> None:
    """The fixture is no sham: git itself runs it at a look."""
    repo, canary = hostile
    repo.try_git("status")
    assert canary.hit.exists()


def test_the_filter_sings_for_a_plain_comparison(hostile: Hostile) -> None:
    """Files as young as the index are compared by content, and that takes the clean filter."""
    repo, canary = hostile
    repo.try_git("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "diff-files", "--raw")
    assert canary.hit.exists()


def test_trees_run_nothing(hostile: Hostile) -> None:
    repo, canary = hostile
    ours = Repository.discover(repo.path, repo.environ | canary.environ)
    for tree in (WorkTree(ours), index_tree(ours), commit_tree(ours, repo.head)):
        for entry in tree.under(""):
            tree.content(entry)
            tree.read(entry)
    assert unstaged_paths(ours, ["datasets/iris/v3"]) == ["datasets/iris/v3/data.csv"]
    assert unstaged_paths(ours, ["datasets/iris/v1"]) == []
    assert list_refs(ours)
    ours.write_object("blob", b"new")
    ours.close()
    canary.assert_silent()


@pytest.mark.parametrize("words", ["", "--staged", "--at HEAD", "--range HEAD~1..HEAD", "datasets"])
def test_the_doctor_runs_nothing(hostile: Hostile, words: str) -> None:
    repo, canary = hostile
    answer = repo.strata("doctor", *words.split(), env=canary.environ)
    assert answer.code in {0, 1, 2}, str(answer)
    canary.assert_silent()


def test_reading_takes_little_from_outside() -> None:
    given = {"PATH": "/bin", "HOME": "/h", "GIT_DIR": "/evil", "GIT_PAGER": "x", "LD_PRELOAD": "x"}
    kept = reading_environment(given, in_hook=False)
    assert kept["PATH"] == "/bin"
    assert kept["GIT_CONFIG_GLOBAL"] == os.devnull
    assert kept.keys().isdisjoint({"HOME", "GIT_DIR", "GIT_PAGER", "LD_PRELOAD"})
    assert reading_environment(given, in_hook=True)["GIT_DIR"] == "/evil"


def test_acting_keeps_the_user_and_drops_the_rest_of_git() -> None:
    given = {"HOME": "/h", "GIT_DIR": "/evil", "GIT_CONFIG_COUNT": "1", "GIT_AUTHOR_NAME": "Ada"}
    kept = acting_environment(given, in_hook=False)
    assert (kept["HOME"], kept["GIT_AUTHOR_NAME"]) == ("/h", "Ada")
    assert kept.keys().isdisjoint({"GIT_DIR", "GIT_CONFIG_COUNT"})
