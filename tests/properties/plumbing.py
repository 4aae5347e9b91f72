"""Objects and indexes of a repository made without a process for each: what an example of a property costs is judging.

Objects are written loose, by hashing them here; only the index is git's own work.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from strata_git.repo.command import Repository
from tests.support.builder import FIRST, RepositoryBuilder

File = tuple[str, bytes]
"""Git mode and bytes; of a submodule (160000) the bytes are hashed into the commit's id."""
Files = Mapping[str, File]


@dataclass(slots=True)
class Plumbing:
    """Writes objects and references into a repository whose references are files."""

    builder: RepositoryBuilder
    object_format: str = "sha1"
    written: set[str] = field(default_factory=set)

    @property
    def git_dir(self) -> Path:
        return self.builder.path / ".git"

    def write(self, kind: str, data: bytes) -> str:
        """The id of an object that is there from now on."""
        whole = f"{kind} {len(data)}\0".encode() + data
        oid = hashlib.new(self.object_format, whole).hexdigest()
        if oid not in self.written:
            place = self.git_dir / "objects" / oid[:2] / oid[2:]
            place.parent.mkdir(exist_ok=True)
            if not place.exists():
                place.write_bytes(zlib.compress(whole, 1))
            self.written.add(oid)
        return oid

    def tree(self, files: Files) -> str:
        """The id of the tree that holds `files`."""
        below: dict[bytes, dict[str, File]] = {}
        rows: list[tuple[bytes, bytes]] = []
        for path, (mode, data) in files.items():
            top, slash, rest = os.fsencode(path).partition(b"/")
            if slash:
                below.setdefault(top, {})[os.fsdecode(rest)] = mode, data
            else:
                rows.append((top, self._row(mode, top, self._leaf(mode, data))))
        rows += [(top + b"/", self._row("40000", top, self.tree(inner))) for top, inner in below.items()]
        return self.write("tree", b"".join(row for _, row in sorted(rows)))

    def commit(self, tree: str, parents: Sequence[str], number: int = 0) -> str:
        """The id of a commit; a later `number` is a later time."""
        person = f"Ada Tester <ada@example.org> {FIRST + 60 * number} +0000"
        headers = [f"tree {tree}", *(f"parent {one}" for one in parents), f"author {person}", f"committer {person}"]
        return self.write("commit", ("\n".join(headers) + "\n\nChange\n").encode())

    def stand_on(self, commit: str | None, merging: str | None = None) -> None:
        """Let the branch main name `commit` (None: nothing yet), and a merge with `merging` be under way, or none."""
        self._put("refs/heads/main", commit)
        self._put("MERGE_HEAD", merging)

    def publish(self, commit: str | None) -> None:
        """Let a remote-tracking branch name `commit`: everybody has seen it."""
        self._put("refs/remotes/origin/main", commit)

    def stage(self, tree: str) -> None:
        """Let the index hold `tree`; the working tree stays as it is."""
        self.builder.git("read-tree", tree)

    def check_out(self, tree: str) -> None:
        """Let index and working tree hold `tree`."""
        self.builder.git("read-tree", "-u", "--reset", tree)

    def repository(self) -> Repository:
        """Our view of it, with a reader of its own."""
        return self.builder.repository()

    def _leaf(self, mode: str, data: bytes) -> str:
        return hashlib.new(self.object_format, data).hexdigest() if mode == "160000" else self.write("blob", data)

    def _row(self, mode: str, name: bytes, oid: str) -> bytes:
        return mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid)

    def _put(self, name: str, commit: str | None) -> None:
        place = self.git_dir / name
        if commit is None:
            place.unlink(missing_ok=True)
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{commit}\n")
