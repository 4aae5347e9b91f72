"""Publishing work trees that were kept for runs (`refs/strata/runs/`): they travel only when somebody says so."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass

from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.repo.refs import list_refs
from strata_git.runs.dirty import KEPT

_MOST = 20
"""Lines of what a refused push says."""


@dataclass(frozen=True, slots=True)
class PushedTrees:
    """Runs whose work trees the remote has now: those that are new there, and those that it had."""

    remote: str
    new: tuple[str, ...]
    known: tuple[str, ...]


def push_kept(repo: Repository, remote: str, runs: Collection[str] = ()) -> PushedTrees:
    """Push what is kept of `runs` (of all, when none is named) to `remote`; hooks run, all or nothing.

    Raises StrataError for a run of which nothing is kept, one that the remote has otherwise, and where git refuses.
    """
    here = {ref.name.removeprefix(KEPT): ref.oid for ref in list_refs(repo, KEPT)}
    if absent := sorted(set(runs) - here.keys()):
        raise StrataError(
            f"Nothing is kept of {', '.join(map(printable, absent))}.",
            hint="A run from a work tree as HEAD has it needs nothing kept: push its commit.",
        )
    wanted = {run: here[run] for run in sorted(runs or here)}
    there = _theirs(repo, remote)
    if other := sorted(run for run, oid in wanted.items() if there.get(run, oid) != oid):
        raise StrataError(
            f"{printable(remote)} has another work tree for {', '.join(other)}: two clones took the same number.",
            hint=f"git strata runs renumber {other[0]}",
        )
    new = {run: oid for run, oid in wanted.items() if run not in there}
    if new:
        leases = [f"--force-with-lease={KEPT}{run}:" for run in new]
        specs = [f"{oid}:{KEPT}{run}" for run, oid in new.items()]
        result = repo.try_user_git("push", "--atomic", "--quiet", *leases, remote, *specs)
        if result.code != 0:
            said = os.fsdecode(result.err).strip().splitlines()[-_MOST:]  # hooks, here and there, tell why
            raise StrataError(f"{printable(remote)} took nothing: {result.reason}", hint="\n".join(said))
    return PushedTrees(remote, tuple(new), tuple(run for run in wanted if run in there))


def _theirs(repo: Repository, remote: str) -> dict[str, str]:
    result = repo.try_user_git("ls-remote", "--refs", remote, f"{KEPT}*")
    if result.code != 0:
        raise StrataError(
            f"{printable(remote)} cannot be reached: {result.reason}", hint=f"git ls-remote {printable(remote)}"
        )
    rows = (line.split("\t", 1) for line in os.fsdecode(result.out).splitlines())
    return {ref.removeprefix(KEPT): oid for oid, ref in rows}
