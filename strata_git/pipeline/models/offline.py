"""A model that needs no network: for trying chains out, for tests, and for rehearsing a failure.

`echo` gives the last message back, `digest` eight words that only the same question gets again. Where an answer must
fit a schema both give the smallest value that does. They answer alike on every machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from strata_git.pipeline.documents.tokens import tokenizer
from strata_git.pipeline.errors import InferenceError
from strata_git.pipeline.models.client import Answer, Listener, Question

MODELS = ("echo", "digest")
_DEEPEST = 16


class OfflineModel:
    """`echo` or `digest`. Raises InferenceError for another name."""

    def __init__(self, model: str) -> None:
        if model not in MODELS:
            raise InferenceError(
                f"There is no offline model '{model}'.", kind="not_found", hint=f"There are: {', '.join(MODELS)}"
            )
        self._model = model

    @property
    def name(self) -> str:
        return f"offline:{self._model}"

    async def respond(self, question: Question, on_text: Listener | None = None) -> Answer:
        asked = "\n".join(one.content for one in question.messages)
        counting = tokenizer()
        data = smallest(question.schema) if question.schema is not None else None
        if question.schema is not None:
            text = json.dumps(data, ensure_ascii=False, sort_keys=True)
        elif self._model == "echo":
            text = question.messages[-1].content
        else:
            found = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()
            text = " ".join(found[place : place + 8] for place in range(0, 64, 8))
        text, finish = _cut(text, question.parameters.get("max_tokens"), whole=question.schema is not None)
        if on_text is not None:
            on_text(text)
        return Answer(
            text, data, self._model, counting.count(asked), counting.count(text), counted=False, finish=finish
        )

    async def close(self) -> None:
        """Nothing is open."""


def _cut(text: str, most: object, *, whole: bool) -> tuple[str, str]:
    if not isinstance(most, int) or whole:
        return text, "stop"
    kept = tokenizer().longest(text, most)
    return (text, "stop") if kept >= len(text) else (text[:kept], "length")


def smallest(schema: Mapping[str, Any], depth: int = 0) -> Any:
    """The smallest value of the usual kinds of JSON Schema: the default, the first choice, what is required, zero."""
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        if isinstance(schema.get(key), Sequence) and schema[key]:
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(key), Sequence) and schema[key] and depth < _DEEPEST:
            return smallest(schema[key][0], depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" and depth < _DEEPEST:
        parts = schema.get("properties", {})
        return {name: smallest(parts.get(name, {}), depth + 1) for name in schema.get("required", parts)}
    if kind == "array":
        count = min(int(schema.get("minItems", 0)), 100)
        return [smallest(schema.get("items", {}), depth + 1) for _ in range(count)] if depth < _DEEPEST else []
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    return {"boolean": False, "null": None}.get(kind, "x" * min(int(schema.get("minLength", 0)), 1000))
