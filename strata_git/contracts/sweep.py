"""The `sweep` part of an experiment: which values are tried, and what makes one better (TFC-0002 section 7)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from strata_git.contracts.base import Contract, Label, Many, Number

MOST = 100_000
"""Trials of one sweep."""
SWEPT = ("params", "data_spec")
"""Sections whose values may be swept; beside them only `seed`."""
LARGEST_SEED = 2**32 - 1
_CLOSE = 1e-9
"""Of a step: by how much a range's last value may miss its upper limit, for rounding."""

Limit = Annotated[Number, Field(ge=-1e150, le=1e150)]
"""Far enough apart for anybody, and near enough to be told from each other."""


class Parameter(Contract):
    """The values of one parameter: `choices`, or a range from `low` to `high`, both included.

    A range of whole numbers gives whole numbers. A grid needs a `step`, or the number of `points` it is cut into.
    """

    choices: Annotated[Many[JsonValue], Field(min_length=1)] | None = None
    low: Limit | None = None
    high: Limit | None = None
    step: Annotated[Number, Field(gt=0)] | None = None
    log: bool = False
    points: Annotated[int, Field(ge=2, le=MOST)] | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        limits = {"low": self.low, "high": self.high, "step": self.step, "points": self.points, "log": self.log or None}
        said = [name for name, value in limits.items() if value is not None]
        if self.choices is not None:
            if said:
                raise ValueError(f"{said[0]}: says nothing beside choices")
            if len({json.dumps(choice, sort_keys=True) for choice in self.choices}) < len(self.choices):
                raise ValueError("choices: names a value twice")
            return self
        if self.low is None or self.high is None:
            raise ValueError("must have choices, or low and high")
        if self.low >= self.high:
            raise ValueError(f"low: must be less than high ({self.high})")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log: needs a low above 0" if self.low <= 0 else "log: goes with points, not with a step")
        if self.points is not None and self.step is not None:
            raise ValueError("points: says nothing beside a step")
        if self.step is not None and self.step > self.high - self.low:
            raise ValueError("step: is longer than the range")
        return self

    @property
    def whole(self) -> bool:
        """Whether a range gives whole numbers: all that it says is whole."""
        said = (self.low, self.high, 1 if self.step is None else self.step)
        return all(isinstance(value, int) for value in said)

    @property
    def gives_seeds(self) -> bool:
        """Whether every value is a seed."""
        whole = all(type(value) is int for value in self.choices) if self.choices is not None else self.whole
        ends = [value for value in self.choices or (self.low, self.high) if isinstance(value, int)]
        return whole and min(ends) >= 0 and max(ends) <= LARGEST_SEED

    def values(self) -> tuple[JsonValue, ...]:
        """What a grid takes, in order; empty for a range that is not cut."""
        if self.choices is not None:
            return self.choices
        low, high = self.low or 0, self.high or 0
        if self.step is not None:
            count = math.floor(min((high - low) / self.step, MOST) + _CLOSE) + 1
            return tuple(_rounded(low + place * self.step) for place in range(count))
        if self.points is None:
            return ()
        parts = [place / (self.points - 1) for place in range(self.points)]
        if self.log:
            cut = [low ** (1 - part) * high**part for part in parts]
        else:
            cut = [low + (high - low) * part for part in parts]
        ends = [float(low), *cut[1:-1], float(high)]
        return tuple(dict.fromkeys(round(value) for value in ends)) if self.whole else tuple(ends)


class Sweep(Contract):
    """Which trials are made, and which of them is the best."""

    strategy: Literal["grid", "random", "optuna"]
    metric: Label
    direction: Literal["higher", "lower"]
    trials: Annotated[int, Field(ge=1, le=MOST)] | None = None
    parameters: Annotated[dict[Label, Parameter], Field(min_length=1)]
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] = 0
    seeds: Literal["same", "each"] = "same"
    batch: Annotated[int, Field(ge=1, le=1000)] = 8

    @field_validator("parameters")
    @classmethod
    def _are_sweepable(cls, parameters: dict[str, Parameter]) -> dict[str, Parameter]:
        for path in parameters:
            section, dot, rest = path.partition(".")
            if path != "seed" and (section not in SWEPT or not dot or not all(rest.split("."))):
                raise ValueError(f"{path}: must be seed, or begin with {' or '.join(f'{name}.' for name in SWEPT)}")
            if above := next((other for other in parameters if path.startswith(f"{other}.")), None):
                raise ValueError(f"{path}: lies in {above}, which is swept as a whole")
        if "seed" in parameters and not parameters["seed"].gives_seeds:
            raise ValueError(f"seed: must give whole numbers from 0 to {LARGEST_SEED}")
        return parameters

    @model_validator(mode="after")
    def _can_be_followed(self) -> Self:
        grid = self.strategy == "grid"
        size = 1
        for path, parameter in self.parameters.items():
            if grid and not parameter.values():
                raise ValueError(f"parameters.{path}: needs a step or points to be cut into a grid")
            if not grid and parameter.points is not None:
                raise ValueError(f"parameters.{path}: points are for a grid only")
            size *= len(parameter.values()) if grid else 1
        if size > MOST:
            raise ValueError(f"parameters: make a grid of more than {MOST} trials")
        if self.trials is None and not grid:
            raise ValueError(f"trials: is missing: {self.strategy} goes on for ever")
        if "seed" in self.parameters and self.seeds == "each":
            raise ValueError("seeds: a seed that is swept is not drawn for each trial")
        return self


def missing_path(sweep: Sweep, sections: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The first swept path at which the experiment has no value; None when all are there."""
    for path in sweep.parameters:
        if path == "seed":
            continue
        value: Any = sections
        for part in path.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return path
            value = value[part]
    return None


def _rounded(value: float) -> float:
    """0.30000000000000004 as it was meant; whole numbers as they are."""
    return value if isinstance(value, int) else float(f"{value:.12g}")
