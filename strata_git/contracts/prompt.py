"""A prompt version's metadata.yaml and prompt.yaml (TFC-0011)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from strata_git.contracts.base import Checked, Contract, Label, Many, OrBare, Record, Text, whole

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


class PromptTest(Contract):
    """An example that the prompt must pass: what is filled in, and what the answer must contain."""

    name: Label
    variables: dict[Word, JsonValue] = Field(default_factory=dict)
    contains: Many[Text] = ()


class PromptMetadata(Record):
    """What metadata.yaml of a prompt version says."""

    kind: Literal["prompt"]


class PromptBody(Contract):
    """prompt.yaml: the template, its variables, defaults for the model, and tests."""

    template: Text
    variables: Many[Annotated[Variable, BeforeValidator(_spelled_out), OrBare(_WORD)]] = Field(
        default=(), json_schema_extra={"uniqueItems": True}
    )
    model: dict[Label, JsonValue] = Field(default_factory=dict)
    tests: Many[PromptTest] = ()

    @model_validator(mode="after")
    def _declares_once(self) -> Self:
        names = [variable.name for variable in self.variables]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"variables: '{min(twice)}' is declared twice")
        return self
