"""Runs whose process is gone: found by the next run, and recorded with what they left.

One that was at work is recorded as `killed`. One that had ended, and whose record could not be completed (a full disk,
a power cut while it was written), noted how it ended, and is recorded so.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from strata_git.contracts.layout import RUN_RECORD
from strata_git.repo.command import Repository
from strata_git.runs import dirty, record
from strata_git.runs.reserve import Reservation, dead_runs, publish, read_owner


@dataclass(frozen=True, slots=True)
class Killed:
    """A run that is now on record with its `status`; `tracker` is how its tracker calls it ("": it had none yet)."""

    id: str
    tracker: str
    status: str = "killed"


def record_killed(repo: Repository) -> tuple[Killed, ...]:
    """Give every dead pending run its record. One that died before it began leaves nothing."""
    root = repo.require_worktree()
    recorded = []
    for dead in dead_runs(repo):
        noted = read_owner(dead.place)
        facts = _begun(dead.record)
        if facts is None:
            dirty.drop(repo, dead.id)
            drop_outside(dead)
            dead.release()
        elif os.path.lexists(root / "runs" / dead.id):  # the name was taken meanwhile: keep it for a person to look at
            dead.abandon()
        elif status := _recorded(root, dead, facts, noted):
            recorded.append(Killed(dead.id, str(noted.get("tracker", "")), status))
    return tuple(recorded)


def _recorded(root: Path, dead: Reservation, facts: Mapping[str, object], noted: Mapping[str, object]) -> str:
    """Close and publish a dead run; the status it got ("" when its finished record was only to be put in place)."""
    status = ""
    try:
        if facts.get("status") == "running":
            _gather(dead, noted.get("artifact_dir"))
            status = _ended(dead, facts, record.End.of(noted.get("ended")))
        else:
            record.seal(dead.record)
        publish(dead, root)
    except BaseException:
        dead.abandon()
        raise
    dead.release()
    return status


def _ended(dead: Reservation, facts: Mapping[str, object], end: record.End | None) -> str:
    """Close the record as the run noted that it ended; as that of a killed run where it noted nothing."""
    if end is None:
        _close(dead, facts)
        return "killed"
    with open(dead.record / record.LOGS, "ab") as log:
        log.write(f"{record.stamp(datetime.now(UTC))} run its record was completed by a later command\n".encode())
    try:
        record.close_as(dead.record, facts, end)
    except record.Unrecordable as refused:
        shutil.rmtree(dead.record / record.ARTIFACTS, ignore_errors=True)
        end = replace(end, status="failed", error=refused.message)
        record.close_as(dead.record, facts, end)
    return end.status


def _close(dead: Reservation, facts: Mapping[str, object]) -> None:
    seen = datetime.fromtimestamp(max(os.lstat(place).st_mtime for place in dead.record.iterdir()), UTC)
    error = f"the process was killed; its last sign of life was at {record.stamp(seen)}"
    with open(dead.record / record.LOGS, "ab") as log:
        log.write(f"{record.stamp(datetime.now(UTC))} run killed: found dead by the next run\n".encode())
    try:
        record.close(dead.record, facts, status="killed", finished=None, metrics={}, error=error)
    except record.Unrecordable as refused:
        shutil.rmtree(dead.record / record.ARTIFACTS, ignore_errors=True)
        error = f"{error}; what it had written could not be recorded: {refused.message}"
        record.close(dead.record, facts, status="killed", finished=None, metrics={}, error=error)


def _begun(directory: Path) -> dict[str, object] | None:
    """run.yaml as the run left it; None when the run did not come so far."""
    from strata_git.load import Unloadable, load_yaml

    try:
        value = load_yaml((directory / RUN_RECORD).read_bytes()).value
    except (OSError, Unloadable):
        return None
    return dict(value) if isinstance(value, Mapping) else None


def drop_outside(reserved: Reservation) -> None:
    """Remove what a run that leaves no record made below CORE_ARTIFACT_ROOT; before it is released."""
    outside = read_owner(reserved.place).get("artifact_dir")
    if isinstance(outside, str) and Path(outside).name.startswith(f"{reserved.id}-"):
        shutil.rmtree(outside, ignore_errors=True)


def _gather(dead: Reservation, outside: object) -> None:
    """Bring along what the run had written below CORE_ARTIFACT_ROOT."""
    if isinstance(outside, str) and Path(outside).is_dir() and Path(outside).name.startswith(f"{dead.id}-"):
        record.collect(Path(outside), dead.record)
