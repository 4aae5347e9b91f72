"""Making a run again: the same code, configuration, seed and inputs, in a place of its own; then a comparison.

Nothing of the user's is touched: neither work tree nor index, references or runs/, and no tracker is told.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from strata_git.errors import StrataError
from strata_git.repo.command import Repository
from strata_git.repo.history import read_commit
from strata_git.runs.dirty import KEPT
from strata_git.runs.execute import OpenTracker, RunOutcome, execute
from strata_git.runs.reproduce_compare import (
    DIFFERS,
    Comparison,
    compare_figures,
    compare_files,
    compare_surroundings,
    compare_texts,
)
from strata_git.runs.reproduce_record import Recorded, input_paths, read_recorded

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_COMPARE = "Compare with the clone where the run was made: git ls-remote REMOTE 'refs/strata/runs/*'"


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What came of making a run again.

    `status` and `error` are how it ended this time. `kept` is the record that was added to runs/ (`""`: none was).
    `log` are the last lines of its log, where it did not succeed.
    """

    recorded: Recorded
    comparison: Comparison
    status: str
    error: str | None
    kept: str = ""
    log: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """`identical`, `within tolerance` or `differs`; a run that failed this time differs."""
        return self.comparison.verdict if self.status == "succeeded" else DIFFERS


def reproduce(
    repo: Repository,
    run: str,
    *,
    tolerances: Mapping[str, float] | None = None,
    keep: bool = False,
    now: datetime | None = None,
    progress: Callable[[int], None] | None = None,
    steps: Callable[[int, int | None], None] | None = None,
    open_tracker: OpenTracker | None = None,
) -> Reproduction:
    """Make `run` again and compare.

    `tolerances` (metric name or pattern -> difference that does not count) take the place of those that the run
    declared. With `keep` the new record is added to runs/ under a number of its own. `progress` and `steps` as in
    `execute`; no tracker is told unless `open_tracker` makes one.

    The process's current directory is that of the borrowed work tree meanwhile. Raises StrataError where the record
    cannot be believed, the run had not succeeded, or something that it needs is not here.
    """
    from strata_git.runs.reproduce_place import borrowed

    recorded = read_recorded(repo, run)
    if recorded.status != "succeeded":
        raise StrataError(f"{run} {recorded.status}: only a run that succeeded can be made again and compared.")
    tree = _tree(repo, recorded)
    with borrowed(repo, recorded.commit, tree, input_paths(recorded)) as there:
        with contextlib.chdir(there.require_worktree()):
            outcome = _run(there, recorded, now, progress, steps, open_tracker)
        again = read_recorded(there, outcome.id)
        comparison = _compare(recorded, again, dict(tolerances or {}))
        kept = _keep(repo, there, recorded, outcome, now) if keep else ""
        log = () if outcome.status == "succeeded" else _last_lines(there, outcome)
    return Reproduction(recorded, comparison, outcome.status, outcome.error, kept, log)


def _tree(repo: Repository, recorded: Recorded) -> str:
    """The commit whose files the run came from; StrataError where it is not here."""
    if repo.resolve(recorded.commit) is None:
        raise StrataError(
            f"The commit {recorded.commit} that {recorded.id} came from is not here.",
            hint=f"git fetch origin {recorded.commit}   (or git fetch --unshallow)",
        )
    if recorded.kept is None:
        if recorded.dirty:
            raise StrataError(f"{recorded.id} came from a work tree with uncommitted changes, which were not kept.")
        return recorded.commit
    reference = KEPT + recorded.id
    kept = repo.resolve(reference)
    if kept is None:
        raise StrataError(
            f"{recorded.id} came from a work tree that was not as its commit; it is kept under {reference}, "
            "which is not here.",
            hint=f"git fetch origin {reference}:{reference}\nWhoever made the run publishes it: git strata runs push",
        )
    if read_commit(repo, kept).tree != recorded.kept:
        raise StrataError(f"{reference} is not the work tree that runs/{recorded.id} names.", hint=_COMPARE)
    return kept


def _run(
    there: Repository, recorded: Recorded, now: datetime | None, progress: Callable[[int], None] | None,
    steps: Callable[[int, int | None], None] | None, open_tracker: OpenTracker | None,
) -> RunOutcome:  # fmt: skip
    from strata_git.config import load_settings
    from strata_git.contracts.layout import SETTINGS
    from strata_git.repo.worktree import read_plain
    from strata_git.runs.spec import load_spec

    spec = load_spec(recorded.config, file=f"runs/{recorded.id}/config.yaml")
    settings = load_settings(read_plain(there, SETTINGS))
    outcome = execute(
        there, settings, spec, there.environ, now, progress, open_tracker=open_tracker or _untracked, steps=steps
    )
    if outcome.status == "interrupted":
        raise StrataError(f"Interrupted: {recorded.id} was not made again.", exit_code=130)
    return outcome


def _untracked(_: object) -> None:
    """A run that nobody but its record remembers."""


def _compare(recorded: Recorded, again: Recorded, given: Mapping[str, float]) -> Comparison:
    files = compare_files(recorded.outputs, again.outputs)
    inputs = compare_texts(recorded.inputs, again.inputs)
    return Comparison(
        figures=compare_figures(recorded.metrics, again.metrics, recorded.tolerances, given),
        same_artifacts=len(recorded.outputs.keys() | again.outputs.keys()) - len(files),
        artifacts=files,
        same_inputs=len(recorded.inputs.keys() | again.inputs.keys()) - len(inputs),
        inputs=inputs,
        code=compare_texts(_code(recorded), _code(again)),
        environment=compare_surroundings(recorded.system, again.system, is_imported),
    )


def _code(recorded: Recorded) -> dict[str, str]:
    return {"commit": recorded.commit, "tree": recorded.tree}


def is_imported(package: str) -> bool:
    """Whether this process has imported something of a distribution."""
    import sys
    from importlib.metadata import distributions

    loaded = {name.partition(".")[0] for name in list(sys.modules)}
    return any(not loaded.isdisjoint(_modules(found)) for found in distributions(name=package))


def _modules(found: Distribution) -> Iterator[str]:
    """The names that a distribution puts on the import path, one file each as far as it lists them."""
    if told := found.read_text("top_level.txt"):
        yield from told.split()
        return
    for path in found.files or ():
        top = path.parts[0]
        yield top.partition(".")[0] if len(path.parts) == 1 else top


def _keep(repo: Repository, there: Repository, recorded: Recorded, outcome: RunOutcome, now: datetime | None) -> str:
    from strata_git.repo.refs import Transaction
    from strata_git.runs.reproduce_kept import keep_record

    kept = keep_record(repo, there.require_worktree() / outcome.path, reproduces=recorded, now=now)
    if recorded.kept is not None:
        changes = Transaction(repo)
        changes.create(KEPT + kept, repo.resolve(KEPT + recorded.id) or "")
        changes.commit()
    return kept


def _last_lines(there: Repository, outcome: RunOutcome) -> tuple[str, ...]:
    path = there.require_worktree() / outcome.path / "logs.txt"
    with open(path, "rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - 4096))
        return tuple(stream.read().decode(errors="replace").splitlines()[-10:])
