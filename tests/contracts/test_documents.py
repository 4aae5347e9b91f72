"""The contracts of single files: what each accepts, and the one thing changed that it refuses."""

from __future__ import annotations

import pytest

from strata_git.contracts.base import ContractError, parse
from strata_git.contracts.dataset import DatasetMetadata
from strata_git.contracts.experiment import Experiment, RunConfig
from strata_git.contracts.model import ModelCard, ModelMetadata, ModelMetrics, front_matter
from strata_git.contracts.prompt import PromptBody, PromptMetadata
from strata_git.contracts.run import RunMetrics, RunRecord, System
from strata_git.load import Unloadable, dump_json, dump_yaml, load_json, load_yaml
from tests.support import artifacts

ABSENT = artifacts.ABSENT


def document(files: dict[str, bytes], name: str) -> dict[str, object]:
    (data,) = (data for path, data in files.items() if path.endswith(f"/{name}"))
    value = load_yaml(data).value
    assert isinstance(value, dict)
    return value


def changed(value: dict[str, object], **changes: object) -> bytes:
    return dump_yaml({key: item for key, item in {**value, **changes}.items() if item is not ABSENT})


def complaint(model, data: bytes) -> str:
    with pytest.raises(ContractError) as caught:
        parse(model, load_yaml(data))
    return str(caught.value)


DATASET = document(artifacts.dataset(), "metadata.yaml")
MODEL = document(artifacts.model(), "metadata.yaml")
RUN = document(artifacts.run(), "run.yaml")
PROMPT = document(artifacts.prompt(), "prompt.yaml")
CONFIG = {"experiment": "a", "plugin": "b", "seed": 0, "dataset_id": "", "data_spec": {}, "params": {}, "tags": {}}


def test_dataset():
    metadata = parse(DatasetMetadata, load_yaml(dump_yaml(DATASET)))
    assert metadata.splits["train"].files == 1
    assert metadata.columns is not None
    assert [column.name for column in metadata.columns] == ["sepal", "petal", "species"]


def test_parents_are_references_alone_or_with_their_content():
    bound = {"ref": "datasets/a@v1", "content_hash": DATASET["content_hash"]}
    provenance = {**DATASET["provenance"], "parents": ["run-2026-11-21-001", bound]}
    parents = parse(DatasetMetadata, load_yaml(changed(DATASET, provenance=provenance))).provenance.parents
    assert [(parent.ref, parent.content_hash) for parent in parents] == [
        ("run-2026-11-21-001", None),
        ("datasets/a@v1", DATASET["content_hash"]),
    ]


def test_a_dataset_may_be_one_split():
    data = changed(DATASET, splits={"all": {"path": ".", "files": 2, "bytes": 10}}, schema=ABSENT)
    assert parse(DatasetMetadata, load_yaml(data)).splits["all"].rows is None


@pytest.mark.parametrize("key", [key for key in DATASET if key != "schema"])
def test_a_dataset_leaves_nothing_out(key):
    assert complaint(DatasetMetadata, changed(DATASET, **{key: ABSENT})) == f"{key}: is missing"


@pytest.mark.parametrize("key", [key for key in MODEL if key not in ("signature", "trusted_types")])
def test_a_model_leaves_nothing_out(key):
    assert complaint(ModelMetadata, changed(MODEL, **{key: ABSENT})) == f"{key}: is missing"


def test_model():
    metadata = parse(ModelMetadata, load_yaml(dump_yaml(MODEL)))
    assert metadata.run == artifacts.RUN
    assert metadata.datasets[0].ref == "datasets/iris@v1"
    assert parse(ModelMetadata, load_yaml(changed(MODEL, run=None, signature=ABSENT))).signature is None


def test_a_models_datasets_are_bound_to_their_content():
    said = complaint(ModelMetadata, changed(MODEL, datasets=[{"ref": "datasets/iris@v1"}]))
    assert said == "datasets.0.content_hash: is missing"
    said = complaint(ModelMetadata, changed(MODEL, datasets=[{"ref": "models/a@v1", "content_hash": "x"}]))
    assert "datasets.0.ref: is no reference" in said


def test_model_metrics():
    metrics = {"metrics": {"accuracy": {"value": 1, "direction": "higher", "split": "test"}}}
    parsed = parse(ModelMetrics, load_yaml(dump_yaml(metrics))).metrics["accuracy"]
    assert (parsed.value, parsed.tolerance, parsed.n) == (1, 0, None)
    metrics["metrics"]["accuracy"]["tolerance"] = -0.1
    assert complaint(ModelMetrics, dump_yaml(metrics)) == "metrics.accuracy.tolerance: must be at least 0"


def test_the_cards_front_matter_has_the_cards_lines():
    document = front_matter(b"---\nlicense: mit\nmodel-index:\n- name: x\n  results: []\n---\n# X\n---\n")
    card = parse(ModelCard, document)
    assert (card.license, card.model_index[0].name) == ("mit", "x")
    assert document.lines[("model-index", 0, "name")] == 4


def test_a_card_by_others_passes():
    index = b"model-index: [{name: x, results: [{metrics: [{type: f1, value: high}]}]}]\n"
    card = b"---\nlicense: [mit, other]\nthumbnail: x.png\n" + index + b"---\n"
    assert parse(ModelCard, front_matter(card)).model_index[0].results[0].metrics[0].value == "high"
    assert parse(ModelCard, front_matter(b"---\nlicense: mit\n---\n")).model_index == ()
    with pytest.raises(ContractError, match="model-index: must be a list"):
        parse(ModelCard, front_matter(b"---\nmodel-index: x\n---\n"))


