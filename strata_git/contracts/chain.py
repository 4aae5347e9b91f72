"""A chain, `chains/*.yaml` (TFC-0011 section 4): documents in, steps with prompts, outputs; and its expressions.

The grammar of `${...}` is here, so that whoever runs a chain and whoever judges it read the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from strata_git.contracts.base import Checked, Contract, Label, Many, Name, Number, OrBare, RunId, Text, reference
from strata_git.contracts.prompt import Word

SOURCES = ("chunk", "document", "run", "all")
"""What an expression may begin with, beside the outputs of earlier steps."""
FIELDS = {
    "chunk": frozenset({"id", "text", "index", "start", "end", "tokens"}),
    "document": frozenset({"id", "text", "name", "uri", "type", "sha256", "bytes", "modified"}),
    "run": frozenset({"id", "started", "seed"}),
}
"""What there is to know of a chunk, of the document it was cut from, and of the run."""
FOUND = frozenset({"text", "hits"})
"""What the answer of a step that retrieves has."""

_EXPRESSION = re.compile(r"\$\{([^{}]*)\}")
_PATH = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
_READ = re.compile(rf"\s*({_PATH})\s*")
_JOIN = re.compile(rf'\s*join\(\s*({_PATH})\s*,\s*("(?:[^"\\]|\\[nt"\\])*")\s*\)\s*')


@dataclass(frozen=True, slots=True)
class Expression:
    """`${chunk.text}` or `${join(all.summary, "\\n")}`: the path in words, and the separator of a join."""

    text: str
    path: tuple[str, ...]
    separator: str | None = None

    @property
    def gathers(self) -> bool:
        """Whether it stands for what a step gave for all chunks, so that its own step runs once, after all of them."""
        return self.path[0] == "all"


def expressions(text: str) -> Iterator[Expression]:
    """The expressions in a text; `$${` is a `${` that stands for itself. Raises ValueError for one that is none."""
    import json

    bare = text.replace("$${", "")
    for found in _EXPRESSION.finditer(bare):
        inner = found[1]
        if read := _READ.fullmatch(inner):
            yield Expression(found[0], _full(read[1]))
        elif join := _JOIN.fullmatch(inner):
            yield Expression(found[0], _full(join[1]), json.loads(join[2]))
        else:
            raise ValueError(f"'{found[0]}' is neither a value such as ${{chunk.text}} nor a join")
    if "${" in _EXPRESSION.sub("", bare):
        raise ValueError("a ${ has no } (write $${ for the characters themselves)")


def _full(path: str) -> tuple[str, ...]:
    """The path in words; `doc` is short for document, and `steps.x` the long form of `x`."""
    words = tuple(path.split("."))
    if words[0] == "steps" and len(words) > 1:
        return words[1:]
    return ("document", *words[1:]) if words[0] == "doc" else words


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Patterns = Annotated[Many[Text], BeforeValidator(_listed), OrBare(r"\S")]
"""A list of patterns; a lone one will do."""


class Documents(Contract):
    """Which documents: a connector of strata.yaml, and the patterns of the names that are taken (and left)."""

    connector: Name
    select: Patterns = ("**/*",)
    exclude: Patterns = ()
    limit: int | None = Field(default=None, ge=1)


class Chunking(Contract):
    """How documents are cut: into pieces of at most `max` tokens (or other units), of which `overlap` come twice.

    `markdown` counts tokens too, and ends a piece before a heading where one is near.
    """

    by: Literal["tokens", "markdown", "characters", "sentences", "lines", "document"] = "tokens"
    max: int = Field(default=800, ge=1)
    overlap: int = Field(default=0, ge=0)
    tokenizer: Label | None = None

    @model_validator(mode="after")
    def _moves_on(self) -> Self:
        if self.overlap >= self.max:
            raise ValueError("overlap: must be less than max")
        return self


class Retry(Contract):
    """How often a call that failed for a while is made again, and how long is waited at first."""

    attempts: int = Field(default=3, ge=1, le=20)
    wait_ms: int = Field(default=500, ge=0, le=600_000)


_HELD = ("equals", "one_of", "contains", "above", "below", "is_empty")


def _one_of(*keys: str) -> ConfigDict:
    """What a schema says of a model that has exactly one of these keys."""
    return ConfigDict(
        extra="forbid", strict=True, frozen=True, json_schema_extra={"oneOf": [{"required": [key]} for key in keys]}
    )


class When(Contract):
    """What must be so for a step to be asked: `value`, an expression or a text with some, held against one thing."""

    model_config = _one_of(*_HELD)

    value: Text
    equals: JsonValue = None
    one_of: Many[JsonValue] = ()
    contains: Text | None = None
    above: Number | None = None
    below: Number | None = None
    is_empty: bool | None = None

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        said = self.model_fields_set - {"value"}
        if len(said) != 1:
            raise ValueError(f"must say one of {', '.join(_HELD)}")
        return self


class ChunkIndex(Contract):
    """Pieces in which a chain can look things up: of the documents of a connector, or the chunks that the run `run` of
    `process` made. `embeddings` is the entry of `inference` whose model makes vectors of them, `dimensions` how long
    these are, where the model leaves a choice.
    """

    model_config = _one_of("connector", "run")

    connector: Name | None = None
    run: RunId | None = None
    select: Patterns = ("**/*",)
    exclude: Patterns = ()
    limit: int | None = Field(default=None, ge=1)
    chunking: Chunking | None = None
    embeddings: Name = "default"
    dimensions: int | None = Field(default=None, ge=1, le=16_384)

    @model_validator(mode="after")
    def _has_chunks(self) -> Self:
        if (self.connector is None) == (self.run is None):
            raise ValueError("an index has either a connector or a run")
        if self.run is not None and self.model_fields_set & {"select", "exclude", "limit", "chunking"}:
            raise ValueError(
                "the chunks of a run are as they are: select, exclude, limit and chunking go with a connector"
            )
        return self


class Retrieve(Contract):
    """What a step looks up: the `top` pieces of an `index` of the chain that are most alike to `query`, the likest
    first; those less alike than `least` (the cosine, from -1 to 1) are left out.
    """

    index: Name
    query: Text
    top: int = Field(default=5, ge=1, le=1000)
    least: Annotated[Number, Field(ge=-1, le=1)] | None = None


class Budget(Contract):
    """What a run of the chain may take: US dollars, and tokens in and out. Remembered answers count as nothing."""

    max_cost: Annotated[Number, Field(gt=0)] | None = None
    max_tokens: int | None = Field(default=None, ge=1)


class Step(Contract):
    """One prompt, asked for every chunk; or once, where its input gathers (`${all.…}`). Or one look into an index.

    `input` gives the prompt's variables. `output` is the name under which later steps find the answer (the step's id
    when left out). Where `when` does not hold the step is not asked, and its answer is null. `on_error`: `fail` ends
    the run, `skip` leaves the chunk out, `default` answers with `default`. The answer of `retrieve` has `text`, the
    pieces that were found, and `hits`, all that is known of each.
    """

    model_config = _one_of("prompt", "retrieve")

    id: Word
    prompt: Annotated[str, reference("prompt")] | None = None
    retrieve: Retrieve | None = None
    input: dict[Word, JsonValue] = Field(default_factory=dict)
    when: When | None = None
    inference: Name = "default"
    params: dict[Label, JsonValue] = Field(default_factory=dict)
    output: Word | None = None
    format: Literal["text", "json"] = "text"
    on_error: Literal["fail", "skip", "default"] | None = None
    default: JsonValue = None
    retry: Retry | None = None
    concurrency: int | None = Field(default=None, ge=1, le=1024)

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        if (self.prompt is None) == (self.retrieve is None):
            raise ValueError("a step has either a prompt or retrieve")
        if self.retrieve is not None and (said := self.model_fields_set & {"input", "params", "format", "inference"}):
            raise ValueError(f"{min(said)}: goes with a prompt")
        return self


def _file(value: str) -> str:
    for expression in expressions(value):
        if expression.path[0] != "run":
            raise ValueError(f"{expression.text} cannot be part of a file's name")
    if value.startswith("/") or ".." in value.split("/") or "\\" in value:
        raise ValueError("must be a path inside the run's artifacts")
    return value


class Output(Contract):
    """Where answers go: to a sink of strata.yaml, or to a file among the run's artifacts."""

    export: Name | None = None
    save: Annotated[str, Checked(_file, r"\S", "a path inside the run's artifacts")] | None = None
    source: Word | None = Field(default=None, alias="from")
    form: Literal["jsonl", "csv", "parquet", "json", "text"] | None = Field(default=None, alias="as")

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        if (self.export is None) == (self.save is None):
            raise ValueError("an output has either export (a sink) or save (a file)")
        return self


