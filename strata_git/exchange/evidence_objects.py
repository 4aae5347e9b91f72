"""The git objects that evidence needs, and no others, as a bundle that `git bundle unbundle` takes.

Of a commit these are the commit itself, the trees on the way to the artifacts, and those files below them that are
records or Git LFS pointers. What else the repository holds stays where it is, so the objects are no whole history.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from strata_git.contracts.layout import CHECKSUMS, METADATA, MODEL_SIG, RUN_RECORD, SIGNATURE
from strata_git.errors import StrataError
from strata_git.repo.command import Repository
from strata_git.repo.history import parse_commit
from strata_git.repo.lfs import POINTER_LIMIT, parse_pointer
from strata_git.repo.objects import TooLarge
from strata_git.repo.scan import Row, parse_tree

_RECORDS = {
    "dataset": (METADATA,),
    "model": (METADATA, "metrics.yaml", "card.md"),
    "prompt": (METADATA, "prompt.yaml"),
    "run": (RUN_RECORD, "config.yaml", "metrics.json", "system.json", "logs.txt"),
}
_ALWAYS = frozenset({CHECKSUMS, SIGNATURE, MODEL_SIG})

Wanted = Callable[[str], bool]


def is_record(kind: str, name: str) -> bool:
    """Whether the file `name` of an artifact tells about it; anything else is its bytes."""
    return name in _ALWAYS or name in _RECORDS.get(kind, ())


@dataclass(slots=True)
class Objects:
    """A growing set of object ids, in the order in which they were found."""

    repo: Repository
    found: dict[str, None] = field(default_factory=dict)
    _commits: dict[str, str] = field(default_factory=dict)

    def add(self, *oids: str) -> None:
        """Take these as they are."""
        self.found.update(dict.fromkeys(oids))

    def add_commit(self, oid: str, path: str, wanted: Wanted) -> None:
        """The commit, the trees down to the directory `path`, and below it the files that are `wanted` by their name
        there, or are pointers. A commit without the directory is taken as far as the way goes.

        Raises StrataError where an object is not in this clone.
        """
        tree = self._tree(oid)
        for part in path.split("/"):
            rows = {row.name: row for row in self._rows(tree)}
            row = rows.get(part)
            if row is None or not row.is_tree:
                return
            tree = row.oid
        self._below(tree, "", wanted)

    def parents(self, oid: str) -> tuple[str, ...]:
        """The commit's parents."""
        return parse_commit(oid, self._read(oid, "commit")).parents

    def _tree(self, commit: str) -> str:
        if commit not in self._commits:
            self._commits[commit] = parse_commit(commit, self._read(commit, "commit")).tree
        self.add(commit)
        return self._commits[commit]

    def _below(self, tree: str, folder: str, wanted: Wanted) -> None:
        for row in self._rows(tree):
            name = f"{folder}/{row.name}" if folder else row.name
            if row.is_tree:
                self._below(row.oid, name, wanted)
            elif row.mode in ("100644", "100755") and (wanted(name) or self._is_pointer(row.oid)):
                self.add(row.oid)

    def _rows(self, tree: str) -> list[Row]:
        self.add(tree)
        return parse_tree(self._read(tree, "tree"), self.repo.object_format)

    def _is_pointer(self, oid: str) -> bool:
        try:
            return parse_pointer(self.repo.objects.read(oid, POINTER_LIMIT)[1]) is not None
        except (KeyError, TooLarge):
            return False

    def _read(self, oid: str, kind: str) -> bytes:
        try:
            found, data = self.repo.objects.read(oid)
        except KeyError:
            found, data = "", b""
        if found != kind:
            raise StrataError(
                f"The {kind} {oid} is not in this clone, and evidence needs it.",
                hint="Fetch the whole history: git fetch --unshallow, or git fetch --refetch --no-filter",
            )
        return data

    def bundle(self, refs: Mapping[str, str]) -> bytes:
        """The bytes of a bundle with these references (full name → id). The same objects give the same bytes."""
        flags = ["--stdout", "-q", "--no-reuse-object", "--no-reuse-delta", "--window=0", "--threads=1"]
        listed = "".join(f"{oid}\n" for oid in sorted(self.found)).encode()
        pack = self.repo.git("-c", "pack.compression=6", "pack-objects", *flags, input=listed)
        sha256 = self.repo.object_format == "sha256"
        head = "# v3 git bundle\n@object-format=sha256\n" if sha256 else "# v2 git bundle\n"
        return (head + _lines(refs.items()) + "\n").encode() + pack


def _lines(refs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{oid} {name}\n" for name, oid in sorted(refs))
