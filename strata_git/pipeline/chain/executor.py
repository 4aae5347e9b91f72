"""A chain at work: documents to units, then step after step over all of them.

Steps that are asked for each chunk and follow one another go over the units together, many units at once; a step that
gathers is asked once, when all before it is done. Answers that were paid for are remembered (`models.memory`), so that
whoever begins again after a crash pays nothing twice and comes to the same outputs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strata_git.contracts.chain import Retry
from strata_git.errors import StrataError, printable
from strata_git.pipeline.chain.indexes import Opened
from strata_git.pipeline.chain.ordered import each
from strata_git.pipeline.chain.plan import Lookup, Plan, Ready
from strata_git.pipeline.chain.scope import holds, text_of, value_of
from strata_git.pipeline.chain.units import Texts, Unit, units
from strata_git.pipeline.errors import InferenceError
from strata_git.pipeline.inferring import question_with
from strata_git.pipeline.models.client import Answer, LLMClient, Question
from strata_git.pipeline.models.structured import read
from strata_git.pipeline.observability.counters import Counters

Told = Callable[[str], None]


class BudgetSpent(StrataError):
    """The chain may take no more than this."""


class _LeftOut(Exception):
    """A unit without an answer, which the chain goes on without."""


@dataclass(slots=True)
class Work:
    """What a chain at work needs.

    `clients` are by (inference, retry); `directory` is scratch of its own; `run` is what expressions see of the run;
    `indexes` are those that steps look into; `done` hears of every step of every unit; `left_out` grows with what was
    skipped.
    """

    plan: Plan
    clients: Callable[[str, Retry | None], LLMClient]
    counters: Counters
    directory: Path
    texts: Texts
    run: Mapping[str, Any]
    log: Told
    done: Callable[[], None]
    salt: str = ""
    indexes: dict[str, Opened] = field(default_factory=dict)
    gathered: dict[str, Any] = field(default_factory=dict)
    left_out: list[dict[str, Any]] = field(default_factory=list)


async def perform(work: Work, first: Path) -> Path:
    """Ask all steps over the units in `first`; the file of units with all answers.

    Raises StrataError (InferenceError among them), which names document, chunk and step, where the chain says that a
    failure ends it; BudgetSpent.
    """
    current = first
    for number, (gathers, group) in enumerate(itertools.groupby(work.plan.steps, key=lambda one: one.gathers)):
        steps = tuple(group)
        if gathers:
            for step in steps:
                work.gathered[step.name] = await _gather(work, step, current)
            continue
        following = work.directory / f"units-{number}.jsonl"
        with open(following, "wb") as out:

            def put(line: bytes | None, out: Any = out) -> None:
                if line is not None:
                    out.write(line)

            async def one(unit: Unit, steps: tuple[Ready | Lookup, ...] = steps) -> bytes | None:
                return await _unit(work, unit, steps)

            await each(units(current), one, put, work.plan.at_once)
        current = following
    return current


async def _unit(work: Work, unit: Unit, steps: tuple[Ready | Lookup, ...]) -> bytes | None:
    """The unit with the answers of these steps, as a line; None where it is left out."""
    for place, step in enumerate(steps):
        try:
            unit.answers[step.name] = await _step(work, step, _scope(work, unit, step), unit.place)
        except _LeftOut as reason:
            work.left_out.append(
                {"document": unit.document["name"], "chunk": unit.chunk["index"], "step": step.step.id,
                 "reason": str(reason)}
            )  # fmt: skip
            for _ in steps[place:]:
                work.done()
            return None
        work.done()
    return unit.line()


async def _gather(work: Work, step: Ready | Lookup, current: Path) -> Any:
    wanted = {path[1] for path in step.paths if path[0] == "all"}
    gathered: dict[str, list[Any]] = {name: [] for name in wanted}
    for unit in units(current):
        for name in wanted:
            if name in unit.answers:
                gathered[name].append(unit.answers[name])
    for name in wanted & work.gathered.keys():
        gathered[name] = [work.gathered[name]]
    scope = {"run": work.run, "all": gathered, **work.gathered}
    try:
        answer = await _step(work, step, scope, "all chunks")
    except _LeftOut as reason:
        work.left_out.append({"step": step.step.id, "reason": str(reason)})
        answer = None
    work.done()
    return answer


def _scope(work: Work, unit: Unit, step: Ready | Lookup) -> dict[str, Any]:
    document = unit.document
    if any(path[:2] == ("document", "text") for path in step.paths):
        document = {**document, "text": work.texts.get(document["id"])}
    return {"chunk": unit.chunk, "document": document, "run": work.run, **work.gathered, **unit.answers}


async def _step(work: Work, ready: Ready | Lookup, scope: Mapping[str, Any], place: str) -> Any:
    """The step's answer: text, or data where the step or its prompt asks for JSON, or looks into an index."""
    step = ready.step
    try:
        if step.when is not None and not holds(step.when, scope):
            return None
        if isinstance(ready, Lookup):
            within_budget(work)
            query = text_of(value_of(ready.retrieve.query, scope))
            return await work.indexes[ready.retrieve.index].find(ready.retrieve, query)
        values = {name: value_of(said, scope) for name, said in step.input.items()}
        question = question_with(ready.prompt, values, ready.inference, step.params, work.salt)
        answer = await _asked(work, ready, question)
        return (
            answer.data if question.schema is not None else read(answer.text) if step.format == "json" else answer.text
        )
    except BudgetSpent:
        raise
    except StrataError as error:
        policy = step.on_error or work.plan.chain.on_error
        told = f"{printable(place)}, step '{step.id}': {error.message}"
        if policy == "default":
            work.log(f"{told} (the step's default stands in)")
            return step.default
        if policy == "skip":
            work.log(f"left out: {told}")
            raise _LeftOut(error.message) from None
        if isinstance(error, InferenceError):
            raise InferenceError(
                told, kind=error.kind, hint=error.hint, retryable=error.retryable, status=error.status
            ) from None
        raise StrataError(told, hint=error.hint) from None


async def _asked(work: Work, ready: Ready, question: Question) -> Answer:
    client = work.clients(ready.step.inference, ready.step.retry)
    within_budget(work)
    return await client.complete(question)


def within_budget(work: Work) -> None:
    """Raise BudgetSpent where the chain may take nothing more."""
    budget = work.plan.chain.budget
    spent = float(work.counters.costs.get("USD", 0))
    if budget.max_cost is not None and spent >= budget.max_cost:
        raise BudgetSpent(
            f"The budget of {budget.max_cost} USD is spent ({spent:.4f}).",
            hint="Answers so far are remembered: with a higher budget the chain goes on where it stopped.",
        )
    if budget.max_tokens is not None and work.counters.tokens["total"] >= budget.max_tokens:
        raise BudgetSpent(
            f"The budget of {budget.max_tokens} tokens is spent ({work.counters.tokens['total']}).",
            hint="Answers so far are remembered: with a higher budget the chain goes on where it stopped.",
        )
