"""The note on what was sealed outlives the commit only where post-commit has something to settle.

In place of our program the post-commit hook calls one that leaves a mark and fails: a commit in which it was started
shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from strata_git.integrity import checksums
from strata_git.repo.tree import commit_tree
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

PLACE = "datasets/iris/v1"
PROGRAM = "hook='"
Kind = Callable[[Builder], RepositoryBuilder]


def plain(builder: Builder) -> RepositoryBuilder:
    made = builder().workspace().install_hooks()
    made.commit("Workspace", {"notes.txt": "one\n"})
    return made


def linked(builder: Builder) -> RepositoryBuilder:
    return plain(builder).worktree("side")


def submodule(builder: Builder) -> RepositoryBuilder:
    """A work tree whose git directory lies in that of the repository around it."""
    inner = builder("inner").workspace()
    inner.commit("Workspace", {"notes.txt": "one\n"})
    outer = builder("outer")
    outer.git("submodule", "--quiet", "add", inner.path.as_uri(), "sub")
    outer.commit("Submodule")
    return RepositoryBuilder(outer.path / "sub", outer.environ, outer.clock).install_hooks()


KINDS: dict[str, Kind] = {"plain": plain, "linked": linked, "submodule": submodule}
ONE_KIND = pytest.mark.parametrize("repo", ["plain"], indirect=True)


@pytest.fixture(params=KINDS)
def repo(builder: Builder, request: pytest.FixtureRequest) -> RepositoryBuilder:
    """A workspace with our hooks, in three kinds of work tree."""
    made = KINDS[request.param](builder)
    assert (made.path / ".git").is_dir() == (request.param == "plain")
    return made


@pytest.fixture
def trap(repo: RepositoryBuilder, tmp_path: Path) -> Path:
    """The file that is there once post-commit has started our program, which then fails."""
    mark, program = tmp_path / "started", tmp_path / "program"
    program.write_text(f"#!/bin/sh\n: >'{mark}'\nexit 1\n")
    program.chmod(0o755)
    hook = directory(repo, "--git-common-dir") / "hooks/post-commit"
    lines = hook.read_text().splitlines(keepends=True)
    (at,) = (n for n, line in enumerate(lines) if line.startswith(PROGRAM))
    lines[at] = f"hook='{program}'\n"
    hook.write_text("".join(lines))
    return mark


def directory(repo: RepositoryBuilder, which: str = "--absolute-git-dir") -> Path:
    return (repo.path / repo.git("rev-parse", which)).resolve()


def note(repo: RepositoryBuilder) -> Path:
    return directory(repo) / "strata/sealed"


def stage(repo: RepositoryBuilder, version: str = "v1", **options: object) -> RepositoryBuilder:
    """A new version without its list, staged."""
    repo.write(artifacts.dataset("iris", version, seal=False, **options))  # type: ignore[arg-type]
    repo.git("add", "datasets")
    return repo


def assert_settled(repo: RepositoryBuilder, place: str = PLACE) -> None:
    """The commit holds a true list of exactly its files, and nothing differs from it anywhere."""
    assert repo.git("status", "--porcelain") == ""
    opened = repo.repository()
    below = {entry.path.removeprefix(f"{place}/"): entry for entry in commit_tree(opened, repo.head).under(place)}
    tree = commit_tree(opened, repo.head)
    listed = checksums.parse(tree.read(below.pop("CHECKSUMS.txt")))
    assert listed == {name: tree.content(entry).sha256 for name, entry in below.items()}
    assert len(listed) >= 3
    opened.close()


# --- nothing to settle, nothing started


def test_a_plain_commit(repo: RepositoryBuilder, trap: Path) -> None:
    stage(repo).git("commit", "-qm", "iris")
    assert not trap.exists()
    assert not note(repo).exists()
    assert_settled(repo)


@ONE_KIND
def test_from_a_directory_below(repo: RepositoryBuilder, trap: Path) -> None:
    """The hook is told of the index by a path, which is not meant from where the user stands."""
    stage(repo).git("-C", PLACE, "commit", "-qm", "iris")
    assert not trap.exists()
    assert_settled(repo)


@ONE_KIND
def test_by_the_places_named(repo: RepositoryBuilder, trap: Path) -> None:
    """`--git-dir` and `--work-tree`, from elsewhere."""
    places = (f"--git-dir={directory(repo)}", f"--work-tree={repo.path}")
    stage(repo).git("-C", str(repo.path.parent), *places, "commit", "-qm", "iris")
    assert not trap.exists()
    assert_settled(repo)


def test_an_amended_commit(repo: RepositoryBuilder, trap: Path) -> None:
    stage(repo).git("commit", "-qm", "iris")
    first = repo.git("rev-parse", f"HEAD:{PLACE}/CHECKSUMS.txt")
    changed = artifacts.dataset("iris", seal=False, metadata={"description": "told better"})
    repo.write({path: changed[path] for path in changed if path.endswith("metadata.yaml")})
    repo.git("add", PLACE)
    repo.git("commit", "-q", "--amend", "--no-edit")
    assert repo.git("rev-parse", f"HEAD:{PLACE}/CHECKSUMS.txt") != first
    assert not trap.exists()
    assert not note(repo).exists()
    assert_settled(repo)


@ONE_KIND
def test_a_commit_after_one_that_never_happened(repo: RepositoryBuilder, trap: Path) -> None:
    """A later hook refuses `commit PATH`; its note is not left for the next commit to find."""
    hook = directory(repo, "--git-common-dir") / "hooks/commit-msg"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert stage(repo).try_git("commit", "-qm", "iris", PLACE).code != 0
    assert note(repo).exists()
    hook.unlink()
    repo.git("add", PLACE)
    repo.git("commit", "-qm", "iris")
    assert not trap.exists()
    assert not note(repo).exists()
    assert_settled(repo)


@ONE_KIND
def test_a_refused_commit_leaves_no_note(repo: RepositoryBuilder) -> None:
    stage(repo, metadata={"licence": 7})
    assert "STR-" in repo.try_git("commit", "-qm", "iris").expect(1).err
    assert not note(repo).exists()


# --- something to settle


def test_a_commit_of_paths_starts_our_program(repo: RepositoryBuilder, trap: Path) -> None:
    """The other tests would notice: here git throws the sealed index away, and only our program puts it right."""
    stage(repo).git("commit", "-qm", "iris", PLACE)
    assert trap.exists()
    oid = repo.git("rev-parse", f"HEAD:{PLACE}/CHECKSUMS.txt")
    assert json.loads(note(repo).read_bytes()) == {f"{PLACE}/CHECKSUMS.txt": oid}
    assert repo.git("status", "--porcelain") != ""


@pytest.mark.parametrize("words", [(PLACE,), ("--include", PLACE)], ids=" ".join)
def test_a_commit_of_paths(repo: RepositoryBuilder, words: tuple[str, ...]) -> None:
    stage(repo).git("commit", "-qm", "iris", *words)
    assert not note(repo).exists()
    assert_settled(repo)


def test_a_commit_of_paths_beside_what_is_staged(repo: RepositoryBuilder) -> None:
    """What else was staged is staged still, and is sealed by the commit that takes it."""
    stage(repo)
    stage(repo, "v2")
    repo.git("commit", "-qm", "v1", PLACE)
    assert set(repo.git("diff", "--cached", "--name-only").split("\n")) == {
        f"datasets/iris/v2/{name}" for name in ("metadata.yaml", "test.csv", "train.csv")
    }
    repo.git("commit", "-qm", "v2")
    assert not note(repo).exists()
    assert_settled(repo)
    assert_settled(repo, "datasets/iris/v2")


@ONE_KIND
def test_an_amended_commit_of_paths(repo: RepositoryBuilder) -> None:
    stage(repo).git("commit", "-q", "--amend", "--no-edit", PLACE)
    assert not note(repo).exists()
    assert_settled(repo)


def test_a_commit_of_all(repo: RepositoryBuilder) -> None:
    """Git hands the hook an index that is not yet the repository's own, and keeps it."""
    repo.write(artifacts.dataset("iris", seal=False) | {"notes.txt": b"two\n"})
    repo.git("add", "--intent-to-add", PLACE)
    repo.git("commit", "-qam", "iris")
    assert not note(repo).exists()
    assert_settled(repo)


@ONE_KIND
def test_a_commit_of_all_needs_no_settling(repo: RepositoryBuilder, trap: Path) -> None:
    """Right even where our program fails after the fact."""
    repo.write(artifacts.dataset("iris", seal=False))
    repo.git("add", "--intent-to-add", PLACE)
    repo.git("commit", "-qam", "iris")
    assert_settled(repo)


@ONE_KIND
def test_an_index_of_the_users_own(repo: RepositoryBuilder, tmp_path: Path) -> None:
    """`GIT_INDEX_FILE=... git commit`: the list is in that index and in the commit; the note is used up."""
    other = {"GIT_INDEX_FILE": str(tmp_path / "index")}
    repo.git("read-tree", "HEAD", env=other)
    repo.write(artifacts.dataset("iris", seal=False))
    repo.git("add", PLACE, env=other)
    repo.git("commit", "-qm", "iris", env=other)
    assert not note(repo).exists()
    assert repo.git("status", "--porcelain", env=other) == ""
    repo.git("reset", "-q")
    assert_settled(repo)
