"""CHECKSUMS.txt is right in the commit itself, whichever way the commit is made and whoever calls the hook."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from strata_git.integrity import checksums
from strata_git.repo.tree import commit_tree
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

PLACE = "datasets/iris/v1"
HOOK = Path(sys.executable).with_name("git-strata-hook")
FRAMEWORK = f"""\
default_install_hook_types: [pre-commit, pre-merge-commit, post-commit]
repos:
  - repo: local
    hooks:
      - {{id: strata, name: strata, entry: {HOOK} pre-commit, language: system, always_run: true,
         pass_filenames: false, stages: [pre-commit, pre-merge-commit]}}
      - {{id: strata-seal-sync, name: sync, entry: {HOOK} post-commit, language: system, always_run: true,
         pass_filenames: false, stages: [post-commit]}}
"""


def raw(repo: RepositoryBuilder) -> None:
    repo.install_hooks()


def framework(program: str) -> Callable[[RepositoryBuilder], None]:
    def install(repo: RepositoryBuilder) -> None:
        repo.write({".pre-commit-config.yaml": FRAMEWORK})
        repo.git("add", ".pre-commit-config.yaml")
        command = str(Path(sys.executable).with_name(program))
        repo.git("-c", f"alias.frame=!{command}", "frame", "install")

    return install


RUNNERS = {"raw": raw, "pre-commit": framework("pre-commit"), "prek": framework("prek")}


@pytest.fixture(params=["raw", pytest.param("pre-commit", marks=pytest.mark.heavy), "prek"])
def repo(builder: Builder, request: pytest.FixtureRequest) -> RepositoryBuilder:
    """A workspace with one commit and the hooks installed by one of three runners."""
    made = builder().workspace()
    made.write({"notes.txt": "one\ntwo\nthree\n"})
    RUNNERS[request.param](made)
    made.commit("Workspace")
    return made


def unsealed(version: str = "v1", **options: object) -> dict[str, bytes]:
    return artifacts.dataset("iris", version, seal=False, **options)  # type: ignore[arg-type]


def assert_sealed(repo: RepositoryBuilder, place: str = PLACE, revision: str = "HEAD") -> None:
    """The committed list names exactly the committed files with their sums, and nothing is left over anywhere."""
    listed = checksums.parse(repo.git("show", f"{revision}:{place}/CHECKSUMS.txt").encode() + b"\n")
    names = {path.removeprefix(f"{place}/") for path in repo.paths(revision) if path.startswith(f"{place}/")}
    assert set(listed) == names - {"CHECKSUMS.txt"}
    committed = commit_tree(repo.repository(), repo.git("rev-parse", revision))
    for name, digest in listed.items():
        entry = committed.get(f"{place}/{name}")
        assert entry is not None
        assert committed.content(entry).sha256 == digest


def assert_clean(repo: RepositoryBuilder) -> None:
    assert repo.git("status", "--porcelain") == ""


def test_plain(repo: RepositoryBuilder) -> None:
    repo.write(unsealed())
    repo.git("add", PLACE)
    repo.git("commit", "-qm", "iris")
    assert_sealed(repo)
    assert_clean(repo)


def test_all(repo: RepositoryBuilder) -> None:
    """`commit -a`: git judges a temporary index that becomes the real one."""
    repo.write(unsealed() | {"notes.txt": b"changed\n"})
    repo.git("add", "--intent-to-add", PLACE)
    repo.git("commit", "-qam", "iris")
    assert_sealed(repo)
    assert_clean(repo)


def test_patch(repo: RepositoryBuilder) -> None:
    """`commit -p`, taking all of the version and only the first hunk of another file."""
    repo.write(unsealed())
    repo.git("add", "--intent-to-add", PLACE)
    answers = b"y\n" * (len(unsealed()) + 1)
    repo.git("commit", "-qpm", "iris", stdin=answers)
    assert_sealed(repo)
    assert_clean(repo)


def test_partial(repo: RepositoryBuilder) -> None:
    """`commit PATH` while another file is staged: git throws away the index that the hook sealed."""
    repo.write(unsealed() | {"notes.txt": b"staged\n"})
    repo.git("add", PLACE, "notes.txt")
    repo.git("commit", "-qm", "iris", PLACE)
    assert_sealed(repo)
    assert repo.git("status", "--porcelain") == "M  notes.txt"


def test_only_from_below(repo: RepositoryBuilder) -> None:
    """`commit --only .` in the version's own directory."""
    repo.write(unsealed())
    repo.git("add", PLACE)
    repo.git("-C", PLACE, "commit", "-qm", "iris", "--only", ".")
    assert_sealed(repo)
    assert_clean(repo)


def test_amend(repo: RepositoryBuilder) -> None:
    """Nobody has seen the version, so its commit may still be amended; the list follows."""
    repo.write(unsealed())
    repo.git("add", PLACE)
    repo.git("commit", "-qm", "iris")
    changed = unsealed(metadata={"description": "told better"})
    repo.write({path: data for path, data in changed.items() if path.endswith("metadata.yaml")})
    repo.git("add", PLACE)
    repo.git("commit", "-q", "--amend", "--no-edit")
    assert_sealed(repo)
    assert_clean(repo)


def test_clean_merge(repo: RepositoryBuilder) -> None:
    """A merge runs no pre-commit; versions of both sides arrive sealed."""
    repo.git("checkout", "-qb", "side")
    repo.write(unsealed())
    repo.git("add", PLACE)
    repo.git("commit", "-qm", "iris v1")
    repo.git("checkout", "-q", "main")
    repo.write({path.replace("iris", "tulips"): data for path, data in artifacts.dataset("tulips", seal=False).items()})
    repo.git("add", "datasets")
    repo.git("commit", "-qm", "tulips v1")
    repo.git("merge", "-q", "--no-edit", "side")
    assert_sealed(repo)
    assert_sealed(repo, "datasets/tulips/v1")
    assert_clean(repo)


