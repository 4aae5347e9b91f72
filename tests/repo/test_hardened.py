"""Reading runs no program that a repository or the environment names, and leaves no byte of a network behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.repo.command import Repository
from strata_git.repo.environment import acting_environment, reading_environment
from strata_git.repo.history import first_appearances, list_commits, read_commits, steps
from strata_git.repo.refs import list_refs
from strata_git.repo.tree import commit_tree, index_tree
from strata_git.repo.worktree import WorkTree, unstaged_paths
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

KEYS = (
    "core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "core.askPass", "core.gitProxy",
    "core.alternateRefsCommand", "diff.external", "diff.canary.textconv", "diff.canary.command", "gpg.program",
    "gpg.openpgp.program", "gpg.ssh.program", "filter.canary.clean", "filter.canary.smudge", "filter.canary.process",
    "filter.a=b.clean", "filter.lfs.clean", "filter.lfs.process", "merge.canary.driver", "credential.helper",
    "alias.diff-files", "alias.ls-files", "sequence.editor", "uploadpack.packObjectsHook", "remote.origin.uploadpack",
    "pager.log", "trailer.canary.command", "interactive.diffFilter",
)  # fmt: skip


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A program that leaves a mark when it is run; the mark is what tests look for."""
    program = tmp_path / "canary"
    program.write_text(f"#!/bin/sh\ntouch {program}.hit\ncat\nexit 0\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def hostile(builder: Builder, canary: Path) -> RepositoryBuilder:
    """A repository with a dataset whose every setting names the canary; nothing of it has been run yet."""
    repo = builder().workspace()
    repo.dataset("iris")
    (repo.path / ".git/info/attributes").write_text(
        "*.csv filter=canary diff=canary merge=canary\n*.yaml filter=a=b\n*.txt filter=lfs\n"
    )
    repo.commit("Iris")
    for key in KEYS:
        repo.git("config", key, str(canary))
    included = canary.with_name("included")
    included.write_text(f'[filter "included"]\n\tclean = {canary}\n\trequired = true\n')
    repo.git("config", "include.path", str(included))
    hooks = canary.with_name("hooks")
    hooks.mkdir()
    for name in ("post-index-change", "reference-transaction", "post-checkout", "fsmonitor-watchman"):
        (hooks / name).symlink_to(canary)
    repo.git("config", "core.hooksPath", str(hooks))
    return repo


def hit(canary: Path) -> bool:
    return canary.with_name("canary.hit").exists()


def touch(repo: RepositoryBuilder) -> None:
    """Make every file as young as the index, and one of them other: git has to compare contents."""
    repo.write({"datasets/iris/v1/train.csv": "x" * len(repo.read("datasets/iris/v1/train.csv"))})
    stamp = os.stat(repo.path / ".git/index").st_mtime + 1
    for path in repo.path.rglob("*.*"):
        os.utime(path, (stamp, stamp))


def environ(repo: RepositoryBuilder, canary: Path, elsewhere: Path) -> dict[str, str]:
    return repo.environ | {
        "GIT_EXTERNAL_DIFF": str(canary), "GIT_PAGER": str(canary), "PAGER": str(canary), "GIT_EDITOR": str(canary),
        "GIT_SSH_COMMAND": str(canary), "GIT_ASKPASS": str(canary), "GIT_PROXY_COMMAND": str(canary),
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.fsmonitor", "GIT_CONFIG_VALUE_0": str(canary),
        "GIT_CONFIG_PARAMETERS": f"'core.fsmonitor={canary}'", "GIT_DIR": str(elsewhere),
        "GIT_INDEX_FILE": str(elsewhere / "index"), "GIT_OBJECT_DIRECTORY": str(elsewhere),
    }  # fmt: skip


def test_the_canary_would_sing(hostile: RepositoryBuilder, canary: Path) -> None:
    """The test below can fail: plain git runs it."""
    touch(hostile)
    hostile.try_git("status")
    assert hit(canary)


def test_reading_every_tree_runs_nothing(hostile: RepositoryBuilder, canary: Path, tmp_path: Path) -> None:
    touch(hostile)
    repo = Repository.discover(hostile.path, environ(hostile, canary, tmp_path))
    assert repo.worktree == hostile.path
    head = repo.head()
    assert head is not None
    for tree in (commit_tree(repo, head), index_tree(repo), WorkTree(repo), WorkTree(repo, ["datasets"])):
        entries = tree.under("")
        assert "datasets/iris/v1/train.csv" in {entry.path for entry in entries}
        for entry in entries:
            tree.read(entry)
            tree.content(entry)
    commits = list(read_commits(repo, list_commits(repo, head)))
    assert list(steps(repo, commits, ["datasets"]))
    assert first_appearances(repo, [head], ["datasets"])
    assert list_refs(repo, "refs/")
    unstaged_paths(repo, ["datasets/iris/v1"])
    repo.write_object("blob", b"x")
    assert not hit(canary)


@pytest.mark.parametrize("words", [
    "doctor", "doctor datasets/iris/v1", "doctor --staged", "doctor --at HEAD", "doctor --range HEAD..HEAD",
    "hooks status",
])  # fmt: skip
def test_the_doctor_runs_nothing(hostile: RepositoryBuilder, canary: Path, tmp_path: Path, words: str) -> None:
    touch(hostile)
    hostile.strata(*words.split(), env=environ(hostile, canary, tmp_path)).expect(0, 1, 2)
    assert not hit(canary)


def test_a_submodules_settings_run_nothing(hostile: RepositoryBuilder, canary: Path) -> None:
    inner = hostile.path / "datasets/sub"
    hostile.git("-c", "core.fsmonitor=", "init", "-q", str(inner))
    (inner / "a").write_text("a")
    for words in (("add", "a"), ("commit", "-qm", "a"), ("config", "core.fsmonitor", str(canary))):
        hostile.git("-C", "datasets/sub", *words)
    hostile.git("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=", "add", "datasets/sub")
    canary.with_name("canary.hit").unlink(missing_ok=True)
    (inner / "a").write_text("changed")
    WorkTree(hostile.repository())
    hostile.strata("doctor").expect(2)
    assert not hit(canary)


def test_replacement_objects_are_not_seen(builder: Builder) -> None:
    repo = builder()
    first = repo.commit("One", {"a": "one"})
    second = repo.commit("Two", {"a": "two"})
    repo.git("replace", first, second)
    tree = commit_tree(repo.repository(), first)
    entry = tree.get("a")
    assert entry is not None
    assert tree.read(entry) == b"one"


def test_absent_objects_are_not_fetched(builder: Builder, canary: Path) -> None:
    repo = builder()
    repo.commit("One", {"a": "one", "b": "two"})
    repo.git("config", "uploadpack.allowFilter", "true")
    clone = repo.clone("partial", "--no-checkout", "--filter=blob:none")
    clone.git("config", "remote.origin.uploadpack", str(canary))
    opened = clone.repository()
    tree = commit_tree(opened, clone.head)
    for entry in tree.under(""):
        with pytest.raises(KeyError):
            tree.read(entry)
        with pytest.raises(KeyError):
            tree.content(entry)
    assert opened.objects.read(clone.head)[0] == "commit"
    assert not hit(canary)


def test_refs_that_look_like_options(builder: Builder) -> None:
    repo = builder()
    head = repo.commit("One", {"a": "one"})
    opened = repo.repository()
    for name in ("--output=x", "-x", "--all"):
        repo.git("update-ref", f"refs/heads/{name}", head)
        assert opened.resolve(f"refs/heads/{name}") == head
        assert opened.resolve(name) in (head, None)
    assert opened.resolve("HEAD\n") is None
    assert opened.resolve("") is None
    assert not (repo.path / "x").exists()


def test_only_what_is_allowed_reaches_git() -> None:
    outer = {
        "PATH": "/bin",
        "GIT_DIR": "/x",
        "GIT_INDEX_FILE": "/i",
        "LD_PRELOAD": "/l",
        "GIT_CONFIG_COUNT": "1",
        "A": "b",
    }
    assert {"GIT_DIR", "GIT_INDEX_FILE", "LD_PRELOAD", "GIT_CONFIG_COUNT", "A"}.isdisjoint(
        reading_environment(outer, in_hook=False)
    )
    inside = reading_environment(outer, in_hook=True)
    assert (inside["GIT_DIR"], inside["GIT_INDEX_FILE"]) == ("/x", "/i")
    assert "GIT_CONFIG_COUNT" not in inside
    acting = acting_environment(outer, in_hook=False)
    assert {"GIT_DIR", "GIT_CONFIG_COUNT"}.isdisjoint(acting)
    assert acting["A"] == "b"


def test_what_git_says_reaches_the_user(builder: Builder) -> None:
    with pytest.raises(StrataError, match="git cat-file failed: fatal: Not a valid object name nowhere"):
        builder().repository().git("cat-file", "-p", "nowhere")
