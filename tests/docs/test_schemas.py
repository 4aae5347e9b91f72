"""The JSON Schemas are those of the contracts: up to date, sound, and as strict as a schema can be."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from strata_git import load
from strata_git.authoring.init import init
from strata_git.contracts.base import ContractError, parse, reference_patterns, whole
from strata_git.contracts.layout import KINDS, NAME, VERSION, parse_reference
from strata_git.load import Document
from tests.docs.test_tfc import MODELS, Example, examples
from tests.support import artifacts

ROOT = Path(__file__).parents[2]
SCHEMAS = {path.name.removesuffix(".schema.json"): json.loads(path.read_text()) for path in
           sorted((ROOT / "tfc/schemas").glob("*.json"))}  # fmt: skip
NAMED = {"prompt": "prompt-body", "metrics": "run-metrics", "pipelines": "settings"}
"""What an example calls its contract, where the schema is called otherwise."""
BEYOND = {
    "the experiment has no ", "trials: is missing", "must be less than high",
    "must not be before", "is declared twice", "declared twice", "is no day", "plain path", "must not be the port",
    "there is no task", "more than 100 percent", "values for", "rows for", "where one of the two is meant",
    "has either", "must be less than max",
    "a chunk has", "neither a source", "section keys has no", "needs key_fields", "sinks.out.bucket",
    "the chain has no index", "people and names", "belongs to 2 people", "says no age", "give this input another name",
}  # fmt: skip
"""Complaints about what no schema can see."""
WANTED = {
    "chain", "dataset-metadata", "experiment", "golden", "model-metadata", "model-metrics", "prompt-body",
    "prompt-metadata", "run-config", "run-metrics", "run-record", "service", "settings", "system",
    "trust-policy",
}  # fmt: skip


def validator(name: str) -> Draft7Validator:
    return Draft7Validator(SCHEMAS[NAMED.get(name, name)])


def judged() -> list[Example]:
    return [one for one in examples() if NAMED.get(one.contract, one.contract) in SCHEMAS]


def value_of(example: Example) -> object:
    reader = {"yaml": load.load_yaml, "json": load.load_json}[example.language]
    return reader(example.body.encode()).value


def test_they_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, ROOT / "scripts/schemas.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr}\nrun: python scripts/schemas.py"


def test_none_is_missing() -> None:
    assert set(SCHEMAS) == WANTED


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_is_a_schema_that_says_what_it_is(name: str) -> None:
    schema = SCHEMAS[name]
    Draft7Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["$id"] == f"urn:strata:schema:{name}"
    for part in (schema, *schema.get("definitions", {}).values()):
        if part:  # anything at all has no title
            assert part["title"], part
            assert part["description"].endswith("."), part
    assert set(re.findall(r'"(https?://[^"]*)"', json.dumps(schema))) == {schema["$schema"]}


@pytest.mark.parametrize("name", sorted(set(SCHEMAS) - {"run-metrics", "system"}))
def test_unknown_keys_are_refused_as_in_the_contract(name: str) -> None:
    assert SCHEMAS[name]["additionalProperties"] is False


def test_a_system_may_say_more_and_metrics_are_numbers() -> None:
    assert SCHEMAS["system"]["additionalProperties"] is True
    assert SCHEMAS["run-metrics"]["additionalProperties"] == {"type": "number"}


@pytest.mark.parametrize("example", judged(), ids=lambda example: example.place)
def test_examples_fare_as_with_the_contract(example: Example) -> None:
    try:
        value = value_of(example)
    except load.Unloadable:
        return  # no document: nothing for a schema to see
    errors = list(validator(example.contract).iter_errors(value))
    if example.complaint is None:
        assert errors == []
    elif not any(words in example.complaint for words in BEYOND):
        assert errors, "a schema can see this"


def test_every_schema_has_an_example() -> None:
    held = {NAMED.get(one.contract, one.contract) for one in judged() if one.complaint is None}
    assert held == set(SCHEMAS)


def test_what_the_commands_write_passes() -> None:
    files = artifacts.dataset("iris") | artifacts.run() | artifacts.model("forest") | artifacts.prompt()
    by_name = {
        ("datasets", "metadata.yaml"): "dataset-metadata", ("models", "metadata.yaml"): "model-metadata",
        ("models", "metrics.yaml"): "model-metrics", ("prompts", "metadata.yaml"): "prompt-metadata",
        ("prompts", "prompt.yaml"): "prompt-body", ("runs", "run.yaml"): "run-record",
        ("runs", "config.yaml"): "run-config", ("runs", "metrics.json"): "run-metrics",
        ("runs", "system.json"): "system",
    }  # fmt: skip
    seen = set()
    for path, data in files.items():
        name = by_name.get((path.partition("/")[0], path.rpartition("/")[2]))
        if name is not None:
            reader = load.load_json if path.endswith(".json") else load.load_yaml
            assert list(validator(name).iter_errors(reader(data).value)) == [], path
            seen.add(name)
    assert seen == set(by_name.values())


def test_a_new_workspace_has_them_and_its_files_name_them(tmp_path: Path, hermetic: dict[str, str]) -> None:
    init(tmp_path / "w", hermetic, example=True, lfs=False)
    root = tmp_path / "w"
    assert {path.name for path in (root / "tfc/schemas").iterdir()} == {f"{name}.schema.json" for name in WANTED}
    written = [root / "strata.yaml", *sorted((root / "experiments").glob("*.yaml"))]
    assert len(written) > 1
    for file in written:
        first = file.read_text().splitlines()[0]
        target = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
        assert target is not None, first
        schema = json.loads((file.parent / target[1]).read_text())
        value = load.load_yaml(file.read_bytes()).value
        assert list(Draft7Validator(schema).iter_errors(value)) == []


# --- what is valid by the contract is valid by the schema

names, versions = st.from_regex(NAME, fullmatch=True), st.from_regex(VERSION, fullmatch=True)
references = st.one_of(
    st.builds("{}{}{}".format, names, st.sampled_from("@#"), versions),
    st.builds("{}/{}{}{}".format, st.sampled_from(sorted(KINDS)), names, st.sampled_from("@#/"), versions),
    st.builds("{}/{}".format, st.sampled_from(sorted(KINDS)), names),
    st.from_regex(r"(runs/)?run-\d{4}-\d\d-\d\d-\d{3}", fullmatch=True),
    st.text("abcv019@#/-_", max_size=14),
)


@pytest.mark.parametrize(
    "kinds", [("dataset",), ("prompt",), ("dataset", "run", "model", "prompt"), tuple(KINDS.values())]
)
@given(text=references)
def test_no_reference_is_refused_that_the_contract_takes(kinds: tuple[str, ...], text: str) -> None:
    try:
        parsed = parse_reference(text, kind=kinds[0] if len(kinds) == 1 else None)
    except ValueError:
        return
    exact = parsed.version is not None or parsed.kind in ("run", "service")
    if parsed.kind in kinds and exact:
        assert re.search(whole(*reference_patterns(*kinds)), text, re.ASCII), text


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 5) | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
        ["", " ", "iris", "v1", "iris@v1", "datasets/iris@v1", "data.csv", ".", "../x", "a/b", "2026-01-05", "x" * 201,
         "2026-01-05T12:00:00Z", "sha256:" + "a" * 64, "run-2026-01-05-001", "succeeded", "higher", "sklearn:iris"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "a b", "type", "ref"]), inner),
    max_leaves=4,
)  # fmt: skip
VALID = [
    (one.contract, one.body, value_of(one)) for one in judged() if one.complaint is None and one.contract in MODELS
]


@given(data=st.data())
def test_a_changed_document_that_the_contract_takes_passes_the_schema(data: st.DataObject) -> None:
    contract, _, value = data.draw(st.sampled_from(VALID))
    changed = json.loads(json.dumps(value))
    place = changed
    for _ in range(data.draw(st.integers(0, 2))):
        below = [
            part
            for part in (place.values() if isinstance(place, dict) else place)
            if part and isinstance(part, dict | list)
        ]
        place = data.draw(st.sampled_from(below)) if below else place
    if isinstance(place, dict):
        place[data.draw(st.sampled_from([*place, "other"]))] = data.draw(VALUES)
    else:
        place[data.draw(st.integers(0, len(place) - 1))] = data.draw(VALUES)
    try:
        parse(MODELS[contract], Document(changed))
    except ContractError:
        return
    assert list(validator(contract).iter_errors(changed)) == []
