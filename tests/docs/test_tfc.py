"""The contracts' texts: every example is run, every rule is written down where its anchor points."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from strata_git import load
from strata_git.checks.catalog import RULES
from strata_git.checks.plugins import judge_plugin
from strata_git.config import SettingsError, load_settings
from strata_git.contracts import chain, dataset, experiment, model, pipeline, policy, profiles, prompt, run, service
from strata_git.contracts.base import ContractError, parse
from strata_git.contracts.layout import parse_reference
from strata_git.integrity import checksums
from strata_git.ledger.names import parse_name

TFC = Path(__file__).parents[2] / "tfc"
TEXTS = {path.name: path.read_text() for path in sorted(TFC.glob("*.md"))}
MODELS = {
    "chain": chain.Chain,
    "dataset-metadata": dataset.DatasetMetadata,
    "experiment": experiment.Experiment,
    "golden": service.GoldenPredictions,
    "metrics": run.RunMetrics,
    "model-card": model.ModelCard,
    "model-metadata": model.ModelMetadata,
    "model-metrics": model.ModelMetrics,
    "pipelines": pipeline.Pipelines,
    "prompt": prompt.PromptBody,
    "prompt-metadata": prompt.PromptMetadata,
    "run-config": experiment.RunConfig,
    "run-record": run.RunRecord,
    "service": service.Service,
    "system": run.System,
    "trust-policy": policy.TrustPolicy,
}
FENCE = re.compile(r'^```(\w+)(?: ([\w-]+))?(?: (invalid)(?:="([^\n]*)")?)?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """One fenced block; `complaint` is None where it must be accepted."""

    place: str
    language: str
    contract: str
    complaint: str | None
    body: str


def examples() -> list[Example]:
    found = []
    for name, text in TEXTS.items():
        for match in FENCE.finditer(text):
            language, contract, invalid, complaint, body = match.groups()
            place = f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
            found.append(Example(place, language, contract or "", (complaint or "") if invalid else None, body))
    return found


def refusals(example: Example) -> list[str | None]:
    """What is said against the block, or against each of its lines; None for what is accepted."""
    if example.contract == "checksums":
        return [said_by(lambda: checksums.parse(example.body.encode()))]
    if example.contract == "plugin":
        told = judge_plugin("plugins/majority.py", example.body.encode()).findings
        return ["; ".join(finding.message for finding in told) or None]
    if example.contract == "settings":
        return [said_by(lambda: read_settings(example.body.encode()))]
    if example.contract == "reference":
        return [said_by(lambda line=line: parse_reference(line)) for line in example.body.splitlines()]
    if example.contract == "event-tag":
        return [said_by(lambda line=line: read_tag(line)) for line in example.body.splitlines()]
    return [said_by(lambda: read_document(example))]


def said_by(reading: Callable[[], object]) -> str | None:
    try:
        reading()
    except (ValueError, SettingsError, ContractError, load.Unloadable) as error:
        return str(getattr(error, "message", error))
    return None


def read_document(example: Example) -> None:
    reader = {"yaml": load.load_yaml, "json": load.load_json}[example.language]
    document = reader(example.body.encode())
    if example.contract != "any":
        parse(MODELS[example.contract], document)


def read_settings(data: bytes) -> None:
    load_settings(data)
    if found := profiles.complaints(load.load_yaml(data)):
        raise ContractError(found)


def read_tag(name: str) -> None:
    read = parse_name(name)
    if read is None:
        raise ValueError("no event's name")
    assert read.tag == name


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.place)
def test_every_example_is_what_it_claims(example):
    if example.language == "sh":
        return
    assert example.contract, f"{example.place} names no contract"
    for said in refusals(example):
        if example.complaint is None:
            assert said is None
        else:
            assert said is not None, "must be refused"
            assert example.complaint in said


def test_no_block_is_overlooked():
    fences = sum(len(re.findall("^```", text, re.MULTILINE)) for text in TEXTS.values())
    assert fences == 2 * len(examples())


def test_every_contract_has_an_example_that_holds_and_one_that_fails():
    held = {example.contract for example in examples() if example.complaint is None}
    assert held >= set(MODELS) | {"any", "settings", "checksums", "reference", "event-tag"}
    broken = {example.contract for example in examples() if example.complaint is not None}
    assert len(broken) >= 10


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
def test_every_rule_stands_at_its_anchor(rule):
    path, _, anchor = rule.anchor.partition("#")
    text = TEXTS[path.removeprefix("tfc/")]
    assert text.count(f'<a id="{anchor}"></a>') == 1
    clause = text.partition(f'<a id="{anchor}"></a>')[2].partition('<a id="')[0]
    assert rule.id in clause


def test_every_rule_named_in_a_text_exists():
    named = {rule for text in TEXTS.values() for rule in re.findall(r"STR-[A-Z]\d{3}", text)}
    assert named <= set(RULES)


@pytest.mark.parametrize("name", TEXTS)
def test_clauses_are_numbered_in_order(name):
    text = TEXTS[name]
    numbers = [tuple(map(int, found.split("."))) for found in re.findall(r'<a id="([\d.]+)"></a>', text)]
    assert numbers == sorted(set(numbers))
    chapters = [int(found) for found in re.findall(r"^## (\d+) ", text, re.MULTILINE)]
    assert chapters == list(range(1, len(chapters) + 1))
    assert {chapter for chapter, _ in numbers} == set(chapters)


@pytest.mark.parametrize("name", TEXTS)
def test_clauses_referred_to_exist(name):
    for number, clause in re.findall(r"TFC-(\d{4}) (\d+(?:\.\d+)?)", TEXTS[name]):
        (other,) = (text for path, text in TEXTS.items() if path.startswith(number))
        assert f'<a id="{clause}"></a>' in other or f"\n## {clause} " in other
