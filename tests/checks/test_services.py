"""A service says which model answers, to whom; its golden predictions fit that model."""

from __future__ import annotations

import pytest

from strata_git.checks.engine import judge_links
from strata_git.checks.services import judge_stage, stage_of
from strata_git.load import dump_json
from tests.checks.judging import judge, only, rules, told
from tests.support import artifacts
from tests.support.artifacts import ABSENT

PLACE = "services/scoring"
RECORD, GOLDEN = f"{PLACE}/service.yaml", f"{PLACE}/tests/golden.json"
PREDICT = f"{PLACE}/model-service/predict.py"
KEY = {"name": "ci", "sha256": "0" * 64}


def golden(**changes: object) -> dict[str, bytes]:
    table = {"columns": ["sepal", "petal"], "rows": [[5.1, 1.4]]}
    answers = {"columns": ["species"], "rows": [["setosa"]]}
    said = {"schema": "strata/golden/v1", "model": "models/forest@v1", "inputs": table, "outputs": answers}
    return {GOLDEN: dump_json({**said, **changes})}


def test_a_valid_service_is_silent_and_summarised() -> None:
    judgement = judge(artifacts.service())
    assert judgement.findings == ()
    assert judgement.summary["model"] == "forest@v1"
    assert judgement.summary["inputs"] == [{"ref": "models/forest@v1"}]
    assert judgement.summary["golden"] == {
        "file": "tests/golden.json", "model": "models/forest@v1", "inputs": ["sepal", "petal"], "outputs": ["species"]
    }  # fmt: skip
    assert stage_of(judgement.summary) is None


def test_a_stage_is_no_reference_to_a_version() -> None:
    summary = judge(artifacts.service(model="forest@production")).summary
    assert summary["inputs"] == []
    assert stage_of(summary) == ("forest", "production")


def test_a_directory_without_service_yaml() -> None:
    finding = only(judge({f"{PLACE}/app.py": b""}).findings)
    assert (finding.rule, finding.path) == ("STR-V001", RECORD)


def test_a_service_yaml_that_breaks_its_contract() -> None:
    assert told(artifacts.service(model=ABSENT)) == ["STR-Y002"]
    assert told(artifacts.service() | {RECORD: b"a: &a 1\n"}) == ["STR-Y001"]


def test_the_name_is_the_directorys() -> None:
    files = artifacts.service() | {RECORD: artifacts.service("other")["services/other/service.yaml"]}
    assert only(judge(files).findings).rule == "STR-V002"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_this_machine_alone_may_ask_unasked(host: str) -> None:
    assert told(artifacts.service(api={"host": host})) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "scoring.example.org"])
def test_other_machines_are_asked_who_they_are(host: str) -> None:
    finding = only(judge(artifacts.service(api={"host": host})).findings)
    assert (finding.rule, finding.severity) == ("STR-V005", "error")
    assert told(artifacts.service(api={"host": host, "auth": {"keys": []}})) == ["STR-V005"]
    assert told(artifacts.service(api={"host": host, "auth": {"keys": [KEY]}})) == []
    oidc = {"issuer": "https://login.example.org", "audience": "scoring"}
    assert told(artifacts.service(api={"host": host, "auth": {"oidc": oidc}})) == []


def test_a_service_without_golden_predictions_is_a_warning() -> None:
    files = {RECORD: artifacts.service()[RECORD]}
    finding = only(judge(files).findings)
    assert (finding.rule, finding.severity, finding.path) == ("STR-V004", "warning", GOLDEN)


def test_golden_predictions_may_lie_elsewhere() -> None:
    files = artifacts.service(golden={"file": "tests/rows.json"})
    files[f"{PLACE}/tests/rows.json"] = files.pop(GOLDEN)
    assert told(files) == []
    assert judge(files).summary["golden"]["file"] == "tests/rows.json"  # type: ignore[index]


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": {"columns": ["sepal"], "rows": [[1], [2]]}},
        {"inputs": {"columns": ["sepal", "petal"], "rows": [[1]]}},
        {"outputs": {"columns": [], "rows": []}},
        {"model": "models/forest@production"},
        {"schema": "strata/golden/v2"},
    ],
)
def test_golden_predictions_that_break_their_contract(changes: dict[str, object]) -> None:
    assert set(told(artifacts.service() | golden(**changes))) == {"STR-V006"}