class Chain(Contract):
    """chains/*.yaml: the whole of a chain."""

    name: Name
    description: Text | None = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    inputs: Documents
    chunking: Chunking = Chunking()
    index: dict[Name, ChunkIndex] = Field(default_factory=dict)
    concurrency: int = Field(default=1, ge=1, le=1024)
    on_error: Literal["fail", "skip"] = "fail"
    budget: Budget = Budget()
    steps: Many[Step] = Field(min_length=1)
    outputs: Many[Output] = ()
    tags: dict[Label, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _reads_what_there_is(self) -> Self:
        known: dict[str, frozenset[str] | None] = {}
        for place, step in enumerate(self.steps):
            name = step.output or step.id
            if name in known or name in SOURCES:
                raise ValueError(f"steps.{place}.id: '{name}' is taken")
            for key, value in step.input.items():
                _judge_value(f"steps.{place}.input.{key}", value, known)
            if step.when is not None:
                _judge_value(f"steps.{place}.when.value", step.when.value, known)
            if step.retrieve is not None:
                if step.retrieve.index not in self.index:
                    raise ValueError(f"steps.{place}.retrieve.index: the chain has no index '{step.retrieve.index}'")
                _judge_value(f"steps.{place}.retrieve.query", step.retrieve.query, known)
            known[name] = FOUND if step.retrieve is not None else None
        for place, output in enumerate(self.outputs):
            if output.source is not None and output.source not in known:
                raise ValueError(f"outputs.{place}.from: there is no step '{output.source}'")
        return self


Known = Mapping[str, frozenset[str] | None]
"""Earlier steps by the names of their answers, and the parts of those, where they are known beforehand."""


def _judge_value(key: str, value: JsonValue, known: Known) -> None:
    if isinstance(value, str):
        try:
            for expression in expressions(value):
                _judge_path(expression, known)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inner:
        _judge_value(f"{key}.{name}", part, known)


def _judge_path(expression: Expression, known: Known) -> None:
    first, *rest = expression.path
    if first in FIELDS and (len(rest) != 1 or rest[0] not in FIELDS[first]):
        raise ValueError(f"{expression.text}: a {first} has {', '.join(sorted(FIELDS[first]))}")
    if first == "all" and (not rest or rest[0] not in known):
        raise ValueError(f"{expression.text}: no earlier step is called '{rest[0] if rest else ''}'")
    name, parts = (rest[0], rest[1:]) if first == "all" and rest else (first, rest)
    fields = known.get(name)
    if fields is not None and parts and parts[0] not in fields:
        raise ValueError(f"{expression.text}: what '{name}' finds has {', '.join(sorted(fields))}")
    if first not in SOURCES and first not in known:
        raise ValueError(f"{expression.text}: neither a source ({', '.join(SOURCES)}) nor an earlier step")
    if expression.separator is not None and first != "all":
        raise ValueError(f"{expression.text}: only all.STEP can be joined")
