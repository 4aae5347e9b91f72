"""A model is there, measured, described, and traced to its run and data."""

from __future__ import annotations

import pytest

from tests.checks.judging import FOREST, judge, only, pointer, told
from tests.support import artifacts

CARD = f"{FOREST.path}/card.md"


def with_card(text: str) -> dict[str, bytes]:
    return artifacts.model(extra={"card.md": text.encode()})


def front(metric: str) -> str:
    return (
        "---\nlicense: apache-2.0\nmodel-index:\n- name: forest\n  results:\n  - task:\n      type: t\n"
        f"    dataset:\n      type: d\n    metrics:\n    - {metric}\n---\n# Forest\n"
    )


def test_a_valid_model_is_silent_and_summarised() -> None:
    judgement = judge(artifacts.model())
    assert judgement.findings == ()
    assert judgement.summary["run"] == artifacts.RUN
    assert judgement.summary["metrics"] == {"accuracy": 0.9}
    assert [cited["ref"] for cited in judgement.summary["inputs"]] == ["datasets/iris@v1"]  # type: ignore[attr-defined]


def test_the_artifact_named_is_there() -> None:
    finding = only(judge(artifacts.model(metadata={"artifact": "other.onnx"})).findings)
    assert (finding.rule, finding.path) == ("STR-M001", f"{FOREST.path}/metadata.yaml")


@pytest.mark.parametrize("name", ["metrics.yaml", "card.md"])
def test_metrics_and_card_are_there(name: str) -> None:
    findings = judge(artifacts.model(extra={name: None})).findings
    assert ("STR-M002", f"{FOREST.path}/{name}") in {(finding.rule, finding.path) for finding in findings}


def test_the_card_repeats_the_metrics() -> None:
    assert told(with_card(front("type: accuracy\n      value: 0.9"))) == []
    assert told(with_card(front("type: acc\n      name: accuracy\n      value: 0.9"))) == []


@pytest.mark.parametrize("metric", ["type: accuracy\n      value: 0.91", "type: f1\n      value: 0.9"])
def test_a_card_that_says_otherwise_is_a_warning_on_its_line(metric: str) -> None:
    finding = only(judge(with_card(front(metric))).findings)
    assert (finding.rule, finding.severity, finding.path) == ("STR-M003", "warning", CARD)
    assert finding.line == 11


def test_a_card_metric_that_says_nothing() -> None:
    (rule,) = told(with_card(front("type: accuracy\n      value: high")))
    assert rule in ("STR-M003", "STR-M007")  # the contract's word or the comparison's, never both
    assert told(with_card(front("value: 0.9"))) == ["STR-M007"]


@pytest.mark.parametrize("text", ["# Forest\n", "---\nlicense: mit\n---\n", "---\nmodel-index: []\n---\n", ""])
def test_a_card_without_front_matter_or_model_index(text: str) -> None:
    finding = only(judge(with_card(text)).findings)
    assert (finding.rule, finding.severity) == ("STR-M007", "warning")


@pytest.mark.parametrize("text", ["---\na: &a 1\n---\n", "---\nlicense: mit\n"])
def test_front_matter_that_cannot_be_read(text: str) -> None:
    assert told(with_card(text)) == ["STR-Y001"]


def test_a_card_that_is_too_long_or_a_pointer() -> None:
    assert told(with_card("x" * (1 << 20) + "x")) == ["STR-Y004"]
    assert "STR-F002" in told(artifacts.model(extra={"card.md": pointer("0" * 64, 9)}))


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ({"inputs": [{"name": "x", "type": "t"}], "outputs": [{"name": "y", "type": "t"}]}, []),
        ({"inputs": [], "outputs": [{"name": "y", "type": "t"}]}, ["STR-M004"]),
        ({"inputs": [], "outputs": []}, ["STR-M004", "STR-M004"]),
        (artifacts.ABSENT, ["STR-M004", "STR-M004"]),
    ],
)
def test_what_goes_in_and_comes_out_is_said(signature: object, expected: list[str]) -> None:
    assert told(artifacts.model(metadata={"signature": signature})) == expected


def test_run_and_datasets_are_named_in_full() -> None:
    assert told(artifacts.model(metadata={"run": "run-1"})) == ["STR-M005"]
    dataset = {"ref": "datasets/iris", "content_hash": "sha256:" + "0" * 64}
    assert told(artifacts.model(metadata={"datasets": [dataset]})) == ["STR-M005"]


@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "MODEL.PT"])
def test_a_format_that_runs_code_is_known_by_its_name(name: str) -> None:
    finding = only(judge(artifacts.model(extra={name: b"x"})).findings)
    assert (finding.rule, finding.severity, finding.path) == ("STR-M006", "warning", f"{FOREST.path}/{name}")


def test_a_format_that_runs_code_is_known_by_its_first_bytes_and_by_what_is_said() -> None:
    assert told(artifacts.model(extra={"weights.bin": b"\x80\x05\x95rest"})) == ["STR-M006"]
    assert told(artifacts.model(metadata={"format": "pickle"})) == ["STR-M006"]


def test_pointed_files_are_judged_by_name_alone() -> None:
    assert told(artifacts.model(extra={"a.onnx": b"x"}, replace={"a.onnx": pointer("0" * 64, 3)})) == ["STR-C005"]


@pytest.mark.parametrize(
    "body", [b"metrics: []\n", b"metrics:\n  accuracy: 0.9\n", b"metrics:\n  accuracy:\n    value: .nan\n"]
)
def test_metrics_that_break_their_contract(body: bytes) -> None:
    findings = judge(artifacts.model(extra={"metrics.yaml": body})).findings
    assert "STR-Y002" in {finding.rule for finding in findings}