@pytest.mark.parametrize(
    ("card", "line"),
    [(b"", 1), (b"# X\n", 1), (b"---\na: 1\n", 1), (b"---\na: 1\na: 2\n---\n", 3), (b"---\nx: \xff\n---\n", 2)],
)
def test_a_card_without_readable_front_matter(card, line):
    with pytest.raises(Unloadable) as caught:
        front_matter(card)
    assert caught.value.line == line


def test_front_matter_over_the_limit_has_no_line():
    with pytest.raises(Unloadable) as caught:
        front_matter(b"---\n" + b"# x\n" * 300_000 + b"---\n")
    assert caught.value.line == 0


def test_run():
    record = parse(RunRecord, load_yaml(dump_yaml(RUN)))
    assert record.schema_id == "strata/run/v1"
    assert record.outputs[0].path == "artifacts/model.skops"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"status": "running"}, "status: must be 'succeeded', 'failed', 'interrupted' or 'killed'"),
        ({"status": "failed", "finished": None}, "finished: must be said of a run that failed"),
        ({"error": "x"}, "error: must be null in a run that succeeded"),
        ({"finished": "2026-01-05T11:59:59Z"}, "finished: must not be before started"),
        ({"inputs": [{"ref": "datasets/a@v1"}]}, "inputs.0.digest: is missing"),
        ({"prompts": [{"ref": "datasets/a@v1", "digest": "sha256:" + "0" * 64}]}, "prompts.0.ref: is no reference"),
        ({"outputs": [{"path": "../x", "sha256": "0" * 64, "bytes": 1}]}, "outputs.0.path: must be a path inside"),
        ({"cost": {"amount": -1, "currency": "EUR"}}, "cost.amount: must be at least 0"),
        ({"tokens": {"input": 1.5}}, "tokens.input: must be a whole number"),
        ({"code": {"commit": "HEAD", "dirty": "no", "tree": "0" * 40}}, "code.commit: must be a full Git object id"),
        ({"code": {"commit": "0" * 40, "dirty": "no", "tree": "0" * 40}}, "code.dirty: must be true or false"),
        ({"seed": True}, "seed: must be a whole number"),
    ],
)
def test_run_records_refused(changes, said):
    assert complaint(RunRecord, changed(RUN, **changes)).startswith(said)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "killed", "finished": None, "error": "the process is gone"},
        {"status": "failed", "error": "ValueError: x"},
        {"finished": "2026-01-05T12:00:00.5Z"},
        {"tokens": {"input": 1, "output": 2}, "cost": {"amount": 0.1, "currency": "USD"}},
    ],
)
def test_run_records_accepted(changes):
    assert parse(RunRecord, load_yaml(changed(RUN, **changes)))


def test_run_metrics():
    assert parse(RunMetrics, load_json(b'{"a": 1, "b": 0.5}')).root == {"a": 1, "b": 0.5}
    assert parse(RunMetrics, load_json(b"{}")).root == {}
    with pytest.raises(ContractError, match="a: must be a number"):
        parse(RunMetrics, load_json(b'{"a": [1]}'))
    with pytest.raises(ContractError, match="a: must be a finite number"):
        parse(RunMetrics, load_json(b'{"a": 1' + b"0" * 400 + b"}"))


def test_system_may_say_more():
    code = {"commit": "0" * 40, "dirty": False, "tree": "0" * 40}
    said = {"schema": "strata/system/v1", "platform": "Linux", "python": "3.11", "packages": {}, "code": code}
    assert parse(System, load_json(dump_json({**said, "seed": None, "cpus": 8}))).platform == "Linux"
    with pytest.raises(ContractError, match="seed: is missing"):
        parse(System, load_json(dump_json(said)))


def test_experiment_and_config():
    assert parse(Experiment, load_yaml(b"experiment: a\nplugin: b\n")).seed == 0
    config = parse(RunConfig, load_yaml(dump_yaml({**CONFIG, "params": {"deep": [1, {"x": None}]}})))
    assert config.params == {"deep": [1, {"x": None}]}


@pytest.mark.parametrize("key", CONFIG)
def test_a_config_leaves_nothing_out(key):
    assert complaint(RunConfig, changed(CONFIG, **{key: ABSENT})) == f"{key}: is missing"


@pytest.mark.parametrize("named", ["", "iris@v1", "datasets/iris@v1", "sklearn:iris"])
def test_datasets_a_run_may_name(named):
    assert parse(RunConfig, load_yaml(changed(CONFIG, dataset_id=named))).dataset_id == named


@pytest.mark.parametrize("named", ["iris", "models/a@v1", "Iris@v1", "sklearn:", ":iris", "../x:y"])
def test_datasets_a_run_may_not_name(named):
    assert complaint(RunConfig, changed(CONFIG, dataset_id=named)).startswith("dataset_id: ")


@pytest.mark.parametrize("seed", [-1, 2**32, "1", 1.0])
def test_seeds_refused(seed):
    assert complaint(RunConfig, changed(CONFIG, seed=seed)).startswith("seed: must be ")


def test_prompt():
    metadata = document(artifacts.prompt(), "metadata.yaml")
    assert parse(PromptMetadata, load_yaml(dump_yaml(metadata))).kind == "prompt"
    body = parse(PromptBody, load_yaml(changed(PROMPT, variables=["text", {"name": "tone", "default": "dry"}])))
    assert [(variable.name, variable.default) for variable in body.variables] == [("text", None), ("tone", "dry")]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"template": " "}, "template: must not be empty"),
        ({"variables": ["a b"]}, "variables.0: must be a word of letters, digits and _"),
        ({"variables": ["a", "a"]}, "variables: 'a' is declared twice"),
        ({"tests": [{"contains": ["x"]}]}, "tests.0.name: is missing"),
    ],
)
def test_prompts_refused(changes, said):
    assert complaint(PromptBody, changed(PROMPT, **changes)) == said
