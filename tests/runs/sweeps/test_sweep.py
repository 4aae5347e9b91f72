"""A sweep in this process: its record, its trials' records, and what it takes up again."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from strata_git.errors import StrataError, UsageError
from strata_git.load import load_json, load_yaml
from strata_git.runs.spec import load_spec
from strata_git.runs.started import Started
from strata_git.runs.sweeps.how import How
from strata_git.runs.sweeps.journal import read_journal
from strata_git.runs.sweeps.resume import unfinished
from strata_git.runs.sweeps.sweeping import Sweeping
from strata_git.runs.tracking import Adapter
from tests.runs.running import pending, record_of, visible
from tests.runs.sweeps.hill import files, log, spec, sweep, trials
from tests.support.builder import RepositoryBuilder


class Remembered:
    """A tracker that keeps what it was told, for each run."""

    waiting = ""

    def __init__(self, run: Started, told: dict[str, Any]) -> None:
        self.reference = run.id
        self.told = told.setdefault(
            run.id, {"parent": run.parent, "metrics": [], "params": {}, "tags": {}, "files": []}
        )

    def log_params(self, params: Any) -> None:
        self.told["params"].update(params)

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.told["metrics"] += [(name, value, step) for name, value in metrics.items()]

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        self.log_metrics({name: value}, step)

    def set_tags(self, tags: Any) -> None:
        self.told["tags"].update(tags)

    def log_artifact(self, path: Path, folder: str = "") -> None:
        self.told["files"].append(path.name)

    def log_artifacts(self, directory: Path, folder: str = "") -> None:
        self.told["files"] += sorted(path.name for path in directory.iterdir())

    def log_input(self, name: str, **_: Any) -> None: ...
    def leave(self) -> None: ...
    def finish(self, status: str) -> None:
        self.told["status"] = status


def test_a_sweep_is_one_run_and_its_best_trial_another(repo: RepositoryBuilder) -> None:
    told: dict[str, Any] = {}

    def track(run: Started) -> Adapter:
        return Remembered(run, told)

    how = How("none")
    done = sweep(repo, spec({"pits": [4]}), how, tracker=track)
    record = record_of(repo, done.id)
    assert (done.status, record.sweep, visible(repo)) == ("succeeded", None, [done.id, *how.recorded])
    assert done.metrics == {"val_height": 0, "progress": 0.5, "trials": 6, "failed_trials": 1}
    assert record.tokens == {"input": 10}
    assert set(files(repo, done.id)) == {"trials.jsonl", "trials.csv", "best.yaml", "sweep.svg"}

    rows = trials(repo, done.id)
    assert [row["values"]["params.x"] for row in rows] == [0, 1, 2, 3, 4, 5]
    assert [row["status"] for row in rows] == ["succeeded"] * 4 + ["failed", "succeeded"]
    assert rows[4]["error"] == "ValueError: fell into the pit at 4 below .../artifacts"
    table = list(csv.DictReader(io.StringIO(files(repo, done.id)["trials.csv"].decode())))
    assert [row["val_height"] for row in table] == ["-9", "-4", "-1", "0", "", "-4"]
    ET.fromstring(files(repo, done.id)["sweep.svg"])

    (best,) = how.recorded
    own = record_of(repo, best)
    assert own.sweep is not None
    assert (own.sweep.run, own.sweep.trial, own.inputs) == (done.id, 3, record.inputs)
    assert files(repo, best)["model.bin"] == b"3"
    assert load_json(repo.read(f"runs/{best}/metrics.json")).value == {"progress": 0.5, "val_height": 0}
    assert files(repo, done.id)["best.yaml"] == repo.read(f"runs/{best}/config.yaml")
    assert load_spec(files(repo, done.id)["best.yaml"], file="best.yaml").params["x"] == 3

    parts = {f"{done.id}/{row['trial']}" for row in rows} - {f"{done.id}/3"}
    assert set(told) == {done.id, best} | parts
    assert {told[run]["parent"] for run in parts | {best}} == {done.id}
    assert told[f"{done.id}/4"]["status"] == "failed"
    assert told[best]["metrics"] == [("progress", 0, 0), ("progress", 0.5, 1), ("val_height", 0, None)]
    assert (told[best]["tags"], told[best]["params"]["params.x"]) == ({"who": "climber"}, "3")
    assert "model.bin" in told[best]["files"]
    assert pending(repo) == []


def test_all_trials_or_none_are_on_record_when_that_is_asked(repo: RepositoryBuilder) -> None:
    every, nothing = How("none", records="all"), How("none", records="none")
    first, second = sweep(repo, spec({"pits": [0]}), every), sweep(repo, spec({"pits": [0]}), nothing)
    assert (len(every.recorded), nothing.recorded) == (6, [])
    found = [record_of(repo, run) for run in every.recorded]
    assert [(one.status, one.sweep and one.sweep.trial) for one in found] == [
        ("failed" if number == 0 else "succeeded", number) for number in range(6)
    ]
    assert "fell into the pit" in log(repo, every.recorded[0])
    assert visible(repo) == sorted([first.id, second.id, *every.recorded])
    assert files(repo, first.id) == files(repo, second.id)
    repo.git("add", "-A")
    assert "STR-R" not in repo.strata("doctor", "--staged").out


def test_a_trials_secrets_stay_out_of_every_file(repo: RepositoryBuilder) -> None:
    repo.write(
        {"plugins/hill.py": repo.read("plugins/hill.py").decode().replace("fell into", "{os.environ['SECRET_TOKEN']}")}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SECRET_TOKEN", "hunter2-hunter2")
        sweep(repo, spec({"pits": [0]}), How("none", records="all"), SECRET_TOKEN="hunter2-hunter2")
    found = [path for path in (repo.path / "runs").rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    assert found == []
    assert "***" in log(repo, visible(repo)[1])


@pytest.mark.extras
def test_what_cannot_work_is_refused_before_anything_is_written(repo: RepositoryBuilder) -> None:
    def refused(*words: Any, **more: Any) -> str:
        with pytest.raises(StrataError) as caught:
            sweep(repo, *words, **more)
        return caught.value.message

    kinds = {"params.kind": {"choices": ["peak", "cave"]}}
    assert refused(spec(parameters=kinds)) == "A trial with params.kind=cave cannot work: caves have no height"
    assert "cave" in refused(spec(strategy="optuna", trials=3, parameters=kinds))
    assert "--jobs 0" in refused(spec(), How("loky", jobs=0))
    assert "--scheduler goes with" in refused(spec(), How("loky", scheduler="tcp://here:1"))
    assert (visible(repo), pending(repo)) == ([], [])


@pytest.mark.parametrize(
    ("words", "how", "error", "made"),
    [
        (
            {"metric": "val_hight"},
            How("none"),
            "Trial 0: it measured no val_hight; it measured progress, val_height",
            1,
        ),
        ({"params": {"pits": [0, 1]}}, How("none", fail_fast=True), "Trial 0 failed, and one is enough", 1),
        (
            {"params": {"pits": [0, 1, 2, 3, 4, 5]}},
            How("none"),
            "None of the 6 trials succeeded; trial 0: ValueError",
            6,
        ),
    ],
)
def test_a_sweep_that_leads_nowhere_fails_and_keeps_its_trials(
    repo: RepositoryBuilder, words: dict[str, Any], how: How, error: str, made: int
) -> None:
    done = sweep(repo, spec(**words), how)
    assert done.status == "failed"
    assert error in (done.error or "")
    assert len(trials(repo, done.id)) == made
    assert len(read_journal(repo.path / "runs" / done.id / "artifacts/journal.jsonl")) == made
    assert record_of(repo, done.id).error == done.error


def stopped(repo: RepositoryBuilder, after: int, what: Any = None, **how: Any) -> str:
    """A sweep that was interrupted when so many of its trials had ended."""
    with pytest.MonkeyPatch.context() as patch:
        take = Sweeping._take

        def counted(self: Sweeping, *words: Any) -> None:
            take(self, *words)
            if len(self.ended) == after:
                raise KeyboardInterrupt

        patch.setattr(Sweeping, "_take", counted)
        done = sweep(repo, what, How("none", **how))
    assert done.status == "interrupted"
    return done.id


@pytest.mark.parametrize("strategy", ["grid", "optuna"])
@pytest.mark.parametrize("records", ["best", "none"])
def test_a_stopped_sweep_goes_on_and_ends_as_if_it_had_not(
    repo: RepositoryBuilder, strategy: str, records: str
) -> None:
    parameters = {"params.x": {"low": 0, "high": 5, "step": 1}}
    what = spec({"pits": [1]}, strategy=strategy, trials=6, batch=2, parameters=parameters)
    whole = sweep(repo, what, How("none", records=records))
    early = stopped(repo, 4, what, records=records)
    kept = {path for path in files(repo, early) if path.startswith("trials/")}
    assert bool(kept) == (records == "best")
    assert unfinished(repo.repository(), what) == (early, 4)
    repo.commit("Stopped")

    how = How("none", records=records)
    done = sweep(repo, what, how, resume=early)
    assert "4 trials taken over" in log(repo, done.id)
    assert log(repo, done.id).count(" after ") == 2
    assert files(repo, done.id) == files(repo, whole.id)
    resumes = record_of(repo, done.id).resumes
    assert resumes is not None
    assert (resumes.ref, record_of(repo, early).status) == (early, "interrupted")
    assert len(how.recorded) == (records == "best")
    assert unfinished(repo.repository(), what) is None


def test_more_trials_than_before_go_on_from_those_that_were_made(repo: RepositoryBuilder) -> None:
    fewer, more = (
        spec(strategy="random", trials=count, parameters={"params.x": {"low": -9, "high": 9}}) for count in (3, 5)
    )
    early = stopped(repo, 3, fewer)
    repo.commit("Stopped")
    done = sweep(repo, more, resume=early)
    assert len(trials(repo, done.id)) == 5
    assert trials(repo, done.id)[:3] == trials(repo, early)


def test_trials_of_another_sweep_or_other_code_are_not_taken_over(repo: RepositoryBuilder) -> None:
    early = stopped(repo, 2)

    def refused(what: Any) -> str:
        with pytest.raises(StrataError) as caught:
            sweep(repo, what, resume=early)
        return caught.value.message

    assert "params" in refused(spec({"top": 4}))
    assert "sweep" in refused(spec(direction="lower"))
    repo.commit("Its record does not count")
    repo.write({"plugins/hill.py": repo.read("plugins/hill.py") + b"\n"})
    repo.commit("Change the code")
    assert "computed by other code: plugins/hill.py differs" in refused(spec())


def test_a_journal_cut_by_death_is_read_up_to_there(repo: RepositoryBuilder, tmp_path: Path) -> None:
    early = stopped(repo, 3)
    whole = files(repo, early)["journal.jsonl"]
    cut = tmp_path / "journal.jsonl"
    for length in (*range(0, len(whole), 97), *(place + 1 for place, byte in enumerate(whole) if byte == 10)):
        cut.write_bytes(whole[:length])
        assert len(read_journal(cut)) == whole[:length].count(b"\n")
    cut.write_bytes(b'{"trial": 1}\n' + whole)
    with pytest.raises(StrataError, match=r"journal\.jsonl:1 is no line"):
        read_journal(cut)


def test_bounds_are_each_trials_own(repo: RepositoryBuilder) -> None:
    from dataclasses import replace

    slow = replace(spec({"nap": 0.06, "pits": [0]}), resources={"time_limit_s": 0.2})
    done = sweep(repo, slow)  # longer than that in all
    assert done.metrics["failed_trials"] == 1
    late = sweep(repo, replace(spec({"nap": 0.3}, trials=1), resources={"time_limit_s": 0.1}))
    assert "time limit" in trials(repo, late.id)[0]["error"]


def test_a_seed_is_swept_and_a_run_of_the_best_measures_the_same(repo: RepositoryBuilder) -> None:
    from strata_git.config import Settings
    from strata_git.runs.execute import execute

    done = sweep(repo, spec(parameters={"seed": {"choices": [3, 6, 5]}}))
    assert done.metrics["val_height"] == 2
    best = load_spec(files(repo, done.id)["best.yaml"], file="best.yaml")
    again = execute(repo.repository(), Settings(), best, repo.environ, open_tracker=lambda _: None)
    assert again.metrics == {"val_height": 2, "progress": 0.5}


def test_only_a_stopped_run_is_taken_up(repo: RepositoryBuilder) -> None:
    done = sweep(repo)
    for run, word in ((done.id, "succeeded"), ("run-2020-01-01-001", "no runs/"), ("nothing", "not a run")):
        with pytest.raises(StrataError, match=word):
            sweep(repo, resume=run)
    with pytest.raises(UsageError):
        sweep(repo, how=How("none", records="some"))
    assert load_yaml(repo.read(f"runs/{done.id}/config.yaml")).value["sweep"]["seeds"] == "same"  # type: ignore[index,call-overload]
