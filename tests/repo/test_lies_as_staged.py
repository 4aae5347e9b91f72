"""The short way to "nothing is left behind" says so only where the long way, git's own, says so too."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from strata_git.repo.tree import index_tree
from strata_git.repo.worktree import lies_as_staged, unstaged_paths
from tests.support.builder import RepositoryBuilder, create
from tests.support.fixtures import Builder

PLACE = "datasets/iris/v1"
FILES = {f"{PLACE}/a.csv": b"a,b\n1,2\n", f"{PLACE}/deep/er/b.csv": b"b" * 64, f"{PLACE}/empty": b""}
NOT_UTF8 = os.fsdecode(b"\xff\xfe.csv")
MEBIBYTE = 1 << 20


def short_way(repo: RepositoryBuilder) -> bool:
    opened = repo.repository()
    try:
        return lies_as_staged(opened, PLACE, index_tree(opened, [PLACE]).under(PLACE))
    finally:
        opened.close()


def long_way(repo: RepositoryBuilder) -> list[str]:
    opened = repo.repository()
    try:
        return unstaged_paths(opened, [PLACE])
    finally:
        opened.close()


@pytest.fixture(params=["sha1", "sha256"])
def repo(builder: Builder, request: pytest.FixtureRequest) -> RepositoryBuilder:
    """A new version, wholly staged, and files beside it that are not."""
    made = builder(object_format=request.param).write(FILES)
    made.git("add", "--all")
    return made.write({"datasets/iris/v2/a.csv": "untracked", "datasets/iris/v10": "beside"})


# --- where nothing is left behind


def test_equal(repo: RepositoryBuilder) -> None:
    assert (short_way(repo), long_way(repo)) == (True, [])


def test_equal_whatever_the_times_say(repo: RepositoryBuilder) -> None:
    for name in FILES:
        os.utime(repo.path / name, (1, 1))
    assert (short_way(repo), long_way(repo)) == (True, [])


def test_git_is_not_asked(repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = repo.repository()
    staged = index_tree(opened, [PLACE]).under(PLACE)
    opened.close()
    monkeypatch.setattr("strata_git.repo.process.subprocess.Popen", None)
    monkeypatch.setattr("strata_git.repo.process.subprocess.run", None)
    with pytest.raises(TypeError):
        opened.git("status")
    assert lies_as_staged(opened, PLACE, staged)


def test_names_that_are_not_utf8(repo: RepositoryBuilder) -> None:
    path = f"{PLACE}/{NOT_UTF8}"
    repo.write({path: "x"})
    assert (short_way(repo), long_way(repo)) == (False, [path])
    repo.git("add", "--all")
    assert (short_way(repo), long_way(repo)) == (True, [])
    repo.write({path: "y"})
    assert (short_way(repo), long_way(repo)) == (False, [path])


def test_an_executable_file(repo: RepositoryBuilder) -> None:
    repo.chmod({f"{PLACE}/a.csv": 0o755})
    assert (short_way(repo), long_way(repo)) == (False, [f"{PLACE}/a.csv"])
    repo.git("add", "--all")
    assert (short_way(repo), long_way(repo)) == (True, [])
    repo.chmod({f"{PLACE}/a.csv": 0o644})
    assert (short_way(repo), long_way(repo)) == (False, [f"{PLACE}/a.csv"])


def test_permissions_that_git_does_not_keep(repo: RepositoryBuilder) -> None:
    repo.chmod({f"{PLACE}/a.csv": 0o604, f"{PLACE}/empty": 0o611})
    assert (short_way(repo), long_way(repo)) == (True, [])


# --- where something is


def test_other_content_of_the_same_size(repo: RepositoryBuilder) -> None:
    """As young as the index and as long as before: only the bytes tell."""
    name = f"{PLACE}/a.csv"
    before = (repo.path / name).stat()
    repo.write({name: b"a,b\n1,3\n"})
    os.utime(repo.path / name, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not short_way(repo)
    os.utime(repo.path / name, (1, 1))
    assert (short_way(repo), long_way(repo)) == (False, [name])


def test_a_link_in_a_files_place(repo: RepositoryBuilder, tmp_path: Path) -> None:
    """It leads to the very bytes that are staged, and is a link all the same."""
    (tmp_path / "same").write_bytes(FILES[f"{PLACE}/a.csv"])
    repo.delete(f"{PLACE}/a.csv").symlink({f"{PLACE}/a.csv": str(tmp_path / "same")})
    assert (short_way(repo), long_way(repo)) == (False, [f"{PLACE}/a.csv"])


def test_a_link_that_is_staged_is_left_to_git(repo: RepositoryBuilder) -> None:
    repo.symlink({f"{PLACE}/link": "a.csv"})
    repo.git("add", "--all")
    assert (short_way(repo), long_way(repo)) == (False, [])


@pytest.mark.parametrize("linked", [PLACE, "datasets/iris", "datasets", f"{PLACE}/deep"])
def test_a_linked_directory_on_the_way(repo: RepositoryBuilder, tmp_path: Path, linked: str) -> None:
    """All files are there, byte for byte, but behind a link; git sees none of them."""
    (repo.path / linked).rename(tmp_path / "elsewhere")
    repo.symlink({linked: str(tmp_path / "elsewhere")})
    behind = sorted(name for name in FILES if name.startswith(f"{linked}/"))
    assert all((repo.path / name).is_file() for name in FILES)
    assert not short_way(repo)
    assert set(long_way(repo)) >= set(behind)


def test_a_linked_directory_beside_the_files(repo: RepositoryBuilder, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    repo.symlink({f"{PLACE}/more": str(tmp_path / "empty")})
    assert (short_way(repo), long_way(repo)) == (False, [f"{PLACE}/more"])


def test_the_repository_itself_behind_a_link(repo: RepositoryBuilder, tmp_path: Path) -> None:
    """Links above the repository are the user's own affair."""
    (tmp_path / "way").symlink_to(repo.path)
    seen = RepositoryBuilder(tmp_path / "way", repo.environ)
    assert (short_way(seen), long_way(seen)) == (True, [])


