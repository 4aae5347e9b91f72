"""Answers as JSON: read out of what a model wrote, and held against the schema that was asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from strata_git.errors import StrataError, printable
from strata_git.pipeline.errors import InferenceError

_FENCED = re.compile(r"\A\s*```[A-Za-z]*\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)


def read(text: str) -> Any:
    """The JSON that `text` is, with or without a code fence round it. Raises InferenceError (retryable) for none."""
    fenced = _FENCED.match(text)
    try:
        return json.loads(fenced[1] if fenced else text, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise InferenceError(
            f"The answer is no JSON: {printable(str(error))}.", retryable=True,
            hint="Models answer in JSON more reliably where the prompt names the fields, and max_tokens leaves room.",
        ) from None  # fmt: skip


def fitted(text: str, schema: Mapping[str, Any]) -> Any:
    """The answer as data that fits `schema`. Raises InferenceError (retryable) where it does not."""
    from jsonschema import Draft202012Validator

    data = read(text)
    wrong = sorted(Draft202012Validator(schema).iter_errors(data), key=lambda error: [str(part) for part in error.path])
    if wrong:
        first = wrong[0]
        place = "/".join(str(part) for part in first.absolute_path) or "the answer"
        raise InferenceError(
            f"The answer does not fit its schema at {printable(place)}: {printable(first.message)[:200]}.",
            retryable=True,
        )
    return data


def require_schema(schema: Mapping[str, Any], place: str) -> None:
    """StrataError where `schema` is no JSON Schema, or one that looks outside of itself."""
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        raise StrataError(f"{printable(place)}: this is no JSON Schema: {printable(error.message)[:200]}.") from None
    if any(not reference.startswith("#") for reference in _references(schema)):
        raise StrataError(f"{printable(place)}: a schema may refer to itself only ($ref: '#/...').")


def _references(value: object) -> list[str]:
    if isinstance(value, Mapping):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for part in value.values() for found in _references(part)]
    return [found for part in value for found in _references(part)] if isinstance(value, list) else []


def _refused(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")
