"""Hooks come in beside others and go out again byte for byte; nobody's script is touched."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.hooks.install import NAMES, choose_mode, install, uninstall
from strata_git.hooks.outcome import Outcome
from strata_git.hooks.survey import HookLine, survey
from strata_git.repo.hook_files import hook_settings
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

LFS_HOOKS = ("post-checkout", "post-commit", "post-merge", "pre-push")
State = dict[str, tuple[str, bytes | str, int]]


def tree(repo: RepositoryBuilder, folder: str = ".git/hooks") -> State:
    """Kind, bytes (or a link's target) and mode of everything there, samples and empty directories apart."""
    found: State = {}
    for path in sorted((repo.path / folder).glob("*")):
        if path.suffix != ".sample":
            link = path.is_symlink()
            what = os.readlink(path) if link else path.read_bytes() if path.is_file() else ""
            found[path.name] = ("link" if link else "file", what, path.lstat().st_mode)
    return found


def lines(repo: RepositoryBuilder) -> dict[str, HookLine]:
    return {hook.name: hook for hook in survey(repo.repository()).worktrees[0].hooks}


def states(repo: RepositoryBuilder) -> set[str]:
    """The states of what is in line for our hooks; absent where nothing is."""
    return {one.state for hook in lines(repo).values() for one in hook.line} | {
        "absent" for hook in lines(repo).values() if not hook.line
    }


def put(repo: RepositoryBuilder, name: str, text: str | bytes, mode: int = 0o755) -> Path:
    path = repo.path / ".git/hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def outcome(told: list[Outcome], name: str) -> Outcome:
    return next(one for one in told if one.name == name)


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    return builder().workspace()


def test_in_again_and_out(repo: RepositoryBuilder) -> None:
    before, config = tree(repo), repo.read(".git/config")
    assert states(repo) == {"absent"}
    install(repo.repository())
    once = tree(repo)
    assert set(once) - set(before) == set(NAMES)
    assert states(repo) == {"in force"}
    assert all(hook.reached for hook in lines(repo).values())
    assert all("already installed" in str(line) for line in install(repo.repository()))
    assert tree(repo) == once
    uninstall(repo.repository())
    assert tree(repo) == before
    assert repo.read(".git/config") == config
    assert not (repo.path / ".git/strata/hooks").exists()
    assert all("not ours" in str(line) for line in uninstall(repo.repository()))


def test_a_hooks_directory_that_was_not_there_goes_again(repo: RepositoryBuilder) -> None:
    shutil.rmtree(repo.path / ".git/hooks")
    install(repo.repository())
    uninstall(repo.repository())
    assert not (repo.path / ".git/hooks").exists()


def test_an_empty_hooks_directory_stays(repo: RepositoryBuilder) -> None:
    shutil.rmtree(repo.path / ".git/hooks")
    (repo.path / ".git/hooks").mkdir()
    install(repo.repository())
    uninstall(repo.repository())
    assert (repo.path / ".git/hooks").is_dir()


def test_a_hooks_directory_that_cannot_be_written(repo: RepositoryBuilder) -> None:
    shutil.rmtree(repo.path / ".git/hooks")
    repo.write({".git/hooks": "in the way"})
    answer = repo.strata("install").expect(3)
    assert "could not be written" in answer.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into every directory")
def test_a_hooks_directory_that_is_read_only(repo: RepositoryBuilder) -> None:
    hooks = repo.path / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    hooks.chmod(0o555)
    try:
        assert "could not be written" in repo.strata("install").expect(3).err
    finally:
        hooks.chmod(0o755)
    assert tree(repo) == {}


def test_beside_git_lfs(repo: RepositoryBuilder) -> None:
    repo.install_lfs()
    put(repo, "pre-push", (repo.path / ".git/hooks/pre-push").read_bytes(), 0o750)
    before = tree(repo)
    assert set(before) == set(LFS_HOOKS)
    told = install(repo.repository())
    assert str(outcome(told, "pre-push")) == "pre-push: installed, git-lfs is called after it"
    assert states(repo) == {"in force"}
    assert lines(repo)["pre-push"].uploads
    uninstall(repo.repository())
    assert tree(repo) == before


SCRIPTS = {
    "sh": b"#!/bin/sh\necho mine\n",
    "sh that calls git-lfs": b'#!/bin/sh\nmake test || exit 1\ngit lfs pre-push "$@"\n',
    "python": b"#!/usr/bin/env python3\nprint('mine')\n",
    "CRLF": b"#!/bin/sh\r\necho mine\r\n",
    "byte order mark": b"\xef\xbb\xbf#!/bin/sh\necho mine\n",
    "no first line": b"echo mine\n",
    "empty": b"",
    "binary": Path("/bin/true").read_bytes(),
    "speaks of us": b"#!/bin/sh\n# not git-strata: a script about it\n",
}


@pytest.mark.parametrize("mode", [0o755, 0o700, 0o644], ids=oct)
@pytest.mark.parametrize("kind", SCRIPTS)
@pytest.mark.parametrize("name", ["pre-commit", "pre-push"])
def test_a_foreign_hook_is_kept_verbatim_and_comes_back(
    repo: RepositoryBuilder, name: str, kind: str, mode: int
) -> None:
    put(repo, name, SCRIPTS[kind], mode)
    before = tree(repo)
    told = outcome(install(repo.repository()), name)
    assert "the script that was there is called" in told.text
    assert not told.left
    kept = tree(repo)[f"{name}.before-strata"]
    assert kept == before[name]
    once = tree(repo)
    assert "already installed" in outcome(install(repo.repository()), name).text
    assert tree(repo) == once
    uninstall(repo.repository())
    assert tree(repo) == before


@pytest.mark.parametrize(
    "text",
    [
        '#!/bin/sh\nfor one in "$0".d/*; do "$one"; done\n',
        '#!/bin/sh\ncase "$(basename "$0")" in pre-commit) exit 1 ;; esac\n',
        '#!/bin/sh\nexec tools/hooks "${0##*/}"\n',
        "#!/usr/bin/env python3\nimport sys\nprint(sys.argv[0])\n",
    ],
)
def test_a_script_that_asks_for_its_name_is_left(repo: RepositoryBuilder, text: str) -> None:
    """Under another name it would do something else."""
    put(repo, "pre-commit", text)
    before = tree(repo)["pre-commit"]
    told = outcome(install(repo.repository()), "pre-commit")
    assert told.left
    assert 'git-strata-hook pre-commit "$@" || exit 1' in told.advice
    assert tree(repo)["pre-commit"] == before
    uninstall(repo.repository())
    assert tree(repo) == {"pre-commit": before}


def test_a_script_that_calls_us_is_left(repo: RepositoryBuilder) -> None:
    put(repo, "pre-push", '#!/bin/sh\ngit-strata-hook pre-push "$@" || exit 1\n')
    told = outcome(install(repo.repository()), "pre-push")
    assert not told.left
    assert "called already" in told.text
    assert lines(repo)["pre-push"].reached


def test_a_second_script_is_left(repo: RepositoryBuilder) -> None:
    """Somebody replaces ours by another script while a first one is kept: two cannot be kept under one name."""
    put(repo, "pre-commit", "#!/bin/sh\necho first\n")
    install(repo.repository())
    put(repo, "pre-commit", "#!/bin/sh\necho second\n")
    before = tree(repo)
    told = outcome(install(repo.repository()), "pre-commit")
    assert told.left
    assert "second script" in told.text
    assert tree(repo) == before


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        ("#!/usr/bin/env bash\n# File generated by pre-commit: https://pre-commit.com\n", "pre-commit"),
        ("#!/bin/sh\n# File generated by prek: https://github.com/j178/prek\n", "prek"),
        ('#!/bin/sh\n. "$(dirname "$0")/_/husky.sh"\n', "husky"),
        ("#!/bin/sh\nlefthook run pre-commit\n", "lefthook"),
        ("#!/usr/bin/env ruby\n# Overcommit\n", "overcommit"),
    ],
)
def test_frameworks_are_left_and_told_what_to_add(repo: RepositoryBuilder, text: str, owner: str) -> None:
    put(repo, "pre-commit", text)
    before = tree(repo)["pre-commit"]
    told = outcome(install(repo.repository()), "pre-commit")
    assert told.left
    assert told.text == f"belongs to {owner}"
    assert any("git-strata-hook pre-commit" in line for line in told.advice)
    assert tree(repo)["pre-commit"] == before


