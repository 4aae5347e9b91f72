"""The scikit-learn plugin: same spec and seed, same numbers and same model file; another seed, another model."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_breast_cancer

from strata_git.errors import UsageError
from strata_git.load import load_yaml
from strata_git.runs.plugins.sklearn_data import check
from strata_git.runs.plugins.sklearn_model import build, settle
from strata_git.runs.plugins.sklearn_skops import normalised, save
from strata_git.runs.spec import RunSpec, load_spec
from tests.runs.running import perform, record_of
from tests.support.builder import RepositoryBuilder

EXPERIMENTS = Path(__file__).parents[2] / "templates/workspace/experiments"
SYNTHETIC = {"kind": "synthetic", "samples": 200, "features": 6, "informative": 3, "redundant": 1, "validation": 0.2}
PNG = b"\x89PNG\r\n\x1a\n"


def synthetic(seed: int = 7, **params: Any) -> RunSpec:
    return RunSpec("syn", "sklearn", seed, "", SYNTHETIC, {"model": "random_forest", "n_estimators": 5, **params})


def cancer(repo: RepositoryBuilder, **files: bytes) -> None:
    """The dataset that the example experiments name, in two splits."""
    bunch = load_breast_cancer()
    head = ",".join([*(name.replace(" ", "_") for name in bunch.feature_names), "diagnosis"])
    rows = [
        ",".join([*map(repr, map(float, row)), str(int(y))]) for row, y in zip(bunch.data, bunch.target, strict=True)
    ]
    train, test = "\n".join([head, *rows[:400]]) + "\n", "\n".join([head, *rows[400:]]) + "\n"
    splits = {"train": {"train.csv": train.encode()}, "test": {"test.csv": test.encode()}}
    repo.dataset("breast-cancer", files=splits)
    repo.commit("Add breast-cancer")


def sums(repo: RepositoryBuilder, run: str) -> Mapping[str, str]:
    return {one.path: one.sha256 for one in record_of(repo, run).outputs}


@pytest.mark.parametrize("file", ["breast_cancer.yaml", "breast_cancer_logistic.yaml"])
def test_the_examples_learn_from_a_committed_dataset_and_repeat_exactly(repo: RepositoryBuilder, file: str) -> None:
    cancer(repo)
    spec = load_spec((EXPERIMENTS / file).read_bytes(), file=file)
    first, second = perform(repo, spec), perform(repo, spec)
    assert first.status == "succeeded", first.error
    assert dict(first.metrics) == dict(second.metrics)
    assert sums(repo, first.id) == sums(repo, second.id)
    assert first.metrics["test_accuracy"] > 0.9
    assert {"train_accuracy", "val_f1", "test_f1", "test_auc", "test_log_loss"} <= set(first.metrics)
    described = json.loads(repo.read(f"{first.path}/artifacts/model.json"))
    assert len(described["inputs"]) == 30
    assert described["metrics"]["test_log_loss"]["direction"] == "lower"
    assert described["metrics"]["test_auc"]["n"] == 169
    assert [one.ref for one in record_of(repo, first.id).inputs] == ["datasets/breast-cancer@v1"]


def test_the_synthetic_example_needs_no_dataset(repo: RepositoryBuilder) -> None:
    done = perform(repo, load_spec((EXPERIMENTS / "synthetic.yaml").read_bytes(), file="synthetic.yaml"))
    assert done.status == "succeeded", done.error
    assert record_of(repo, done.id).inputs == ()
    assert repo.read(f"{done.path}/artifacts/roc_curve.png").startswith(PNG)
    assert repo.read(f"{done.path}/artifacts/confusion_matrix.png").startswith(PNG)
    assert repo.read(f"{done.path}/artifacts/predictions.csv").count(b"\n") == 121


@pytest.mark.parametrize("model", ["random_forest", "logistic_regression"])
def test_another_seed_makes_another_model(repo: RepositoryBuilder, model: str) -> None:
    what = [RunSpec("syn", "sklearn", seed, "", SYNTHETIC, {"model": model}) for seed in (7, 8)]
    one, other = (sums(repo, perform(repo, spec).id)["artifacts/model.skops"] for spec in what)
    assert one != other


def test_a_fitted_model_answers_in_one_thread() -> None:
    """Threads add up trees in whatever order they finish, and floats differ by it."""
    forest, linear = build({"model": "random_forest", "n_jobs": 2}, seed=7), build({"model": "ridge"}, seed=7)
    settle(forest)
    settle(linear)
    assert forest.get_params()["n_jobs"] == 1


@pytest.mark.heavy
@pytest.mark.parametrize("model", ["random_forest", "random_forest_regressor"])
def test_threads_change_nothing_that_comes_out(repo: RepositoryBuilder, model: str) -> None:
    one, two = (perform(repo, synthetic(model=model, n_estimators=60, n_jobs=jobs)) for jobs in (1, 2))
    assert one.status == two.status == "succeeded", two.error
    assert dict(one.metrics) == dict(two.metrics)
    assert sums(repo, one.id) == sums(repo, two.id)


def test_bundled_data_is_summarised_as_it_is(repo: RepositoryBuilder) -> None:
    spec = RunSpec(
        "iris", "sklearn", 1, "sklearn:iris", {"test": 0.2, "validation": 0}, {"model": "logistic_regression"}
    )
    done = perform(repo, spec)
    assert done.status == "succeeded", done.error
    summary = json.loads(repo.read(f"{done.path}/artifacts/data_summary.json"))
    assert summary["classes"] == [0, 1, 2]
    assert summary["splits"]["train"] == {
        **summary["splits"]["train"],
        "rows": 120,
        "balance": {"0": 40, "1": 40, "2": 40},
    }
    assert list(summary["features"]) == ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    assert "test_auc" in done.metrics
    assert not (repo.path / done.path / "artifacts/roc_curve.png").exists()


def test_text_labels_are_kept_as_text(repo: RepositoryBuilder) -> None:
    rows = "".join(f"{i % 7},{i % 2},{'yes' if i % 2 else 'no'}\n" for i in range(40)).encode()
    repo.dataset("votes", files={name: {f"{name}.csv": b"a,b,vote\n" + rows} for name in ("train", "test")})
    repo.commit("Add votes")
    spec = RunSpec("votes", "sklearn", 1, "votes@v1", {"target": "vote"}, {"model": "logistic_regression"})
    done = perform(repo, spec)
    assert done.status == "succeeded", done.error
    assert b"0,no,no," in repo.read(f"{done.path}/artifacts/predictions.csv")


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        (b"a,t\n1,0\n", b"a,t\n1,0\n", "only one value"),
        (b"a,t\n1,0\n2,1\n", b"a,t\n1,2\n", "label '2' of split 'test'"),
        (b"a,t\n1,0\nx,1\n", b"a,t\n1,0\n", "train.csv:3: could not convert"),
        (b"a,t\n1,0\n1,2,3\n", b"a,t\n1,0\n", "train.csv:3: 3 fields, 2 columns"),
        (b"a,u\n1,0\n", b"a,t\n1,0\n", "train.csv has no column 't'"),
        (b"a,t\n1,0\n2,1\n", b"b,t\n1,0\n", "columns of split 'test'"),
        (b"a,t\n", b"a,t\n1,0\n", "no rows"),
    ],
)
def test_data_that_cannot_be_learned_from_fails_with_its_place(
    repo: RepositoryBuilder, train: bytes, test: bytes, said: str
) -> None:
    repo.dataset("odd", files={"train": {"train.csv": train}, "test": {"test.csv": test}})
    repo.commit("Add odd")
    done = perform(repo, RunSpec("odd", "sklearn", 1, "odd@v1", {"target": "t"}, {"model": "random_forest"}))
    assert done.status == "failed"
    assert said in (done.error or "")


@pytest.mark.parametrize(
    ("data_spec", "dataset"),
    [
        ({"kind": "magic"}, ""),
        ({}, ""),
        ({"kind": "synthetic"}, "iris@v1"),
        ({}, "iris@v1"),
        ({}, "sklearn:housing"),
        ({"target": "t", "validation": 1.5}, "iris@v1"),
        ({"target": "t", "samples": 3}, "iris@v1"),
    ],
)
def test_a_data_spec_without_sense_is_a_usage_error(data_spec: dict[str, object], dataset: str) -> None:
    with pytest.raises(UsageError):
        check(data_spec, dataset_id=dataset)


def test_a_saved_model_is_the_model_and_holds_no_address_or_time(tmp_path: Path) -> None:
    import skops.io

    bunch = load_breast_cancer()
    model = build({"model": "random_forest", "n_estimators": 4}, seed=1).fit(bunch.data, bunch.target)
    trusted = save(model, tmp_path / "m.skops")
    assert trusted == ["sklearn.tree._tree.Tree"]
    back = skops.io.load(tmp_path / "m.skops", trusted=trusted)
    assert (back.predict_proba(bunch.data) == model.predict_proba(bunch.data)).all()
    archive = zipfile.ZipFile(tmp_path / "m.skops")
    assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    data = (tmp_path / "m.skops").read_bytes()
    assert str(id(model)).encode() in skops.io.dumps(model)
    assert str(id(model)).encode() not in data
    assert normalised(data) == data
    assert normalised(skops.io.dumps(back)) == data


def test_an_object_that_occurs_twice_stays_one_object() -> None:
    import numpy as np
    import skops.io

    shared = np.arange(3.0)
    data = normalised(skops.io.dumps({"a": [shared], "b": [shared], "n": [1, 1, None, None]}))
    back = skops.io.loads(data)
    assert back["a"][0].tolist() == back["b"][0].tolist() == [0.0, 1.0, 2.0]
    assert back["n"] == [1, 1, None, None]
    assert len(zipfile.ZipFile(io.BytesIO(data)).namelist()) == 2


def test_the_seed_in_the_record_is_the_one_used(repo: RepositoryBuilder) -> None:
    done = perform(repo, synthetic(11))
    config = load_yaml(repo.read(f"{done.path}/config.yaml")).value
    assert isinstance(config, dict)
    assert config["seed"] == 11
    data = repo.read(f"{done.path}/artifacts/model.skops")
    assert hashlib.sha256(data).hexdigest() == sums(repo, done.id)["artifacts/model.skops"]


# --- other tasks, other formats


HEAVY = pytest.mark.heavy


@pytest.mark.parametrize(
    "model",
    [
        "ridge",
        pytest.param("random_forest_regressor", marks=HEAVY),
        pytest.param("gradient_boosting_regressor", marks=HEAVY),
    ],
)
def test_numbers_are_predicted_too(repo: RepositoryBuilder, model: str) -> None:
    spec = RunSpec("diabetes", "sklearn", 3, "sklearn:diabetes", {}, {"model": model, "formats": ["onnx", "skops"]})
    done, again = perform(repo, spec), perform(repo, spec)
    assert done.status == "succeeded", done.error
    assert sums(repo, done.id) == sums(repo, again.id), "the same, byte for byte"
    assert done.metrics["test_r2"] > 0.3
    described = json.loads(repo.read(f"{done.path}/artifacts/model.json"))
    assert described["task"] == "tabular-regression"
    assert described["metrics"]["test_rmse"]["direction"] == "lower"
    assert described["metrics"]["test_rmse"]["tolerance"] == pytest.approx(done.metrics["test_rmse"] / 100)
    assert (described["artifact"], described["companions"]) == ("model.onnx", ["model.skops", "parity.json"])
    summary = json.loads(repo.read(f"{done.path}/artifacts/data_summary.json"))
    assert {name: one["rows"] for name, one in summary["splits"].items()} == {"train": 308, "val": 67, "test": 67}
    for name in ("predicted_actual", "residuals", "feature_importance"):
        assert repo.read(f"{done.path}/artifacts/{name}.png").startswith(PNG)


@pytest.mark.parametrize(
    "model",
    ["random_forest", *(pytest.param(one, marks=HEAVY) for one in ("gradient_boosting", "logistic_regression"))],
)
def test_onnx_answers_as_the_model_does(repo: RepositoryBuilder, model: str) -> None:
    """Checked by ONNX Runtime on the predictions that the run wrote down, and by nothing of the plugin's own."""
    import csv

    import numpy as np
    import onnxruntime

    params = {"model": model, "formats": ["skops", "onnx"]}
    done = perform(repo, RunSpec("cancer", "sklearn", 3, "sklearn:breast_cancer", {}, params))
    assert done.status == "succeeded", done.error
    place = repo.path / done.path / "artifacts"
    parity = json.loads((place / "parity.json").read_bytes())
    assert (parity["holds"], parity["changed_labels"]) == (True, 0)
    assert parity["splits"].keys() == {"train", "val", "test"}
    for name in ("calibration", "roc_curve", "confusion_matrix", "feature_importance"):
        assert (place / f"{name}.png").read_bytes().startswith(PNG)
    session = onnxruntime.InferenceSession(place / "model.onnx", providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_outputs()] == ["label", "probabilities"]
    with open(place / "predictions.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    from sklearn.model_selection import train_test_split

    bunch = load_breast_cancer()
    _, tested = train_test_split(bunch.data, test_size=0.15, random_state=3, stratify=bunch.target)
    labels, chances = session.run(None, {"features": tested.astype(np.float32)})
    assert [int(row["prediction"]) for row in rows] == labels.tolist()
    assert np.abs(chances[:, 1] - [float(row["p_1"]) for row in rows]).max() < 1e-4


def test_a_form_that_answers_otherwise_is_not_handed_on(
    repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strata_git.runs.plugins.sklearn_onnx.LIMIT", -1.0)
    done = perform(repo, RunSpec("syn", "sklearn", 7, "", SYNTHETIC, {"model": "ridge", "formats": ["onnx"]}))
    assert done.status == "failed"
    assert "answers otherwise" in (done.error or "")
    assert [path for path in sums(repo, done.id) if path.endswith("model.onnx")] == []
    assert "artifacts/parity.json" in sums(repo, done.id)


def test_a_version_takes_its_companions_along(repo: RepositoryBuilder) -> None:
    params = {"model": "random_forest", "n_estimators": 5, "formats": ["skops", "onnx"]}
    done = perform(repo, RunSpec("syn", "sklearn", 7, "", SYNTHETIC, params))
    repo.commit("Run", None)
    repo.strata("model", "create", "syn", "--run", done.id).expect(0)
    listed = (repo.path / "models/syn/v1/CHECKSUMS.txt").read_text()
    assert {line[66:] for line in listed.splitlines()} == {
        "card.md", "metadata.yaml", "metrics.yaml", "model.onnx", "model.skops", "parity.json",
    }  # fmt: skip
    repo.commit("Model", None)
    assert repo.strata("doctor", "--format", "json").json()["counts"]["error"] == 0


@pytest.mark.parametrize(
    ("params", "dataset", "said"),
    [
        ({"model": "ridge"}, "sklearn:iris", "is data for a classification"),
        ({"model": "random_forest"}, "sklearn:diabetes", "is data for a regression"),
        ({"model": "ridge", "formats": []}, "sklearn:diabetes", "params.formats must list"),
        ({"model": "ridge", "formats": ["pickle"]}, "sklearn:diabetes", "params.formats must list"),
        ({"model": "ridge", "formats": ["onnx", "onnx"]}, "sklearn:diabetes", "params.formats must list"),
        ({"model": "ridge", "n_estimators": 3}, "sklearn:diabetes", "ridge has no parameter 'n_estimators'"),
    ],
)
def test_what_does_not_fit_together_is_said_before_the_run(
    repo: RepositoryBuilder, params: dict[str, Any], dataset: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        perform(repo, RunSpec("x", "sklearn", 1, dataset, {}, params))


def test_numbers_must_be_numbers(repo: RepositoryBuilder) -> None:
    files = {name: {f"{name}.csv": b"a,price\n1,2.5\n2,cheap\n"} for name in ("train", "test")}
    repo.dataset("prices", files=files)
    repo.commit("Add prices")
    done = perform(repo, RunSpec("p", "sklearn", 1, "prices@v1", {"target": "price"}, {"model": "ridge"}))
    assert (done.status, done.error) == (
        "failed",
        "The column 'price' holds no numbers: could not convert string to float: 'cheap'.",
    )
