"""What a chain would ask and cost, before it does: counted over the real documents, answers being guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from strata_git.contracts.pipeline import Inference
from strata_git.pipeline.chain.indexes import Gathered
from strata_git.pipeline.chain.plan import Lookup, Plan, Ready
from strata_git.pipeline.chain.units import Unit, units
from strata_git.pipeline.documents.tokens import tokenizer
from strata_git.pipeline.models.asking import ASSUMED_OUTPUT
from strata_git.pipeline.models.cost import cost_of
from strata_git.pipeline.models.embedding import BATCH


@dataclass(frozen=True, slots=True)
class Estimate:
    """One step: calls, tokens in and out, US dollars (None where nobody knows the price)."""

    step: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost: Decimal | None


def estimated(plan: Plan, first: Path, indexes: Mapping[str, Gathered] = MappingProxyType({})) -> list[Estimate]:
    """Each index that is to be embedded, and each step over the units in `first`.

    An answer counts as long as it may be, a later step's input with it. Conditions are taken to hold, nothing is taken
    to be remembered: no run costs more, but for retries.
    """
    tallies = [[0, 0, 0] for _ in plan.steps]
    answers: dict[str, int] = {}
    pieces = {name: -(-one.tokens // one.chunks) for name, one in indexes.items()}
    chunks = 0
    for unit in units(first):
        chunks += 1
        for place, ready in enumerate(plan.steps):
            if not ready.gathers:
                _count(tallies[place], _size(ready, unit, answers), ready)
                answers[ready.name] = _answer(ready, pieces)
    for place, ready in enumerate(plan.steps):
        if ready.gathers:
            wanted = {path[1] for path in ready.paths if path[0] == "all"}
            _count(tallies[place], _words(ready) + sum(answers.get(name, 0) * chunks for name in wanted), ready)
            answers[ready.name] = _answer(ready, pieces)
    embedded = [_embedded(plan.indexes[name].inference, one) for name, one in indexes.items()]
    return embedded + [_told(ready, tally) for ready, tally in zip(plan.steps, tallies, strict=True)]


def _embedded(settings: Inference, index: Gathered) -> Estimate:
    cost = cost_of(settings.provider, settings.price_as or settings.model, taken=index.tokens, given=0)
    calls = -(-index.chunks // BATCH)
    return Estimate(f"index {index.name}", f"{settings.provider}:{settings.model}", calls, index.tokens, 0, cost)


def _told(ready: Ready | Lookup, tally: list[int]) -> Estimate:
    settings = ready.inference
    calls, taken, given = tally
    cost = cost_of(settings.provider, settings.price_as or settings.model, taken=taken, given=given)
    return Estimate(ready.step.id, f"{settings.provider}:{settings.model}", calls, taken, given, cost)


def _count(tally: list[int], taken: int, ready: Ready | Lookup) -> None:
    tally[0] += 1
    tally[1] += taken
    tally[2] += _most(ready)


def _size(ready: Ready | Lookup, unit: Unit, answers: Mapping[str, int]) -> int:
    """Tokens of the prompt for one chunk."""
    size = _words(ready)
    for path in ready.paths:
        if path[:2] == ("chunk", "text"):
            size += int(unit.chunk["tokens"])
        elif path[:2] == ("document", "text"):
            size += int(unit.document["bytes"]) // 4
        elif path[0] in answers:
            size += answers[path[0]]
        else:
            size += 8
    return size


def _words(ready: Ready | Lookup) -> int:
    counting = tokenizer(ready.inference.price_as or ready.inference.model)
    return sum(map(counting.count, ready.prompt.body.texts if isinstance(ready, Ready) else [ready.retrieve.query]))


def _answer(ready: Ready | Lookup, pieces: Mapping[str, int]) -> int:
    """Tokens that a later step is given of what this one answers; `pieces` have so many on the average."""
    return _most(ready) if isinstance(ready, Ready) else ready.retrieve.top * pieces[ready.retrieve.index]


def _most(ready: Ready | Lookup) -> int:
    """Tokens that are paid for as an answer's."""
    if isinstance(ready, Lookup):
        return 0
    said: Any = ready.step.params.get("max_tokens") or ready.prompt.body.parameters.max_tokens
    most = said or ready.inference.max_tokens
    return most if isinstance(most, int) else ASSUMED_OUTPUT