def test_a_link_is_kept_as_a_link(repo: RepositoryBuilder) -> None:
    """Beside ours, so that where it leads stays the same."""
    repo.write({"tools/hook": "#!/bin/sh\necho linked\nexit 1\n"}).chmod({"tools/hook": 0o755})
    place = repo.path / ".git/hooks/pre-commit"
    place.parent.mkdir(exist_ok=True)
    place.symlink_to("../../tools/hook")
    before = tree(repo)
    install(repo.repository())
    assert tree(repo)["pre-commit.before-strata"] == before["pre-commit"]
    answer = repo.try_git("commit", "--allow-empty", "-m", "x")
    assert (answer.code, "linked" in answer.out + answer.err) == (1, True)
    uninstall(repo.repository())
    assert tree(repo) == before


def test_a_link_to_nothing_is_left(repo: RepositoryBuilder) -> None:
    place = repo.path / ".git/hooks/pre-commit"
    place.parent.mkdir(exist_ok=True)
    place.symlink_to("../../tools/nothing")
    assert outcome(install(repo.repository()), "pre-commit").left
    assert place.is_symlink()


def test_our_hook_edited_by_somebody_is_left_and_the_difference_shown(repo: RepositoryBuilder) -> None:
    install(repo.repository())
    path = repo.path / ".git/hooks/pre-commit"
    path.write_bytes(path.read_bytes() + b"echo mine\n")
    before = tree(repo)["pre-commit"]
    assert [one.state for one in lines(repo)["pre-commit"].line] == ["changed"]
    assert "was edited" in outcome(install(repo.repository()), "pre-commit").text
    answer = repo.strata("uninstall").expect(1)
    assert "+echo mine" in answer.out
    assert tree(repo) == {"pre-commit": before}


