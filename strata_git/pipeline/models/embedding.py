"""Texts as vectors, so that what means the same lies near: one call with all that goes round it, as for answers.

A vector is handed on as float32 numbers, little-endian, as the provider gave them. It is on the disk before it is used,
by a digest over the provider, the model and the text: what was paid for is not asked for again.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Protocol

from strata_git.canonical import canonical_json
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.documents.tokens import tokenizer
from strata_git.pipeline.errors import InferenceError
from strata_git.pipeline.models.asking import Sleep, Turns, persistent
from strata_git.pipeline.models.cost import cost_of
from strata_git.pipeline.models.limits import Limits
from strata_git.pipeline.observability.counters import Counters
from strata_git.pipeline.observability.spans import Spans

if TYPE_CHECKING:
    import anyio

    from strata_git.pipeline.models.memory import Memory

BATCH = 64
"""Texts of one call, at most; a provider that takes fewer says so (`Embedder.batch`)."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """One vector a text, in their order; what the call took (`counted`: by the provider, else estimated)."""

    vectors: Sequence[Sequence[float]]
    tokens: int
    counted: bool = True


class Embedder(Protocol):
    """One provider's adapter: makes exactly one request, and says what went wrong as InferenceError."""

    @property
    def name(self) -> str:
        """Who embeds, and into how many dimensions where that was asked; part of every digest, holds no secret."""

    @property
    def batch(self) -> int:
        """How many texts one request takes."""

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Their vectors. Raises InferenceError, `retryable` where asking again may help."""

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(slots=True)
class EmbeddingClient:
    """Asks `embedder`; for any number of tasks of one event loop. Fields as those of `models.asking.Client`.

    Texts with another `salt` are other texts, though the model is asked the same.
    """

    embedder: Embedder
    provider: str
    priced: str
    memory: Memory | None = None
    limits: Limits = field(default_factory=Limits)
    backoff: Backoff = field(default_factory=Backoff)
    counters: Counters = field(default_factory=Counters)
    spans: Spans = field(default_factory=Spans)
    at_once: int | None = None
    salt: str = ""
    sleep: Sleep | None = None
    _turns: Turns = field(default_factory=Turns)
    _limiter: anyio.CapacityLimiter | None = None

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """A vector for each text, as bytes of float32 numbers; equal texts of one call are asked for once.

        Raises InferenceError: at once where asking again would not help, else after the last attempt.
        """
        keys = [self.digest(text) for text in texts]
        known: dict[str, bytes] = {}
        async with self._turns.alone(keys[0] if keys else ""):
            for key in dict.fromkeys(keys):
                if self.memory is not None and (found := self.memory.recall_vector(key)) is not None:
                    known[key] = found
            self.counters.add(cached=len(known))
            missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
            asked = list(missing.items())
            for start in range(0, len(asked), self.embedder.batch):
                part = asked[start : start + self.embedder.batch]
                vectors = await self._asked([text for _, text in part])
                made = [(key, vector) for (key, _), vector in zip(part, vectors, strict=True)]
                if self.memory is not None:
                    self.memory.keep_vectors(made)
                known.update(made)
        return [known[key] for key in keys]

    def digest(self, text: str) -> str:
        """SHA-256 (64 hex) over who is asked and the text; the same on any machine."""
        asked = {"schema": "strata/embedding/v1", "respondent": self.embedder.name, "text": text}
        told = asked | ({"salt": self.salt} if self.salt else {})
        try:
            return hashlib.sha256(canonical_json(told)).hexdigest()
        except ValueError:
            raise InferenceError("A text to be embedded is no Unicode text that can be written down.") from None

    async def close(self) -> None:
        """Let go of connections."""
        await self.embedder.close()

    async def _asked(self, texts: Sequence[str]) -> list[bytes]:
        import anyio

        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self.at_once or 1024)
        counting = tokenizer(self.priced)
        estimated = sum(counting.count(text) for text in texts)
        async with self._limiter:
            return await persistent(lambda _: self._attempt(texts, estimated), self.backoff, self.counters, self.sleep)

    async def _attempt(self, texts: Sequence[str], estimated: int) -> list[bytes]:
        import anyio

        model = self.embedder.name.partition(":")[2]
        async with self.limits.admitted(estimated) as settle:
            with self.spans.call(self.provider, model, operation="embeddings") as span:
                with anyio.CancelScope(shield=True):  # it will have to be paid for, whoever ends the work meanwhile
                    said = await self.embedder.embed(texts)
                tokens = said.tokens if said.counted else estimated
                settle(tokens)
                self.counters.add(calls=1, input_tokens=tokens)
                cost = cost_of(self.provider, self.priced, taken=tokens, given=0)
                if cost is not None:
                    self.counters.spend(cost)
                span.answered(model=model, input_tokens=tokens)
                return _packed(said.vectors, len(texts))


def _packed(vectors: Sequence[Sequence[float]], count: int) -> list[bytes]:
    """Vectors as bytes. Raises InferenceError for what is no vector, and for another number of them than asked for."""
    lengths = {len(vector) for vector in vectors}
    if len(vectors) != count or len(lengths) != 1 or 0 in lengths:
        raise InferenceError(
            f"The model gave {len(vectors)} vectors of {sorted(lengths)} numbers for {count} texts.", retryable=True,
            hint="Is it a model of embeddings? See the entry below inference in strata.yaml.",
        )  # fmt: skip
    if not all(isfinite(number) for vector in vectors for number in vector):
        raise InferenceError("The model gave a vector with a number that is none (NaN or infinite).", retryable=True)
    packed = [array("f", vector) for vector in vectors]
    if sys.byteorder == "big":
        for one in packed:
            one.byteswap()
    return [one.tobytes() for one in packed]
