"""The working tree as git would store it: the index where nothing changed, the files themselves where something did.

Nothing is added to the index and no filter is run: a file that git-lfs would store as a pointer is hashed here and
shown as that pointer.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.repo.environment import FOLDED
from strata_git.repo.lfs import POINTER_LIMIT, format_pointer, parse_pointer
from strata_git.repo.objects import TooLarge
from strata_git.repo.staged import parse_raw
from strata_git.repo.tree import (
    READ_LIMIT,
    Content,
    Entry,
    ListedTree,
    Place,
    blob_oid,
    content_of,
    index_tree,
    learn,
)

_CHUNK = 1 << 20
_LITTLE, _ALTOGETHER = 1 << 20, 256 << 20
"""Bytes that are read more quickly than git is asked."""
_ARGUMENTS = 1 << 16
"""Characters of paths handed to one command; systems take more, but not without limit."""
_OFF = (("clean", ""), ("process", ""), ("required", "false"))
_TOLD = re.compile(rb"\0([a-z?S]) ([^\0]+)")
"""Rows of `ls-files -v`: untracked, skipped, and (in lower case) assumed to be unchanged."""


class WorkTree(ListedTree):
    """The working tree below `paths` (all of it without them): tracked and untracked, unignored files."""

    def __init__(self, repo: Repository, paths: Collection[str] | None = None) -> None:
        paths = None if paths is None else frozenset(paths)
        self._root = repo.require_worktree()
        self._format = repo.object_format
        self._disk: dict[str, tuple[str, Content, bytes | None]] = {}  # path -> oid, content, pointer text
        changed = unsettled_paths(repo, paths)
        entries = [entry for entry in _index_entries(repo, paths) if entry.path not in changed]
        lfs = lfs_paths(repo, changed)
        for path in changed:
            entry = self._look(path, path in lfs)
            if entry is not None:
                entries.append(entry)
        super().__init__(repo, entries)

    def read(self, entry: Place, limit: int = READ_LIMIT) -> bytes:
        """The blob's bytes as git would store them."""
        on_disk = self._disk.get(entry.path)
        if on_disk is None or on_disk[0] != entry.oid:
            return super().read(entry, limit)
        _, content, pointer = on_disk
        if pointer is not None:
            return pointer
        if content.size > limit:
            raise TooLarge(f"{content.size} bytes, more than {limit}")
        try:
            if entry.mode == "120000":
                return os.fsencode(os.readlink(self._root / entry.path))
            with _opened(self._root / entry.path) as stream:
                return stream.read()
        except OSError as error:
            raise _unreadable(entry.path, error) from None

    def content(self, entry: Place) -> Content:
        """Digest and size of what the entry stands for."""
        on_disk = self._disk.get(entry.path)
        return super().content(entry) if on_disk is None or on_disk[0] != entry.oid else on_disk[1]

    def _look(self, path: str, is_lfs: bool) -> Entry | None:
        full = self._root / path
        try:
            status = os.lstat(full)
            if not _inside(self._root, full):
                return None
            if stat.S_ISLNK(status.st_mode):
                target = os.fsencode(os.readlink(full))
                oid = blob_oid(target, self._format)
                self._disk[path] = (oid, content_of(target), None)
                return Entry(path, "120000", oid)
            if stat.S_ISDIR(status.st_mode) and os.path.lexists(full / ".git"):
                return Entry(path, "160000", "0" * len(blob_oid(b"", self._format)))  # git would add a submodule
            if not stat.S_ISREG(status.st_mode):
                return None  # a directory in a file's place, a socket: git sees a deletion
            return self._regular(path, full, status, is_lfs)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(path, error) from None

    def _regular(self, path: str, full: Path, status: os.stat_result, is_lfs: bool) -> Entry:
        mode = "100755" if status.st_mode & stat.S_IXUSR else "100644"
        oid, sha256, size, head = _hashed(full, status.st_size, self._format)
        pointer = parse_pointer(head) if size <= POINTER_LIMIT else None
        if is_lfs and pointer is None and size > 0:
            text = format_pointer(sha256, size)
            oid = blob_oid(text, self._format)
            self._disk[path] = (oid, Content(sha256, size, "pointer"), text)
        else:
            content = content_of(head, sha256) if size <= POINTER_LIMIT else Content(sha256, size, "blob")
            self._disk[path] = (oid, content, None)
        return Entry(path, mode, oid)


