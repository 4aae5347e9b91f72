"""Timing things against each other: in turn, in one run, with medians."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.repositories import Place


@dataclass(frozen=True, slots=True)
class Sample:
    """Seconds on the clock, and of processor time in all processes started."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Contender:
    """One side of a comparison: `prepare(round)` is not timed, `command(round)` is."""

    name: str
    place: Place
    command: Callable[[int], Sequence[str]]
    prepare: Callable[[int], None] = lambda _round: None
    codes: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio of `ours` to `anchor` that may not be passed; to be reached when `at_least`.

    When `added`, the limit is on the difference, in seconds.
    """

    name: str
    ours: str
    anchor: str
    limit: float
    at_least: bool = False
    added: bool = False

    def holds(self, figure: float) -> bool:
        """Whether a measured ratio (or difference) meets it."""
        return figure >= self.limit if self.at_least else figure <= self.limit


@dataclass(frozen=True, slots=True)
class Outcome:
    """A goal measured. `ratio` is None when it was not measured; it is the median of the pairs' ratios.

    `quickest` is the ratio of the quickest rounds, the least disturbed ones on a busy machine; `added` is in seconds.
    """

    goal: Goal
    ratio: float | None
    cpu_ratio: float | None
    added: float | None
    quickest: float | None = None

    @property
    def verdict(self) -> str:
        """In one word or two."""
        figure = self.added if self.goal.added else self.ratio
        if figure is None:
            return "not measured"
        return "holds" if self.goal.holds(figure) else "MISSED"


Samples = Mapping[str, Sequence[Sample]]


def interleaved(contenders: Sequence[Contender], rounds: int, warm: int = 1) -> dict[str, list[Sample]]:
    """Run all contenders in turn, `rounds` times after `warm` rounds that do not count."""
    taken: dict[str, list[Sample]] = {contender.name: [] for contender in contenders}
    for at in range(warm + rounds):
        for contender in contenders:
            contender.prepare(at)
            sample = timed(contender.place, contender.command(at), contender.codes)
            if at >= warm:
                taken[contender.name].append(sample)
    return taken


def timed(place: Place, words: Sequence[str], codes: Sequence[int] = (0,)) -> Sample:
    """One program from start to end; SystemExit when its exit code is none of `codes`."""
    before = _children()
    start = time.perf_counter()
    done = subprocess.run(
        words, cwd=place.path, env=dict(place.environ), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    wall = time.perf_counter() - start
    if done.returncode not in codes:
        raise SystemExit(f"{' '.join(words)} failed ({done.returncode}): {os.fsdecode(done.stderr)}")
    return Sample(wall, _children() - before)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def judged(goals: Sequence[Goal], samples: Samples) -> list[Outcome]:
    """Every goal against what was sampled."""
    return [_judged(goal, samples) for goal in goals]


def _judged(goal: Goal, samples: Samples) -> Outcome:
    ours, anchor = samples.get(goal.ours), samples.get(goal.anchor)
    if not ours or not anchor:
        return Outcome(goal, None, None, None)
    if goal.at_least:  # how many times faster
        ours, anchor = anchor, ours
    pairs = list(zip(ours, anchor, strict=True))
    return Outcome(
        goal,
        median(one.wall / other.wall for one, other in pairs),
        median(one.cpu / max(other.cpu, 1e-4) for one, other in pairs),
        median(one.wall - other.wall for one, other in pairs),
        min(one.wall for one in ours) / min(other.wall for other in anchor),
    )


def plain(samples: Samples) -> dict[str, object]:
    """Samples as JSON-able data: medians, the quickest, and every one, in milliseconds."""
    return {
        name: {
            "median_ms": _ms(median(one.wall for one in taken)),
            "min_ms": _ms(min(one.wall for one in taken)),
            "median_cpu_ms": _ms(median(one.cpu for one in taken)),
            "all_ms": [_ms(one.wall) for one in taken],
        }
        for name, taken in samples.items()
        if taken
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