def test_version_made_in_a_merge(repo: RepositoryBuilder) -> None:
    """`merge --no-commit`, add a version, commit."""
    repo.git("checkout", "-qb", "side")
    repo.commit("aside", {"aside.txt": "x"})
    repo.git("checkout", "-q", "main")
    repo.commit("ahead", {"ahead.txt": "y"})
    repo.git("merge", "-q", "--no-commit", "side")
    repo.write(unsealed())
    repo.git("add", PLACE)
    repo.git("commit", "-qm", "merge with a version")
    assert_sealed(repo)
    assert_clean(repo)


def test_linked_worktree(repo: RepositoryBuilder) -> None:
    linked = repo.worktree("side")
    linked.write(unsealed())
    linked.git("add", PLACE)
    linked.git("commit", "-qm", "iris", PLACE)
    assert_sealed(linked)
    assert_clean(linked)
    assert_clean(repo)


def test_first_commit(builder: Builder) -> None:
    repo = builder().workspace().install_hooks()
    repo.write(unsealed())
    repo.git("add", "--all")
    repo.git("commit", "-qm", "everything")
    assert_sealed(repo)
    assert_clean(repo)


def test_a_version_that_is_not_wholly_staged(repo: RepositoryBuilder, request: pytest.FixtureRequest) -> None:
    """Refused, and nothing is touched. The frameworks hide what is not staged; then the staged bytes are sealed."""
    repo.write(unsealed())
    repo.git("add", PLACE)
    repo.write({f"{PLACE}/train.csv": b"edited after staging\n"})
    before = repo.git("status", "--porcelain")
    answer = repo.try_git("commit", "-qm", "iris")
    if "raw" in request.node.name:
        assert answer.code != 0
        assert "STR-C008" in answer.err
        assert repo.git("status", "--porcelain") == before
    else:
        assert answer.code == 0, answer.err
        assert_sealed(repo)
    assert repo.read(f"{PLACE}/train.csv") == b"edited after staging\n"


def test_untracked_files_of_a_new_version_are_missed(builder: Builder) -> None:
    """Forgotten files are told, not left out in silence."""
    repo = builder().workspace().install_hooks()
    repo.commit("Workspace")
    repo.write(unsealed())
    repo.git("add", PLACE)
    repo.git("rm", "-q", "--cached", f"{PLACE}/test.csv")
    answer = repo.try_git("commit", "-qm", "iris")
    assert answer.code != 0
    assert "STR-C008" in answer.err + answer.out


def test_ignored_files_are_not_missed(builder: Builder) -> None:
    """Ignored by the repository or by the user's own list, as git sees it."""
    repo = builder().workspace().install_hooks()
    mine = repo.path.parent / "ignored-by-me"
    mine.write_text("*.swp\n")
    repo.git("config", "--global", "core.excludesFile", str(mine))
    repo.write(unsealed() | {f"{PLACE}/.train.csv.swp": b"x", f"{PLACE}/__pycache__/x": b"x"})
    repo.git("add", "--all")
    repo.git("commit", "-qm", "iris")
    assert_sealed(repo)
    assert_clean(repo)


@pytest.mark.parametrize("name", ["with space.csv", "-dash.csv", "uni-é.csv", "'quote.csv"])
def test_odd_names(builder: Builder, name: str) -> None:
    repo = builder().workspace().install_hooks()
    repo.write(unsealed(files={"train": {name: b"a,b\n1,2\n"}}))
    repo.git("add", "--all")
    repo.git("commit", "-qm", "iris")
    assert_sealed(repo)
    assert_clean(repo)


@pytest.mark.parametrize(("name", "rule"), [(b"new\nline.csv", "STR-L001"), (b"bytes-\xff.csv", "STR-L002")])
def test_names_that_no_list_can_hold(builder: Builder, name: bytes, rule: str) -> None:
    repo = builder().workspace().install_hooks()
    repo.write(unsealed())
    (repo.path / PLACE / os.fsdecode(name)).write_bytes(b"x\n")
    repo.git("add", "--all")
    answer = repo.try_git("commit", "-qm", "iris")
    assert answer.code != 0
    assert rule in answer.err
    assert "Traceback" not in answer.err


def test_lfs_pointers_are_sealed_by_their_object(lfs: RepositoryBuilder) -> None:
    lfs.install_hooks()
    lfs.write(unsealed())
    lfs.git("add", "--all")
    lfs.git("commit", "-qm", "iris")
    assert lfs.git("show", f"HEAD:{PLACE}/train.csv").startswith("version https://git-lfs")
    assert_sealed(lfs)
    assert_clean(lfs)
    subprocess.run(["sha256sum", "--strict", "--quiet", "-c", "CHECKSUMS.txt"], cwd=lfs.path / PLACE, check=True)


def test_a_commit_that_never_happened_leaves_no_trace(builder: Builder) -> None:
    """commit-msg refuses after sealing; a later commit of something else repairs nothing."""
    repo = builder().workspace().install_hooks()
    repo.commit("Workspace")
    hook = repo.path / ".git/hooks/commit-msg"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    repo.write(unsealed())
    repo.git("add", PLACE)
    assert repo.try_git("commit", "-qm", "iris").code != 0
    hook.unlink()
    repo.git("rm", "-rq", "--cached", PLACE)
    repo.write({"notes.txt": "x"})
    repo.git("add", "notes.txt")
    repo.git("commit", "-qm", "notes")
    assert PLACE not in repo.git("ls-files")
