"""Beside everybody else's hooks: scripts, git-lfs, pre-commit and prek, in every order of installation."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import sys
from pathlib import Path

import pytest

from tests.flows.test_sealing import assert_clean, assert_sealed, framework, unsealed
from tests.hooks.test_install import put, tree
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.process import Completed

HOOKS = ".git/hooks"
CONFIGURATION = """\
# ours
repos:
  - repo: local
    hooks:
      - {id: x, name: x, entry: 'true', language: system}  # says yes
"""


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    made = builder().workspace()
    made.commit("Workspace")
    return made


@pytest.fixture
def stored(lfs: RepositoryBuilder, builder: Builder) -> RepositoryBuilder:
    """A workspace with Git LFS and a dataset that lies there, not pushed yet; `server` is its remote."""
    builder("server", bare=True)
    lfs.git("remote", "add", "server", lfs.path.with_name("server").as_uri())
    lfs.dataset("iris")
    lfs.git("add", "--all")
    lfs.git("commit", "-qm", "iris")
    for hook in (lfs.path / HOOKS).glob("*"):
        hook.unlink()  # git-lfs brings hooks that are missing whenever its filter runs
    return lfs


def uploaded(repo: RepositoryBuilder) -> int:
    """How many objects the server's Git LFS store holds."""
    return sum(path.is_file() for path in (repo.path.parent / "server/lfs/objects").rglob("*"))


def doctor(repo: RepositoryBuilder, **env: str) -> set[str]:
    """The rules on hooks that the doctor finds broken."""
    found = repo.strata("doctor", "--format", "json", env=env).expect(0, 1, 2).json()["findings"]
    assert isinstance(found, list)
    return {row["rule"] for row in found if row["rule"].startswith("STR-H")}


def said(answer: Completed) -> str:
    return answer.out + answer.err


# --- scripts


def test_a_script_before_a_push_sees_what_git_said_and_can_refuse(stored: RepositoryBuilder) -> None:
    put(stored, "pre-push", '#!/bin/sh\ncat >seen; echo "$@" >>seen\n[ ! -e closed ]\n')
    stored.install_hooks()
    (stored.path / "closed").touch()
    assert stored.try_git("push", "-q", "server", "main", "HEAD:refs/heads/other").code != 0
    lines = stored.read("seen").decode().splitlines()
    assert [line.split()[2] for line in lines[:-1]] == ["refs/heads/main", "refs/heads/other"]
    assert lines[-1].split()[0] == "server"
    assert uploaded(stored) == 0, "a refused push uploads nothing"
    (stored.path / "closed").unlink()
    stored.git("push", "-q", "server", "main")
    assert uploaded(stored) > 0


def test_what_we_refuse_reaches_no_script_and_uploads_nothing(stored: RepositoryBuilder) -> None:
    put(stored, "pre-push", "#!/bin/sh\ntouch seen\n")
    stored.install_hooks()
    stored.write({"datasets/iris/v1/metadata.yaml": "kind: other\n"})
    stored.git("add", "--all")
    stored.git("commit", "-qm", "tamper", "--no-verify")
    assert "STR-I001" in said(stored.try_git("push", "-q", "server", "main"))
    assert not (stored.path / "seen").exists()
    assert uploaded(stored) == 0


def test_what_a_script_stages_is_sealed(repo: RepositoryBuilder) -> None:
    """A formatter comes before us, so that the sums are those of what it wrote."""
    formatter = "sed -i 's/^description:.*/description: formatted/' datasets/iris/v1/metadata.yaml && git add datasets"
    put(repo, "pre-commit", f"#!/bin/sh\n{formatter}\n")
    repo.install_hooks()
    repo.write(unsealed())
    repo.git("add", "--all")
    repo.git("commit", "-qm", "iris")
    assert "description: formatted" in repo.git("show", "HEAD:datasets/iris/v1/metadata.yaml")
    assert_sealed(repo)
    assert_clean(repo)


def test_a_script_that_refuses_a_commit_is_heard(repo: RepositoryBuilder) -> None:
    put(repo, "pre-commit", "#!/usr/bin/env python3\nimport sys\nsys.exit('not today')\n")
    repo.install_hooks()
    answer = repo.try_git("commit", "--allow-empty", "-m", "x")
    assert (answer.code, "not today" in answer.err) == (1, True)


def test_scripts_of_the_message_run_too(repo: RepositoryBuilder) -> None:
    put(repo, "prepare-commit-msg", '#!/bin/sh\necho "prepared $2" >>"$1"\n')
    put(repo, "commit-msg", '#!/bin/sh\ngrep -q TICKET "$1" || { echo "no ticket" >&2; exit 1; }\n')
    repo.install_hooks()
    assert "no ticket" in repo.try_git("commit", "--allow-empty", "-m", "x").err
    repo.git("commit", "-q", "--allow-empty", "-m", "TICKET-1")
    assert "prepared message" in repo.git("log", "-1", "--format=%B")


