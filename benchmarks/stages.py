"""`git strata stages` over a long signed ledger, beside `gto show` over the same tags."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.ledgers import Book, ledger, stop_agents
from benchmarks.measure import Contender, Goal, Samples, interleaved

SHAPES = {"many models": (20, 20), "one model": (1, 400)}
"""Models and versions of each: 2,000 signed events, either way."""
STAGES = ("git", "strata", "stages")


def _goals(shape: str) -> tuple[Goal, ...]:
    ours, theirs = f"gto show : stages, {shape}", f"{shape}: gto show"
    return (
        Goal(f"{ours}, nothing new (times faster)", f"{shape}: known", theirs, 20.0, True),
        Goal(f"{ours}, one new event (times faster)", f"{shape}: one new event", theirs, 20.0, True),
    )


GOALS = tuple(goal for shape in SHAPES for goal in _goals(shape))


def stages(base: Path, rounds: int, gto: str, *, quick: bool = False) -> Samples:
    """Stages known from before, after one event more, and with every signature still to be verified.

    SystemExit unless GTO names the same version in production of every model.
    """
    base.mkdir(exist_ok=True)
    contenders: list[Contender] = []
    cold: list[Contender] = []
    try:
        for shape, (models, versions) in SHAPES.items():
            book = ledger(base, shape.replace(" ", "-"), max(1, models // 4) if quick else models,
                          max(4, versions // 20) if quick else versions)  # fmt: skip
            require_agreement(book, gto)
            contenders += [
                Contender(f"{shape}: gto show", book.place, _always((gto, "show"))),
                Contender(f"{shape}: known", book.place, _always(STAGES)),
                Contender(f"{shape}: one new event", book.place, _always(STAGES), _one_more(book)),
            ]
            cold.append(Contender(f"{shape}: cold", book.place, _always(STAGES), _forgetting(book)))
        return {**interleaved(contenders, rounds), **interleaved(cold, 1, warm=0)}
    finally:
        stop_agents(base)


def gto_program() -> str | None:
    """GTO, in the peers' environment or on PATH."""
    beside = Path(__file__).parents[1] / ".venv-peers/bin/gto"
    return str(beside) if beside.exists() else shutil.which("gto")


def require_agreement(book: Book, gto: str) -> None:
    """SystemExit unless both programs have the same version of each model in production."""
    said = json.loads(book.place.run(*STAGES, "--format", "json"))["models"]
    ours = {each["model"]: row["version"] for each in said for row in each["versions"] if row["stage"] == "production"}
    shown = json.loads(book.place.run(gto, "show", "--json"))
    theirs = {model: row["stage"]["production"].removesuffix(".0.0") for model, row in shown.items()}
    if ours != theirs or len(ours) != len(book.lines):
        raise SystemExit(f"stages and gto disagree: {ours} and {theirs}")


def _always(words: tuple[str, ...]) -> Callable[[int], tuple[str, ...]]:
    return lambda _round: words


def _one_more(book: Book) -> Callable[[int], None]:
    return lambda _round: book.archive_next()


def _forgetting(book: Book) -> Callable[[int], None]:
    return lambda _round: shutil.rmtree(book.place.path / ".git/strata/cache", ignore_errors=True)
