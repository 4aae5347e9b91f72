"""A trial as a run of its own: the record that `git strata run` would have left, naming the sweep it was made in.

It is put together where nobody looks for records and takes its place whole: a death in between leaves nothing, or a
complete record that the next run puts in place.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from strata_git.repo.command import Repository
from strata_git.runs import record
from strata_git.runs.reserve import Reservation, publish, reserve
from strata_git.runs.spec import RunSpec
from strata_git.runs.started import Started
from strata_git.runs.sweeps.trial import Ended
from strata_git.runs.sweeps.work import FILES, LOG

_BUILDING = "building"


def reserve_trial(repo: Repository, ended: Ended) -> Reservation:
    """A number for the record of a trial, of the day it began."""
    return reserve(repo, began(ended))


def record_trial(
    repo: Repository, reserved: Reservation, sweep: Started, spec: RunSpec, ended: Ended, place: Path
) -> None:
    """Put the trial whose directory is `place` (it is emptied) on record under the number `reserved`.

    `sweep` is the run it belongs to, `spec` the trial's own.
    """
    building = reserved.place / _BUILDING
    building.mkdir()
    try:
        shutil.copyfile(place / LOG, building / record.LOGS)
        record.collect(place / FILES, building)
        start = began(ended)
        facts = record.begin(
            building, run=reserved.id, spec=spec, code=sweep.code, source=sweep.source, inputs=sweep.inputs,
            started=start, origin=sweep.origin, more={"user": sweep.user or None},
        )  # fmt: skip
        finished = start + timedelta(seconds=ended.seconds)
        told = {"sweep": {"run": sweep.id, "trial": ended.index}, **_joined(facts, ended.told)}
        record.close_as(building, facts, record.End(ended.status, finished, ended.error, ended.metrics, told))
        reserved.record.rmdir()
        os.rename(building, reserved.record)
        publish(reserved, repo.require_worktree())
    except BaseException:
        reserved.abandon()
        raise
    reserved.release()


def began(ended: Ended) -> datetime:
    """When a trial began."""
    return datetime.strptime(ended.started, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _joined(facts: Mapping[str, object], told: Mapping[str, object]) -> dict[str, object]:
    """What a trial says of its run besides, with what its experiment names already."""
    whole: dict[str, object] = {}
    for key, value in told.items():
        known = facts.get(key)
        if isinstance(known, list) and isinstance(value, list):
            whole[key] = [*known, *(entry for entry in value if entry not in known)]
        else:
            whole[key] = value
    return whole
