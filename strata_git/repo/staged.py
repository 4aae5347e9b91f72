"""What is staged, and what differs between two commits: git's raw diff format read once, here."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.repo.environment import FOLDED

_RAW = ("--raw", "-z", "--no-renames", "--no-abbrev", "--no-ext-diff", "--ignore-submodules=none")


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs. `status` is git's letter: A, M, D or T (type change); null ids where a side is absent."""

    path: str
    old_mode: str
    new_mode: str
    old_oid: str
    new_oid: str
    status: str


def staged_changes(
    repo: Repository, paths: Collection[str] | None = None, *, base: str | None = None, folded: bool = False
) -> list[Change]:
    """What the next commit changes against HEAD (against nothing when there is no commit yet), or against `base`.

    `folded` finds twins of `paths` that differ by case, too. Raises StrataError while the index holds unmerged entries.
    """
    base = base or repo.head() or repo.empty_tree
    args = ["diff-index", "--cached", "--ita-invisible-in-index", *_RAW, base]
    if paths is not None:
        args += ["--", *sorted(paths)]
    changes = list(parse_raw(repo.git(*args, env=FOLDED if folded else None)))
    for change in changes:
        if change.status == "U":
            raise StrataError(
                f"{printable(change.path)} is unmerged.", hint="Resolve the conflict and `git add` the file."
            )
    return changes


def commit_parents(repo: Repository) -> list[str]:
    """The commits the next one will descend from: HEAD, and what is being merged.

    After a clean merge git has not written MERGE_HEAD yet when it asks pre-merge-commit, but it names each head it
    merges in a variable GITHEAD_<id>.
    """
    head = repo.head()
    parents = [head] if head else []
    try:
        merged = (repo.git_dir / "MERGE_HEAD").read_text("ascii").split()
    except OSError:
        merged = [name[8:] for name in repo.environ if name.startswith("GITHEAD_")]
    return parents + [oid for oid in merged if oid not in parents and repo.resolve(oid) == oid]


def changes_between(repo: Repository, old: str, new: str, paths: Collection[str] = ()) -> list[Change]:
    """What differs from commit or tree `old` to `new`."""
    return list(parse_raw(repo.git("diff-tree", "-r", *_RAW, old, new, "--", *sorted(paths))))


def parse_raw(data: bytes) -> Iterator[Change]:
    """The changes of `--raw -z` output (without renames)."""
    tokens = data.split(b"\0")
    at = 0
    while at + 1 < len(tokens):
        meta = tokens[at].lstrip(b"\n")
        if not meta.startswith(b":"):
            at += 1
            continue
        old_mode, new_mode, old_oid, new_oid, status = meta[1:].decode().split(" ")
        yield Change(os.fsdecode(tokens[at + 1]), old_mode, new_mode, old_oid, new_oid, status[0])
        at += 2
