"""What we write for other tools is read by those tools themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.exchange.converting import converted, story
from tests.index.opening import close_all
from tests.support.artifacts import REPOSITORY, TRAIN
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

pytestmark = pytest.mark.filterwarnings("ignore")  # other people's code


@pytest.fixture
def repo(builder: Builder) -> Any:
    yield story(builder())
    close_all()


@pytest.mark.heavy
def test_croissant_validates_and_its_records_load(repo: RepositoryBuilder) -> None:
    import mlcroissant

    place = repo.path / "croissant.json"
    place.write_bytes(converted(repo, "iris@v1", "croissant"))
    dataset = mlcroissant.Dataset(jsonld=str(place))
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings
    rows = list(dataset.records("records/train"))
    assert [{key.rpartition("/")[2]: value for key, value in row.items()} for row in rows] == [
        {"sepal": b"5.1", "petal": b"1.4", "species": b"setosa"},
        {"sepal": b"7.0", "petal": b"4.7", "species": b"versicolor"},
    ]
    assert [row["splits/name"] for row in dataset.records("splits")] == ["train", "test"]


@pytest.mark.heavy
def test_croissant_reads_a_split_of_several_files(builder: Builder) -> None:
    import mlcroissant

    repo = builder().workspace()
    parts = {"data/a [1].csv": TRAIN, "data/b.csv": TRAIN}
    repo.dataset("iris", files={"data": parts})
    repo.commit("Add")
    place = repo.path / "croissant.json"
    place.write_bytes(converted(repo, "iris@v1", "croissant"))
    dataset = mlcroissant.Dataset(jsonld=str(place))
    assert len(list(dataset.records("records/data"))) == 4


def test_the_bill_of_materials_is_valid(repo: RepositoryBuilder) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    data = converted(repo, "forest@v1", "cyclonedx")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode()) is None
    spoilt = json.loads(data) | {"metadata": {"component": {"type": "a model"}}}
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(spoilt)) is not None


def test_hugging_face_reads_both_cards(repo: RepositoryBuilder) -> None:
    from huggingface_hub import DatasetCard, ModelCard

    model = ModelCard(converted(repo, "forest@v1", "hf-card").decode())
    (result,) = model.data.eval_results or []
    assert (model.data.model_name, result.metric_type, result.metric_value) == ("forest", "accuracy", 0.9)
    assert (model.data.license, model.data.datasets) == ("apache-2.0", ["iris"])
    assert "A small forest." in model.text
    dataset = DatasetCard(converted(repo, "iris@v1", "hf-card").decode())
    assert dataset.data.license == "cc-by-4.0"
    assert dataset.data.to_dict()["configs"][0]["data_files"][0] == {"split": "train", "path": "train.csv"}


def test_prov_reads_the_lineage(repo: RepositoryBuilder) -> None:
    from prov.model import ProvDocument

    document = ProvDocument.deserialize(content=converted(repo, "forest@v1", "prov").decode(), format="json")
    told = document.get_provn()
    assert f"prefix strata <urn:git-strata:{REPOSITORY}:>" in told
    assert "wasDerivedFrom(strata:models/forest@v1, strata:datasets/iris@v1, -, -, -)" in told
    assert "used(strata:run-2026-01-05-001, strata:datasets/iris@v1, -)" in told
    ours = converted(repo, "forest@v1", "prov-n").decode()
    assert sorted(line.strip() for line in ours.splitlines() if "(" in line and "[" not in line) == sorted(
        line.strip().replace("_:", "") for line in told.splitlines() if "(" in line and "[" not in line
    )


def test_ro_crate_loads_with_every_file_in_place(repo: RepositoryBuilder, tmp_path: Path) -> None:
    from rocrate.rocrate import ROCrate

    (repo.path / "ro-crate-metadata.json").write_bytes(converted(repo, "forest@v1", "ro-crate"))
    crate = ROCrate(repo.path)
    assert crate.mainEntity.id == "models/forest/v1/"
    action = crate.dereference("#run-2026-01-05-001")
    assert action["object"][0].id == "datasets/iris/v1/"
    assert {part.id for part in action["result"]} == {"runs/run-2026-01-05-001/", "models/forest/v1/"}
    crate.write(tmp_path / "copy")
    assert (tmp_path / "copy" / "models/forest/v1/model.skops").read_bytes() == repo.read(
        "models/forest/v1/model.skops"
    )
