"""After the fact: the index is marked stale, in silence, and never in the middle of a rebase."""

from __future__ import annotations

from pathlib import Path

import pytest

from strata_git.hooks import entry
from strata_git.index.build import build
from strata_git.index.stale import staleness
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    made = builder().workspace().install_hooks()
    made.commit("One", {"notes.txt": "x\n"})
    made.git("branch", "side")
    made.commit("Two", {"more.txt": "y\n"})
    return made


def mark(repo: RepositoryBuilder) -> Path:
    return repo.path / ".git/strata/index.stale"


def test_checkout_merge_and_amend_mark(repo: RepositoryBuilder) -> None:
    for words, reason in (
        (("checkout", "-q", "side"), "checkout"),
        (("merge", "-q", "main"), "merge"),
        (("commit", "-q", "--amend", "-m", "Anew"), "rewrite"),
    ):
        mark(repo).unlink(missing_ok=True)
        answer = repo.try_git(*words).expect(0)
        assert (answer.out, answer.err) == ("", "")
        assert mark(repo).read_text() == f"{reason}\n"


def test_what_changes_no_history_marks_nothing(repo: RepositoryBuilder) -> None:
    repo.git("checkout", "-q", "HEAD", "--", "notes.txt")
    repo.git("checkout", "-qb", "same")
    repo.commit("Three", {"notes.txt": "z\n"})
    assert not mark(repo).exists()
    assert list(mark(repo).parent.glob("index.stale*")) == []


def test_a_rebase_marks_once_at_its_end(repo: RepositoryBuilder) -> None:
    repo.git("checkout", "-q", "side")
    repo.commit("Aside", {"aside.txt": "x\n"})
    mark(repo).unlink()
    log = repo.path.parent / "during"
    script = f"ls .git/strata >>{log}"
    repo.git("rebase", "-q", "--exec", script, "main")
    assert "index.stale" not in log.read_text()
    assert mark(repo).read_text() == "rewrite\n"


def test_a_linked_worktree_marks_for_all(repo: RepositoryBuilder) -> None:
    linked = repo.worktree("topic")
    mark(repo).unlink(missing_ok=True)
    linked.git("checkout", "-q", "side")
    assert mark(repo).read_text() == "checkout\n"


def test_the_next_index_takes_it_away(repo: RepositoryBuilder) -> None:
    repo.git("checkout", "-q", "side")
    opened = repo.repository()
    try:
        assert staleness(opened) == "checkout"
        build(opened)
        assert staleness(opened) == ""
    finally:
        opened.close()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["post-merge", "0"], "merge"),
        (["post-checkout", "a" * 40, "b" * 40, "1"], "checkout"),
        (["post-checkout", "a" * 40, "a" * 40, "1"], ""),
        (["post-checkout", "a" * 40, "b" * 40, "0"], ""),
        (["post-rewrite", "amend"], "rewrite"),
    ],
)
def test_frameworks_get_the_same_from_python(
    repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch, words: list[str], reason: str
) -> None:
    monkeypatch.chdir(repo.path)
    assert entry.main(words) == 0
    assert (mark(repo).read_text() if reason else "") == (f"{reason}\n" if reason else "")
    assert mark(repo).exists() is bool(reason)


def test_in_a_rebase_python_is_quiet_too(repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    (repo.path / ".git/rebase-merge").mkdir()
    monkeypatch.chdir(repo.path)
    for words in (["post-merge", "0"], ["post-checkout", "a", "b", "1"], ["post-rewrite", "amend"]):
        assert entry.main(words) == 0
        assert not mark(repo).exists()
    assert entry.main(["post-rewrite", "rebase"]) == 0
    assert mark(repo).exists()


def test_git_lfs_is_called_where_files_can_be_locked(lfs: RepositoryBuilder) -> None:
    """`*.bin` becomes read-only on checkout; without our call it would not."""
    lfs.write({".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text lockable\n", "a.bin": "x\n"})
    lfs.install_hooks()
    lfs.commit("One")
    lfs.git("checkout", "-qb", "side")
    lfs.commit("Two", {"b.bin": "y\n"})
    lfs.git("checkout", "-q", "main")
    lfs.git("checkout", "-q", "side")
    assert (lfs.path / "b.bin").stat().st_mode & 0o222 == 0
    lfs.git("checkout", "-q", "main")
    lfs.git("merge", "-q", "--no-edit", "side")
    assert (lfs.path / "b.bin").stat().st_mode & 0o222 == 0
