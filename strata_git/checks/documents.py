"""Reading an artifact's YAML and JSON: from bytes to plain data, or to findings with a line (TFC-0006 section 3).

What breaks a contract is told by the rule that the key belongs to (`_RULES`), and else by STR-Y002.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

from strata_git.checks.exhibit import TEXT_LIMIT, Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import mapping
from strata_git.contracts.layout import GOLDEN, METADATA, RUN_RECORD, SERVICE_RECORD

if TYPE_CHECKING:
    from pydantic import BaseModel

    from strata_git.load import Document

CONTRACTS = {
    ("dataset", METADATA): "strata_git.contracts.dataset:DatasetMetadata",
    ("model", METADATA): "strata_git.contracts.model:ModelMetadata",
    ("model", "metrics.yaml"): "strata_git.contracts.model:ModelMetrics",
    ("model", "card.md"): "strata_git.contracts.model:ModelCard",
    ("prompt", METADATA): "strata_git.contracts.prompt:PromptMetadata",
    ("prompt", "prompt.yaml"): "strata_git.contracts.prompt:PromptBody",
    ("run", RUN_RECORD): "strata_git.contracts.run:RunRecord",
    ("run", "config.yaml"): "strata_git.contracts.experiment:RunConfig",
    ("run", "metrics.json"): "strata_git.contracts.run:RunMetrics",
    ("run", "system.json"): "strata_git.contracts.run:System",
    ("service", SERVICE_RECORD): "strata_git.contracts.service:Service",
    ("service", GOLDEN): "strata_git.contracts.service:GoldenPredictions",
}
"""Which model stands for which file. Text, because pydantic is loaded only when there is something to judge."""

_RULES = (
    ("dataset", METADATA, re.compile(r"splits\.[^.]+\.path"), "STR-D004"),
    ("dataset", METADATA, re.compile(r"provenance\.parents\..*"), "STR-D006"),
    ("model", METADATA, re.compile(r"run|datasets\..*"), "STR-M005"),
    ("model", "card.md", re.compile(r".*"), "STR-M007"),
    ("run", RUN_RECORD, re.compile(r"(?:inputs|prompts)\..*"), "STR-R006"),
    ("run", "metrics.json", re.compile(r".+"), "STR-R003"),
    ("service", GOLDEN, re.compile(r".*"), "STR-V006"),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says. `value` is empty where it could not be read, `legible` tells; `present`: it is there."""

    path: str
    value: Mapping[str, object] = field(default_factory=dict)
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    present: bool = True
    legible: bool = False

    def line(self, *keys: str | int) -> int:
        """The line on which the value below `keys` stands, or the nearest thing around it; 0 when unknown."""
        while keys:
            if keys in self.lines:
                return self.lines[keys]
            keys = keys[:-1]
        return 0


def read_document(exhibit: Exhibit, name: str, *, as_name: str = "") -> Reading:
    """Read the mapping in the YAML, JSON or card `name`, and judge it by its contract where it has one.

    `as_name` is the name under which the contract knows a file that may be called otherwise.
    """
    path = exhibit.path(name)
    content = exhibit.contents.get(name)
    if content is None:
        return Reading(path, present=name in exhibit.entries)
    if content.stored == "pointer":
        return Reading(path)
    if content.size > TEXT_LIMIT:
        message = f"{content.size} bytes, more than {TEXT_LIMIT}; not read"
        return Reading(path, findings=(found("STR-Y004", path, message),))
    from strata_git.load import Unloadable

    data = exhibit.read(name)
    try:
        document = _load(data, name)
    except Unloadable as error:
        rule = "STR-M007" if name.endswith(".md") and not data.startswith(b"---") else "STR-Y001"
        return Reading(path, findings=(found(rule, path, error.message, line=error.line),))
    if not isinstance(document.value, dict):
        return Reading(path, findings=(found("STR-Y002", path, "is not a mapping", line=1),))
    findings = tuple(_judge_contract(exhibit.artifact.kind, as_name or name, path, document))
    return Reading(path, mapping(document.value), document.lines, findings, legible=True)


def contract_of(kind: str, name: str) -> type[BaseModel] | None:
    """The pydantic model for the file `name` of an artifact of `kind`; None where any mapping will do."""
    where = CONTRACTS.get((kind, name))
    if where is None:
        return None
    module, _, model = where.partition(":")
    contract: type[BaseModel] = getattr(import_module(module), model)
    return contract


def _load(data: bytes, name: str) -> Document:
    if name.endswith(".md"):
        from strata_git.contracts.model import front_matter

        return front_matter(data)
    from strata_git.load import load_json, load_yaml

    return load_json(data) if name.endswith(".json") else load_yaml(data)


def _judge_contract(kind: str, name: str, path: str, document: Document) -> Iterator[Finding]:
    if (kind, name) not in CONTRACTS:
        return
    from strata_git.contracts.shape import fits
    from strata_git.contracts.shapes import SHAPES

    if (shape := SHAPES.get((kind, name))) and fits(shape, document.value):
        return
    model = contract_of(kind, name)
    if model is None:
        return
    from strata_git.contracts.base import ContractError, parse

    try:
        parse(model, document)
    except ContractError as error:
        for complaint in error.complaints:
            rule = _rule(kind, name, complaint.key)
            yield found(rule, path, complaint.message, line=complaint.line)


def _rule(kind: str, name: str, key: str) -> str:
    for of_kind, of_name, pattern, rule in _RULES:
        if (of_kind, of_name) == (kind, name) and pattern.fullmatch(key):
            return rule
    return "STR-Y002"
