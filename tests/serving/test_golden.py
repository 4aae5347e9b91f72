"""Golden predictions: made of rows that the model has not learned from, and held to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from strata_git.contracts.layout import Artifact
from strata_git.errors import StrataError
from strata_git.load import dump_yaml
from strata_git.serving.backends.local import OnnxModel
from strata_git.serving.columns import signature_of
from strata_git.serving.golden import Golden, compare_golden, freeze_golden, make_golden, parse_golden, unseen_table
from strata_git.serving.provenance import Provenance
from strata_git.serving.released import open_dataset
from tests.serving.models import LINEAR, MIXED, golden_text, linear, onnx_model
from tests.support import artifacts
from tests.support.fixtures import Builder

MODEL = OnnxModel(linear(), LINEAR)


def frozen(rows: list[list[Any]], answers: list[list[Any]], output: str = "score") -> Golden:
    pairs = (tuple(tuple(row) for row in table) for table in (rows, answers))
    return Golden("models/forest@v1", LINEAR.names, next(pairs), (output,), next(pairs))


def test_what_was_frozen_comes_out_again(builder: Builder) -> None:
    held_out = b"petal,note,sepal\n" + b"".join(b"%d,x,%d.5\n" % (one, one) for one in range(50))
    repo = builder().workspace()
    splits = {"train": {"train.csv": b"petal,sepal\n1,1\n"}, "test": {"test.csv": b"petal,sepal\n9,9\n"}}
    files = artifacts.dataset("iris", files={**splits, "val": {"val.csv": held_out}})
    repo.place(Artifact("dataset", "iris", "v1"), files)
    repo.commit("Add iris")
    here = repo.repository()
    cited = artifacts.cite(files, "datasets/iris/v1")
    reference, content_hash = str(cited["ref"]), str(cited["content_hash"])
    dataset = open_dataset(here, reference, content_hash)
    split, table = unseen_table(dataset, LINEAR)
    assert (split, table.rows) == ("val", 20)
    golden = make_golden(MODEL, "models/forest@v1", table)
    assert golden.rows[1] == (2.5, 2.0)
    assert golden.answers[1] == (11.0,)
    again = parse_golden(golden.text)
    assert again.is_for("forest", "v1")
    assert not again.is_for("forest", "v2")
    assert list(compare_golden(again, MODEL)) == []
    with pytest.raises(StrataError, match="has no column 'age'"):
        unseen_table(dataset, MIXED)
    with pytest.raises(StrataError, match="has another content"):
        open_dataset(here, reference, f"sha256:{'0' * 64}")
    with pytest.raises(StrataError, match="has no CHECKSUMS"):
        open_dataset(here, "datasets/iris@v9", content_hash)
    source = Provenance("forest", "v1", "production", "", "", "", "", "onnx", datasets=((reference, content_hash),))
    assert freeze_golden(here, MODEL, source) == (golden, "datasets/iris@v1, val")
    with pytest.raises(StrataError, match="There is no run"):
        freeze_golden(here, MODEL, replace(source, datasets=()))
    here.close()


@pytest.mark.parametrize(
    ("recorded", "absolute", "relative", "wrong"),
    [
        (10.0, 0.0, 0.0, 0), (10.001, 0.0, 0.0, 1), (10.001, 0.002, 0.0, 0), (10.001, 0.0, 0.001, 0),
        (10.001, 0.0, 0.00001, 1), ("10", 1.0, 1.0, 1), (None, 1.0, 1.0, 1), (True, 100.0, 1.0, 1), ([10.0], 1, 1, 1),
    ],
)  # fmt: skip
def test_numbers_may_differ_a_little_and_nothing_else(
    recorded: Any, absolute: float, relative: float, wrong: int
) -> None:
    told = list(compare_golden(frozen([[2, 2]], [[recorded]]), MODEL, absolute=absolute, relative=relative))
    assert told == ["row 0: 'score' is not what it was"] * wrong


def test_missing_values_come_out_missing() -> None:
    assert list(compare_golden(frozen([[None, 2]], [[None]]), MODEL)) == []
    assert len(list(compare_golden(frozen([[None, 2]], [[1.0]]), MODEL))) == 1


def test_files_that_are_none() -> None:
    for data in (b"{}", b"[", golden_text().replace(b"forest", b"../x"), golden_text().replace(b"petal", b"sepal")):
        with pytest.raises(StrataError, match="The golden predictions"):
            parse_golden(data)
    with pytest.raises(StrataError, match="has none such"):
        list(compare_golden(frozen([[2, 2]], [[1.0]], output="gone"), MODEL))


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("data", "source"),
    [({"dataset_id": "sklearn:iris"}, "sklearn:iris, val"), ({"data_spec": {"kind": "synthetic"}}, "synthetic, val")],
)
def test_data_that_was_never_committed_is_made_again(builder: Builder, data: dict[str, Any], source: str) -> None:
    from sklearn.datasets import load_iris

    wide = 4 if "dataset_id" in data else 20
    config = {"plugin": "sklearn", "experiment": "x", "seed": 7, "dataset_id": "", "data_spec": {}, "tags": {}}
    config |= {"params": {"model": "logistic_regression"}, **data}
    repo = builder().workspace()
    repo.run(artifacts.RUN, extra={"config.yaml": dump_yaml(config)})
    repo.run("run-2026-01-05-002", extra={"config.yaml": dump_yaml({**config, "plugin": "other"})})
    repo.commit("Runs")
    here = repo.repository()
    bunch = [str(name).replace(" (cm)", "").replace(" ", "_") for name in load_iris().feature_names]
    names = bunch if wide == 4 else [f"feature_{place:02d}" for place in range(wide)]
    inputs = [{"name": name, "type": "float64"} for name in names]
    signature = signature_of({"signature": {"inputs": inputs, "outputs": [{"name": "y", "type": "float64"}]}})
    model = OnnxModel(onnx_model([[1.0]] * wide), signature)
    about = Provenance("forest", "v1", "production", "", artifacts.RUN, "", "", "onnx")
    golden, told = freeze_golden(here, model, about)
    assert (told, len(golden.rows)) == (source, 20)
    assert list(compare_golden(golden, model)) == []
    with pytest.raises(StrataError, match="cites no dataset"):
        freeze_golden(here, model, replace(about, run="run-2026-01-05-002"))
    here.close()
