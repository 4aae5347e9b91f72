"""One trial of a sweep: what is tried, as what run, and what came of it. Pure."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from strata_git.runs.spec import RunSpec

Event = tuple[str, Any, int | None]
"""What a plugin told its tracker: the kind, the values, and the step."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Number `index` of a sweep (from 0): the swept paths with the values they take."""

    index: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a trial. `status` is succeeded or failed; `seconds` are those on the clock, `started` UTC.

    `events` are what it told its tracker; they are not kept once they were passed on. `model` is the file of the model
    it made, below its artifacts, `told` what its run.yaml says besides.
    """

    index: int
    values: Mapping[str, Any]
    seed: int
    status: str
    metrics: Mapping[str, float]
    error: str | None
    seconds: float
    started: str
    model: str | None = None
    told: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[Event] = field(default=(), compare=False)

    def facts(self) -> dict[str, object]:
        """What is the same wherever and whenever the trial is made: a line of trials.jsonl."""
        return {
            "trial": self.index,
            "values": dict(self.values),
            "seed": self.seed,
            "status": self.status,
            "metrics": dict(sorted(self.metrics.items())),
            "error": self.error,
        }

    def line(self) -> dict[str, object]:
        """A line of the journal: the facts, and when and how long."""
        return {
            **self.facts(),
            "started": self.started,
            "seconds": round(self.seconds, 6),
            "model": self.model,
            "told": dict(self.told),
        }

    @classmethod
    def read(cls, line: Mapping[str, Any]) -> Ended:
        """A trial from its line in the journal. Raises KeyError, TypeError or ValueError for another line."""
        return cls(
            index=int(line["trial"]),
            values=dict(line["values"]),
            seed=int(line["seed"]),
            status=str(line["status"]),
            metrics={str(name): value for name, value in dict(line["metrics"]).items()},
            error=None if line["error"] is None else str(line["error"]),
            seconds=float(line["seconds"]),
            started=str(line["started"]),
            model=None if line["model"] is None else str(line["model"]),
            told=dict(line["told"]),
        )


def trial_spec(spec: RunSpec, trial: Trial) -> RunSpec:
    """The single run that `trial` is: the experiment with the trial's values in place, and its seed.

    With `seeds: each` the seed comes from the sweep's own and the trial's number, never from time or order.
    """
    sections: dict[str, Any] = copy.deepcopy({"params": dict(spec.params), "data_spec": dict(spec.data_spec)})
    seed = drawn_seed(int(spec.sweep.get("seed", 0)), trial.index) if spec.sweep.get("seeds") == "each" else spec.seed
    for path, value in trial.values.items():
        if path == "seed":
            seed = int(value)
            continue
        *above, last = path.split(".")
        place = sections
        for part in above:
            place = place[part]
        place[last] = copy.deepcopy(value)
    resources = {"cpus": 1, **spec.resources}  # how many threads add up a sum changes its last digits
    return replace(spec, seed=seed, resources=resources, sweep={}, **sections)


def drawn_seed(seed: int, index: int) -> int:
    """The seed of trial `index`, of 32 bits."""
    return int.from_bytes(hashlib.sha256(f"trial {seed} {index}".encode()).digest()[:4], "big")


def better(one: float, other: float, direction: str) -> bool:
    """Whether `one` beats `other`, the way `direction` (higher, lower) says."""
    return one > other if direction == "higher" else one < other


def best_of(ended: Sequence[Ended], metric: str, direction: str) -> Ended | None:
    """The best trial that succeeded; of equal ones the first. None when none has the metric."""
    best: Ended | None = None
    for one in sorted(ended, key=lambda each: each.index):
        measured = one.status == "succeeded" and metric in one.metrics
        if measured and (best is None or better(one.metrics[metric], best.metrics[metric], direction)):
            best = one
    return best
