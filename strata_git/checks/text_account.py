"""What is told of one text around the artifacts, what it is judged by, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from strata_git.checks.exhibit import TEXT_LIMIT
from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import items

if TYPE_CHECKING:
    from pydantic import BaseModel

    from strata_git.load import Document

Facts = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class TextAccount:
    """What one text is (`kind`), what is wrong with it, and what others must know of it: plain JSON data."""

    kind: str
    findings: tuple[Finding, ...] = ()
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Around:
    """What the texts are judged by: known plugins, pipeline names by section, and whether an artifact is there.

    `prompt` gives a prompt version's summary, None where it is not in the repository; `pipelines` is None where
    strata.yaml could not be read.
    """

    plugins: frozenset[str]
    pipelines: Mapping[str, object] | None
    present: Callable[[str], bool]
    prompt: Callable[[str], Facts | None]


def read(path: str, data: bytes, rule: str) -> tuple[Document | None, tuple[Finding, ...]]:
    """The YAML mapping in `data`; None, and why, where there is none."""
    from strata_git.load import Unloadable, load_yaml

    try:
        document = load_yaml(data, limit=TEXT_LIMIT)
    except Unloadable as error:
        return None, (found(rule, path, error.message, line=error.line),)
    if not isinstance(document.value, dict):
        return None, (found(rule, path, "is not a mapping", line=1),)
    return document, ()


def contract(
    path: str, model: type[BaseModel], document: Document, rule: str, *, default: Mapping[str, object] | None = None
) -> Iterator[Finding]:
    """What breaks the contract `model`; `default` stands in for keys that may be left out."""
    from strata_git.contracts.base import ContractError, parse
    from strata_git.load import Document as Loaded

    given = document.value if isinstance(document.value, dict) else {}
    try:
        parse(model, Loaded({**(default or {}), **given}, document.lines))
    except ContractError as error:
        for complaint in error.complaints:
            yield found(rule, path, complaint.message, line=complaint.line)


def stem(path: str) -> str:
    """The file's name without its ending: what an experiment or chain is called that does not say."""
    return path.rpartition("/")[2].rpartition(".")[0]


def names(value: object) -> list[str]:
    """The texts of a list that was kept meanwhile."""
    return [item for item in items(value) if isinstance(item, str)]
