"""Finding the repository, and a sentence for every way in which that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.repo.command import Repository
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


def test_from_below(builder: Builder) -> None:
    repo = builder().write({"a/b/c": "c"})
    found = Repository.discover(repo.path / "a/b", repo.environ)
    assert (found.worktree, found.git_dir) == (repo.path, repo.path / ".git")
    assert found.common_dir == repo.path / ".git"
    assert found.directory == repo.path


def test_nothing_there(tmp_path: Path, hermetic: dict[str, str]) -> None:
    with pytest.raises(StrataError, match="is not in a git repository") as told:
        Repository.discover(tmp_path, hermetic)
    assert "git strata init" in told.value.hint


def test_no_git(builder: Builder, tmp_path: Path) -> None:
    repo = builder()
    with pytest.raises(StrataError, match=r"git was not found\.") as told:
        Repository.discover(repo.path, {"PATH": str(tmp_path)})
    assert "put it on PATH" in told.value.hint


def test_bare(builder: Builder) -> None:
    repo = builder(bare=True).repository()
    assert (repo.worktree, repo.directory) == (None, repo.git_dir)
    with pytest.raises(StrataError, match="is a bare repository"):
        repo.require_worktree()


def test_a_linked_worktree_shares_the_cache(builder: Builder) -> None:
    repo = builder()
    repo.commit()
    linked = repo.worktree("side").repository()
    assert linked.git_dir != linked.common_dir
    assert linked.cache_dir == repo.repository().cache_dir


@pytest.fixture
def foreign(builder: Builder, tmp_path: Path) -> RepositoryBuilder:
    """A repository that git takes for somebody else's (its own test switch, which our allow list would drop)."""
    repo = builder()
    repo.commit("One", {"a": "a"})
    (real,) = [path for folder in repo.environ["PATH"].split(":") if (path := Path(folder, "git")).exists()][:1]
    program = tmp_path / "bin/git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {real} "$@"\n')
    program.chmod(0o755)
    return RepositoryBuilder(repo.path, repo.environ | {"PATH": f"{program.parent}:{repo.environ['PATH']}"}, repo.clock)


def test_a_foreign_owner(foreign: RepositoryBuilder) -> None:
    with pytest.raises(StrataError, match=r"git does not trust .*: it belongs to another user") as told:
        foreign.repository()
    assert told.value.hint == f"If you trust it: git config --global --add safe.directory {foreign.path}"
    foreign.strata("doctor").expect(3)


def test_a_foreign_owner_whom_the_user_trusts(foreign: RepositoryBuilder) -> None:
    config = Path(foreign.environ["GIT_CONFIG_GLOBAL"])
    config.write_text(config.read_text() + f"[safe]\n\tdirectory = /elsewhere\n\tdirectory = {foreign.path}\n")
    opened = foreign.repository()
    assert opened.objects.read(opened.head() or "")[0] == "commit"
    foreign.strata("doctor").expect(0, 1)


def test_a_line_break_in_the_place_is_told(tmp_path: Path, hermetic: dict[str, str]) -> None:
    """git's answer cannot be told apart then; another directory must not be judged instead."""
    from tests.support.builder import create

    (tmp_path / "a").mkdir()
    repo = create(tmp_path / "a\nb", hermetic)
    with pytest.raises(StrataError, match="line break"):
        repo.repository()


def test_the_users_settings_and_their_own(builder: Builder) -> None:
    repo = builder()
    repo.git("config", "user.signingkey", "REPOSITORY")
    opened = repo.repository()
    assert opened.user_config("user.name") == "Ada Tester"
    assert opened.user_config("user.signingkey") == "REPOSITORY"
    assert opened.own_config("user.signingkey") is None
    assert opened.user_config("no.such") is None


def test_revisions_are_resolved_to_commits(builder: Builder) -> None:
    repo = builder()
    head = repo.commit("One", {"a": "a"})
    repo.git("tag", "-a", "-m", "tag", "v1")
    opened = repo.repository()
    assert opened.resolve("v1") == opened.resolve("HEAD") == opened.head() == head
    assert opened.resolve("HEAD:a") is None
    assert opened.resolve("nowhere") is None
