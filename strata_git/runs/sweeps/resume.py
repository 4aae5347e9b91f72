"""A sweep that was stopped or killed, as the next one takes it up: its trials, and whether they still count.

Records are never changed: going on is a new run, which takes over the trials that ended. They count where the
experiment is the same but for the number of trials, and the code is the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from strata_git.contracts.layout import ROOT_OF, RUN_RECORD
from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.runs import record
from strata_git.runs.resume import Earlier
from strata_git.runs.spec import RunSpec, load_spec, resolved
from strata_git.runs.sweeps.journal import JOURNAL, read_journal

KEPT = "trials"
"""Below the artifacts of a sweep that was stopped: the directory of the best trial so far, by its number."""
_ASIDE = (*(f"{root}/" for root in ROOT_OF.values()), "experiments/")
"""What no trial computes with but as a verified input."""
_NEWEST = 50


def require_same_code(repo: Repository, earlier: Earlier, tree: str) -> None:
    """Raise StrataError unless the trials of `earlier` were computed by the code whose tree is `tree`."""
    code = earlier.facts.get("code")
    before = str(code.get("tree")) if isinstance(code, dict) else ""
    changed = None if before == tree else _changed(repo, before, tree)
    if changed is not None:
        raise StrataError(
            f"The trials of runs/{earlier.id} were computed by other code: {printable(changed)}.",
            hint="Go back to that code, or begin anew without --resume.",
        )


def unfinished(repo: Repository, spec: RunSpec) -> tuple[str, int] | None:
    """The newest stopped or killed sweep in the work tree that was the same as `spec`, and how many trials it has."""
    place = repo.require_worktree() / "runs"
    names = sorted((path.name for path in place.glob("run-*")), reverse=True) if place.is_dir() else []
    for name in names[:_NEWEST]:
        journal = place / name / record.ARTIFACTS / JOURNAL
        if not journal.is_file():
            continue
        try:
            earlier = load_spec((place / name / record.CONFIG).read_bytes(), file=record.CONFIG)
            trials = read_journal(journal)
        except (StrataError, OSError):
            continue
        if trials and _compared(earlier) == _compared(spec) and not _taken_up(place, name):
            return name, len(trials)
    return None


def _taken_up(place: Path, name: str) -> bool:
    """Whether a later record says that it went on with `name`."""
    said = f"ref: {name}\n".encode()
    for other in sorted(place.glob("run-*"), reverse=True)[:_NEWEST]:
        try:
            facts = (other / RUN_RECORD).read_bytes()
        except OSError:
            continue
        if other.name != name and b"\nresumes:" in facts and said in facts:
            return True
    return False


def _compared(spec: RunSpec) -> dict[str, Any]:
    """A spec without what does not change a trial: its tags, and how many trials there are to be."""
    plain = {key: value for key, value in resolved(spec).items() if key not in ("tags", "resources")}
    return {**plain, "sweep": {key: value for key, value in spec.sweep.items() if key != "trials"}}


def _changed(repo: Repository, before: str, now: str) -> str | None:
    """What says that two trees of code differ in more than artifacts and experiments; None when nothing does."""
    trees = {}
    for tree in (before, now):
        try:
            listed = repo.git("ls-tree", "-r", "-z", "--end-of-options", tree)
        except StrataError:
            return "what it was is not kept in this repository"
        trees[tree] = {line for line in listed.split(b"\0") if line and not _aside(line.partition(b"\t")[2])}
    paths = [line.partition(b"\t")[2].decode(errors="surrogateescape") for line in trees[before] ^ trees[now]]
    return f"{min(paths)} differs" if paths else None


def _aside(path: bytes) -> bool:
    return path.decode(errors="surrogateescape").startswith(_ASIDE)
