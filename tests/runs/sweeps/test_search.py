"""Which values are tried: what the experiment may say, and that nothing but it decides."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from strata_git.contracts.sweep import Parameter, Sweep
from strata_git.errors import StrataError
from strata_git.runs.spec import load_spec
from strata_git.runs.sweeps.search import drawn, grid, search_of
from strata_git.runs.sweeps.trial import Ended, Trial, best_of, drawn_seed, trial_spec
from tests.runs.sweeps.hill import SWEEP, experiment, spec


def swept(**words: Any) -> Sweep:
    return Sweep.model_validate({key: value for key, value in {**SWEEP, **words}.items() if value is not None})


def ended(index: int, height: float | None, status: str = "succeeded") -> Ended:
    return Ended(index, {}, 0, status, {} if height is None else {"h": height}, None, 0.1, "")


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        ({"choices": ["a", 1, None, [2, 3]]}, ("a", 1, None, [2, 3])),
        ({"low": 1, "high": 9, "step": 3}, (1, 4, 7)),
        ({"low": 0.1, "high": 0.5, "step": 0.1}, (0.1, 0.2, 0.3, 0.4, 0.5)),
        ({"low": 0.01, "high": 100.0, "log": True, "points": 5}, (0.01, 0.1, 1.0, 10.0, 100.0)),
        ({"low": 1, "high": 1000, "log": True, "points": 4}, (1, 10, 100, 1000)),
        ({"low": 1, "high": 3, "points": 9}, (1, 2, 3)),
        ({"low": 0.0, "high": 1, "points": 3}, (0.0, 0.5, 1.0)),
        ({"low": 0, "high": 1}, ()),
    ],
)
def test_a_parameter_is_cut_as_it_says(parameter: dict[str, Any], values: tuple[Any, ...]) -> None:
    found = Parameter.model_validate(parameter).values()
    assert list(map(type, found)) == list(map(type, values))
    assert all(one == other or math.isclose(one, other) for one, other in zip(found, values, strict=True))


def test_a_grid_is_every_combination_in_order() -> None:
    parameters = {"params.x": {"choices": [1, 2]}, "params.kind": {"choices": ["a", "b"]}}
    rows = [tuple(trial.values.values()) for trial in grid(swept(parameters=parameters))]
    assert rows == [(1, "a"), (1, "b"), (2, "a"), (2, "b")]
    assert len(grid(swept(parameters=parameters, trials=3))) == 3


@given(
    low=some.integers(-50, 50),
    width=some.integers(1, 90),
    seed=some.integers(0, 2**32 - 1),
    index=some.integers(0, 999),
)
def test_draws_stay_in_their_range_and_are_what_they_are(low: int, width: int, seed: int, index: int) -> None:
    parameters = {
        "params.a": {"low": low, "high": low + width},
        "params.b": {"low": float(low), "high": float(low + width)},
        "params.c": {"low": 1, "high": 1 + width, "log": True},
        "params.d": {"low": 0.001, "high": 1.0 + width, "log": True},
        "params.e": {"choices": ["x", "y"]},
    }
    sweep = swept(strategy="random", trials=5, seed=seed, parameters=parameters)
    values = drawn(sweep, index)
    assert isinstance(values["params.a"], int)
    assert isinstance(values["params.c"], int)
    assert low <= values["params.a"] <= low + width
    assert low <= values["params.b"] <= low + width
    assert 1 <= values["params.c"] <= 1 + width
    assert 0.001 <= values["params.d"] <= 1 + width
    assert values == drawn(sweep, index)
    fewer = swept(strategy="random", trials=9, seed=seed, parameters={"params.c": parameters["params.c"]})
    assert drawn(fewer, index) == {"params.c": values["params.c"]}  # one parameter does not move another


def test_draws_cover_what_they_are_drawn_from() -> None:
    sweep = swept(strategy="random", trials=300, parameters={"params.x": {"low": 1, "high": 6}})
    found = [drawn(sweep, index)["params.x"] for index in range(300)]
    assert {face: found.count(face) > 25 for face in range(1, 7)} == dict.fromkeys(range(1, 7), True)


def test_optuna_proposes_the_same_for_the_same_results_in_batches_of_its_own() -> None:
    pytest.importorskip("optuna")
    parameters = {"params.x": {"low": -5.0, "high": 5.0}, "params.kind": {"choices": ["a", [1]]}}
    sweep = swept(
        strategy="optuna", trials=22, batch=4, parameters={**parameters, "params.n": {"low": 1, "high": 9, "step": 4}}
    )

    def climbed() -> list[tuple[Any, ...]]:
        search, rows = search_of(sweep), []
        while batch := search.ask():
            assert len(batch) in (4, 2)
            rows += [tuple(trial.values.values()) for trial in batch]
            told = [ended(t.index, -abs(t.values["params.x"])) for t in batch if t.index % 5]
            failed = [ended(t.index, None, "failed") for t in batch if t.index % 5 == 0]
            search.tell(
                [Ended(**{**_plain(e), "metrics": {"val_height": e.metrics.get("h", 0)}}) for e in told + failed]
            )
        return rows

    first = climbed()
    assert first == climbed()
    assert len(first) == 22
    assert {row[2] for row in first} <= {1, 5, 9}


def _plain(one: Ended) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Ended.__dataclass_fields__}


def test_a_trial_is_the_experiment_with_its_values() -> None:
    base = spec(parameters={"params.x": {"choices": [1, 2]}, "seed": {"choices": [3, 4]}})
    made = trial_spec(base, Trial(1, {"params.x": 2, "seed": 4}))
    assert (made.params["x"], made.seed, made.sweep) == (2, 4, {})
    assert made.resources == {"cpus": 1}  # sums are made by as many threads everywhere
    assert base.params["x"] == 1
    assert {**made.params, "x": 1} == base.params


def test_seeds_are_the_experiments_or_come_from_number_and_sweep_alone() -> None:
    same, each = spec(), spec(seeds="each", seed=5)
    assert [trial_spec(same, Trial(n, {})).seed for n in range(3)] == [7, 7, 7]
    assert [trial_spec(each, Trial(n, {})).seed for n in range(3)] == [drawn_seed(5, n) for n in range(3)]
    assert len({drawn_seed(5, n) for n in range(100)} | {drawn_seed(6, n) for n in range(100)}) == 200


def test_the_best_is_the_first_of_equals_that_succeeded() -> None:
    rows = [ended(4, 2.0), ended(1, 2.0), ended(0, 1.0), ended(2, 9.0, "failed"), ended(3, None)]
    higher, lower = best_of(rows, "h", "higher"), best_of(rows, "h", "lower")
    assert higher is not None
    assert lower is not None
    assert (higher.index, lower.index) == (1, 0)
    assert best_of([ended(0, None, "failed")], "h", "higher") is None


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (
            {"parameters": {"params.ex": {"choices": [1]}}},
            "16: sweep.parameters.params.ex: the experiment has no params.ex",
        ),
        ({"parameters": {"parms.x": {"choices": [1]}}}, "16: sweep.parameters.parms.x: must be seed, or begin with"),
        ({"parameters": {"params.x": {"choices": []}}}, "sweep.parameters.params.x.choices: must not be empty"),
        ({"parameters": {}}, "sweep.parameters: must not be empty"),
        ({"parameters": {"params.x": {"low": 1, "high": 2}}}, "needs a step or points"),
        ({"parameters": {"params.x": {"low": 2, "high": 1, "step": 1}}}, "low: must be less than high (1)"),
        ({"parameters": {"params.x": {"low": ".nan", "high": 1, "step": 1}}}, "low: must be a number"),
        ({"parameters": {"params.x": {"low": 0, "high": 1, "step": 2}}}, "step: is longer than the range"),
        ({"parameters": {"params.x": {"low": 0, "high": 1, "step": 1, "log": True}}}, "log: needs a low above 0"),
        ({"parameters": {"params.x": {"low": 0, "high": 10**9, "step": 1}}}, "a grid of more than 100000 trials"),
        ({"parameters": {"params.x": {"choices": [1, 2, 1]}}}, "choices: names a value twice"),
        ({"parameters": {"params.x": {"choices": [1], "low": 1}}}, "low: says nothing beside choices"),
        ({"parameters": {"seed": {"choices": [-1]}}}, "must give whole numbers from 0"),
        ({"parameters": {"params": {"choices": [1]}}}, "must be seed, or begin with"),
        ({"strategy": "random"}, "trials: is missing: random goes on for ever"),
        (
            {"strategy": "random", "trials": 2, "parameters": {"params.x": {"low": 1, "high": 2, "points": 2}}},
            "grid only",
        ),
        ({"metric": None}, "sweep.metric: is missing"),
        ({"direction": None}, "sweep.direction: is missing"),
        ({"metrik": "f1"}, "sweep.metrik: is not a key"),
    ],
)
def test_senseless_sweeps_are_refused_with_file_and_line(words: dict[str, Any], refusal: str) -> None:
    with pytest.raises(StrataError) as caught:
        load_spec(experiment(**words), file="experiments/hill.yaml")
    assert caught.value.message.startswith("experiments/hill.yaml:")
    assert refusal in caught.value.message
