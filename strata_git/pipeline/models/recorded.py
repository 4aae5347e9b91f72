"""Answers that were had before, from a file of lines `{"question": SHA-256, "text": …}`: nobody is asked.

For tests of prompts that must not cost anything, and for showing a chain's result again. The file is made by
`git strata infer --record FILE`; a question is known by its digest without who was asked, so that what one model said
can be replayed wherever another one stands in the settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from strata_git.errors import StrataError, printable
from strata_git.pipeline.errors import InferenceError
from strata_git.pipeline.models.client import Answer, Listener, Question

ANYBODY = "anybody"
"""Who a recorded question was asked, in its digest."""
_LIMIT = 1 << 28


class RecordedModel:
    """The answers in `path`. Raises StrataError for a file that cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._answers = dict(_read(path))

    @property
    def name(self) -> str:
        return f"recorded:{self._path.name}"

    async def respond(self, question: Question, on_text: Listener | None = None) -> Answer:
        answer = self._answers.get(question.digest(ANYBODY))
        if answer is None:
            raise InferenceError(
                f"{printable(self._path.name)} has no answer to this question.", kind="not_found",
                hint="Record one: git strata infer --record FILE",
            )  # fmt: skip
        if on_text is not None:
            on_text(answer.text)
        return answer

    async def close(self) -> None:
        """Nothing is open."""


def line(question: Question, answer: Answer) -> str:
    """What a recording says of one answer, with its line end."""
    plain = {
        "question": question.digest(ANYBODY),
        "text": answer.text,
        "model": answer.model,
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "counted": answer.counted,
        "cost": None if answer.cost is None else str(answer.cost),
        "finish": answer.finish,
    }
    return json.dumps(plain, ensure_ascii=False, sort_keys=True) + "\n"


def _read(path: Path) -> Iterator[tuple[str, Answer]]:
    try:
        if path.stat().st_size > _LIMIT:
            raise StrataError(f"{printable(str(path))} is too large for a recording.")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise StrataError(f"{printable(str(path))} could not be read: {reason}.") from None
    for number, text in enumerate(lines, 1):
        try:
            said = json.loads(text)
            yield str(said["question"]), Answer(
                str(said["text"]), None, str(said["model"]), int(said["input_tokens"]), int(said["output_tokens"]),
                counted=bool(said["counted"]), cost=None if said["cost"] is None else Decimal(said["cost"]),
                finish=str(said["finish"]),
            )  # fmt: skip
        except (ValueError, KeyError, TypeError, ArithmeticError):
            raise StrataError(f"{printable(str(path))}:{number}: this is no recorded answer.") from None
