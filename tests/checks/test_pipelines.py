"""Chains by themselves, what they name, and the pipelines' sections of strata.yaml."""

from __future__ import annotations

import pytest

from strata_git.checks import pipelines
from strata_git.checks.finding import Finding
from strata_git.checks.text_account import Around, Facts
from strata_git.checks.texts import judge_text, judge_texts
from strata_git.contracts.pipeline import SECTIONS
from strata_git.contracts.profiles import PROFILES
from tests.checks.judging import only, rules

PATH = "chains/summarise.yaml"
CHAIN = """\
inputs: {connector: docs, select: "**/*.md"}
chunking: {by: tokens, max: 200, overlap: 20}
steps:
  - id: summary
    prompt: summarise#v1
    input: {text: "${chunk.text}"}
  - id: report
    prompt: prompts/summarise@v1
    inference: large
    input: {text: '${join(all.summary, "\\n")}'}
outputs:
  - export: out
"""
SETTINGS = """\
connectors: {docs: {type: local, root: docs}}
inference:
  default: {provider: offline, model: echo}
  large: {provider: offline, model: echo}
sinks: {out: {type: files, path: out}}
"""
PROMPT: Facts = {"variables": ["language", "text"], "required": ["text"]}


def alone(text: str, path: str = PATH) -> tuple[Finding, ...]:
    return judge_text(path, text.encode()).findings


def names(chain: str = CHAIN, settings: str = SETTINGS, prompt: Facts | None = PROMPT) -> list[Finding]:
    declared = judge_text("strata.yaml", settings.encode()).facts
    known = Around(frozenset(), declared, lambda _: True, lambda _: prompt)
    return list(judge_texts({PATH: judge_text(PATH, chain.encode())}, known))


def test_a_valid_chain_is_silent() -> None:
    assert alone(CHAIN) == ()
    assert names() == []


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("chunk.text", "chunk.txt", 6, "a chunk has end, id, index, start, text, tokens"),
        ("chunk.text", "report", 6, "neither a source"),
        ("all.summary", "all.summery", 10, "no earlier step is called 'summery'"),
        ("prompt: summarise#v1", "prompt: summarise", 5, "must name a version"),
        ("id: report", "id: summary", 7, "'summary' is taken"),
        ("overlap: 20", "overlap: 200", 2, "must be less than max"),
        ("export: out", "exprt: out", 12, "is not a key of this contract"),
        ("{connector: docs, ", "{", 1, "inputs.connector: is missing"),
    ],
)
def test_what_breaks_the_contract(old: str, new: str, line: int, says: str) -> None:
    findings = alone(CHAIN.replace(old, new, 1))
    assert {finding.rule for finding in findings} == {"STR-N002"}
    assert any(finding.line == line and says in finding.message for finding in findings), findings


@pytest.mark.parametrize("text", ["a: &a 1\n", "[]\n", "\t\n"])
def test_what_is_no_chain_is_a_warning(text: str) -> None:
    assert rules(alone(text)) == ["STR-N001"]


def test_prompts_that_are_not_there() -> None:
    findings = names(prompt=None)
    assert [(one.rule, one.severity, one.line) for one in findings] == [
        ("STR-N004", "warning", 5), ("STR-N004", "warning", 8)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ({"variables": ["text", "tone"], "required": ["text", "tone"]}, "is not given its variable 'tone'"),
        ({"variables": ["body"], "required": []}, "has no variable 'text'"),
    ],
)
def test_a_prompt_gets_its_variables(prompt: Facts, says: str) -> None:
    findings = names(prompt=prompt)
    assert rules(findings) == ["STR-N006", "STR-N006"]
    assert all(says in finding.message for finding in findings)


@pytest.mark.parametrize(
    ("section", "line", "name"), [("connectors", 1, "docs"), ("inference", 8, "large"), ("sinks", 12, "out")]
)
def test_names_are_declared_in_the_settings(section: str, line: int, name: str) -> None:
    finding = only(names(settings=SETTINGS.replace(name + ":", "other:")))
    assert (finding.rule, finding.line) == ("STR-N005", line)
    assert finding.message == f"strata.yaml has no '{name}' below {section}"


def test_what_an_index_names_is_declared() -> None:
    chain = f"{CHAIN}index:\n  here: {{connector: docs}}\n  there: {{connector: far, embeddings: vectors}}\n"
    told = [(one.rule, one.line, one.message) for one in names(chain)]
    assert told == [
        ("STR-N005", 15, "strata.yaml has no 'far' below connectors"),
        ("STR-N005", 15, "strata.yaml has no 'vectors' below inference"),
    ]


def test_settings_that_cannot_be_read_say_nothing_of_names() -> None:
    account = judge_text("strata.yaml", b"a: &a 1\n")
    assert account.findings == ()
    assert account.facts == {"unread": True}


def test_the_settings_of_pipelines_keep_their_contract() -> None:
    assert alone(SETTINGS, "strata.yaml") == ()
    assert alone("lfs: true\n", "strata.yaml") == ()
    finding = only(alone("lfs: true\nsinks:\n  out: {type: carrier-pigeon}\n", "strata.yaml"))
    assert (finding.rule, finding.severity, finding.line) == ("STR-N003", "error", 3)


def test_the_sections_are_those_of_the_contract() -> None:
    assert (*SECTIONS, PROFILES) == pipelines._SECTIONS
