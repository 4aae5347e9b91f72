"""Taking old runs out of the work tree, and work trees that were kept for them (TFC-0002 7).

A run that a model, a receipt, a service, an event or another run names is never taken, nor one that is not committed as
it lies there: from history every other one comes back.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from strata_git.contracts.layout import RUN_ID
from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.repo.refs import Transaction, list_refs
from strata_git.runs.dirty import KEPT
from strata_git.runs.reserve import PENDING


@dataclass(frozen=True, slots=True)
class Kept:
    """An old run that stays, and why."""

    run: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pruning would take: runs of the work tree with the bytes they hold there, references with the commits they
    hold; and old runs that stay."""

    runs: Mapping[str, int]
    references: Mapping[str, str]
    staying: tuple[Kept, ...] = ()

    @property
    def bytes(self) -> int:
        """What leaves the work tree."""
        return sum(self.runs.values())


def plan(
    repo: Repository,
    cited: Mapping[str, Sequence[str]],
    *,
    now: datetime,
    keep_days: int | None = None,
    keep_runs: int | None = None,
) -> Plan:
    """What to take: runs older than `keep_days` days that are not among the newest `keep_runs`.

    A bound that is None keeps nothing; StrataError where both are. `cited` tells who names a run.
    """
    if keep_days is None and keep_runs is None:
        raise StrataError(
            "How much is to be kept?", hint="--keep-days N, --keep-runs N, or the section retention of strata.yaml"
        )
    root = repo.require_worktree()
    there = sorted((name for name in _names(root / "runs") if RUN_ID.fullmatch(name)), key=_age, reverse=True)
    references = {ref.name: ref.oid for ref in list_refs(repo, KEPT)}
    known = sorted({*there, *(name.removeprefix(KEPT) for name in references)}, key=_age, reverse=True)
    spared = set(known[: keep_runs or 0])
    before = f"run-{now.astimezone(UTC) - timedelta(days=keep_days or 0):%Y-%m-%d}"
    old = [run for run in known if run not in spared and (keep_days is None or run[: len(before)] < before)]
    unsafe = _not_committed(repo, [run for run in old if run in set(there)])
    taken: list[str] = []
    staying: list[Kept] = []
    for run in old:
        if places := cited.get(run):
            staying.append(Kept(run, f"named by {places[0]}" + (f" and {len(places) - 1} more" if places[1:] else "")))
        elif run in unsafe:
            staying.append(Kept(run, "not committed as it lies in the work tree"))
        else:
            taken.append(run)
    sizes = {run: _size(root / "runs" / run) for run in taken if run in set(there)}
    return Plan(
        sizes, {KEPT + run: references[KEPT + run] for run in taken if KEPT + run in references}, tuple(staying)
    )


def prune(repo: Repository, wanted: Plan) -> None:
    """Do what `wanted` says: references first, all or none, then the directories, each gone by one rename.

    Raises StrataError where a reference moved meanwhile (nothing is taken then), or the disk refuses.
    """
    if wanted.references:
        transaction = Transaction(repo)
        for name, oid in wanted.references.items():
            transaction.delete(name, oid)
        transaction.commit("git-strata runs prune")
    root = repo.require_worktree()
    (root / PENDING).mkdir(parents=True, exist_ok=True)
    for run in wanted.runs:
        gone = root / PENDING / f".gone-{run}"
        try:
            shutil.rmtree(gone, ignore_errors=True)
            os.rename(root / "runs" / run, gone)
        except OSError as error:
            raise StrataError(f"runs/{run} could not be removed: {error.strerror}.") from None
        shutil.rmtree(gone, ignore_errors=True)


def _age(run: str) -> tuple[str, int]:
    """Sorts runs by day and number."""
    day, _, number = run.rpartition("-")
    return day, int(number)


def _not_committed(repo: Repository, runs: Collection[str]) -> set[str]:
    """Those of `runs` that HEAD does not have, or has otherwise than the work tree."""
    from strata_git.repo.staged import staged_changes
    from strata_git.repo.tree import commit_tree
    from strata_git.repo.worktree import WorkTree, unsettled_paths

    if not runs:
        return set()
    head = repo.head()
    if head is None:
        return set(runs)
    paths = [f"runs/{run}" for run in runs]
    committed = commit_tree(repo, head, ["runs"])
    missing = {run for run in runs if not committed.under(f"runs/{run}")}
    touched = {change.path for change in staged_changes(repo, paths)} | unsettled_paths(repo, paths)
    seen = WorkTree(repo, touched) if touched else None
    for path in touched:
        before, after = committed.get(path), seen.get(path) if seen else None
        if (before and before.oid) != (after and after.oid):
            missing.add(path.split("/")[1])
    return missing


def _names(directory: Path) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            return []
        raise StrataError(f"{printable(str(directory))} could not be read: {error.strerror}.") from None


def _size(directory: Path) -> int:
    return sum(os.lstat(os.path.join(at, name)).st_size for at, _, names in os.walk(directory) for name in names)
