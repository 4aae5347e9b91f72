"""Runs whose process was killed: found by the next run, recorded as `killed` with what they left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from strata_git.contracts.layout import RUN_RECORD
from strata_git.errors import StrataError
from strata_git.repo.command import Repository
from strata_git.runs import record
from strata_git.runs.reserve import Reservation, dead_runs, publish, read_owner


@dataclass(frozen=True, slots=True)
class Killed:
    """A run that is now on record as killed; `tracker` is how its tracker calls it ("" when it had none yet)."""

    id: str
    tracker: str


def record_killed(repo: Repository) -> tuple[Killed, ...]:
    """Give every dead pending run its record. One that died before it began leaves nothing."""
    root = repo.require_worktree()
    recorded = []
    for dead in dead_runs(repo):
        noted = read_owner(dead.place)
        facts = _begun(dead.record)
        if facts is None:
            dead.release()
        elif os.path.lexists(root / "runs" / dead.id):  # the name was taken meanwhile: keep it for a person to look at
            dead.abandon()
        elif _recorded(root, dead, facts, noted):
            recorded.append(Killed(dead.id, str(noted.get("tracker", ""))))
    return tuple(recorded)


def _recorded(root: Path, dead: Reservation, facts: Mapping[str, object], noted: Mapping[str, object]) -> bool:
    """Close and publish a dead run; whether it was killed at work (and not while its finished record was put away)."""
    working = facts.get("status") == "running"
    try:
        if working:
            _gather(dead, noted.get("artifact_dir"))
            _close(dead, facts)
        else:
            record.seal(dead.record)
        publish(dead, root)
    except BaseException:
        dead.abandon()
        raise
    dead.release()
    return working


def _close(dead: Reservation, facts: Mapping[str, object]) -> None:
    seen = datetime.fromtimestamp(max(os.lstat(place).st_mtime for place in dead.record.iterdir()), UTC)
    error = f"the process was killed; its last sign of life was at {record.stamp(seen)}"
    with open(dead.record / record.LOGS, "ab") as log:
        log.write(f"{record.stamp(datetime.now(UTC))} run killed: found dead by the next run\n".encode())
    try:
        record.close(dead.record, facts, status="killed", finished=None, metrics={}, error=error)
    except StrataError as refused:
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


def _gather(dead: Reservation, outside: object) -> None:
    """Bring along what the run had written below CORE_ARTIFACT_ROOT."""
    if isinstance(outside, str) and Path(outside).is_dir() and Path(outside).name.startswith(f"{dead.id}-"):
        record.collect(Path(outside), dead.record)
