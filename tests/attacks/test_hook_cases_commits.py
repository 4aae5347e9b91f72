"""The cases of docs/threat-model-hooks.md that are about making a commit, where no other test shows them already."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from strata_git.repo.lfs import format_pointer, parse_pointer
from tests.flows.kinds import Place, add, strata
from tests.flows.test_sealing import assert_clean, assert_sealed
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder

PLACE = "datasets/iris/v1"
SAFE = ("-c", "core.hooksPath=/dev/null")


@pytest.fixture
def repo(place: Place) -> RepositoryBuilder:
    return place.repo


def unsealed(name: str = "iris") -> dict[str, bytes]:
    return artifacts.dataset(name, seal=False)


def snapshot(repo: RepositoryBuilder) -> tuple[str, str, str, dict[str, bytes]]:
    """Index, status, HEAD and every file of the working tree."""
    files = {
        path: (repo.path / path).read_bytes()
        for path in repo.git("ls-files", "-co", "--exclude-standard").splitlines()
        if (repo.path / path).is_file()
    }
    return repo.git("ls-files", "-s"), repo.git("status", "--porcelain"), repo.head, files


def test_case_02_an_untracked_metadata_file_is_no_metadata(repo: RepositoryBuilder) -> None:
    repo.write(unsealed())
    repo.git("add", "--all")
    repo.git("rm", "-q", "--cached", f"{PLACE}/metadata.yaml")
    before = snapshot(repo)
    said = repo.try_git("commit", "-qm", "iris").expect(1).err
    assert f"{PLACE}/metadata.yaml" in said
    assert "STR-C008" in said
    assert snapshot(repo) == before


@pytest.mark.parametrize("words", [("-i", "notes.txt"), ("--include", "notes.txt")])
def test_case_05_commit_with_more_files_included(repo: RepositoryBuilder, words: tuple[str, ...]) -> None:
    repo.commit("Notes", {"notes.txt": "one\n"})
    repo.write(unsealed() | {"notes.txt": b"two\n"})
    repo.git("add", PLACE)
    repo.git("commit", "-qm", "iris", *words)
    assert_sealed(repo, PLACE)
    assert_clean(repo)


def test_case_06_a_refused_commit_of_everything_leaves_everything(repo: RepositoryBuilder) -> None:
    """`commit -a` of a good new version and a change of a released one."""
    repo.write(unsealed() | {"datasets/old/v1/data/iris.csv": b"tampered\n"})
    repo.git("add", "--intent-to-add", PLACE)
    before = snapshot(repo)
    assert "STR-I001" in repo.try_git("commit", "-qam", "both").expect(1).err
    assert snapshot(repo) == before
    assert not (repo.path / ".git/strata/sealed").exists()


def test_case_06_a_later_hook_refuses_what_was_sealed(repo: RepositoryBuilder) -> None:
    """What is left is a list that is right; the next commit takes it."""
    hook = repo.path / ".git/hooks/commit-msg"
    ours = hook.read_bytes() if hook.exists() else None
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    repo.write(unsealed())
    repo.git("add", "--intent-to-add", PLACE)
    assert repo.try_git("commit", "-qam", "iris").code != 0
    hook.unlink()
    if ours is not None:
        hook.write_bytes(ours)
        hook.chmod(0o755)
    repo.git("add", PLACE)
    repo.git("commit", "-qam", "iris")
    assert_sealed(repo, PLACE)
    assert_clean(repo)


SLOW = """\
import os, sys, time
from strata_git.hooks.entry import main
from strata_git.repo.command import Repository

real, at = Repository.git, os.environ["SLOW"]


def slow(self, *words, **options):
    if "--index-info" not in words:
        return real(self, *words, **options)
    answer = real(self, *words, **options) if at == "after" else b""
    with open(os.environ["MARKED"] + ".new", "w") as mark:
        mark.write(str(os.getpid()))
    os.rename(os.environ["MARKED"] + ".new", os.environ["MARKED"])
    time.sleep(60)
    return answer


