"""References: listed in one call, changed by compare-and-swap, several at once or none."""

from __future__ import annotations

import os
from dataclasses import dataclass

from strata_git.errors import StrataError
from strata_git.repo.command import Repository


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference: full name, the object it names, and that object's type."""

    name: str
    oid: str
    kind: str


class RefConflict(StrataError):
    """A reference was not what the transaction expected: somebody else moved it first."""


def list_refs(repo: Repository, *patterns: str) -> list[Ref]:
    """References below the given full prefixes (`refs/tags/`), in name order."""
    out = repo.git("for-each-ref", "--format=%(objectname) %(objecttype) %(refname)", *patterns)
    rows = (line.split(" ", 2) for line in os.fsdecode(out).split("\n")[:-1])
    return [Ref(name, oid, kind) for oid, kind, name in rows]


def read_ref(repo: Repository, name: str) -> str | None:
    """The object id a full reference name holds (tags not peeled), or None."""
    # rev-parse would go on to look for refs/tags/<name> and the like
    result = repo.try_git("show-ref", "--verify", "--hash", "--", name)
    return result.out.decode().strip() if result.code == 0 else None


class Transaction:
    """Changes to several references that happen together or not at all (`git update-ref --stdin`)."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._steps: list[str] = []

    def create(self, name: str, oid: str) -> None:
        """`name` must not exist yet."""
        self._steps.append(f"create {name}\0{oid}\0")

    def update(self, name: str, new: str, old: str) -> None:
        """`name` must hold `old` (the null id: must not exist)."""
        self._steps.append(f"update {name}\0{new}\0{old}\0")

    def delete(self, name: str, old: str) -> None:
        """`name` must hold `old`."""
        self._steps.append(f"delete {name}\0{old}\0")

    def commit(self, message: str = "") -> None:
        """Do it. Raises RefConflict when a reference moved meanwhile; then nothing was changed."""
        script = "".join(["start\0", *self._steps, "prepare\0", "commit\0"])
        args = ["update-ref", "--stdin", "-z", *(["-m", message] if message else [])]
        result = self._repo.try_git(*args, input=os.fsencode(script))
        if result.code == 0:
            return
        if b"cannot lock ref" in result.err or b"reference already exists" in result.err:
            raise RefConflict(
                f"The references moved while they were being changed: {result.reason}",
                hint="Nothing was written. Run the command again.",
            )
        raise StrataError(f"git refused the references: {result.reason}")
