"""`git strata sweep`, from outside."""

from __future__ import annotations

import pytest

from tests.runs.running import record_of, visible
from tests.runs.sweeps.hill import experiment
from tests.support.builder import RepositoryBuilder

QUIET = ("--tracking", "none")


@pytest.mark.extras
def test_a_sweep_shows_its_trials_and_what_to_do_next(repo: RepositoryBuilder) -> None:
    done = repo.strata("sweep", "experiments/hill.yaml", "--jobs", "2", "--commit", *QUIET).expect(0)
    sweep, best = visible(repo)
    assert done.out.startswith(f"{sweep}  succeeded".replace("run-", "runs/run-", 1))
    assert "6 trials, 0 failed; val_height, higher is better" in done.out
    assert done.out.splitlines()[2:4] == ["trial  x  val_height", "3      3  0"]
    assert "trial 0" in done.out.splitlines()[-1]  # the plot
    assert f"git strata show {best}" in done.err
    assert "committed" in done.err
    assert repo.git("status", "--porcelain") == ""
    assert record_of(repo, sweep).status == record_of(repo, best).status == "succeeded"

    told = repo.strata("sweep", "experiments/hill.yaml", "--engine", "none", "--records", "none", "--trials", "2",
                       "--set", "params.pits=[0]", "--format", "json", *QUIET).expect(0).json()  # fmt: skip
    assert told["schema"] == "strata/sweep-outcome/v1"
    assert (told["records"], told["killed"]) == ([], [])
    trials, chosen = told["trials"], told["best"]
    assert isinstance(trials, list)
    assert isinstance(chosen, dict)
    assert [one["status"] for one in trials] == ["failed", "succeeded"]
    assert chosen["trial"] == 1


def test_run_makes_one_run_of_an_experiment_that_can_be_swept(repo: RepositoryBuilder) -> None:
    done = repo.strata("run", "experiments/hill.yaml", *QUIET).expect(0)
    assert "git strata sweep" in done.err
    (run,) = visible(repo)
    assert b"sweep" not in repo.read(f"runs/{run}/config.yaml")


def test_what_is_no_sweep_is_refused(repo: RepositoryBuilder) -> None:
    repo.write({
        "single.yaml": "plugin: hill\n",
        "typo.yaml": experiment(parameters={"params.ex": {"choices": [1]}}),
    })  # fmt: skip
    assert "has no `sweep` part" in repo.strata("sweep", "single.yaml").expect(64).err
    assert "typo.yaml:16: sweep.parameters.params.ex" in repo.strata("sweep", "typo.yaml").expect(3).err
    assert visible(repo) == []
