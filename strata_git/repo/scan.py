"""Directories of a commit by their tree ids, without listing what is in them.

A repository with 10,000 artifact versions has some hundred directories above them; only those are read.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from strata_git.repo.command import Repository
from strata_git.repo.staged import Change
from strata_git.repo.tree import Entry, ListedTree, apply_changes, commit_tree

TREE = "40000"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a tree object: git mode (`40000` for a directory), name, object id."""

    mode: str
    name: str
    oid: str

    @property
    def is_tree(self) -> bool:
        """Whether it is a directory."""
        return self.mode == TREE


def parse_tree(data: bytes, object_format: str = "sha1") -> list[Row]:
    """The rows of a tree object's bytes, in git's order."""
    width = 32 if object_format == "sha256" else 20
    rows = []
    at = 0
    while at < len(data):
        space = data.index(b" ", at)
        end = data.index(b"\0", space)
        rows.append(
            Row(
                data[at:space].decode(),
                os.fsdecode(data[space + 1 : end]),
                data[end + 1 : end + 1 + width].hex(),
            )
        )
        at = end + 1 + width
    return rows


def render_tree(rows: Iterable[Row]) -> bytes:
    """The bytes of the tree object that `rows`, in their order, make."""
    return b"".join(f"{r.mode} ".encode() + os.fsencode(r.name) + b"\0" + bytes.fromhex(r.oid) for r in rows)


def read_trees(repo: Repository, oids: Iterable[str]) -> Iterator[list[Row]]:
    """The rows of each tree, in order. Raises KeyError when one is absent."""
    for oid, _, data in repo.objects.read_many(oids):
        if data is None:
            raise KeyError(oid)
        yield parse_tree(data, repo.object_format)


def listed_at(repo: Repository, commit: str, paths: Collection[str]) -> ListedTree:
    """The files of a commit at and below a few `paths`, as `tree.commit_tree` lists them, without a process of its own.

    What is not here (partial clones) is left to git, which says so.
    """
    try:
        kind, data = repo.objects.read(commit)
        root = Row(TREE, "", data[5 : data.index(b"\n")].decode() if kind == "commit" else commit)
        known: dict[str, dict[str, Row]] = {}
        rows = [(path, row) for path in paths if (row := _row_at(repo, root, path, known)) is not None]
        return ListedTree(repo, entries_below(repo, rows))
    except (KeyError, ValueError):
        return commit_tree(repo, commit, paths)


def staged_at(repo: Repository, paths: Collection[str], changes: Sequence[Change]) -> ListedTree:
    """What the next commit would hold at and below a few `paths`: those of HEAD with `changes` applied."""
    head = repo.head()
    base = listed_at(repo, head, paths).under("") if head else []
    return ListedTree(repo, apply_changes(base, changes))


def _row_at(repo: Repository, root: Row, path: str, known: dict[str, dict[str, Row]]) -> Row | None:
    """The row that `path` leads to from a tree; `known` are trees read on the way, by id."""
    row: Row | None = root
    for name in path.split("/"):
        if row is None or not row.is_tree:
            return None
        if row.oid not in known:
            known[row.oid] = {each.name: each for each in next(read_trees(repo, [row.oid]))}
        row = known[row.oid].get(name)
    return row


def entries_below(repo: Repository, rows: Iterable[tuple[str, Row]]) -> list[Entry]:
    """Every file in or below rows given with their paths."""
    found: list[Entry] = []
    waiting = list(rows)
    while waiting:
        folders = [(path, row) for path, row in waiting if row.is_tree]
        found += [Entry(path, row.mode, row.oid) for path, row in waiting if not row.is_tree]
        waiting = []
        for (path, _), inner in zip(folders, read_trees(repo, [row.oid for _, row in folders]), strict=True):
            waiting += [(f"{path}/{row.name}", row) for row in inner]
    return found
