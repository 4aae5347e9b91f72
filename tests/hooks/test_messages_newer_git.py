"""The messages' hooks under a git that reads them from its configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.newer_git import with_git

pytestmark = pytest.mark.heavy

IRIS, ROSE = "Strata-Dataset: datasets/iris@v1", "Strata-Dataset: datasets/rose@v1"


@pytest.fixture(params=["config", "shim"])
def repo(builder: Builder, newer_git: Path, request: pytest.FixtureRequest) -> RepositoryBuilder:
    made = with_git(builder().workspace(), newer_git).install_hooks("--mode", request.param)
    made.commit("Workspace", {"notes.txt": "x\n"})
    return made


def stage(repo: RepositoryBuilder, name: str) -> None:
    repo.write(artifacts.dataset(name, seal=False))
    repo.git("add", "--all")


def message(repo: RepositoryBuilder) -> list[str]:
    return repo.git("show", "-s", "--format=%B").rstrip("\n").split("\n")


def test_the_gates_know_one_another(repo: RepositoryBuilder) -> None:
    """git calls them with itself as parent, configured or not: nothing more than pre-commit starts Python."""
    log = repo.path.parent / "started"
    program = repo.path.parent / "witness"
    program.write_text(f'#!/bin/sh\necho "$1" >>"{log}"\nexec git-strata-hook "$@"\n')
    program.chmod(0o755)
    for folder in ("strata/gates", "hooks"):
        for hook in (repo.path / ".git" / folder).glob("*[a-z]"):
            lines = hook.read_text().split("\n")
            hook.write_text("\n".join(f"hook='{program}'" if line.startswith("hook=") else line for line in lines))
    stage(repo, "iris")
    repo.git("commit", "-qsm", "Add")
    assert message(repo) == ["Add", "", "Signed-off-by: Ada Tester <ada@example.org>", IRIS]
    assert log.read_text().split() == ["pre-commit"]


def test_amending_waiting_and_judging(repo: RepositoryBuilder) -> None:
    editor = repo.path.parent / "editor"
    editor.write_text('#!/bin/sh\n{ echo Written; cat "$1"; } >"$1.new" && mv "$1.new" "$1"\n')
    editor.chmod(0o755)
    stage(repo, "iris")
    repo.git("-c", "core.commentString=//", "commit", "-q", env={"GIT_EDITOR": str(editor)})
    assert message(repo) == ["Written", "", IRIS]
    stage(repo, "rose")
    repo.git("commit", "-q", "--amend", "-m", "Anew")
    assert message(repo) == ["Anew", "", IRIS, ROSE]
    repo.write({"notes.txt": "y\n"})
    answer = repo.try_git("commit", "-qam", "x\n\nStrata-Model: models/none@v1")
    assert answer.code == 1
    assert "STR-K002" in answer.err


def test_the_index_is_marked(repo: RepositoryBuilder) -> None:
    repo.commit("More", {"notes.txt": "y\n"})
    repo.git("checkout", "-qb", "side", "HEAD^")
    assert (repo.path / ".git/strata/index.stale").read_text() == "checkout\n"