@pytest.mark.parametrize("name", ["new.csv", "deep/new.csv", ".hidden", "CHECKSUMS.txt"])
def test_one_file_more(repo: RepositoryBuilder, name: str) -> None:
    repo.write({f"{PLACE}/{name}": ""})
    assert (short_way(repo), long_way(repo)) == (False, [f"{PLACE}/{name}"])


def test_one_ignored_file_more_is_left_to_git(repo: RepositoryBuilder) -> None:
    repo.write({".gitignore": "*.swp\n", f"{PLACE}/.a.csv.swp": "x"})
    assert (short_way(repo), long_way(repo)) == (False, [])


@pytest.mark.parametrize("data", ["x", ""])
def test_a_file_that_is_only_to_be_added(repo: RepositoryBuilder, data: str) -> None:
    """`git add --intent-to-add` puts nothing into the commit, though the index then names an empty file."""
    repo.write({f"{PLACE}/later.csv": data})
    repo.git("add", "--intent-to-add", PLACE)
    assert (short_way(repo), long_way(repo)) == (False, [f"{PLACE}/later.csv"])


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_missing(repo: RepositoryBuilder, name: str) -> None:
    repo.delete(name)
    assert (short_way(repo), long_way(repo)) == (False, [name])


def test_everything_is_missing(repo: RepositoryBuilder) -> None:
    (repo.path / PLACE).rename(repo.path / "elsewhere")
    assert (short_way(repo), long_way(repo)) == (False, sorted(FILES))
    repo.write({PLACE: "a file now"})
    assert not short_way(repo)
    assert set(long_way(repo)) >= set(FILES)


def test_special_files(repo: RepositoryBuilder) -> None:
    """A pipe in a file's place is not opened: that would wait for ever."""
    repo.delete(f"{PLACE}/a.csv")
    os.mkfifo(repo.path / PLACE / "a.csv")
    assert (short_way(repo), long_way(repo)) == (False, [f"{PLACE}/a.csv"])


def test_a_submodule_below(repo: RepositoryBuilder) -> None:
    """With or without a checkout of it, that is for git to say."""
    commit = "1" * (64 if repo.repository().object_format == "sha256" else 40)
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{commit},{PLACE}/sub")
    assert not short_way(repo)
    (repo.path / PLACE / "sub").mkdir()
    assert not short_way(repo)


# --- how much is read


@pytest.mark.parametrize(("more", "little"), [(0, True), (1, False)])
def test_files_of_up_to_a_mebibyte_are_read(builder: Builder, more: int, little: bool) -> None:
    repo = builder().write({f"{PLACE}/a": b"a" * MEBIBYTE, f"{PLACE}/b/b": b"b" * (MEBIBYTE + more)})
    repo.git("add", "--all")
    assert (short_way(repo), long_way(repo)) == (little, [])


