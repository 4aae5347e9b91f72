"""Texts as vectors: asked for once, in batches, again when it may help; what is no vector is refused."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest

from strata_git.contracts.pipeline import Pipelines
from strata_git.errors import StrataError
from strata_git.pipeline.backoff import Backoff
from strata_git.pipeline.errors import InferenceError
from strata_git.pipeline.models.catalog import open_embeddings
from strata_git.pipeline.models.embedding import Embedded, EmbeddingClient
from strata_git.pipeline.models.embedding_offline import WordVectors
from strata_git.pipeline.models.memory import Memory


@dataclass
class Fake:
    """Gives the length of each text, after `failures`."""

    failures: list[InferenceError] = field(default_factory=list)
    asked: list[list[str]] = field(default_factory=list)
    vectors: Sequence[Sequence[float]] | None = None
    name: str = "fake:e"
    batch: int = 2

    async def embed(self, texts: Sequence[str]) -> Embedded:
        self.asked.append(list(texts))
        if self.failures:
            raise self.failures.pop(0)
        return Embedded(self.vectors or [[len(text), 1.0] for text in texts], 3 * len(texts))

    async def close(self) -> None: ...


async def _at_once(_: float) -> None: ...


def client(fake: Fake, memory: Memory | None = None, **more: str) -> EmbeddingClient:
    return EmbeddingClient(fake, "offline", "e", memory, backoff=Backoff(attempts=3), sleep=_at_once, **more)  # type: ignore[arg-type]


def numbers(vectors: list[bytes]) -> list[list[float]]:
    return [list(array("f", one)) for one in vectors]


def test_what_was_embedded_is_not_asked_for_again(tmp_path: Path) -> None:
    fake, memory = Fake(), Memory(tmp_path)
    one = client(fake, memory)
    assert numbers(anyio.run(one.embed, ["a", "bb", "a", "ccc"])) == [[1, 1], [2, 1], [1, 1], [3, 1]]
    assert fake.asked == [["a", "bb"], ["ccc"]]
    assert (one.counters["calls"], one.counters["input_tokens"], one.counters["cached"]) == (2, 9, 0)
    again = client(Fake(), memory)
    assert numbers(anyio.run(again.embed, ["ccc", "a"])) == [[3, 1], [1, 1]]
    assert (again.counters["calls"], again.counters["cached"]) == (0, 2)
    salted = client(fresh := Fake(), memory, salt="x")
    anyio.run(salted.embed, ["a"])
    assert fresh.asked == [["a"]]
    assert anyio.run(salted.embed, []) == []
    memory.close()


def test_what_passes_is_tried_again_and_what_does_not_is_told() -> None:
    fake = Fake([InferenceError("busy", kind="throttled"), InferenceError("gone", kind="unavailable")])
    one = client(fake)
    assert numbers(anyio.run(one.embed, ["a"])) == [[1, 1]]
    assert (len(fake.asked), one.counters["retries"]) == (3, 2)
    with pytest.raises(InferenceError, match="no such model"):
        anyio.run(client(Fake([InferenceError("no such model", kind="not_found")])).embed, ["a"])


@pytest.mark.parametrize("vectors", [[[1.0], [2.0, 3.0]], [[1.0]], [[], []], [[math.nan], [1.0]], [[math.inf], [1.0]]])
def test_what_is_no_vector_is_refused(vectors: list[list[float]]) -> None:
    fake = Fake(vectors=vectors)
    with pytest.raises(InferenceError, match="The model gave"):
        anyio.run(client(fake).embed, ["a", "b"])
    assert len(fake.asked) == 3


def test_words_lie_near_words_on_every_machine() -> None:
    def alike(one: Sequence[float], other: Sequence[float]) -> float:
        return sum(a * b for a, b in zip(one, other, strict=True)) / math.hypot(*one) / math.hypot(*other)

    made = anyio.run(WordVectors("words", 64).embed, ["the red boats", "a red boat", "tax law", "…"])
    boats, boat, tax, nothing = made.vectors
    assert alike(boats, boat) > 0.25 > alike(boats, tax)
    assert (set(nothing), len(boat), made.counted) == ({0.0}, 64, False)
    assert [round(number) for number in anyio.run(WordVectors("words", 8).embed, ["boat"]).vectors[0]] == [
        0,
        0,
        1,
        0,
        -2,
        0,
        0,
        0,
    ]
    with pytest.raises(InferenceError, match="There is no offline model 'echo' of embeddings"):
        WordVectors("echo")


def test_an_entry_that_cannot_embed_is_told() -> None:
    pipelines = Pipelines.model_validate({"inference": {"default": {"provider": "recorded", "model": "answers.jsonl"}}})
    with pytest.raises(StrataError, match="recorded answers have no vectors"):
        open_embeddings(pipelines, "default", secrets=None, environ={})  # type: ignore[arg-type]
