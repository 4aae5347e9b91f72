"""The place where a run is made again: a repository of its own that borrows the objects of the one it belongs to.

Its HEAD, index, references and work tree are its own, so that nothing done there is seen anywhere else. It lies below
the git directory, holds what the run needs of its commit (everything but artifacts that it did not read), and is
removed afterwards; what a killed process left is removed by the next.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from strata_git.contracts.layout import ROOTS
from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.repo.lfs import POINTER_LIMIT, Pointer, parse_pointer
from strata_git.repo.tree import Entry, ListedTree, commit_tree

_PREFIX = "run-again-"
_OWNER = ".owner"
_LEFT_OUT = tuple(root for root in ROOTS if root not in ("prompts",))
"""Roots of which only what a run read is laid out: they may hold more than fits the disk twice."""


@contextmanager
def borrowed(repo: Repository, commit: str, tree: str, wanted: Collection[str]) -> Iterator[Repository]:
    """A repository whose HEAD is `commit` and whose files are those of `tree`, of artifacts only the `wanted` paths.

    Raises StrataError where an object is missing here, or the content of a wanted file was not fetched from Git LFS.
    """
    with _scratch(repo) as place:
        there = _borrow(repo, place, commit)
        try:
            _lay_out(repo, there, commit, tree, wanted)
            yield there
        finally:
            there.close()


@contextmanager
def _scratch(repo: Repository) -> Iterator[Path]:
    base = repo.common_dir / "strata" / "scratch"
    try:
        base.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(base)
        place = Path(mkdtemp(prefix=_PREFIX, dir=base))
        handle = os.open(place / _OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StrataError(
            f"{printable(str(base))} cannot be written: {error.strerror}.",
            hint="A run is made again in a directory below the git directory; check free space and permissions.",
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(handle)


def _remove_abandoned(base: Path) -> None:
    """Remove places whose process is gone: its lock ended with it."""
    for place in base.glob(f"{_PREFIX}*"):
        try:
            handle = os.open(place / _OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:  # somebody is just making it
            continue
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(place, ignore_errors=True)
        os.close(handle)


def _borrow(repo: Repository, place: Path, commit: str) -> Repository:
    """An empty repository in `place` that finds the objects of `repo`, detached at `commit`."""
    root = place / "tree"
    repo.git("init", "--quiet", "--template=", f"--object-format={repo.object_format}", "--", str(root))
    own = root / ".git"
    (own / "objects" / "info").mkdir(parents=True, exist_ok=True)
    (own / "objects" / "info" / "alternates").write_bytes(os.fsencode(f"{repo.common_dir / 'objects'}\n"))
    if (repo.common_dir / "shallow").exists():
        shutil.copyfile(repo.common_dir / "shallow", own / "shallow")
    there = Repository.discover(root, repo.environ)
    there.git("update-ref", "--no-deref", "HEAD", commit)
    return there


def _lay_out(repo: Repository, there: Repository, commit: str, tree: str, wanted: Collection[str]) -> None:
    """Write the files, and an index that is HEAD's and knows what was left out on purpose."""
    there.git("read-tree", tree)
    laid = _chosen(commit_tree(there, tree), wanted)
    there.git("checkout-index", "--quiet", "--force", "-u", "-z", "--stdin", input=_listed(laid))
    _fill(repo, there, laid, wanted)
    there.git("read-tree", commit)
    skipped = {entry.path for entry in commit_tree(there, commit).under("")} - {
        entry.path for entry in _chosen(commit_tree(there, commit), wanted)
    }
    asked = b"".join(os.fsencode(path) + b"\0" for path in sorted(skipped))
    there.git("update-index", "-z", "--skip-worktree", "--stdin", input=asked)
    there.git("update-index", "-q", "--refresh", ok=(0, 1))


def _chosen(tree: ListedTree, wanted: Collection[str]) -> list[Entry]:
    """What is laid out: no submodules, and of artifacts only those that are wanted."""
    return [entry for entry in tree.under("") if entry.mode != "160000" and not _is_left_out(entry.path, wanted)]


def _is_left_out(path: str, wanted: Collection[str]) -> bool:
    return path.startswith(tuple(f"{root}/" for root in _LEFT_OUT)) and not _is_wanted(path, wanted)


def _is_wanted(path: str, wanted: Collection[str]) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in wanted)


def _listed(entries: Sequence[Entry]) -> bytes:
    return b"".join(os.fsencode(entry.path) + b"\0" for entry in entries)


def _fill(repo: Repository, there: Repository, laid: Sequence[Entry], wanted: Collection[str]) -> None:
    """Put the content in the place of Git LFS pointers, as far as it is on this machine."""
    from strata_git.repo.files import copy_file
    from strata_git.repo.worktree import lfs_paths

    root, missing = there.require_worktree(), []
    for path in sorted(lfs_paths(there, [entry.path for entry in laid])):
        pointer = _pointer(root / path)
        if pointer is None:
            continue
        source = _source(repo, path, pointer)
        if source is None:
            missing += [path] if _is_wanted(path, wanted) else []
            continue
        mode = (root / path).stat().st_mode
        os.unlink(root / path)
        copy_file(source, root / path)
        os.chmod(root / path, mode)
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        folders = ",".join(sorted({f"{os.path.dirname(path)}/**" for path in missing}))
        raise StrataError(
            f"The run read {printable(missing[0])}{more}, whose content was not fetched from Git LFS.",
            hint=f'git lfs fetch --include "{printable(folders)}" origin {there.head()}',
        )


def _pointer(path: Path) -> Pointer | None:
    if path.is_symlink() or not path.is_file():
        return None
    with open(path, "rb") as stream:
        return parse_pointer(stream.read(POINTER_LIMIT + 1))


def _source(repo: Repository, path: str, pointer: Pointer) -> Path | None:
    """Where the content is: in git-lfs's store, else perhaps in the work tree. A run hashes it before it reads it."""
    oid = pointer.oid
    store = repo.common_dir / (repo.user_config("lfs.storage") or "lfs") / "objects"
    places = [store / oid[:2] / oid[2:4] / oid, *([repo.worktree / path] if repo.worktree else [])]
    for place in places:
        if not place.is_symlink() and place.is_file() and place.stat().st_size == pointer.size:
            return place
    return None
