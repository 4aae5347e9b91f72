"""A sweep that is made again: the same trials, the same best one."""

from __future__ import annotations

import pytest

from strata_git.runs.reproduce import reproduce
from tests.runs.running import opened, visible
from tests.support.builder import RepositoryBuilder


@pytest.mark.heavy
def test_a_sweep_is_made_again(repo: RepositoryBuilder) -> None:
    here = ("--engine", "none", "--records", "none", "--tracking", "none")
    repo.strata("sweep", "experiments/hill.yaml", *here).expect(0)
    (run,) = visible(repo)
    there = opened(repo)
    made = reproduce(there, run)
    there.close()
    assert visible(repo) == [run]
    assert made.verdict == "identical"
    assert made.comparison.same_artifacts >= 3
