"""An experiment file and its overrides become one resolved spec, or a complaint that says where."""

from __future__ import annotations

import pytest

from strata_git.contracts.base import parse
from strata_git.contracts.experiment import RunConfig
from strata_git.errors import StrataError, UsageError
from strata_git.load import dump_yaml, load_yaml
from strata_git.runs.spec import RunSpec, flattened, load_spec, resolved

FILE = "experiments/breast_cancer.yaml"
TEXT = b"plugin: sklearn\nseed: 3\ndataset_id: breast-cancer@v1\nparams:\n  model: random_forest\n  depth: 4\n"


def test_what_the_file_leaves_out_has_defaults_and_its_name_is_the_experiments() -> None:
    assert load_spec(b"plugin: toy\n", file=FILE) == RunSpec("breast_cancer", "toy", 0, "", {}, {}, {})


@pytest.mark.parametrize(
    ("override", "value"),
    [("3", 3), ("0.5", 0.5), ("true", True), ("null", None), ("'3'", "3"), ("no", "no"), ("[1, 2]", [1, 2]), ("", "")],
)
def test_an_override_is_typed_as_yaml_types_it(override: str, value: object) -> None:
    spec = load_spec(TEXT, file=FILE, overrides=[f"params.depth={override}"])
    assert spec.params == {"model": "random_forest", "depth": value}
    assert type(spec.params["depth"]) is type(value)


def test_overrides_make_sections_and_reach_every_field() -> None:
    spec = load_spec(TEXT, file=FILE, overrides=["seed=9", "data_spec.a.b=1", "plugin=toy"], tags=["why=because=so"])
    assert (spec.seed, spec.plugin, spec.data_spec, spec.tags) == (9, "toy", {"a": {"b": 1}}, {"why": "because=so"})


@pytest.mark.parametrize("override", ["seed", "=1", "a..b=1", "seed.deep=1", "params.x=[", "params.x=*a"])
def test_an_override_that_makes_no_sense_is_a_usage_error(override: str) -> None:
    with pytest.raises(UsageError):
        load_spec(TEXT, file=FILE, overrides=[override])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TEXT + b"sed: 3\n", f"{FILE}:7: sed"),
        (TEXT.replace(b"3", b"minus"), f"{FILE}:2: seed"),
        (TEXT.replace(b"@v1", b""), f"{FILE}:3: dataset_id: must name a version"),
        (b"seed: 1\n", "plugin"),
        (b"- a\n", "mapping"),
        (b"a: [\n", FILE),
    ],
)
def test_a_wrong_experiment_is_refused_with_its_place(text: bytes, said: str) -> None:
    with pytest.raises(StrataError) as caught:
        load_spec(text, file=FILE)
    assert said in caught.value.message


def test_the_resolved_spec_is_a_config_from_which_the_same_spec_comes_back() -> None:
    spec = load_spec(TEXT, file=FILE, overrides=["params.version='1.10'"], tags=["a=b"])
    data = dump_yaml(resolved(spec))
    parse(RunConfig, load_yaml(data))
    assert load_spec(data, file="config.yaml") == spec


@pytest.mark.parametrize(("given", "read"), [("iris@v1", "iris@v1"), ("sklearn:iris", None), ("", None)])
def test_only_a_version_is_committed_data(given: str, read: str | None) -> None:
    assert RunSpec("e", "p", dataset_id=given).committed_dataset == read


def test_trackers_see_flat_names() -> None:
    flat = flattened(load_spec(TEXT, file=FILE, tags=["a=b"]))
    assert flat["params.model"] == "random_forest"
    assert "tags" not in flat
    assert not any(isinstance(value, dict) for value in flat.values())
