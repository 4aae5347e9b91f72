"""Chains, and what strata.yaml says for them (TFC-0011 sections 4 and 5)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from strata_git.checks.citations import full
from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import dig, items, mapping, text
from strata_git.checks.text_account import Around, Facts, TextAccount, contract, names, read, stem

if TYPE_CHECKING:
    from strata_git.load import Document


def judge_settings(path: str, data: bytes) -> TextAccount:
    """Judge the pipelines' sections of strata.yaml. That it can be read at all is another rule's affair."""
    document, complaint = read(path, data, "STR-L016")
    if document is None:
        return TextAccount("settings", facts={"unread": bool(complaint)})
    value = mapping(document.value)
    findings = tuple(_judge_sections(path, document)) if any(name in value for name in _SECTIONS) else ()
    facts = {name: sorted(mapping(value.get(name))) for name in ("connectors", "inference", "sinks")}
    return TextAccount("settings", findings, facts)


_SECTIONS = (
    "keys", "connectors", "inference", "sinks", "processing", "observability", "execution", "retention", "profiles",
)  # fmt: skip
"""As in `contracts.pipeline` and `contracts.profiles`, which load pydantic; held together by a test."""


def _judge_sections(path: str, document: Document) -> Iterator[Finding]:
    from strata_git.contracts.profiles import complaints

    for complaint in complaints(document):
        yield found("STR-N003", path, complaint.message, line=complaint.line)


def judge_chain(path: str, data: bytes) -> TextAccount:
    """A chain keeps its contract: its steps read what there is."""
    document, complaint = read(path, data, "STR-N001")
    if document is None:
        return TextAccount("chain", complaint)
    from strata_git.contracts.chain import Chain

    findings = tuple(contract(path, Chain, document, "STR-N002", default={"name": stem(path)}))
    value = document.value
    steps = [
        {
            "prompt": full(prompt, "prompt"),
            "input": sorted(mapping(dig(step, "input"))),
            "inference": text(dig(step, "inference")) or "default",
            "line": document.lines.get(("steps", place, "prompt"), document.lines.get(("steps", place), 0)),
        }
        for place, step in enumerate(items(dig(value, "steps")))
        if (prompt := text(dig(step, "prompt"))) is not None
    ]
    indexes = [
        {
            "connector": text(dig(index, "connector")),
            "inference": text(dig(index, "embeddings")) or "default",
            "line": document.lines.get(("index", name), 0),
        }
        for name, index in mapping(dig(value, "index")).items()
    ]
    facts = {
        "steps": steps,
        "indexes": indexes,
        "connector": text(dig(value, "inputs", "connector")),
        "connector_line": document.lines.get(("inputs", "connector"), 0),
        "sinks": [
            [sink, document.lines.get(("outputs", place), 0)]
            for place, output in enumerate(items(dig(value, "outputs")))
            if (sink := text(dig(output, "export"))) is not None
        ],
    }
    return TextAccount("chain", findings, facts)


def judge_chain_names(path: str, facts: Facts, around: Around) -> Iterator[Finding]:
    """Prompts are in the repository and get their variables; connectors, models and sinks are in strata.yaml."""
    for step in items(facts.get("steps")):
        yield from _judge_prompt(path, step, around)
    if around.pipelines is None:
        return
    wanted = [("connectors", facts.get("connector"), facts.get("connector_line"))]
    wanted += [("inference", dig(step, "inference"), dig(step, "line")) for step in items(facts.get("steps"))]
    for index in items(facts.get("indexes")):
        wanted += [("connectors", dig(index, "connector"), dig(index, "line"))]
        wanted += [("inference", dig(index, "inference"), dig(index, "line"))]
    wanted += [("sinks", row[0], row[1]) for row in items(facts.get("sinks")) if isinstance(row, list)]
    for section, name, line in wanted:
        if isinstance(name, str) and name not in names(around.pipelines.get(section)):
            message = f"strata.yaml has no '{name}' below {section}"
            yield found("STR-N005", path, message, line=line if isinstance(line, int) else 0)


def _judge_prompt(path: str, step: object, around: Around) -> Iterator[Finding]:
    reference, line = text(dig(step, "prompt")) or "", dig(step, "line")
    at = line if isinstance(line, int) else 0
    if "@" not in reference:
        return  # the contract complained
    prompt = around.prompt(reference)
    if prompt is None:
        yield found("STR-N004", path, f"{reference} is not in the repository", line=at)
        return
    given, declared = set(names(dig(step, "input"))), set(names(prompt.get("variables")))
    for name in sorted(given - declared):
        yield found("STR-N006", path, f"{reference} has no variable '{name}'", line=at)
    for name in sorted(set(names(prompt.get("required"))) - given):
        yield found("STR-N006", path, f"{reference} is not given its variable '{name}'", line=at)
