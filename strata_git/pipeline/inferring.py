"""One question with one prompt version: what `git strata infer` does, and what a prompt's own tests are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from strata_git.contracts.pipeline import Inference, Pipelines
from strata_git.errors import MissingExtra
from strata_git.pipeline.models.asking import merged
from strata_git.pipeline.models.catalog import entry, open_client
from strata_git.pipeline.models.client import Answer, Listener, Question
from strata_git.pipeline.models.memory import Memory
from strata_git.pipeline.models.structured import require_schema
from strata_git.pipeline.observability.counters import Counters
from strata_git.pipeline.prompts import Prompt, rendered
from strata_git.pipeline.secrets.resolve import Source


@dataclass(frozen=True, slots=True)
class Inferred:
    """An answer, the question it answers, and the entry of `inference` that was asked. `told` is it all in one line."""

    question: Question
    answer: Answer
    inference: str
    told: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one of a prompt's tests: `wrong` are phrases, empty when it passed."""

    name: str
    answer: Answer
    wrong: tuple[str, ...]


def question_with(
    prompt: Prompt,
    values: Mapping[str, object],
    settings: Inference,
    more: Mapping[str, object] | None = None,
    salt: str = "",
) -> Question:
    """What is asked: the prompt filled in, its parameters over those of strata.yaml, `more` over both.

    A question with another `salt` is another question, though the model is asked the same. Raises UsageError for values
    that do not fit the prompt.
    """
    own = prompt.body.parameters.model_dump(exclude={"answer"})
    base = {"temperature": settings.temperature, "max_tokens": settings.max_tokens}
    told = merged(base, own, dict(more or {}))
    stop = {"stop": list(told["stop"])} if "stop" in told else {}
    schema = prompt.body.schema_of_answer
    if schema is not None:
        require_schema(schema, f"{prompt.artifact.path}/prompt.yaml: parameters.schema")
    return Question(rendered(prompt.body, values), {**told, **stop}, schema, prompt.content_hash, salt)


def infer(
    prompt: Prompt,
    values: Mapping[str, object],
    pipelines: Pipelines,
    name: str,
    *,
    root: Path,
    secrets: Source,
    environ: Mapping[str, str],
    remember: bool = True,
    on_text: Listener | None = None,
) -> Inferred:
    """Ask `inference.<name>` once. Raises InferenceError when no answer can be had, UsageError for values that do not
    fit, StrataError for what strata.yaml does not say, MissingExtra without the extra `pipeline`.
    """
    import_anyio()
    import anyio

    asked = question_with(prompt, values, entry(pipelines, name))
    counters = Counters()
    memory = Memory(root) if remember else None
    client = open_client(pipelines, name, root=root, secrets=secrets, environ=environ, memory=memory, counters=counters)

    async def work() -> Answer:
        try:
            return await client.complete(asked, on_text)
        finally:
            await client.close()

    try:
        answer = anyio.run(work)
    finally:
        if memory is not None:
            memory.close()
    return Inferred(asked, answer, name, str(counters))


def try_tests(
    prompt: Prompt,
    pipelines: Pipelines,
    name: str,
    *,
    root: Path,
    secrets: Source,
    environ: Mapping[str, str],
) -> list[Tried]:
    """Ask `inference.<name>` what each of the prompt's tests says, and hold the answers against it (TFC-0011 3.3)."""
    tried = []
    for test in prompt.body.tests:
        inferred = infer(prompt, test.variables, pipelines, name, root=root, secrets=secrets, environ=environ)
        text = inferred.answer.text
        wrong = [f"does not contain '{part}'" for part in test.contains if part not in text]
        wrong += [f"contains '{part}'" for part in test.excludes if part in text]
        tried.append(Tried(test.name, inferred.answer, tuple(wrong)))
    return tried


def import_anyio() -> None:
    """MissingExtra where the packages that ask are not there."""
    from importlib.util import find_spec

    if find_spec("anyio") is None:
        raise MissingExtra("pipeline", "Asking a model")
