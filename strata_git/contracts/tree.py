"""The only door to content, as the judging floors see it.

A `Tree` is a read-only mapping from path to entry. `strata_git.repo.tree` has one for the working tree, the index,
a commit and a dict in memory; none of them is imported here, so judgement needs neither git nor a disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

REGULAR = frozenset({"100644", "100755"})
SYMLINK = "120000"
SUBMODULE = "160000"

READ_LIMIT = 64 << 20


class Entry(Protocol):
    """One file of a tree. `mode` is git's octal text, `oid` the blob's object id."""

    @property
    def path(self) -> str: ...
    @property
    def mode(self) -> str: ...
    @property
    def oid(self) -> str: ...


class Content(Protocol):
    """What an entry stands for: SHA-256 (64 hex) and size in bytes.

    `stored` is `"blob"` (hashed from the bytes), `"pointer"` (a Git LFS pointer: the figures are the object's, and no
    byte of it was read) or `"malformed"` (text that pretends to be a pointer; the figures are the text's own).
    """

    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def stored(self) -> str: ...


class Tree(Protocol):
    """Read-only view of a set of files. Paths are relative, `/`-separated, undecodable bytes as surrogates."""

    def get(self, path: str) -> Entry | None:
        """The entry at exactly `path`, or None."""

    def under(self, prefix: str) -> Sequence[Entry]:
        """Every file below the directory `prefix` (`""`: all), sorted bytewise by path."""

    def read(self, entry: Entry, limit: int = READ_LIMIT) -> bytes:
        """The blob's own bytes (a pointer's text, a link's target).

        Raises `ValueError` when there are more than `limit`, `KeyError` when the object is absent.
        """

    def content(self, entry: Entry) -> Content:
        """Digest and size of what the entry stands for."""


def relative(path: str, directory: str) -> str:
    """`path` as seen from `directory` (which contains it)."""
    return path[len(directory) + 1 :]
