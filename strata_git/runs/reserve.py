"""Run ids and the place where a run's record grows until one rename makes it visible.

    <git dir>/strata/run-numbers.lock    held while a number is chosen, in whichever work tree of the repository
    .strata/local/pending/.lock          held while a number is chosen and while dead runs are looked for
    .strata/local/pending/<id>/owner     held (flock) by the process that runs it, for as long as it lives
    .strata/local/pending/<id>/record/   what becomes runs/<id>

The lock ends with its process however that dies, so a pending run whose `owner` can be locked is a killed one; process
ids are written beside it for people only (they are reused, and mean nothing across containers).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from strata_git.contracts.layout import RUN_ID
from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository

LOCAL = ".strata/local"
PENDING = f"{LOCAL}/pending"
_LOCK = ".lock"
_OWNER = "owner"
_RECORD = "record"
_GONE = ".gone-"
_ROOM = 16 << 10
"""Bytes that are taken for notes while there is room on the disk."""
Claim = Callable[[str, int], int]
"""Asked with the beginning of ids of a day and the first number that is free here; gives the one that is free elsewhere
too, at least that, and is ours from then on."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A number that is ours: `place` is pending/<id>, `record` the directory that will be runs/<id>."""

    id: str
    place: Path
    handle: int

    @property
    def record(self) -> Path:
        return self.place / _RECORD

    def note(self, facts: Mapping[str, object]) -> None:
        """Write down what whoever finds this run dead must know (JSON in the held file)."""
        from strata_git.load import canonical_json

        data = canonical_json({**read_owner(self.place), **facts})
        before = os.fstat(self.handle).st_size
        try:  # over what is there, blanks included: on a full disk the file's own room is enough
            os.pwrite(self.handle, data.ljust(max(_ROOM, before)), 0)
        except OSError as error:
            raise StrataError(f"{printable(str(self.place))} cannot be written: {error.strerror}.") from None

    def release(self) -> None:
        """Remove what is left of pending/<id> and let go of it; nobody ever sees it half removed."""
        gone = self.place.with_name(f"{_GONE}{self.id}")
        with contextlib.suppress(OSError):
            os.rename(self.place, gone)
        shutil.rmtree(gone, ignore_errors=True)
        os.close(self.handle)

    def abandon(self) -> None:
        """Let go of pending/<id> and leave it for the next run to find."""
        os.close(self.handle)


