"""A run's record is whole and true to its files."""

from __future__ import annotations

import pytest

from strata_git.checks.engine import judge_artifact
from strata_git.load import dump_json, dump_yaml
from tests.checks.judging import RUN, WithoutObjects, judge, only, pointer, told
from tests.support import artifacts
from tests.support.artifacts import ABSENT

OUTPUT = {"model.bin": b"weights"}
RECORD = f"{RUN.path}/run.yaml"
CITED = artifacts.cite(artifacts.dataset(), "datasets/iris/v1")


def with_outputs(**said: object) -> dict[str, bytes]:
    import hashlib

    true = {"path": "artifacts/model.bin", "sha256": hashlib.sha256(b"weights").hexdigest(), "bytes": 7}
    return artifacts.run(outputs=OUTPUT, metadata={"outputs": [true | said]})


def test_a_valid_run_is_silent_and_summarised() -> None:
    judgement = judge(artifacts.run(inputs=[CITED], outputs=OUTPUT))
    assert judgement.findings == ()
    summary = judgement.summary
    assert summary["inputs"] == [CITED]
    assert summary["metrics"] == {"accuracy": 0.9}
    assert (summary["status"], summary["seed"], summary["code_commit"]) == ("succeeded", 7, "1" * 40)
    assert summary["reference"] == RUN.name


@pytest.mark.parametrize("name", ["config.yaml", "metrics.json", "system.json", "logs.txt"])
def test_a_run_has_all_its_files(name: str) -> None:
    finding = only(judge(artifacts.run(extra={name: None})).findings)
    assert (finding.rule, finding.path) == ("STR-R001", f"{RUN.path}/{name}")


def test_a_run_without_its_record() -> None:
    assert told(artifacts.run(replace={"run.yaml": None})) == ["STR-C003", "STR-R001"]


@pytest.mark.parametrize("status", ["failed", "interrupted", "killed"])
def test_a_run_that_did_not_succeed_owes_no_metrics(status: str) -> None:
    assert told(artifacts.run(metadata={"status": status}, extra={"metrics.json": None})) == []


def test_an_unknown_status() -> None:
    assert told(artifacts.run(metadata={"status": "fine"})) == ["STR-Y002"]


def test_the_id_is_the_directory() -> None:
    finding = only(judge(artifacts.run(metadata={"id": "run-2026-01-05-002"})).findings)
    assert finding.rule == "STR-R002"
    assert finding.line > 0


@pytest.mark.parametrize("body", [b'{"a": "high"}', b'{"a": true}', b'{"a": {"b": 1}}', b'{"a": [1]}', b'{"a": null}'])
def test_metrics_are_flat_finite_numbers(body: bytes) -> None:
    finding = only(judge(artifacts.run(extra={"metrics.json": body})).findings)
    assert (finding.rule, finding.path) == ("STR-R003", f"{RUN.path}/metrics.json")


def test_numbers_of_all_sizes_are_metrics() -> None:
    assert told(artifacts.run(extra={"metrics.json": b'{"a": -1, "b": 1e300, "c": 0}'})) == []
    assert judge(artifacts.run(extra={"metrics.json": b"{}"})).summary["metrics"] == {}


def test_a_whole_number_too_large_for_floats_is_no_metric() -> None:
    body = b'{"a": 1' + b"0" * 400 + b"}"
    judgement = judge(artifacts.run(extra={"metrics.json": body}))
    assert only(judgement.findings).rule == "STR-R003"
    assert judgement.summary["metrics"] == {}


@pytest.mark.parametrize("name", ["config.yaml", "system.json", "metrics.json"])
def test_what_cannot_be_read(name: str) -> None:
    finding = only(judge(artifacts.run(extra={name: b"{"})).findings)
    assert (finding.rule, finding.path) == ("STR-Y001", f"{RUN.path}/{name}")


@pytest.mark.parametrize("said", [{"sha256": "0" * 64}, {"bytes": 8}])
def test_an_output_that_is_not_as_recorded(said: dict[str, object]) -> None:
    finding = only(judge(with_outputs(**said)).findings)
    assert (finding.rule, finding.path) == ("STR-R004", f"{RUN.path}/artifacts/model.bin")


def test_an_output_that_is_not_there() -> None:
    assert told(with_outputs(path="artifacts/other.bin")) == ["STR-R005"]


def test_an_output_that_is_true_or_absent_is_left_alone() -> None:
    assert told(with_outputs()) == []
    judgement = judge_artifact(WithoutObjects(with_outputs(bytes=9), f"{RUN.path}/artifacts/model.bin"), RUN)
    assert only(judgement.findings).rule == "STR-Y003"


def test_an_output_without_a_path_is_left_to_the_contract() -> None:
    assert told(artifacts.run(outputs={}, metadata={"outputs": [{"sha256": "0" * 64, "bytes": 1}]})) == ["STR-Y002"]


@pytest.mark.parametrize("ref", ["iris@v1", "datasets/iris", "datasets/Iris@v1", "models/forest@production"])
def test_inputs_are_named_in_full(ref: str) -> None:
    finding = only(judge(artifacts.run(inputs=[CITED | {"ref": ref}])).findings)
    assert (finding.rule, finding.path) == ("STR-R006", RECORD)
    assert finding.line > 0


def test_prompts_are_inputs() -> None:
    prompt = {"ref": "prompts/summarise@v1", "digest": "sha256:" + "a" * 64}
    judgement = judge(artifacts.run(metadata={"prompts": [prompt]}))
    assert judgement.findings == ()
    assert judgement.summary["inputs"] == [prompt]
    assert told(artifacts.run(metadata={"prompts": [prompt | {"ref": "summarise"}]})) == ["STR-R006"]


def test_a_field_that_is_missing_or_not_known() -> None:
    assert told(artifacts.run(metadata={"started": ABSENT})) == ["STR-Y002"]
    assert told(artifacts.run(metadata={"colour": "red"})) == ["STR-Y002"]


def test_a_record_stored_with_lfs_cannot_be_judged_and_is_told() -> None:
    files = artifacts.run()
    import hashlib

    body = files[RECORD]
    files[RECORD] = pointer(hashlib.sha256(body).hexdigest(), len(body))
    finding = only(judge(files).findings)
    assert (finding.rule, finding.path) == ("STR-F002", RECORD)


def system(**keys: object) -> dict[str, bytes]:
    return artifacts.run(extra={"system.json": dump_json({**artifacts.SYSTEM, **keys})})


def test_a_system_may_say_more_but_nothing_personal() -> None:
    assert told(system(gpu="none", cpus=2)) == []
    for key in ("user", "Hostname", "env"):
        finding = only(judge(system(**{key: "x"})).findings)
        assert (finding.rule, finding.severity, finding.message) == ("STR-R008", "warning", f"tells '{key}'")


@pytest.mark.parametrize(("key", "value"), [("plugin", "other"), ("experiment", "other"), ("seed", 8)])
def test_record_and_config_agree(key: str, value: object) -> None:
    config = dump_yaml({**artifacts.CONFIG, key: value})
    finding = only(judge(artifacts.run(extra={"config.yaml": config})).findings)
    assert (finding.rule, finding.path) == ("STR-R009", f"{RUN.path}/config.yaml")
    assert finding.line > 0


def test_record_and_system_agree_on_the_seed() -> None:
    finding = only(judge(system(seed=8)).findings)
    assert (finding.rule, finding.message) == ("STR-R009", "seed is 8 here, 7 in run.yaml")
    assert told(artifacts.run(metadata={"seed": None})) == []
