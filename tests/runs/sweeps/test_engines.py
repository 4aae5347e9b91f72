"""The same sweep of 200 trials on every engine: the same files, byte for byte."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from strata_git.runs.sweeps.how import How
from tests.runs.sweeps.hill import files, spec, sweep
from tests.support.builder import RepositoryBuilder

pytestmark = pytest.mark.heavy

PARAMETERS = {"params.x": {"low": -20.0, "high": 20.0}, "params.top": {"low": 1, "high": 9}}


@pytest.mark.filterwarnings("ignore")  # Ray's and Dask's own
@pytest.mark.parametrize("engine", ["loky", "dask", "ray"])
def test_every_engine_gives_the_same_200_trials(repo: RepositoryBuilder, engine: str) -> None:
    what = spec(strategy="random", trials=200, seed=11, seeds="each", parameters=PARAMETERS)
    first = files(repo, sweep(repo, what).id)
    assert first["trials.jsonl"].count(b"\n") == 200
    for jobs in (2, 3) if engine == "loky" else (2,):
        how = How(engine, jobs)
        done = sweep(repo, what, how)
        assert done.error is None
        assert files(repo, done.id) == first
        assert files(repo, how.recorded[0])["model.bin"]


@pytest.mark.filterwarnings("ignore")
def test_optuna_proposes_the_same_however_many_trials_are_made_at_once(repo: RepositoryBuilder) -> None:
    what = spec(strategy="optuna", trials=24, batch=6, parameters=PARAMETERS)
    assert (
        len({tuple(sorted(files(repo, sweep(repo, what, how).id).items())) for how in (How("none"), How("loky", 3))})
        == 1
    )


def test_a_cluster_that_is_not_there_is_named(repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    from strata_git.runs import engines

    monkeypatch.setattr(engines, "_PATIENCE", "1s")
    done = sweep(repo, how=How("dask", 1, "tcp://127.0.0.1:9"))
    assert done.status == "failed"
    assert "The Dask scheduler tcp://127.0.0.1:9 cannot be used" in (done.error or "")


@pytest.mark.parametrize("engine", ["loky", "dask", "ray"])
def test_work_has_the_priority_of_whoever_asks_for_it(engine: str, tmp_path: Path) -> None:
    code = (
        "import subprocess\nfrom pathlib import Path\nfrom strata_git.runs.engines import calling\n"
        "if __name__ == '__main__':\n"
        f" with calling({engine!r}, 1, '', Path({str(tmp_path)!r})) as call:\n"
        "  print(call(subprocess.getoutput, 'nice'))\n"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    assert told.stdout.splitlines()[-1] == subprocess.getoutput("nice")