def test_a_hook_that_git_passes_over_is_mended(repo: RepositoryBuilder) -> None:
    install(repo.repository())
    (repo.path / ".git/hooks/pre-push").chmod(0o644)
    assert not lines(repo)["pre-push"].reached
    assert "renewed" in outcome(install(repo.repository()), "pre-push").text
    assert lines(repo)["pre-push"].reached


def test_another_program_place_is_still_ours(repo: RepositoryBuilder) -> None:
    """The environment was moved: the hook names the old place, and is ours all the same."""
    install(repo.repository())
    path = repo.path / ".git/hooks/pre-commit"
    now = path.read_text()
    path.write_text(re.sub(r"(?m)^hook='.*'$", "hook='/elsewhere/bin/git-strata-hook'", now))
    assert states(repo) == {"in force"}
    assert "renewed" in outcome(install(repo.repository()), "pre-commit").text
    assert path.read_text() == now


def test_a_linked_worktree_shares_them(repo: RepositoryBuilder) -> None:
    repo.commit("first")
    linked = repo.worktree("side")
    install(linked.repository())
    assert states(repo) == states(linked) == {"in force"}
    assert len(survey(repo.repository()).worktrees) == 2
    uninstall(linked.repository())
    assert states(repo) == {"absent"}


@pytest.mark.parametrize("exists", [True, False])
def test_a_hooks_path_of_this_repository_is_not_ours(repo: RepositoryBuilder, exists: bool) -> None:
    """What lies there is tracked, or somebody else's: lines to add are told, nothing is written."""
    if exists:
        repo.write({".githooks/pre-commit": "#!/bin/sh\n"})
    repo.git("config", "core.hooksPath", ".githooks")
    before = tree(repo, ".githooks")
    told = repo.strata("install").expect(1)
    wanted = 'git-strata-hook pre-commit "$@" || exit 1' if exists else "git config --local --unset core.hooksPath"
    assert wanted in told.out
    assert tree(repo, ".githooks") == before
    assert tree(repo) == {}
    assert repo.git("config", "core.hooksPath") == ".githooks"