def test_golden_predictions_that_are_no_json() -> None:
    assert told(artifacts.service() | {GOLDEN: b"{"}) == ["STR-Y001"]


@pytest.mark.parametrize(
    ("serves", "made_with", "says"),
    [
        ("forest@v1", "models/forest@v1", []), ("forest@production", "models/forest@v7", []),
        ("forest@v2", "models/forest@v1", ["STR-V006"]), ("other@production", "models/forest@v1", ["STR-V006"]),
    ],
)  # fmt: skip
def test_golden_predictions_were_made_with_the_model_served(serves: str, made_with: str, says: list[str]) -> None:
    assert told(artifacts.service(model=serves) | golden(model=made_with)) == says


# --- with the model


def linked(files: dict[str, bytes], *, model: bool = True, touched: set[str] | None = None) -> list[str]:
    judged = [judge(files), *([judge(artifacts.model())] if model else [])]
    summaries = {str(one.summary["reference"]): one.summary for one in judged}
    found = rules(judge_links(summaries, touched))
    return [rule for rule in found if rule != "STR-X001" or not model]


def test_columns_are_those_of_the_model() -> None:
    assert linked(artifacts.service()) == []
    fewer = {"columns": ["sepal"], "rows": [[1]]}
    assert linked(artifacts.service() | golden(inputs=fewer)) == ["STR-V006"]
    assert linked(artifacts.service() | golden(outputs={"columns": ["kind"], "rows": [["a"]]})) == ["STR-V006"]
    more = {"columns": ["sepal", "petal", "root"], "rows": [[1, 2, 3]]}
    assert linked(artifacts.service() | golden(inputs=more)) == ["STR-V006"]


def test_a_model_that_is_not_there() -> None:
    assert linked(artifacts.service(), model=False) == ["STR-V003", "STR-X001"]


def test_only_what_is_touched_is_judged() -> None:
    broken = artifacts.service() | golden(inputs={"columns": ["sepal"], "rows": [[1]]})
    assert linked(broken, touched={"datasets/iris@v1"}) == []
    assert linked(broken, touched={"models/forest@v1"}) == ["STR-V006"]


def staged(*, has_model: bool = True, entered: bool = True, events: bool = True) -> list[tuple[str, str]]:
    found = judge_stage(RECORD, ("forest", "production"), has_model=has_model, entered=entered, events=events)
    return [(finding.rule, finding.severity) for finding in found]


def test_a_stage_that_is_served_holds_a_version() -> None:
    assert staged() == []
    assert staged(entered=False) == [("STR-V008", "warning")]
    assert staged(entered=False, events=False) == [("STR-V008", "info")]
    assert staged(has_model=False) == [("STR-V003", "error")]


# --- code


@pytest.mark.parametrize(
    "source", ["def load(path):\n    return path\n", "def predict(model, rows):\n    return rows\n"]
)
def test_hooks_in_python(source: str) -> None:
    assert told(artifacts.service() | {PREDICT: source.encode()}) == []


@pytest.mark.parametrize(
    ("source", "line"),
    [("def predict(:\n", 1), ("x = 1\n", 0), ("def predict(model):\n    return model\n", 1), ("\0", 0)],
)
def test_hooks_that_could_not_be_called(source: str, line: int) -> None:
    finding = only(judge(artifacts.service() | {PREDICT: source.encode()}).findings)
    assert (finding.rule, finding.path, finding.line) == ("STR-V007", PREDICT, line)


def test_an_r_service_brings_its_model() -> None:
    files = artifacts.service(lang="r")
    assert told(files) == ["STR-V007"]
    assert told(files | {f"{PLACE}/model-service/model.R": b"load <- function(path) readRDS(path)\n"}) == []
