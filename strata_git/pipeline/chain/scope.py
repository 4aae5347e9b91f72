"""What an expression stands for. Every text is gone through once: what a document or an answer holds is never read as
an expression, whatever it looks like.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from strata_git.contracts.chain import Expression, When, expressions
from strata_git.errors import StrataError, printable

Scope = Mapping[str, Any]
"""`chunk`, `document`, `run`, `all` (step -> its answers in order), and the answers of earlier steps by name."""
_MARKED = re.compile(r"\$\$\{|\$\{[^{}]*\}")


class NoSuchValue(StrataError):
    """An answer has no such part."""


def value_of(said: Any, scope: Scope) -> Any:
    """`said` with every expression in its texts replaced; a text that is one expression alone gives the value itself.

    Raises NoSuchValue where an answer lacks what is asked of it.
    """
    if isinstance(said, str):
        return _text(said, scope)
    if isinstance(said, Mapping):
        return {key: value_of(part, scope) for key, part in said.items()}
    if isinstance(said, list | tuple):
        return [value_of(part, scope) for part in said]
    return said


def holds(when: When, scope: Scope) -> bool:
    """Whether what `when` asks is so."""
    value = value_of(when.value, scope)
    asked = (when.model_fields_set - {"value"}).pop()
    match asked:
        case "equals":
            return bool(value == when.equals)
        case "one_of":
            return value in when.one_of
        case "contains":
            return str(when.contains) in (value if isinstance(value, str | list) else text_of(value))
        case "is_empty":
            return (value in (None, "", [], {})) is when.is_empty
        case _:
            number = _number(value)
            bound = getattr(when, asked)
            return number is not None and (number > bound if asked == "above" else number < bound)


def paths(said: Any) -> list[tuple[str, ...]]:
    """All paths that the expressions in `said` name."""
    if isinstance(said, str):
        return [one.path for one in expressions(said)]
    parts: Sequence[Any] = list(said.values()) if isinstance(said, Mapping) else said if isinstance(said, list) else ()
    return [path for part in parts for path in paths(part)]


def _text(said: str, scope: Scope) -> Any:
    found = list(expressions(said))
    if len(found) == 1 and found[0].text == said.strip():
        return _value(found[0], scope)
    remaining = iter(found)

    def put(match: re.Match[str]) -> str:
        return "${" if match[0] == "$${" else text_of(_value(next(remaining), scope))

    return _MARKED.sub(put, said)


def _value(expression: Expression, scope: Scope) -> Any:
    first, *rest = expression.path
    value = scope.get(first)
    if first == "all" and rest:
        value = _gathered(value, rest)
        if expression.separator is not None:
            return expression.separator.join(text_of(one) for one in value)
        return value
    for place, word in enumerate(rest):
        value = _part(value, word, expression.path[: place + 1])
    return value


def _gathered(answers: Any, rest: Sequence[str]) -> list[Any]:
    """`all.step.field`: that field of every answer; answers that were not asked for are left out."""
    name, *fields = rest
    found = []
    for answer in answers.get(name, ()) if isinstance(answers, Mapping) else ():
        value = answer
        for place, word in enumerate(fields):
            value = _part(value, word, ("all", name, *fields[:place]))
        if value is not None:
            found.append(value)
    return found


def _part(value: Any, word: str, path: Sequence[str]) -> Any:
    if value is None:
        return None  # the step was not asked
    if isinstance(value, Mapping) and word in value:
        return value[word]
    known = f"it has {', '.join(map(str, value))}" if isinstance(value, Mapping) else "it has no parts"
    raise NoSuchValue(f"${{{'.'.join(path)}.{word}}}: {'.'.join(path)} has no '{word}'; {printable(known)[:200]}.")


def text_of(value: Any) -> str:
    """A value as it stands within a text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
