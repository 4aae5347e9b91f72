"""Chains, their expressions, placeholders of templates, and the settings of pipelines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.contracts.base import ContractError, parse
from strata_git.contracts.chain import Chain, Expression, expressions
from strata_git.contracts.pipeline import Pipelines
from strata_git.contracts.prompt import placeholders
from strata_git.load import dump_yaml, load_yaml

STEP: dict[str, object] = {"id": "summary", "prompt": "summarise@v1", "input": {"text": "${chunk.text}"}}
CHAIN: dict[str, object] = {"name": "summarise", "inputs": {"connector": "docs"}, "steps": [STEP]}
AZURE = {"provider": "azure-openai", "model": "m", "endpoint": "https://x.example", "key": "azure"}
ENV = {"azure": {"from": "env", "name": "AZURE"}}


def chain(**changes: object) -> Chain:
    return parse(Chain, load_yaml(dump_yaml({**CHAIN, **changes})))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("no expression, $5, {x}", []),
        ("${chunk.text}", [("chunk", "text")]),
        ("a ${ a_1.b } ${c}", [("a_1", "b"), ("c",)]),
        ("$${chunk.text} ${x}", [("x",)]),
        ('${join(all.s, "\\n")}', [("all", "s")]),
    ],
)
def test_expressions_in_a_text(text: str, found: list[tuple[str, ...]]) -> None:
    assert [one.path for one in expressions(text)] == found


def test_a_join_has_its_separator() -> None:
    (one,) = expressions('${join(all.summary, "\\t-\\"\\\\")}')
    assert one == Expression('${join(all.summary, "\\t-\\"\\\\")}', ("all", "summary"), '\t-"\\')
    assert one.gathers


@pytest.mark.parametrize(
    "text", ["${", "${}", "${a.}", "${a b}", "${a[0]}", "${__import__('os')}", "${join(a)}", "${join(a, b)}", "x ${y"]
)
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither a value|has no }"):
        list(expressions(text))


@given(st.text('${}ab._ ,"\\join()é\n', max_size=30))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        found = list(expressions(text))
    except ValueError:
        found = []
    assert all(part.isidentifier() for one in found for part in one.path)
    assert all(one.text in text.replace("$${", "") for one in found)
    assert all(name.isidentifier() for name in placeholders(text))


@pytest.mark.parametrize(
    ("text", "names"),
    [("${a} {{ b }} {{-c-}} ${ d }", ["a", "b", "c", "d"]), ("$${a} {b} {{ 1x }} ${a.b} {{}}", []), ("$$${a}", [])],
)
def test_placeholders(text: str, names: list[str]) -> None:
    assert list(placeholders(text)) == names


def test_the_shortest_chain() -> None:
    made = chain()
    assert (made.inputs.select, made.concurrency, made.on_error, made.seed) == (("**/*",), 1, "fail", 0)
    assert made.steps[0].inference == "default"


def test_a_lone_pattern_is_a_list_of_one() -> None:
    assert chain(inputs={"connector": "docs", "select": "*.md", "exclude": ["x"]}).inputs.select == ("*.md",)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"steps": []}, "steps: must not be empty"),
        ({"steps": [STEP, STEP]}, "steps.1.id: 'summary' is taken"),
        ({"steps": [{**STEP, "output": "all"}]}, "'all' is taken"),
        ({"steps": [{**STEP, "id": "a b"}]}, "steps.0.id: must be a word"),
        ({"steps": [{**STEP, "prompt": "datasets/iris@v1"}]}, "steps.0.prompt: is no reference"),
        ({"steps": [{**STEP, "input": {"text": ["a", {"b": "${nope}"}]}}]}, "steps.0.input.text.1.b: ${nope}: neither"),
        ({"steps": [{**STEP, "input": {"text": "${chunk}"}}]}, "a chunk has"),
        ({"steps": [{**STEP, "input": {"text": "${all}"}}]}, "no earlier step is called ''"),
        ({"steps": [{**STEP, "input": {"text": '${join(chunk.text, "")}'}}]}, "only all.STEP can be joined"),
        ({"steps": [{**STEP, "retry": {"attempts": 0}}]}, "steps.0.retry.attempts: must be at least 1"),
        ({"outputs": [{"export": "out", "save": "x"}]}, "has either export"),
        ({"outputs": [{"save": "../x"}]}, "outputs.0.save: must be a path inside"),
        ({"outputs": [{"save": "${document.name}.txt"}]}, "cannot be part of a file's name"),
        ({"outputs": [{"export": "out", "from": "other"}]}, "outputs.0.from: there is no step 'other'"),
        ({"chunking": {"max": 10, "overlap": 10}}, "chunking.overlap: must be less than max"),
        ({"concurrency": 0}, "concurrency: must be at least 1"),
    ],
)
def test_what_a_chain_refuses(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ContractError) as caught:
        chain(**changes)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"connectors": {"a": {"type": "azure-blob", "account": "x", "container": "y", "key": "azure"}}, "keys": ENV},
        {"sinks": {"a": {"type": "dynamodb", "table": "t", "key_fields": ["id"]}}},
        {"sinks": {"a": {"type": "fabric-delta", "uri": "abfss://x", "mode": "upsert", "key_fields": ["id"]}}},
        {"sinks": {"a": {"type": "sharepoint-excel", "site": "s", "path": "b.xlsx", "key_fields": ["id"]}}},
        {"inference": {"a": {"provider": "bedrock", "model": "m", "region": "eu-central-1"}}},
        {"inference": {"a": AZURE}, "keys": ENV},
        {"keys": {"a": {"from": "azure-key-vault", "name": "n", "vault": "https://v.example"}}},
        {"processing": {"ocr": {"engine": "tesseract", "languages": "deu"}}, "retention": {"keep_days": 3}},
    ],
)
def test_settings_of_pipelines(sections: dict[str, object]) -> None:
    parse(Pipelines, load_yaml(dump_yaml(sections)))


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"inference": {"a": AZURE}}, "inference.a.key: the section keys has no 'azure'"),
        ({"inference": {"a": {**AZURE, "endpoint": None}}, "keys": ENV}, "needs its endpoint"),
        ({"inference": {"a": {"provider": "openai", "model": "m"}}}, "needs a key"),
        ({"keys": {"a": {"name": "x"}}}, "keys.a: 'from' is missing"),
        ({"keys": {"a": {"from": "vault", "name": "x"}}}, "keys.a: 'from' must be one of 'env', 'dotenv'"),
        ({"connectors": {"a": {"type": "s3", "bucket": "b", "secret": "s"}}}, "the section keys has no 's'"),
        ({"sinks": {"a": {"type": "delta", "uri": "x", "mode": "upsert"}}}, "mode upsert needs key_fields"),
        ({"sinks": {"a": {"type": "duckdb", "database": "d", "table": "t"}}}, "mode merge needs key_fields"),
        ({"observability": {"log_format": "xml"}}, "observability.log_format: must be 'human' or 'json'"),
    ],
)
def test_what_settings_of_pipelines_refuse(sections: dict[str, object], said: str) -> None:
    with pytest.raises(ContractError) as caught:
        parse(Pipelines, load_yaml(dump_yaml(sections)))
    assert said in str(caught.value)
