"""Which trials a sweep makes, in which order: a grid, draws, or what Optuna proposes.

Nothing here depends on time, on the order in which trials end, or on how many are made at once: the same sweep asks for
the same trials, given the same results. That is what makes engines interchangeable and a sweep resumable.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from strata_git.contracts.sweep import Parameter, Sweep
from strata_git.errors import MissingExtra
from strata_git.runs.sweeps.trial import Ended, Trial


class Search(Protocol):
    """Asked for a batch of trials, told what came of all of it, asked for the next; an empty batch is the end."""

    @property
    def total(self) -> int:
        """How many trials there will be."""

    def ask(self) -> list[Trial]:
        """The next batch, numbered on."""

    def tell(self, ended: Sequence[Ended]) -> None:
        """What came of the batch, in the order it was asked in."""


def search_of(sweep: Sweep) -> Search:
    """The search that `sweep` describes. Raises MissingExtra when Optuna is asked for and not installed."""
    if sweep.strategy == "optuna":
        return Proposed(sweep)
    if sweep.strategy == "random":
        count = sweep.trials or 0
        return Listed([Trial(index, drawn(sweep, index)) for index in range(count)])
    return Listed(grid(sweep))


class Listed:
    """Trials known from the start, all in one batch."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._trials = list(trials)
        self.total = len(self._trials)

    def ask(self) -> list[Trial]:
        trials, self._trials = self._trials, []
        return trials

    def tell(self, ended: Sequence[Ended]) -> None:
        """Nothing follows from it."""


class Proposed:
    """Optuna's TPE sampler, asked for `batch` trials at a time; the batch is the experiment's, not the machine's."""

    def __init__(self, sweep: Sweep) -> None:
        try:
            import optuna
        except ImportError:
            raise MissingExtra("sweep", "The strategy 'optuna'") from None
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._sweep = sweep
        self.total = sweep.trials or 0
        self._asked = 0
        self._study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=sweep.seed),
            direction="maximize" if sweep.direction == "higher" else "minimize",
        )
        self._space = {path: _distribution(parameter) for path, parameter in sweep.parameters.items()}

    def ask(self) -> list[Trial]:
        trials = []
        for index in range(self._asked, min(self._asked + self._sweep.batch, self.total)):
            found = self._study.ask(self._space).params
            values = {path: _proposed(self._sweep.parameters[path], found[path]) for path in self._sweep.parameters}
            trials.append(Trial(index, values))
        self._asked += len(trials)
        return trials

    def tell(self, ended: Sequence[Ended]) -> None:
        from optuna.trial import TrialState

        for one in ended:
            value = one.metrics.get(self._sweep.metric) if one.status == "succeeded" else None
            if value is None:
                self._study.tell(one.index, state=TrialState.FAIL)
            else:
                self._study.tell(one.index, float(value))


def grid(sweep: Sweep) -> list[Trial]:
    """Every combination, the last parameter changing quickest; the first `trials` of them where that is said."""
    rows = itertools.product(*(parameter.values() for parameter in sweep.parameters.values()))
    chosen = itertools.islice(rows, sweep.trials)
    return [Trial(index, dict(zip(sweep.parameters, row, strict=True))) for index, row in enumerate(chosen)]


def drawn(sweep: Sweep, index: int) -> Mapping[str, Any]:
    """The values of trial `index` of a random search: each from the sweep's seed, the number and the path alone."""
    return {path: _at(parameter, _share(sweep.seed, index, path)) for path, parameter in sweep.parameters.items()}


def _share(seed: int, index: int, path: str) -> float:
    """A number in [0, 1), evenly spread."""
    digest = hashlib.sha256(f"draw {seed} {index} {path}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / (1 << 53)


def _at(parameter: Parameter, share: float) -> Any:
    """The value that lies `share` of the way through a parameter's values."""
    values = parameter.values()
    if values:
        return values[int(share * len(values))]
    low, high = parameter.low or 0, parameter.high or 0
    if parameter.whole:
        low, high = int(low), int(high)
        if not parameter.log:
            return low + int(share * (high - low + 1))
        return min(high, max(low, round(math.exp(_between(math.log(low - 0.5), math.log(high + 0.5), share)))))
    if parameter.log:
        return min(float(high), max(float(low), math.exp(_between(math.log(low), math.log(high), share))))
    return _between(float(low), float(high), share)


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share


def _distribution(parameter: Parameter) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if parameter.choices is not None:
        return CategoricalDistribution(tuple(range(len(parameter.choices))))  # values may be of any kind
    low, high = parameter.low or 0, parameter.high or 0
    if parameter.step is not None:
        return IntDistribution(0, len(parameter.values()) - 1)
    if parameter.whole:
        return IntDistribution(int(low), int(high), log=parameter.log)
    return FloatDistribution(float(low), float(high), log=parameter.log)


def _proposed(parameter: Parameter, value: Any) -> Any:
    if parameter.choices is not None or parameter.step is not None:
        return parameter.values()[value]
    return value
