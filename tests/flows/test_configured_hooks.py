"""Hooks named in configuration, run by a git that knows them; the way there and back; husky and lefthook themselves."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from strata_git.hooks.install import NAMES
from tests.flows.test_coexistence import doctor, said, stored, uploaded
from tests.flows.test_sealing import assert_clean, assert_sealed, unsealed
from tests.hooks.test_install import put, tree
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.newer_git import ROOT, with_git

pytestmark = pytest.mark.heavy
__all__ = ["stored"]

ROOT_TOOLS = ROOT / ".tools"
WITNESS = """\
#!/bin/sh
echo "$1" >>"{log}"
exec "{real}" "$@"
"""


@pytest.fixture
def repo(builder: Builder, newer_git: Path) -> RepositoryBuilder:
    """A workspace used by a newer git, with one commit and no hooks."""
    made = with_git(builder().workspace(), newer_git)
    made.commit("Workspace")
    return made


def older(repo: RepositoryBuilder, newer_git: Path) -> RepositoryBuilder:
    """The same repository in the hands of the system's git."""
    path = os.pathsep.join(part for part in repo.environ["PATH"].split(os.pathsep) if part != str(newer_git))
    return RepositoryBuilder(repo.path, repo.environ | {"PATH": path}, repo.clock)


def witnessed(repo: RepositoryBuilder) -> Path:
    """Every hook of ours, wherever it is, calls a program that writes down its name; the file it writes to."""
    log = repo.path.parent / "log"
    program = repo.path.parent / "witness"
    program.write_text(WITNESS.format(log=log, real=shutil.which("git-strata-hook")))
    program.chmod(0o755)
    for folder in ("hooks", "strata/gates"):
        for path in (repo.path / ".git" / folder).glob("*"):
            text = path.read_bytes()
            if b"\nhook='" in text:
                path.write_bytes(b"\n".join(
                    b"hook='" + os.fsencode(program) + b"'" if line.startswith(b"hook='") else line
                    for line in text.split(b"\n")
                ))  # fmt: skip
    return log


def test_the_hooks_directory_is_not_touched(repo: RepositoryBuilder) -> None:
    put(repo, "pre-commit", "#!/bin/sh\ntouch theirs\n")
    before, config = tree(repo), repo.read(".git/config")
    told = repo.strata("install").expect(0)
    assert told.out.count("installed by configuration") == len(NAMES)
    assert tree(repo) == before
    listed = repo.git("hook", "list", "--show-scope", "pre-commit").splitlines()
    assert [line.split()[-1] for line in listed] == ["strata-pre-commit", "hookdir"]
    again = repo.strata("install").expect(0)
    assert again.out.count("already configured") == len(NAMES)
    repo.strata("hooks", "status").expect(0)
    assert "STR-H002" not in doctor(repo)
    repo.write(unsealed())
    repo.git("add", "--all")
    repo.git("commit", "-qm", "iris")
    assert_sealed(repo)
    assert_clean_but(repo, "theirs")
    repo.strata("uninstall").expect(0)
    assert (tree(repo), repo.read(".git/config")) == (before, config)
    assert not (repo.path / ".git/strata/gates").exists()


def assert_clean_but(repo: RepositoryBuilder, name: str) -> None:
    assert repo.git("status", "--porcelain") == f"?? {name}"


@pytest.mark.parametrize("scope", ["--local", "--global"])
def test_a_hooks_path_elsewhere_changes_nothing(repo: RepositoryBuilder, tmp_path: Path, scope: str) -> None:
    repo.git("config", scope, "core.hooksPath", str(tmp_path / "nowhere"))
    repo.strata("install").expect(0)
    repo.write(unsealed())
    repo.git("add", "--all")
    repo.git("commit", "-qm", "iris", "datasets")
    assert_sealed(repo)
    assert_clean(repo)


