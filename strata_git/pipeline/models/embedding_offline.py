"""Vectors without a network, for trying chains out and for tests: words and their parts, thrown into so many bins.

Texts that share words lie near each other, and the same text has the same vector on every machine; nothing is known of
what words mean.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from zlib import crc32

from strata_git.pipeline.documents.tokens import tokenizer
from strata_git.pipeline.errors import InferenceError
from strata_git.pipeline.models.embedding import BATCH, Embedded

MODEL = "words"
DIMENSIONS = 256
_WORD = re.compile(r"\w+")
_PART = 4


class WordVectors:
    """The offline model `words`. Raises InferenceError for another name."""

    batch = BATCH

    def __init__(self, model: str, dimensions: int | None = None) -> None:
        if model != MODEL:
            raise InferenceError(
                f"There is no offline model '{model}' of embeddings.", kind="not_found", hint=f"There is: {MODEL}"
            )
        self._dimensions = dimensions or DIMENSIONS

    @property
    def name(self) -> str:
        return f"offline:{MODEL}/{self._dimensions}"

    async def embed(self, texts: Sequence[str]) -> Embedded:
        counting = tokenizer()
        return Embedded([self._vector(text) for text in texts], sum(map(counting.count, texts)), counted=False)

    async def close(self) -> None:
        """Nothing is open."""

    def _vector(self, text: str) -> list[float]:
        vector = [0.0] * self._dimensions
        for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
            parts = (word[start : start + _PART] for start in range(max(0, len(word) - _PART) + 1))
            for weight, feature in ((2.0, f"={word}"), *((1.0, part) for part in parts)):
                place = crc32(feature.encode("utf-8", "surrogatepass"))
                vector[place % self._dimensions] += weight if place >> 31 else -weight
        return vector