def test_how_a_script_after_the_fact_ends_is_how_ours_ends(repo: RepositoryBuilder) -> None:
    """git tells the failure of post-checkout to who called it."""
    put(repo, "post-checkout", '#!/bin/sh\necho "$@" >>seen\nexit 7\n')
    put(repo, "post-rewrite", "#!/bin/sh\ncat >>rewritten\n")
    repo.install_hooks()
    assert repo.try_git("checkout", "-q", "-b", "side").code != 0
    assert len(repo.read("seen").split()) == 3
    repo.git("commit", "-q", "--amend", "--allow-empty", "-m", "again")
    assert repo.head in repo.read("rewritten").decode()


def test_paths_with_blanks_and_quotes(builder: Builder) -> None:
    repo = builder('it\'s "mine" $HOME').workspace()
    put(repo, "pre-commit", "#!/bin/sh\ntouch ran\n")
    repo.install_hooks()
    repo.write(unsealed())
    repo.git("add", "--all")
    repo.git("commit", "-qm", "iris")
    assert (repo.path / "ran").exists()
    assert_sealed(repo)


# --- without our program, without a PATH


def test_an_environment_that_is_gone(repo: RepositoryBuilder, builder: Builder) -> None:
    """Another environment's program is found on PATH; without one, what is ours is refused, and the rest passes."""
    repo.install_hooks()
    for name in ("pre-commit", "pre-push", "commit-msg"):
        hook = repo.path / HOOKS / name
        hook.write_text(re.sub(r"(?m)^hook='.*'$", "hook='/gone/bin/git-strata-hook'", hook.read_text()))
    repo.write(unsealed())
    repo.git("add", "datasets")
    bare = {"PATH": "/usr/bin:/bin"}
    answer = repo.try_git("commit", "-m", "iris", env=bare)
    assert (answer.code, "git strata install" in answer.err) == (1, True)
    repo.git("commit", "-q", "-m", "notes", "--only", "--allow-empty", env=bare)
    repo.git("commit", "-qm", "iris")
    assert_sealed(repo)
    answer = repo.try_git("push", builder("server", bare=True).path.as_uri(), "main", env=bare)
    assert (answer.code != 0, "git strata install" in answer.err) == (True, True)


def test_a_graphical_program_starts_git_with_an_empty_path(repo: RepositoryBuilder, builder: Builder) -> None:
    repo.install_hooks()
    server = builder("server", bare=True)
    git = shutil.which("git")
    assert git is not None
    nothing = {"PATH": ""}
    environ = repo.environ | repo.clock.environ | nothing
    repo.write(unsealed())
    repo.git("add", "--all")
    from tests.support.process import run

    answer = run(git, "commit", "-qm", "iris", cwd=repo.path, environ=environ)
    assert answer.code == 0, str(answer)
    assert_sealed(repo)
    answer = run(git, "push", "-q", str(server.path), "main", cwd=repo.path, environ=environ)
    assert answer.code == 0, str(answer)


# --- git-lfs


def test_lfs_before_us(stored: RepositoryBuilder) -> None:
    stored.install_lfs()
    stored.install_hooks()
    stored.git("push", "-q", "server", "main")
    assert uploaded(stored) > 0
    assert doctor(stored) == set()


def test_lfs_after_us(stored: RepositoryBuilder) -> None:
    """git-lfs takes nothing over unasked, and ours call it."""
    stored.install_hooks()
    before = tree(stored)
    stored.try_git("lfs", "install", "--local")
    assert tree(stored) == before
    stored.git("push", "-q", "server", "main")
    assert uploaded(stored) > 0


@pytest.mark.parametrize("way", [("install", "--local", "--force"), ("update", "--force")])
def test_lfs_over_us(stored: RepositoryBuilder, way: tuple[str, ...]) -> None:
    """With --force it replaces ours: uploads go on, the doctor tells, installing again mends, and out is as without."""
    stored.install_hooks()
    stored.git("lfs", *way)
    assert doctor(stored) == {"STR-H002"}
    theirs = tree(stored)
    stored.install_hooks()
    assert doctor(stored) == set()
    stored.git("push", "-q", "server", "main")
    assert uploaded(stored) > 0
    stored.strata("uninstall").expect(0)
    left = {name: theirs[name] for name in ("pre-push", "post-checkout", "post-commit", "post-merge")}
    assert tree(stored) == left


def test_files_that_can_be_locked_are_read_only_after_a_checkout(stored: RepositoryBuilder) -> None:
    """git-lfs's own hook does that; ours stands in its place and calls it."""
    attributes = stored.read(".gitattributes") + b"*.psd filter=lfs diff=lfs merge=lfs -text lockable\n"
    stored.write({".gitattributes": attributes, "plan.psd": "layers"})
    stored.install_lfs()
    stored.install_hooks()
    stored.commit("A file to lock")
    stored.git("checkout", "-q", "-b", "side", "HEAD~1")
    stored.git("checkout", "-q", "main")
    assert not (stored.path / "plan.psd").stat().st_mode & stat.S_IWUSR


# --- frameworks


