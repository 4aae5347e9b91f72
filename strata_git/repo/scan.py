"""Directories of a commit by their tree ids, without listing what is in them.

A repository with 10,000 artifact versions has some hundred directories above them; only those are read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from strata_git.repo.command import Repository
from strata_git.repo.tree import Entry

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