def lfs_paths(repo: Repository, paths: Iterable[str]) -> set[str]:
    """Those of `paths` whose attributes send them through git-lfs."""
    asked = b"".join(os.fsencode(path) + b"\0" for path in paths)
    if not asked:
        return set()
    tokens = repo.git("check-attr", "-z", "--stdin", "filter", input=asked).split(b"\0")
    return {os.fsdecode(tokens[i]) for i in range(0, len(tokens) - 2, 3) if tokens[i + 2] == b"lfs"}


def read_plain(repo: Repository, path: str, limit: int = 1 << 20) -> bytes | None:
    """A small regular file of the work tree as it stands, or None; links are not followed."""
    root = repo.require_worktree()
    full = root / path
    try:
        if not _inside(root, full):
            return None
        with _opened(full) as stream:
            return stream.read(limit + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, error) from None


def unstaged_paths(repo: Repository, paths: Collection[str]) -> list[str]:
    """Files below `paths` whose working copy is not what is staged: changed, deleted, untracked (ignored ones not)."""
    suspects = unsettled_paths(repo, frozenset(paths))
    if not suspects:
        return []
    staged = {entry.path: entry for entry in index_tree(repo, paths).under("")}  # without intent-to-add entries
    seen = WorkTree(repo, suspects)
    return sorted(path for path in suspects if path not in staged or seen.get(path) != staged[path])


def lies_as_staged(repo: Repository, directory: str, staged: Collection[Place]) -> bool:
    """Whether the small files of `directory` are, byte for byte, its `staged` files and no others.

    Git is not asked, which in a large repository means reading its index. False says no more than "ask git":
    where something differs, where there is a link, or where there is more than a little to read. What is read here is
    known from then on: bytes of a blob's id need not be asked of git as well.
    """
    top = os.path.join(repo.require_worktree(), directory)
    wanted = {entry.path: entry for entry in staged}
    left = _ALTOGETHER
    try:
        if not _inside(repo.require_worktree(), Path(top, "x")):
            return False
        for place, folders, names in os.walk(top):
            if any(os.path.islink(os.path.join(place, folder)) for folder in folders):
                return False
            for name in names:
                full = f"{place}/{name}"
                entry = wanted.pop(directory + full[len(top) :], None)
                status = os.lstat(full)
                left -= status.st_size
                mode = "100755" if status.st_mode & stat.S_IXUSR else "100644"
                if entry is None or left < 0 or not stat.S_ISREG(status.st_mode) or entry.mode != mode:
                    return False
                if status.st_size > _LITTLE or (data := _small(full, status.st_size)) is None:
                    return False
                if blob_oid(data, repo.object_format) != entry.oid:
                    return False
                learn(repo, entry.oid, data)
    except OSError:
        return False
    return not wanted


def unsettled_paths(repo: Repository, paths: Collection[str] | None) -> set[str]:
    """Files whose stat data say they may differ from the index, deleted ones, and untracked, unignored ones.

    Files that git was told to take for unchanged may differ as well, for whoever looks at the disk.
    Submodules are left as the index has them, and nothing is run inside them; repositories in the repository that it
    does not have yet are named.
    """
    return start_unsettled(repo, paths)()


def start_unsettled(repo: Repository, paths: Collection[str] | None, *, folded: bool = False) -> Callable[[], set[str]]:
    """`unsettled_paths`, begun now: git looks through the files while the caller does something else.

    `folded` finds twins of `paths` that differ by case, too.
    """
    limits = _limits(paths)
    magic = FOLDED if folded else {}
    plain, ignoring = _without_filters(repo) | magic, _with_ignores(repo) | magic
    differing = repo.start_git(
        "diff-files", "--raw", "-z", "--no-renames", "--no-abbrev", "--no-ext-diff", "--ignore-submodules=all",
        *limits, env=plain,
    )  # fmt: skip
    others = repo.start_git("ls-files", "-ocv", "-z", "--sparse", "--exclude-standard", *limits, env=ignoring)

    def finished() -> set[str]:
        try:
            raw = differing()
        finally:
            listed = others()
        changed = {change.path for change in parse_raw(raw)}
        changed.update(_overlooked(repo.require_worktree(), listed))
        return {
            path for path in (one.rstrip("/") for one in changed) if _below(path.casefold() if folded else path, paths)
        }

    return finished