@pytest.mark.parametrize("program", [pytest.param("pre-commit", marks=pytest.mark.heavy), "prek"])
def test_a_framework_after_us_calls_ours(stored: RepositoryBuilder, program: str) -> None:
    """What stood there before is called first; a push still gets to us and to git-lfs."""
    stored.install_hooks()
    stored.commit("Configuration", {".pre-commit-config.yaml": CONFIGURATION})
    command = str(Path(sys.executable).with_name(program))
    for hook in ("pre-commit", "pre-push"):
        stored.git("-c", f"alias.frame=!{command}", "frame", "install", "-t", hook)
    assert (stored.path / HOOKS / "pre-push.legacy").exists()
    assert doctor(stored) == set()
    again = stored.strata("install").expect(0)
    assert f"pre-push: already installed, called by {program}" in again.out
    stored.dataset("tulips", seal=False)
    stored.git("add", "--all")
    stored.git("commit", "-qm", "tulips")
    assert_sealed(stored, "datasets/tulips/v1")
    stored.git("push", "-q", "server", "main")
    assert uploaded(stored) > 0
    stored.strata("uninstall").expect(0)
    assert sorted(tree(stored)) == ["pre-commit", "pre-push"]
    assert not any(path.name.endswith(".legacy") for path in (stored.path / HOOKS).iterdir())


@pytest.mark.parametrize("program", ["pre-commit", "prek"])
def test_a_framework_that_overwrites_is_told_by_the_doctor(stored: RepositoryBuilder, program: str) -> None:
    """`install -f` drops what was there: a push would upload nothing, and nobody would say so."""
    stored.install_hooks()
    assert doctor(stored) == set()
    stored.commit("Configuration", {".pre-commit-config.yaml": "repos: []\n"})
    command = str(Path(sys.executable).with_name(program))
    stored.git("-c", f"alias.frame=!{command}", "frame", "install", "-f", "-t", "pre-push")
    assert doctor(stored) == {"STR-H002", "STR-H005"}
    assert doctor(stored, CI="true") == set()
    status = stored.strata("hooks", "status").expect(1)
    assert "does not get to git-lfs" in status.err
    told = stored.strata("install").expect(1)
    assert f"{program} uninstall -t pre-push" in told.out


@pytest.mark.parametrize("program", [pytest.param("pre-commit", marks=pytest.mark.heavy), "prek"])
def test_the_configuration_is_written_and_works(repo: RepositoryBuilder, program: str) -> None:
    repo.commit("Configuration", {".pre-commit-config.yaml": CONFIGURATION})
    command = str(Path(sys.executable).with_name(program))
    for hook in ("pre-commit", "post-commit"):
        repo.git("-c", f"alias.frame=!{command}", "frame", "install", "-t", hook)
    told = repo.strata("install").expect(1)
    assert "entry: git-strata-hook pre-commit" in told.out
    assert repo.read(".pre-commit-config.yaml").decode() == CONFIGURATION
    repo.strata("install", "--write-config").expect(0)
    written = repo.read(".pre-commit-config.yaml")
    assert written.decode().startswith(CONFIGURATION)
    repo.strata("install", "--write-config").expect(0)
    assert repo.read(".pre-commit-config.yaml") == written
    repo.git("add", ".pre-commit-config.yaml")
    repo.git("commit", "-qm", "Write it")
    repo.write(unsealed())
    repo.git("add", "--all")
    repo.git("commit", "-qm", "iris", "datasets/iris/v1")
    assert_sealed(repo)
    assert_clean(repo)
    assert doctor(repo) == set()


def test_status_tells_the_order(repo: RepositoryBuilder) -> None:
    put(repo, "pre-commit", "#!/bin/sh\n")
    put(repo, "pre-push", "#!/bin/sh\n")
    repo.install_hooks()
    answer = json.loads(repo.strata("hooks", "status", "--format", "json").expect(0).out)
    lines = {hook["name"]: [one["whose"] for one in hook["line"]] for hook in answer["worktrees"][0]["hooks"]}
    assert lines["pre-commit"] == ["somebody else", "git-strata"]
    assert lines["pre-push"] == ["git-strata", "somebody else"]
    assert os.path.realpath(answer["git"][0]["path"]) == os.path.realpath(str(shutil.which("git")))


def test_a_fresh_clone_is_told_and_not_failed(repo: RepositoryBuilder) -> None:
    assert doctor(repo) == {"STR-H001"}
    repo.strata("doctor", "--strict").expect(0)
    assert repo.strata("doctor", "--at", "HEAD").expect(0).out.count("STR-H") == 0


def test_a_framework_alone_fails_nothing(repo: RepositoryBuilder) -> None:
    """Whoever calls us by prek or pre-commit only has chosen so."""
    framework("prek")(repo)
    assert doctor(repo) == {"STR-H001"}
    repo.strata("doctor", "--strict").expect(0)


def test_hooks_that_are_passed_by_are_told(repo: RepositoryBuilder) -> None:
    """husky comes later and sends git elsewhere."""
    repo.install_hooks()
    repo.git("config", "core.hooksPath", ".husky/_")
    assert doctor(repo) == {"STR-H002"}