def test_every_form_of_commit_and_a_linked_worktree(repo: RepositoryBuilder) -> None:
    repo.strata("install").expect(0)
    for number, words in enumerate((("-a",), ("datasets",), (), ("--amend",)), 1):
        place = f"datasets/iris/v{number}"
        repo.write(unsealed(f"v{number}"))
        repo.git("add", "--all")
        repo.git("commit", "-qm", f"iris {number}", *words)
        assert_sealed(repo, place)
        assert_clean(repo)
    side = repo.worktree("side")
    side.write(unsealed("v9"))
    side.git("add", "--all")
    side.git("commit", "-qm", "beside")
    assert_sealed(side, "datasets/iris/v9")
    assert "Strata-Dataset: datasets/iris@v9" in side.git("log", "-1", "--format=%B")


def test_a_directory_that_is_moved_and_quoted(builder: Builder, newer_git: Path) -> None:
    """The configuration names no absolute path of the repository."""
    repo = with_git(builder().workspace(), newer_git)
    repo.strata("install").expect(0)
    moved = repo.path.with_name('it\'s $HOME "now"')
    repo.path.rename(moved)
    repo = RepositoryBuilder(moved, repo.environ, repo.clock)
    repo.write(unsealed())
    repo.git("add", "--all")
    repo.git("commit", "-qm", "iris")
    assert_sealed(repo)


def test_a_push_is_judged_and_uploaded(stored: RepositoryBuilder, newer_git: Path) -> None:
    repo = with_git(stored, newer_git)
    repo.strata("install").expect(0)
    repo.write({"datasets/iris/v1/metadata.yaml": "kind: other\n"})
    repo.git("commit", "-qam", "tamper", "--no-verify")
    assert "STR-I001" in said(repo.try_git("push", "-q", "server", "main"))
    assert uploaded(repo) == 0
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.git("push", "-q", "server", "main")
    assert uploaded(repo) > 0
    assert "STR-H005" not in doctor(repo)


def test_with_lfs_our_push_hook_is_the_file(stored: RepositoryBuilder, newer_git: Path) -> None:
    """git runs the hooks directory's hook also after a configured one has refused: git-lfs would have uploaded."""
    repo = with_git(stored, newer_git)
    repo.install_lfs()
    before, config = tree(repo), repo.read(".git/config")
    repo.strata("install").expect(0)
    assert {name for name, file in tree(repo).items() if file != before[name]} == {"pre-push"}
    assert "hook.strata-pre-push" not in repo.git("config", "--local", "--list")
    once = tree(repo)
    assert "pre-push: already installed" in repo.strata("install").expect(0).out
    assert tree(repo) == once
    repo.strata("uninstall").expect(0)
    assert (tree(repo), repo.read(".git/config")) == (before, config)


def test_one_git_after_the_other(repo: RepositoryBuilder, newer_git: Path) -> None:
    """Configured by a newer git; an older one passes it by, is told, installs files; then both run ours once."""
    repo.strata("install").expect(0)
    old = older(repo, newer_git)
    if old.git("version") == repo.git("version"):
        pytest.skip("the system's git is new enough: there is no older one to try")
    assert doctor(old) == {"STR-H006"}
    assert "STR-H006" in doctor(repo)
    old.strata("install").expect(0)
    assert doctor(old) == set()
    log = witnessed(repo)
    for number, one in enumerate((repo, old), 1):
        one.write(unsealed(f"v{number}"))
        one.git("add", "--all")
        one.git("commit", "-qm", "iris")
        assert log.read_text().split().count("pre-commit") == number
        assert_sealed(one, f"datasets/iris/v{number}")


