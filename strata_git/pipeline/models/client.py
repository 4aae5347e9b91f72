"""What is asked and what is answered, whoever answers: the seam between chains and providers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from strata_git.canonical import canonical_json
from strata_git.pipeline.prompts import Message

Listener = Callable[[str], None]
"""Hears an answer piece by piece while it comes."""


@dataclass(frozen=True, slots=True)
class Question:
    """All that an answer depends on, but for who answers.

    `parameters` are `temperature`, `top_p`, `max_tokens`, `stop` and `seed`, as far as they were said; `schema` is a
    JSON Schema that the answer must fit; `prompt` the content hash of the prompt version. `salt` makes of the same
    words a question that was never asked.
    """

    messages: tuple[Message, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None
    prompt: str = ""
    salt: str = ""

    def digest(self, respondent: str) -> str:
        """SHA-256 (64 hex) over the question and who is asked; equal questions have equal digests on any machine."""
        asked = {
            "schema": "strata/question/v1",
            "respondent": respondent,
            "prompt": self.prompt,
            "messages": [[one.role, one.content] for one in self.messages],
            "parameters": dict(self.parameters),
            "answer": None if self.schema is None else dict(self.schema),
            **({"salt": self.salt} if self.salt else {}),
        }
        return hashlib.sha256(canonical_json(asked)).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `data` is the answer as JSON where a schema was asked for.

    Token counts are the provider's own where `counted`, else estimates. `cost` is in US dollars, None where nobody
    knows the price. `attempts` counts the requests that were made for it, and is 0 for an answer that was `remembered`.
    """

    text: str
    data: Any = None
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    counted: bool = True
    cost: Decimal | None = None
    attempts: int = 1
    finish: str = "stop"
    seconds: float = 0.0
    remembered: bool = False


class Respondent(Protocol):
    """One provider's adapter: makes exactly one request, and says what went wrong as InferenceError."""

    @property
    def name(self) -> str:
        """Who answers, such as `openai:gpt-4o`; part of every question's digest, so it holds no secret."""

    async def respond(self, question: Question, on_text: Listener | None = None) -> Answer:
        """The answer. Raises InferenceError, `retryable` where asking again may help."""

    async def close(self) -> None:
        """Let go of connections."""


class LLMClient(Protocol):
    """What chains and commands ask: `Respondent` with all that goes round a call."""

    async def complete(self, question: Question, on_text: Listener | None = None) -> Answer:
        """The answer, remembered or asked for. Raises InferenceError when it cannot be had."""

    async def close(self) -> None:
        """Let go of connections."""
