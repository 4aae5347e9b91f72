"""The doctor over many versions that it has judged before, beside `git status` and `dvc status` on the same files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from benchmarks.measure import Contender, Goal, Samples, interleaved
from benchmarks.repositories import Place, settle

GOALS = (
    Goal("doctor, warm : git status", "git strata doctor", "git status", 5.0),
    Goal("dvc status : doctor, warm (times faster)", "git strata doctor", "dvc status", 10.0, at_least=True),
)
DOCTOR = ("git", "strata", "doctor")


def warm(place: Place, artifacts: int, rounds: int, dvc: str | None) -> Samples:
    """`git strata doctor` over versions that it remembers; SystemExit unless it judged all of them, without errors."""
    require_verdict(place, artifacts)
    settle(place)
    contenders = [
        Contender("git status", place, lambda _round: ("git", "status")),
        Contender("git strata doctor", place, lambda _round: DOCTOR),
    ]
    if dvc is not None:
        beside = _dvc_copy(place, dvc)
        contenders.append(Contender("dvc status", beside, lambda _round: (dvc, "status")))
    return interleaved(contenders, rounds, warm=2)


def require_verdict(place: Place, artifacts: int) -> None:
    """SystemExit unless the doctor judges exactly `artifacts` artifacts and finds nothing wrong."""
    answer = json.loads(place.run(*DOCTOR, "--format", "json"))
    judged, findings = answer["artifacts"], answer["findings"]
    if judged != artifacts or any(finding["severity"] == "error" for finding in findings):
        raise SystemExit(f"{place.path.name}: {judged} artifacts in place of {artifacts}; {findings[:3]}")


def _dvc_copy(place: Place, dvc: str) -> Place:
    """The same files under DVC, as one directory it tracks: the kindest layout for it."""
    path: Path = place.path.parent / "dvc"
    beside = Place(path, {**place.environ, "DVC_NO_ANALYTICS": "1"})
    path.mkdir()
    beside.git("init", "--quiet")
    beside.run(dvc, "init", "--quiet")
    beside.run(dvc, "config", "core.analytics", "false")
    shutil.copytree(place.path / "datasets", path / "datasets")
    beside.run(dvc, "add", "--quiet", "datasets")
    beside.git("add", "--all")
    beside.git("commit", "--quiet", "-m", "Tracked")
    return beside
