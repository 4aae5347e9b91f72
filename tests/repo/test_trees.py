"""Every tree says what git says: the working tree, the index, a commit, and trees that are only in memory."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strata_git.repo.command import Repository
from strata_git.repo.tree import (
    Entry,
    ListedTree,
    MemoryTree,
    OverlayTree,
    TooLarge,
    commit_tree,
    index_tree,
    tree_oid,
)
from strata_git.repo.worktree import WorkTree, read_plain, unstaged_paths
from tests.support.builder import RepositoryBuilder, create
from tests.support.fixtures import Builder

NAMES = st.binary(min_size=1, max_size=6).filter(
    lambda n: not set(n) & set(b'/\0\n\\:*?"<>|~.') and n.lower() != b"git"
)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(b"/".join)


def committed_tree_oid(repo: RepositoryBuilder) -> str:
    return repo.git("rev-parse", "HEAD^{tree}")


def ids(tree: ListedTree, directory: str = "", object_format: str = "sha1") -> str:
    return tree_oid(tree.under(directory), directory, object_format)


def entries(tree: ListedTree) -> list[tuple[str, str, str]]:
    return [(entry.path, entry.mode, entry.oid) for entry in tree.under("")]


def would_commit(repo: RepositoryBuilder) -> str:
    """The tree that git itself would commit now."""
    return repo.git("write-tree")


# --- agreement with git


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(PATHS, st.tuples(st.binary(max_size=20), st.booleans()), min_size=1, max_size=8))
def test_whatever_is_written_every_tree_has_gits_id(
    hermetic: dict[str, str], files: dict[bytes, tuple[bytes, bool]]
) -> None:
    taken = {parent for path in files for parent in _parents(path)}
    kept = {os.fsdecode(path): value for path, value in files.items() if path not in taken}
    with tempfile.TemporaryDirectory() as folder:
        repo = create(Path(folder, "r"), hermetic)
        for path, (data, executable) in kept.items():
            repo.write({path: data}).chmod({path: 0o755 if executable else 0o644})
        repo.git("add", "--all", "--force")
        truth = would_commit(repo)
        opened = repo.repository()
        memory = MemoryTree({path: (data, "100755" if x else "100644") for path, (data, x) in kept.items()})
        assert ids(memory) == ids(index_tree(opened)) == ids(WorkTree(opened)) == truth
        repo.git("commit", "-qm", "all")
        assert ids(commit_tree(opened, repo.head)) == ids(index_tree(opened)) == truth
        opened.close()


def _parents(path: bytes) -> list[bytes]:
    parts = path.split(b"/")
    return [b"/".join(parts[:n]) for n in range(1, len(parts))]


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_directories_have_gits_ids(builder: Builder, object_format: str) -> None:
    repo = builder(object_format=object_format)
    repo.write({"d/a.txt": "a", "d.txt": "beside", "d/b/c.txt": "c", "d0": "after"}).symlink({"d/link": "a.txt"})
    repo.commit()
    tree = commit_tree(repo.repository(), repo.head)
    assert ids(tree, "d", object_format) == repo.git("rev-parse", "HEAD:d")
    assert ids(tree, "d/b", object_format) == repo.git("rev-parse", "HEAD:d/b")
    assert ids(tree, "", object_format) == committed_tree_oid(repo)
    assert repo.repository().empty_tree == tree_oid([], "", object_format)
    assert len(repo.repository().null_oid) == len(repo.head)


@pytest.mark.parametrize("name", ["two words", "new\nline", "tab\there", "-dash", 'q"uote', os.fsdecode(b"\xff\xfe")])
def test_odd_names_survive(builder: Builder, name: str) -> None:
    repo = builder().write({f"d/{name}": "x"})
    assert [entry.path for entry in WorkTree(repo.repository()).under("d")] == [f"d/{name}"]
    repo.commit()
    for tree in (commit_tree(repo.repository(), repo.head), index_tree(repo.repository())):
        assert tree.get(f"d/{name}") is not None
        assert ids(tree) == committed_tree_oid(repo)


def test_a_bottomless_path(builder: Builder) -> None:
    """Nothing bounds how deep a path in an index is; judging one must not end in a recursion."""
    repo = builder()
    path = "/".join(["d"] * 1500)
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"x")
    repo.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    assert ids(index_tree(repo.repository())) == would_commit(repo)


# --- the index is what would be committed


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    made = builder()
    made.commit("One", {"keep": "keep", "change": "old", "gone": "gone", "type": "file", "d/x": "x"})
    return made


def test_staged_changes_deletions_and_types(repo: RepositoryBuilder) -> None:
    repo.write({"change": "new"}).delete("gone", "type").symlink({"type": "keep"}).chmod({"keep": 0o755})
    repo.git("add", "--all")
    tree = index_tree(repo.repository())
    assert ids(tree) == would_commit(repo)
    assert tree.get("gone") is None
    assert {entry.path: entry.mode for entry in tree.under("")}["type"] == "120000"


def test_intent_to_add_is_not_in_the_commit(repo: RepositoryBuilder) -> None:
    repo.write({"later": "later"})
    repo.git("add", "--intent-to-add", "later")
    assert index_tree(repo.repository()).get("later") is None


def test_before_the_first_commit(builder: Builder) -> None:
    repo = builder().write({"a": "a"})
    assert entries(index_tree(repo.repository())) == []
    repo.git("add", "a")
    assert ids(index_tree(repo.repository())) == would_commit(repo)
    assert repo.repository().head() is None


def test_a_partial_commit_is_read_from_the_index_git_names(repo: RepositoryBuilder, tmp_path: Path) -> None:
    """`git commit PATH` hands hooks a temporary index; it counts inside a hook and nowhere else."""
    repo.write({"change": "staged"})
    repo.git("add", "change")
    other = str(tmp_path / "index")
    repo.git("read-tree", "HEAD", env={"GIT_INDEX_FILE": other})
    environ = repo.environ | {"GIT_INDEX_FILE": other}
    inside = Repository.discover(repo.path, environ, in_hook=True)
    outside = Repository.discover(repo.path, environ)
    assert ids(index_tree(inside)) == committed_tree_oid(repo)
    assert ids(index_tree(outside)) == would_commit(repo) != committed_tree_oid(repo)


def test_submodules_are_entries_of_their_own_mode(repo: RepositoryBuilder) -> None:
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{repo.head},sub")
    entry = index_tree(repo.repository()).get("sub")
    assert entry == Entry("sub", "160000", repo.head)


def test_only_the_paths_asked_for(repo: RepositoryBuilder) -> None:
    opened = repo.repository()
    assert [entry.path for entry in commit_tree(opened, repo.head, ["d", "keep"]).under("")] == ["d/x", "keep"]
    assert entries(commit_tree(opened, repo.head, [])) == []
    assert [entry.path for entry in index_tree(opened, ["d"]).under("")] == ["d/x"]


def test_an_unmerged_index_is_told(repo: RepositoryBuilder) -> None:
    from strata_git.errors import StrataError

    repo.git("checkout", "-qb", "side")
    repo.commit("side", {"change": "side"})
    repo.git("checkout", "-q", "main")
    repo.commit("main", {"change": "main"})
    repo.try_git("merge", "side")
    with pytest.raises(StrataError, match="change is unmerged"):
        index_tree(repo.repository())


# --- memory and overlays


def test_an_overlay_replaces_adds_and_removes(repo: RepositoryBuilder) -> None:
    base = commit_tree(repo.repository(), repo.head)
    tree = OverlayTree(base, {"change": b"new", "gone": None, "added": b"added"})
    repo.write({"change": "new", "gone": None, "added": "added"})
    repo.git("add", "--all")
    assert ids(tree) == would_commit(repo)
    assert {e.path: tree.read(e) for e in tree.under("")} == {
        "added": b"added", "change": b"new", "d/x": b"x", "keep": b"keep", "type": b"file",
    }  # fmt: skip
    for path in ("change", "keep"):
        entry = tree.get(path)
        assert entry is not None
        assert tree.content(entry).size == len(tree.read(entry))


def test_too_large_is_told_before_anything_is_kept(repo: RepositoryBuilder) -> None:
    for tree in (commit_tree(repo.repository(), repo.head), MemoryTree({"keep": b"keep"}), WorkTree(repo.repository())):
        entry = tree.get("keep")
        assert entry is not None
        with pytest.raises(TooLarge):
            tree.read(entry, 3)
        assert tree.read(entry, 4) == b"keep"


def test_directories_are_cut_where_git_cuts_them() -> None:
    """`d.txt` and `d0` sort around `d/`; neither lies below it."""
    tree = MemoryTree({"d.txt": b"", "d/x": b"", "d0": b"", "d": b""})
    assert [entry.path for entry in tree.under("d")] == ["d/x"]
    assert tree.get("d/") is None


# --- the working tree


def test_untracked_changed_deleted_and_ignored(repo: RepositoryBuilder) -> None:
    repo.write({"new": "new", "change": "changed", "gone": None, "junk": "junk", ".gitignore": "junk\n"})
    tree = WorkTree(repo.repository())
    repo.git("add", "--all")
    assert ids(tree) == would_commit(repo)
    entry = tree.get("change")
    assert entry is not None
    assert (tree.read(entry), tree.content(entry).size) == (b"changed", 7)


def test_lfs_files_are_the_same_smudged_or_as_pointers(lfs: RepositoryBuilder) -> None:
    data = b"a,b\n" * 400
    lfs.commit("One", {"datasets/x/v1/a.csv": data, "datasets/x/v1/empty.csv": b""})
    truth = lfs.git("rev-parse", "HEAD:datasets")
    pointer = lfs.git("cat-file", "blob", "HEAD:datasets/x/v1/a.csv") + "\n"
    for content in (data, pointer.encode()):
        lfs.write({"datasets/x/v1/a.csv": content, "datasets/x/v1/empty.csv": b""})
        os.utime(lfs.path / "datasets/x/v1/a.csv", (1, 1))
        tree = WorkTree(lfs.repository())
        assert ids(tree, "datasets") == truth
        entry = tree.get("datasets/x/v1/a.csv")
        assert entry is not None
        assert (tree.content(entry).stored, tree.content(entry).size) == ("pointer", len(data))
        assert tree.read(entry) == pointer.encode()


def test_links_are_seen_and_never_followed(repo: RepositoryBuilder, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    repo.delete("change").symlink({"change": str(tmp_path / "secret"), "dangling": "nowhere"})
    tree = WorkTree(repo.repository())
    entry = tree.get("change")
    assert entry is not None
    assert (entry.mode, tree.read(entry)) == ("120000", str(tmp_path / "secret").encode())
    repo.git("add", "--all")
    assert ids(tree) == would_commit(repo)


@pytest.mark.parametrize("target", ["../repo-beside", "../elsewhere", "other"])
def test_a_linked_directory_hides_what_was_below_it(repo: RepositoryBuilder, target: str) -> None:
    """As git sees it: the directory's files are gone and a link has come; a neighbour's name may begin alike."""
    beside = (repo.path / target).resolve()
    beside.mkdir()
    (beside / "x").write_text("from elsewhere")
    repo.delete("d/x")
    (repo.path / "d").rmdir()
    repo.symlink({"d": target})
    tree = WorkTree(repo.repository())
    assert tree.get("d/x") is None
    assert read_plain(repo.repository(), "d/x") is None
    repo.git("add", "--all")
    assert ids(tree) == would_commit(repo)


def test_special_files_in_a_files_place(repo: RepositoryBuilder) -> None:
    repo.delete("change", "gone")
    os.mkfifo(repo.path / "change")
    repo.write({"gone/inner": "a directory now"})
    tree = WorkTree(repo.repository())
    assert tree.get("change") is None
    assert tree.get("gone") is None
    assert tree.get("gone/inner") is not None
    assert unstaged_paths(repo.repository(), ["change"]) == ["change"]


def test_unstaged_paths_are_what_git_would_leave_behind(repo: RepositoryBuilder) -> None:
    repo.write({"d/new": "n", "d/staged": "s", "change": "staged"})
    repo.git("add", "d/staged", "change")
    repo.write({"change": "again"}).delete("gone")
    os.utime(repo.path / "keep", (1, 1))
    opened = repo.repository()
    assert unstaged_paths(opened, ["d", "change", "gone", "keep"]) == ["change", "d/new", "gone"]
    assert unstaged_paths(opened, ["keep"]) == []


def test_small_files_are_read_as_they_stand(repo: RepositoryBuilder) -> None:
    opened = repo.repository()
    assert read_plain(opened, "keep") == b"keep"
    assert read_plain(opened, "absent") is None
    assert read_plain(opened, "keep/below") is None