Repository.git = slow
sys.exit(main())
"""
"""Our hook, which stops where it puts the seal into the index."""


ENDS = [
    pytest.param(how, at, whom, id=f"{how.name} {at} {whom}", marks=[] if often else pytest.mark.heavy)
    for how in (signal.SIGINT, signal.SIGKILL)
    for at in ("before", "after")
    for whom, often in (("everybody", how == signal.SIGINT), ("the hook", how == signal.SIGKILL))
]


@pytest.mark.parametrize(("how", "at", "whom"), ENDS)
def test_case_07_ended_in_the_middle(
    repo: RepositoryBuilder, tmp_path: Path, how: signal.Signals, at: str, whom: str
) -> None:
    """While the seal is put into the index: no edit is lost, no lock of ours stays, the next commit is made."""
    repo.write(unsealed())
    repo.git("add", "--all")
    before = snapshot(repo)
    slow, marked = tmp_path / "slow", tmp_path / "marked"
    slow.write_text(f"#!{sys.executable}\n{SLOW}")
    slow.chmod(0o755)
    hook = repo.path / ".git/hooks/pre-commit"
    ours = hook.read_text()
    hook.write_text(re.sub("(?m)^hook=.*$", f"hook='{slow}'", ours, count=1))
    environ = repo.environ | {"SLOW": at, "MARKED": str(marked)}
    with (
        open(tmp_path / "said", "wb") as said,
        subprocess.Popen(
            ["git", "commit", "-qm", "iris"], cwd=repo.path, env=environ, start_new_session=True, stderr=said
        ) as commit,
    ):
        until = time.monotonic() + 60
        while not marked.exists():
            assert time.monotonic() < until, "the hook never came to its seal"
            time.sleep(0.02)
        if whom == "the hook":
            os.kill(int(marked.read_text()), how)
        else:
            os.killpg(commit.pid, how)
        commit.wait(60)
    hook.write_text(ours)
    assert b"Traceback" not in (tmp_path / "said").read_bytes()
    assert commit.returncode != 0
    assert repo.head == before[2]
    after = snapshot(repo)
    assert after[3].items() >= before[3].items()
    assert after[3].keys() - before[3].keys() <= {f"{PLACE}/CHECKSUMS.txt"}
    assert (at == "after") or after[0] == before[0]
    assert not list((repo.path / ".git").glob("*.lock"))
    repo.git("commit", "-qm", "iris")
    assert_sealed(repo, PLACE)
    assert_clean(repo)


def test_case_08_a_hooks_environment_is_not_another_repositorys(place: Place) -> None:
    """From the hook of a linked worktree (absolute GIT_DIR and index) somebody asks us about another repository."""
    side, other = place.repo.worktree("side"), place.cloned("other").repo
    other.write({"datasets/old/v1/data/iris.csv": "tampered\n"})
    git_dir = side.git("rev-parse", "--absolute-git-dir")
    environ = {"GIT_DIR": git_dir, "GIT_INDEX_FILE": f"{git_dir}/index", "GIT_WORK_TREE": str(side.path)}
    before = (snapshot(place.repo), snapshot(side))
    assert "STR-I001" in other.strata("doctor", env=environ).expect(2).out
    side.strata("-C", str(other.path), "checksum", env=environ)
    side.strata("doctor", "--strict", env={"GIT_DIR": str(other.path / ".git")}).expect(0)
    assert (snapshot(place.repo), snapshot(side)) == before


def test_case_09_a_workspace_within_a_workspace(place: Place) -> None:
    """Hooks of both: inside, a version is sealed; outside, the new state of the submodule is committed."""
    inner, outer = place.cloned("source"), place.repo
    outer.git("submodule", "--quiet", "add", inner.repo.path.as_uri(), "vendor/inner")
    outer.git("commit", "-qm", "With a workspace inside")
    sub = RepositoryBuilder(outer.path / "vendor/inner", outer.environ, outer.clock).install_hooks()
    (outer.path / "vendor/iris.csv").write_text("sepal,species\n5.1,setosa\n")
    add(sub, "iris")
    (outer.path / "vendor/iris.csv").unlink()
    assert_sealed(sub, PLACE)
    outer.git("add", "vendor/inner")
    outer.git("commit", "-qm", "Follow")
    assert outer.git("rev-parse", "HEAD:vendor/inner") == sub.head
    assert_clean(outer)
    strata(outer, "doctor", "--strict").expect(0)


# --- 10: ways in which a bad artifact arrives past pre-commit; the push sees each


def merged(repo: RepositoryBuilder) -> None:
    repo.commit("ahead", {"ahead.txt": "x\n"}, "--no-verify")
    repo.git(*SAFE, "merge", "-q", "--no-edit", "bad")


def merged_with_a_conflict(repo: RepositoryBuilder) -> None:
    repo.commit("ahead", {"both.txt": "ours\n"}, "--no-verify")
    assert repo.try_git(*SAFE, "merge", "-q", "bad").code != 0
    repo.write({"both.txt": "resolved\n"})
    repo.git("add", "both.txt")
    repo.git(*SAFE, "commit", "-q", "--no-edit")


def merged_with_two(repo: RepositoryBuilder) -> None:
    repo.git("checkout", "-qb", "third", "main")
    repo.commit("third", {"third.txt": "x\n"}, "--no-verify")
    repo.git("checkout", "-q", "main")
    repo.commit("ahead", {"ahead.txt": "x\n"}, "--no-verify")
    repo.git(*SAFE, "merge", "-q", "--no-edit", "bad", "third")
    assert len(repo.git("rev-parse", "HEAD^@").split()) == 3


def squashed(repo: RepositoryBuilder) -> None:
    repo.git(*SAFE, "merge", "-q", "--squash", "bad")
    repo.git(*SAFE, "commit", "-qm", "squashed")


def picked(repo: RepositoryBuilder) -> None:
    repo.git(*SAFE, "cherry-pick", "bad")


def reverted(repo: RepositoryBuilder) -> None:
    """A revert of the commit that took the bad version away."""
    repo.git(*SAFE, "cherry-pick", "bad")
    repo.git("rm", "-rq", "datasets/broken")
    repo.git(*SAFE, "commit", "-qm", "away")
    repo.git(*SAFE, "revert", "--no-edit", "HEAD")


def rebased(repo: RepositoryBuilder) -> None:
    rebase(repo, "pick")


def reworded(repo: RepositoryBuilder) -> None:
    rebase(repo, "reword")


def fixed_up(repo: RepositoryBuilder) -> None:
    """The bad files come in as a fixup of something harmless."""
    rebase(repo, "fixup")


def executed(repo: RepositoryBuilder) -> None:
    """The bad version is committed by a command of the rebase."""
    repo.git("checkout", "-q", "-B", "work", "main")
    repo.commit("one", {"one.txt": "x\n"}, "--no-verify")
    repo.git(*SAFE, "rebase", "-q", "--exec", "git cherry-pick bad", "HEAD~1")


def rebase(repo: RepositoryBuilder, word: str) -> None:
    repo.git("checkout", "-q", "-B", "work", "main")
    repo.commit("one", {"one.txt": "x\n"}, "--no-verify")
    repo.git(*SAFE, "cherry-pick", "bad")
    editor = f"sed -i '2s/^pick/{word}/'"
    repo.git(*SAFE, "rebase", "-q", "-i", "HEAD~2", env={"GIT_SEQUENCE_EDITOR": editor, "GIT_EDITOR": "true"})


def mailed(repo: RepositoryBuilder) -> None:
    patch = repo.git("format-patch", "-1", "--stdout", "--binary", "bad") + "\n"
    repo.git(*SAFE, "am", "-q", stdin=patch.encode())


def grafted_by_plumbing(repo: RepositoryBuilder) -> None:
    """No porcelain at all."""
    repo.git("update-ref", "refs/heads/work", repo.git("commit-tree", "-p", "main", "-m", "x", "bad^{tree}"))
    repo.git("checkout", "-q", "work")


OFTEN = (merged_with_a_conflict, merged_with_two, squashed, reverted, executed, mailed)
SELDOM = (merged, picked, rebased, reworded, fixed_up, grafted_by_plumbing)
WAYS = [
    *(pytest.param(way, id=way.__name__) for way in OFTEN),
    *(pytest.param(way, id=way.__name__, marks=pytest.mark.heavy) for way in SELDOM),
]


@pytest.mark.parametrize("way", WAYS)
def test_case_10_however_it_arrives_the_push_sees_it(place: Place, way: Callable[[RepositoryBuilder], None]) -> None:
    repo = place.repo
    repo.git("checkout", "-qb", "bad")
    repo.write(artifacts.dataset("broken", replace={"train.csv": b"not what was listed\n"}) | {"both.txt": b"theirs\n"})
    repo.git("add", "--all")
    repo.git("commit", "-qnm", "Broken")
    repo.git("checkout", "-q", "main")
    way(repo)
    assert "datasets/broken/v1/train.csv" in repo.paths()
    before = place.server.git("for-each-ref")
    answer = repo.try_git("push", "-q", "origin", "HEAD:main")
    assert answer.code != 0
    assert "STR-C005: CHECKSUMS.txt lists" in answer.clean().err
    assert "datasets/broken/v1/train.csv" in answer.err
    assert place.server.git("for-each-ref") == before


# --- 19: Git LFS


@pytest.fixture
def large(lfs: RepositoryBuilder, tmp_path: Path) -> RepositoryBuilder:
    """A workspace with Git LFS, all hooks, and a remote."""
    lfs.install_lfs()
    lfs.install_hooks()
    lfs.commit("Workspace")
    lfs.git("init", "-q", "--bare", str(tmp_path / "remote"))
    lfs.git("remote", "add", "origin", (tmp_path / "remote").as_uri())
    return lfs


def test_case_19_a_large_file_past_its_attribute(large: RepositoryBuilder) -> None:
    """The filter is not configured, so git takes the file as it is, although .gitattributes says otherwise."""
    for key in ("clean", "smudge", "process", "required"):
        large.git("config", "--unset", f"filter.lfs.{key}")
    large.write(unsealed())
    large.git("add", "--all")
    said = large.try_git("commit", "-qm", "raw").expect(1).err
    assert f"{PLACE}/train.csv: error STR-F001" in said


def test_case_19_an_object_that_is_nowhere(large: RepositoryBuilder) -> None:
    """The pointer is committed, its object was deleted: the push is refused, by git-lfs itself."""
    large.write(unsealed())
    large.git("add", "--all")
    large.git("commit", "-qm", "iris")
    for path in (large.path / ".git/lfs/objects").rglob("*"):
        path.unlink() if path.is_file() else None
    large.write({f"{PLACE}/train.csv": large.git("cat-file", "blob", f"HEAD:{PLACE}/train.csv") + "\n"})
    large.write({f"{PLACE}/test.csv": large.git("cat-file", "blob", f"HEAD:{PLACE}/test.csv") + "\n"})
    answer = large.try_git("push", "-q", "origin", "main")
    assert answer.code != 0
    assert large.git("ls-remote", "origin") == ""


def test_case_19_larger_than_four_gibibytes() -> None:
    """Nothing is read to know it; git-lfs's own numbers go to 2^63 - 1."""
    for size in (1 << 32, (1 << 32) + 1, (1 << 63) - 1):
        pointer = parse_pointer(format_pointer("a" * 64, size))
        assert pointer is not None
        assert pointer.size == size
    assert parse_pointer(format_pointer("a" * 64, 1 << 63)) is None
