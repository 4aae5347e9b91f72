"""One id, one run, whatever branch it is on."""

from __future__ import annotations

from strata_git.checks.collisions import judge_collisions
from tests.checks.judging import only

RUN, OTHER = "run-2026-01-05-001", "run-2026-01-05-002"


def test_the_same_run_on_many_branches_is_one_run() -> None:
    assert list(judge_collisions({"main": {RUN: "a"}, "origin/main": {RUN: "a", OTHER: "b"}, "topic": {}})) == []


def test_two_runs_under_one_id() -> None:
    finding = only(judge_collisions({"main": {RUN: "a"}, "topic": {RUN: "b"}, "origin/main": {RUN: "a"}}))
    assert (finding.rule, finding.severity, finding.path) == ("STR-R007", "warning", f"runs/{RUN}/run.yaml")
    assert finding.message == f"{RUN} is 2 different runs: on main, topic"