def test_from_one_way_to_the_other(repo: RepositoryBuilder) -> None:
    put(repo, "pre-push", "#!/bin/sh\n", 0o700)
    before, config = tree(repo), repo.read(".git/config")
    repo.strata("install", "--mode", "shim").expect(0)
    shims = tree(repo)
    assert {*NAMES, "pre-push.before-strata"} == set(shims)
    repo.strata("install", "--mode", "config").expect(0)
    assert tree(repo) == before
    assert doctor(repo) <= {"STR-H006"}
    repo.strata("install", "--mode", "shim").expect(0)
    assert tree(repo) == shims
    assert "hook.strata" not in repo.git("config", "--local", "--list")
    repo.strata("uninstall").expect(0)
    assert (tree(repo), repo.read(".git/config")) == (before, config)


def test_a_configured_hook_that_was_edited_is_left(repo: RepositoryBuilder) -> None:
    repo.strata("install").expect(0)
    key = "hook.strata-pre-push.command"
    repo.git("config", key, repo.git("config", key) + " --mine")
    assert "STR-H004" in doctor(repo)
    assert "was edited" in repo.strata("install").expect(1).out
    assert "--mine" in repo.strata("uninstall").expect(1).out
    assert repo.git("config", "--get-regexp", r"^hook\.").count("strata-pre-push") == 2


def test_a_configured_hook_that_is_switched_off_is_told(repo: RepositoryBuilder) -> None:
    repo.strata("install").expect(0)
    repo.git("config", "hook.strata-pre-push.enabled", "false")
    assert "STR-H002" in doctor(repo)
    assert "switches it off" in repo.strata("install").expect(1).out


def test_a_gate_that_is_gone_is_told_and_mended(repo: RepositoryBuilder) -> None:
    repo.strata("install").expect(0)
    shutil.rmtree(repo.path / ".git/strata/gates")
    answer = repo.try_git("commit", "--allow-empty", "-m", "x")
    assert (answer.code != 0, "git strata install" in answer.err) == (True, True)
    assert "STR-H002" in doctor(repo)
    repo.strata("install").expect(0)
    repo.git("commit", "-q", "--allow-empty", "-m", "x")


# --- husky and lefthook


def node(repo: RepositoryBuilder, program: str, *words: str) -> None:
    tool = ROOT_TOOLS / "node/node_modules/.bin" / program
    assert tool.exists(), "run: scripts/node-tools.sh"
    repo.git("-c", f"alias.frame=!{tool}", "frame", *words)


@pytest.mark.parametrize("program", ["husky", "lefthook"])
def test_what_is_written_for_a_framework_works(builder: Builder, program: str) -> None:
    repo = builder().workspace()
    repo.write(
        {"lefthook.yml": "pre-commit:\n  commands:\n    yes:\n      run: 'true'\n"} if program == "lefthook" else {}
    )
    repo.environ["PATH"] = f"{ROOT_TOOLS / 'node/node_modules/.bin'}{os.pathsep}{repo.environ['PATH']}"
    node(repo, program, *(["install"] if program == "lefthook" else []))
    told = repo.strata("install", "--mode", "shim").expect(1)
    assert f"belongs to {program}" in told.out
    repo.strata("install", "--mode", "shim", "--write-config")
    repo.commit("Workspace")
    repo.write(unsealed())
    repo.git("add", "--all")
    repo.git("commit", "-qm", "iris")
    assert_sealed(repo)
    assert_clean(repo)
    repo.write({"datasets/iris/v1/metadata.yaml": "kind: other\n"})
    repo.commit("Something else", {"notes.txt": "x"}, "--no-verify")
    server = builder("server", bare=True)
    if program == "husky":
        assert "STR-I001" in said(repo.try_git("push", server.path.as_uri(), "main"))
    assert "STR-H002" not in doctor(repo)


def test_lefthook_after_us_is_told(builder: Builder) -> None:
    """It puts ours aside and calls it no more."""
    repo = builder().workspace()
    repo.install_hooks()
    repo.write({"lefthook.yml": "pre-push:\n  commands:\n    yes:\n      run: 'true'\n"})
    node(repo, "lefthook", "install", "--force")
    assert doctor(repo) == {"STR-H002"}