def test_there_is_an_end_to_how_much_is_read(repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(map(len, FILES.values()))
    for most, little in ((size, True), (size - 1, False)):
        monkeypatch.setattr("strata_git.repo.worktree._ALTOGETHER", most)
        assert short_way(repo) is little


def test_what_was_read_is_what_git_would_have_said(repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "1" * 64 + "\nsize 5\n"
    repo.write({f"{PLACE}/pointer.bin": pointer, f"{PLACE}/near.bin": pointer.replace("size", "sizes")})
    repo.git("add", "--all")
    said, learnt = repo.repository(), repo.repository()
    try:
        asked = index_tree(said, [PLACE])
        contents = {entry.path: asked.content(entry) for entry in asked.under(PLACE)}
        tree = index_tree(learnt, [PLACE])
        assert lies_as_staged(learnt, PLACE, tree.under(PLACE))
        monkeypatch.setattr("strata_git.repo.objects.ObjectReader.digest", lambda *_, **__: pytest.fail("was asked"))
        assert {entry.path: tree.content(entry) for entry in tree.under(PLACE)} == contents
        assert {content.stored for content in contents.values()} == {"blob", "pointer", "malformed"}
    finally:
        said.close()
        learnt.close()


def test_a_large_file_is_not_even_opened(builder: Builder, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = builder().write({f"{PLACE}/a": b"a" * (MEBIBYTE + 1)})
    repo.git("add", "--all")
    monkeypatch.setattr("strata_git.repo.worktree._small", lambda *_: pytest.fail("was read"))
    assert not short_way(repo)


# --- Git LFS


def test_lfs_files_are_left_to_git_unless_they_lie_there_as_pointers(lfs: RepositoryBuilder) -> None:
    name = f"{PLACE}/a.csv"
    lfs.write({name: b"a,b\n" * 40, f"{PLACE}/metadata.yaml": "kind: dataset\n"})
    lfs.git("add", "--all")
    pointer = lfs.git("cat-file", "blob", f":{name}") + "\n"
    assert pointer.startswith("version https://git-lfs")
    assert (short_way(lfs), long_way(lfs)) == (False, [])
    lfs.write({name: pointer})
    assert (short_way(lfs), long_way(lfs)) == (True, [])
    lfs.write({name: pointer.replace("size 160", "size 161")})
    assert (short_way(lfs), long_way(lfs)) == (False, [name])


# --- whatever is done to a small version


NAMES = ("a", "b", "d/a", "d/e/a", "f.tmp", NOT_UTF8)
CONTENTS = st.sampled_from([b"", b"x", b"y", b"x\n", b"x\r\n"])
MODES = st.sampled_from([0o644, 0o755])
EDITS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(NAMES), CONTENTS),
    st.tuples(st.just("mode"), st.sampled_from(NAMES), MODES),
    st.tuples(st.just("delete"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("link"), st.sampled_from(NAMES), st.sampled_from(["a", "nowhere"])),
    st.tuples(st.just("age"), st.sampled_from(NAMES), st.just(1)),
    st.tuples(st.just("add"), st.sampled_from(NAMES), st.none()),
    st.tuples(st.just("intend"), st.sampled_from(NAMES), st.none()),
)
Edit = tuple[str, str, object]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(st.sampled_from(NAMES), st.tuples(CONTENTS, MODES), min_size=1, max_size=5),
    edits=st.lists(EDITS, max_size=4),
)
@example(files={"a": (b"x", 0o644)}, edits=[("write", "a", b"y"), ("write", "a", b"x"), ("age", "a", 1)])
@example(files={"a": (b"x", 0o755), "b": (b"x", 0o644)}, edits=[("mode", "a", 0o644)])
def test_both_ways_agree(hermetic: dict[str, str], files: dict[str, tuple[bytes, int]], edits: list[Edit]) -> None:
    """Without links and ignored files the short way is not only never wrong, it also finds all that is well."""
    with tempfile.TemporaryDirectory() as folder:
        repo = create(Path(folder, "r"), hermetic)
        repo.write({".gitignore": "*.tmp\n"})
        for name, (data, mode) in files.items():
            repo.write({f"{PLACE}/{name}": data}).chmod({f"{PLACE}/{name}": mode})
        repo.git("add", "--all")
        for edit in edits:
            apply(repo, *edit)
        listed = repo.git("ls-files", "-z", "--others", "--ignored", "--exclude-standard", PLACE)
        links = any(path.is_symlink() for path in (repo.path / PLACE).rglob("*"))
        staged = repo.git("ls-files", "-z", PLACE)
        assert short_way(repo) == (not long_way(repo) and not listed and not links), (staged, edits)


def apply(repo: RepositoryBuilder, what: str, name: str, value: object) -> None:
    """One edit, where it can be made."""
    path = repo.path / PLACE / name
    if what == "write" and isinstance(value, bytes) and not path.is_symlink():
        repo.write({f"{PLACE}/{name}": value})
    elif what == "link" and isinstance(value, str):
        path.unlink(missing_ok=True)
        repo.symlink({f"{PLACE}/{name}": value})
    elif os.path.lexists(path):
        if what == "delete":
            path.unlink()
        elif what == "mode" and isinstance(value, int) and not path.is_symlink():
            path.chmod(value)
        elif what == "age":
            os.utime(path, (1, 1), follow_symlinks=False)
        else:
            options = ["--force"] if what == "add" else ["--force", "--intent-to-add"]
            repo.git("add", *options, "--", f"{PLACE}/{name}")