def reserve(repo: Repository, now: datetime, claim: Claim | None = None) -> Reservation:
    """Take the next free number of the UTC day of `now`; exclusive among all processes, and all work trees, of a clone.

    Free is what no branch has, here or as last fetched, nor any work tree, nor what was kept for a run. Two clones may
    take one number (TFC-0002 3.3), unless `claim` asks whoever knows of both. Raises StrataError where the disk
    refuses.
    """
    root = repo.require_worktree()
    day = f"run-{now:%Y-%m-%d}-"
    with _locked_numbers(repo), locked_pending(root) as pending:
        number = 1 + max((_number(name, day) for name in _taken(repo, root, day)), default=0)
        number = claim(day, number) if claim else number
        place = pending / f"{day}{number:03d}"
        try:
            place.mkdir()
            handle = os.open(place / _OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(handle, fcntl.LOCK_EX)
            reserved = Reservation(place.name, place, handle)
            try:
                reserved.note(_self())
                reserved.record.mkdir()
            except BaseException:  # held by nobody, or the number would be taken for as long as this process lives
                reserved.release()
                raise
        except OSError as error:
            raise StrataError(
                f"{printable(str(place))} cannot be written: {error.strerror}.",
                hint="Check free space and permissions; nothing was begun.",
            ) from None
        return reserved


def dead_runs(repo: Repository) -> list[Reservation]:
    """Pending runs whose process is gone, each held for the caller, who must release it."""
    with locked_pending(repo.require_worktree()) as pending:
        return list(_dead(pending))


def dead_run_ids(root: Path) -> list[str]:
    """Ids of pending runs whose process is gone; nothing is held and nothing is written."""
    found: list[str] = []
    try:
        places = sorted((root / PENDING).iterdir())
    except OSError:
        return found
    for place in places:
        if not RUN_ID.fullmatch(place.name):
            continue
        try:
            handle = os.open(place / _OWNER, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found.append(place.name)
        except OSError:  # its process lives
            pass
        finally:
            os.close(handle)
    return found


def _dead(pending: Path) -> Iterator[Reservation]:
    for place in sorted(pending.iterdir()):
        if place.name.startswith(_GONE):
            shutil.rmtree(place, ignore_errors=True)
        if not RUN_ID.fullmatch(place.name) or not place.is_dir():
            continue
        try:
            handle = os.open(place / _OWNER, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:  # its owner has just finished
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        yield Reservation(place.name, place, handle)


@contextmanager
def _locked_numbers(repo: Repository) -> Iterator[None]:
    """Nobody chooses a number meanwhile, in any work tree of the repository."""
    place = repo.common_dir / "strata"
    try:
        place.mkdir(exist_ok=True)
        handle = os.open(place / "run-numbers.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StrataError(f"{printable(str(place))} cannot be written: {error.strerror}.") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def locked_pending(root: Path) -> Iterator[Path]:
    """The directory of pending runs, nobody else choosing a number meanwhile."""
    pending = root / PENDING
    try:
        pending.mkdir(parents=True, exist_ok=True)
        if not (root / LOCAL / ".gitignore").exists():  # a repository without our own .gitignore stays clean too
            (root / LOCAL / ".gitignore").write_bytes(b"*\n")
        handle = os.open(pending / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StrataError(f"{printable(str(pending))} cannot be written: {error.strerror}.") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield pending
    finally:
        os.close(handle)


def publish(reserved: Reservation, root: Path) -> Path:
    """Make the finished record visible as runs/<id> in one step; StrataError when that name is taken or refused."""
    from strata_git.repo.files import fsync_dir

    target = root / "runs" / reserved.id
    try:
        target.parent.mkdir(exist_ok=True)
        if os.path.lexists(target):
            raise StrataError(
                f"runs/{reserved.id} appeared while the run was working; its record is in {reserved.record}."
            )
        os.rename(reserved.record, target)
    except OSError as error:
        raise StrataError(
            f"runs/{reserved.id} could not be put in place: {error.strerror}.",
            hint=f"The finished record is in {printable(str(reserved.record))}; move it there by hand.",
        ) from None
    fsync_dir(target.parent)
    return target


def read_owner(place: Path) -> dict[str, object]:
    """What the owner of a pending run noted; empty when it had no time to."""
    from strata_git.load import Unloadable, load_json

    try:
        value = load_json((place / _OWNER).read_bytes()).value
    except (OSError, Unloadable):
        return {}
    return dict(value) if isinstance(value, Mapping) else {}


def _taken(repo: Repository, root: Path, day: str) -> set[str]:
    """Run ids of a day that mean something already; of other days, some."""
    names: set[str] = set()
    for tree in {root, *_work_trees(repo)}:
        for place in (tree / PENDING, tree / "runs"):
            with contextlib.suppress(OSError):  # absent, or on a disk that is not there now
                names.update(os.listdir(place))
    return names | _committed(repo, day)


def _work_trees(repo: Repository) -> Iterator[Path]:
    """All work trees of the repository, as its own directory names them."""
    if repo.common_dir.name == ".git":
        yield repo.common_dir.parent
    with contextlib.suppress(OSError):
        for place in (repo.common_dir / "worktrees").iterdir():
            with contextlib.suppress(OSError):
                yield Path(os.fsdecode((place / "gitdir").read_bytes()).rstrip("\n")).parent


def _committed(repo: Repository, day: str) -> set[str]:
    """Ids of a day in the runs/ of every branch, here and as last fetched, of HEAD, and of what was kept for runs.

    Lists of runs are looked through as they lie in the object database: ten thousand runs are no rows.
    """
    out = repo.git("for-each-ref", "--format=%(tree) %(refname)", "refs/heads/", "refs/remotes/", "refs/strata/runs/")
    rows = [line.split(b" ", 1) for line in out.split(b"\n")[:-1]]
    names = {os.fsdecode(ref).removeprefix("refs/strata/runs/") for _, ref in rows if ref.startswith(b"refs/strata/")}
    trees = {tree.decode() for tree, ref in rows if tree and not ref.startswith(b"refs/strata/")}
    asked = ["HEAD^{tree}:runs", *(f"{tree}:runs" for tree in sorted(trees))]
    entry = re.compile(rb"40000 (" + re.escape(day.encode()) + rb"[0-9]{3,9})\0")
    for _, found in repo.objects.lookup(asked):
        if found is not None and found[1] == "tree":
            names.update(os.fsdecode(name) for name in entry.findall(found[2]))
    return names


def _number(name: str, day: str) -> int:
    return int(name.removeprefix(day)) if RUN_ID.fullmatch(name) and name.startswith(day) else 0


def _self() -> dict[str, object]:
    import socket

    facts: dict[str, object] = {"pid": os.getpid(), "host": socket.gethostname()}
    try:
        with open("/proc/self/stat", "rb") as stream:
            facts["process_start"] = int(stream.read().rpartition(b")")[2].split()[19])
    except OSError:  # no /proc: the lock alone tells
        pass
    return facts