def test_a_hooks_path_that_changes_nothing(repo: RepositoryBuilder) -> None:
    repo.git("config", "core.hooksPath", str(repo.path / ".git/hooks"))
    repo.strata("install").expect(0)
    assert states(repo) == {"in force"}


def test_a_hooks_path_of_one_worktree(repo: RepositoryBuilder) -> None:
    repo.commit("first")
    linked = repo.worktree("side")
    repo.strata("install").expect(0)
    repo.git("config", "extensions.worktreeConfig", "true")
    linked.git("config", "--worktree", "core.hooksPath", "/nowhere/hooks")
    found = repo.strata("hooks", "status", "--format", "json").expect(1).json()
    worktrees = found["worktrees"]
    assert isinstance(worktrees, list)
    assert [{hook["reached"] for hook in one["hooks"]} for one in worktrees] == [{True}, {False}]
    assert worktrees[1]["core.hooksPath"] == "worktree"
    assert "git does not get to git-strata in" in repo.strata("hooks", "status").expect(1).err


def test_a_hooks_path_shared_with_others_is_refused(repo: RepositoryBuilder, tmp_path: Path) -> None:
    repo.git("config", "--global", "core.hooksPath", str(tmp_path / "shared"))
    with pytest.raises(StrataError, match="every repository") as caught:
        install(repo.repository())
    assert "git-strata-hook" in caught.value.hint
    assert not (tmp_path / "shared").exists()
    repo.git("config", "--local", "core.hooksPath", ".git/hooks")
    install(repo.repository())
    assert states(repo) == {"in force"}


def test_configuration_is_refused_where_git_would_not_read_it(repo: RepositoryBuilder) -> None:
    """A stand-in for an older git: only its version is asked."""
    old = repo.path.parent / "old"
    old.mkdir()
    (old / "git").write_text(
        f'#!/bin/sh\n[ "$1" = version ] && echo git version 2.53.9 && exit\nexec {shutil.which("git")} "$@"\n'
    )
    (old / "git").chmod(0o755)
    repo.environ["PATH"] = f"{old}:{repo.environ['PATH']}"
    here = repo.repository()
    with pytest.raises(StrataError, match=r"2\.53\.9 does not run hooks"):
        install(here, "config")
    assert choose_mode(here, hook_settings(here), "auto") == "shim"


def test_the_commands(repo: RepositoryBuilder) -> None:
    assert "absent" in repo.strata("hooks", "status").expect(1).out
    repo.strata("install").expect(0)
    found = repo.strata("hooks", "status", "--format", "json").expect(0).json()
    assert (found["schema"], found["sound"]) == ("strata/hooks/v1", True)
    worktrees = found["worktrees"]
    assert isinstance(worktrees, list)
    assert {hook["name"]: hook["line"][0]["whose"] for hook in worktrees[0]["hooks"]} == dict.fromkeys(
        NAMES, "git-strata"
    )
    repo.strata("uninstall").expect(0)


def test_a_hook_of_an_earlier_version_is_renewed(repo: RepositoryBuilder) -> None:
    """Told from an edited one by the copy of what was installed."""
    repo.install_hooks()
    hook, copy = repo.path / ".git/hooks/pre-commit", repo.path / ".git/strata/hooks/pre-commit.installed"
    now = hook.read_bytes()
    for path in (hook, copy):
        path.write_bytes(now + b"# an older text\n")
    assert [one.state for one in lines(repo)["pre-commit"].line] == ["outdated"]
    assert "pre-commit: renewed" in repo.strata("install").expect(0).out
    assert hook.read_bytes() == now
    repo.strata("uninstall").expect(0)
    assert not hook.exists()
    assert not copy.exists()
