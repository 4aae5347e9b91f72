"""A model version's metadata.yaml, metrics.yaml and the front matter of its card.md (TFC-0005)."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from strata_git.contracts.base import (
    CitedDataset,
    Column,
    Contract,
    InsidePath,
    Label,
    Many,
    Name,
    Number,
    Record,
    RunId,
)
from strata_git.load import Document, Unloadable, load_yaml

FENCE = b"---"


class Framework(Contract):
    """The library that made the model and is needed to load it."""

    name: Label
    version: Label


class Signature(Contract):
    """What goes into the model and what comes out. Either may be empty, which is a warning (STR-M004)."""

    inputs: Many[Column] = ()
    outputs: Many[Column] = ()


class ModelMetadata(Record):
    """What metadata.yaml of a model version says."""

    kind: Literal["model"]
    artifact: InsidePath
    format: Name
    framework: Framework
    run: RunId | None
    datasets: Many[CitedDataset]
    signature: Signature | None = None
    trusted_types: Many[Label] = ()


class Metric(Contract):
    """One figure, which way is better, and by how much it may be worse than the version in production."""

    value: Number
    direction: Literal["higher", "lower"]
    tolerance: Number = Field(default=0, ge=0)
    split: Name
    n: int | None = Field(default=None, ge=1)


class ModelMetrics(Contract):
    """metrics.yaml: the figures a model is judged and promoted by."""

    metrics: dict[Label, Metric] = Field(min_length=1)


class _Lenient(Contract):
    """Part of the card: a format of others, of which we read what we need."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)


class CardMetric(_Lenient):
    """A figure in the card. That it is a number, and the right one, is a rule of its own (STR-M003)."""

    type: Label
    value: JsonValue
    name: Label | None = None


class CardNamed(_Lenient):
    """A task or dataset, as the card names it."""

    type: Label
    name: Label | None = None


class CardResult(_Lenient):
    """Figures for one task on one dataset."""

    task: CardNamed | None = None
    dataset: CardNamed | None = None
    metrics: Many[CardMetric] = ()


class CardModel(_Lenient):
    """One entry of the model-index."""

    name: Label
    results: Many[CardResult] = ()


class ModelCard(_Lenient):
    """The front matter of card.md, in Hugging Face's form; keys we don't know are theirs and pass.

    A card without a model-index is worth a warning (STR-M007), so the contract lets it be.
    """

    license: JsonValue = None
    model_index: Many[CardModel] = Field(default=(), alias="model-index")


def front_matter(card: bytes) -> Document:
    """The YAML between the `---` on a card's first line and the next such line, with lines as in the card.

    Raises Unloadable when there is none, or when it is not YAML.
    """
    first, *rest = card.split(b"\n")
    ends = [number for number, line in enumerate(rest) if line.rstrip() == FENCE]
    if first.rstrip() != FENCE or not ends:
        raise Unloadable("there is no front matter between two lines of ---", 1)
    try:
        document = load_yaml(b"\n".join(rest[: ends[0]]) + b"\n")
    except Unloadable as error:
        raise Unloadable(error.message, error.line + 1 if error.line else 0) from None
    return Document(document.value, {path: line + 1 for path, line in document.lines.items()})
