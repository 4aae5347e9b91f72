"""A prompt version's metadata.yaml and prompt.yaml (TFC-0011), and what stands for a variable in a template.

The grammar of placeholders is here, so that whoever fills a template and whoever judges it read the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from strata_git.contracts.base import Checked, Contract, Label, Many, Name, Number, OrBare, Record, Text, whole

PLACEHOLDER = re.compile(r"\$\$\{|\$\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}|\{\{-?\s*([A-Za-z_][A-Za-z0-9_]*)\s*-?\}\}")
"""`${name}` or `{{ name }}` stands for a variable's value; `$${` for the characters `${` (no group matches then)."""


def placeholders(text: str) -> Iterator[str]:
    """The names of the variables that a template's text uses, in order, each as often as it does."""
    for found in PLACEHOLDER.finditer(text):
        if name := found[1] or found[2]:
            yield name


_WORD = whole("[A-Za-z_][A-Za-z0-9_]*")


def _identifier(value: str) -> str:
    if not (value.isascii() and value.isidentifier()):
        raise ValueError("must be a word of letters, digits and _")
    return value


Word = Annotated[str, Checked(_identifier, _WORD, "a word of letters, digits and _")]


class Variable(Contract):
    """Something to be filled in. A bare name will do."""

    name: Word
    type: Label | None = None
    description: Text | None = None
    default: JsonValue = None


def _spelled_out(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class Message(Contract):
    """One message of a conversation; its content is a template."""

    role: Literal["system", "user", "assistant"]
    content: Text


class Parameters(Contract):
    """What every call is made with, where the caller says nothing else; an answer must fit the JSON Schema `schema`."""

    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    stop: Many[Annotated[str, Field(min_length=1)]] = ()
    seed: Annotated[int, Field(ge=0)] | None = None
    answer: dict[str, JsonValue] | None = Field(default=None, alias="schema")


class PromptTest(Contract):
    """An example that the prompt must pass: what is filled in, and what the answer must (and must not) contain."""

    name: Label
    variables: dict[Word, JsonValue] = Field(default_factory=dict)
    contains: Many[Text] = ()
    excludes: Many[Text] = ()


class PromptMetadata(Record):
    """What metadata.yaml of a prompt version says."""

    kind: Literal["prompt"]


_EITHER: list[JsonValue] = [{"required": ["template"]}, {"required": ["messages"]}]
"""What `_asks_one_way` asks, as far as a JSON Schema can say it."""


class PromptBody(Contract):
    """prompt.yaml: a template or messages, the variables, defaults for the model, and tests.

    `id`, where it is said, is the prompt's name. `model` holds hints of any kind for whatever model answers,
    `parameters` those that every provider knows.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, json_schema_extra={"anyOf": _EITHER})

    id: Name | None = None
    template: Text | None = None
    messages: Many[Message] = ()
    variables: Many[Annotated[Variable, BeforeValidator(_spelled_out), OrBare(_WORD)]] = Field(
        default=(), json_schema_extra={"uniqueItems": True}
    )
    model: dict[Label, JsonValue] = Field(default_factory=dict)
    parameters: Parameters = Parameters()
    tests: Many[PromptTest] = ()

    @property
    def schema_of_answer(self) -> dict[str, JsonValue] | None:
        """The JSON Schema that answers must fit; None where any text will do."""
        return self.parameters.answer

    @property
    def texts(self) -> tuple[str, ...]:
        """The templates, in order."""
        return (self.template,) if self.template is not None else tuple(one.content for one in self.messages)

    @model_validator(mode="after")
    def _asks_one_way(self) -> Self:
        if self.template is None and not self.messages:
            raise ValueError("must have a template, or messages")
        if self.template is not None and self.messages:
            raise ValueError("messages: stand beside a template, where one of the two is meant")
        return self

    @model_validator(mode="after")
    def _declares_once(self) -> Self:
        names = [variable.name for variable in self.variables]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"variables: '{min(twice)}' is declared twice")
        return self