def _overlooked(root: Path, listed: bytes) -> Iterable[str]:
    """Of what `ls-files -v` lists: untracked files, and those that git was told not to look at.

    Files assumed to be unchanged are named wherever they are (or are not), those left out by a sparse checkout only
    where they are there all the same.
    """
    folders: dict[str, bool] = {}
    for tag, name in _TOLD.findall(b"\0" + listed):
        path = os.fsdecode(name)
        if tag in b"Ss":
            folder = path.rpartition("/")[0]
            if folder not in folders:
                folders[folder] = (root / folder).is_dir()
            if path.endswith("/") or not folders[folder] or not os.path.lexists(root / path):
                continue
        yield path


def _without_filters(repo: Repository) -> dict[str, str]:
    """Settings that switch every filter of the repository off.

    Where a file is as young as the index, git compares contents, and would run the clean filter to do so.
    """
    listed = repo.try_git("config", "-z", "--name-only", "--get-regexp", r"^filter\..*\.(clean|process|required)$").out
    drivers = sorted({os.fsdecode(name).rpartition(".")[0] for name in listed.split(b"\0") if name})
    off = [(f"{driver}.{key}", value) for driver in drivers for key, value in _OFF]
    named = {f"GIT_CONFIG_KEY_{at}": key for at, (key, _) in enumerate(off)}
    valued = {f"GIT_CONFIG_VALUE_{at}": value for at, (_, value) in enumerate(off)}
    return {**named, **valued, "GIT_CONFIG_COUNT": str(len(off))}


def _with_ignores(repo: Repository) -> dict[str, str]:
    """Settings by which git ignores what it ignores for the user, whose own configuration we do not read."""
    found = repo.try_user_git("config", "-z", "--type=path", "--get", "core.excludesFile")
    if found.code == 0:
        place = os.fsdecode(found.out).rstrip("\0")
        return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.excludesFile", "GIT_CONFIG_VALUE_0": place}
    return {name: repo.environ[name] for name in ("HOME", "XDG_CONFIG_HOME") if name in repo.environ}


def _limits(paths: Collection[str] | None) -> list[str]:
    """`paths` for a command line, unless they are too many for one; the answer is then sifted by `_below`."""
    if paths is None or sum(map(len, paths)) > _ARGUMENTS or len(paths) > _ARGUMENTS // 64:
        return []
    return ["--", *sorted(paths)]


def _below(path: str, paths: Collection[str] | None) -> bool:
    if paths is None or path in paths:
        return True
    at = path.rfind("/")
    while at > 0:
        if path[:at] in paths:
            return True
        at = path.rfind("/", 0, at)
    return False


def _index_entries(repo: Repository, paths: Collection[str] | None) -> Iterable[Entry]:
    for record in repo.git("ls-files", "-s", "-z", *_limits(paths)).split(b"\0")[:-1]:
        meta, _, name = record.partition(b"\t")
        mode, oid, stage = meta.decode().split(" ")
        path = os.fsdecode(name)
        if stage in ("0", "2") and _below(path, paths):  # of an unmerged path, our side
            yield Entry(path, mode, oid)


def _unreadable(path: str, error: OSError) -> StrataError:
    return StrataError(f"{printable(path)} could not be read: {error.strerror}.", hint="Check its permissions.")


def _small(path: str, size: int) -> bytes | None:
    """The bytes of a file of `size` bytes; None where it has more or fewer. OSError where it is none."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        data = os.read(handle, size + 1)
    finally:
        os.close(handle)
    return data if len(data) == size else None


def _hashed(path: Path, size: int, object_format: str) -> tuple[str, str, int, bytes]:
    """Blob id, SHA-256, size and first bytes of a regular file, in one pass; a link in its place is refused."""
    blob = hashlib.new(object_format, b"blob %d\0" % size, usedforsecurity=False)
    sha = hashlib.sha256()
    head, total = b"", 0
    with _opened(path) as stream:
        while part := stream.read(_CHUNK):
            head = head or part[: POINTER_LIMIT + 1]
            total += len(part)
            blob.update(part)
            sha.update(part)
    return blob.hexdigest(), sha.hexdigest(), total, head


class _opened:  # noqa: N801 - reads as a verb in a with statement
    """A regular file opened without following a link at its name."""

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> _opened:
        self._stream = open(self._handle, "rb")
        return self

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes."""
        return self._stream.read(size)

    def __exit__(self, *_: object) -> None:
        self._stream.close()


def _inside(root: Path, path: Path) -> bool:
    """Whether no directory on the way from `root` to `path` is a link; git looks behind none either."""
    return os.path.realpath(path.parent) == os.path.normpath(os.path.realpath(root) / path.parent.relative_to(root))
