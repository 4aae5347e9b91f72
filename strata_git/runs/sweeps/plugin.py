"""A sweep as the one run that it is: what is refused before it begins, and how it is to be made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from strata_git.contracts.sweep import Sweep
from strata_git.errors import StrataError, UsageError, printable
from strata_git.runs.engines import require_engine
from strata_git.runs.plugin import Checked, Plugin, RunContext, RunResult
from strata_git.runs.spec import RunSpec
from strata_git.runs.sweeps.how import RECORDS, How
from strata_git.runs.sweeps.resume import require_same_code
from strata_git.runs.sweeps.search import Search, search_of
from strata_git.runs.sweeps.trial import Trial, trial_spec

if TYPE_CHECKING:
    from strata_git.repo.command import Repository
    from strata_git.runs.resume import Earlier
    from strata_git.runs.started import Started
    from strata_git.runs.sweeps.sweeping import Sweeping
    from strata_git.runs.tracking import Adapter


class SweepPlugin:
    """Makes the trials of an experiment's `sweep` part with the plugin it names."""

    resumable = True

    def __init__(self, plugin: Plugin, repo: Repository, how: How) -> None:
        self.name, self.requires = plugin.name, plugin.requires
        self._plugin, self._repo, self._how = plugin, repo, how

    def check(self, spec: RunSpec) -> None:
        """Refuse, before anything is written, an engine that is not there and trials that the plugin refuses."""
        require_engine(self._how.engine, self._how.jobs, self._how.scheduler)
        if self._how.records not in RECORDS:
            raise UsageError(f"--records {printable(self._how.records)}: there are {', '.join(RECORDS)}.")
        sweep = Sweep.model_validate(dict(spec.sweep))
        search = search_of(sweep)
        if isinstance(self._plugin, Checked):
            for trial in _foreseen(sweep, search):
                _require_possible(self._plugin, spec, trial)

    def take_up(self, earlier: Earlier, tree: str) -> None:
        """Raise StrataError where the trials of the sweep that this one goes on with no longer count."""
        require_same_code(self._repo, earlier, tree)

    def run(self, spec: RunSpec, context: RunContext) -> RunResult:
        """Never called: a sweep needs to know the run it is, see `begun`."""
        raise NotImplementedError

    def begun(self, run: Started, track: Callable[[Started], Adapter | None]) -> Sweeping:
        """The plugin of the sweep that has become the run `run`; `track` opens the tracker of a trial."""
        from strata_git.runs.sweeps.sweeping import Sweeping

        return Sweeping(self.name, self.requires, self._repo, self._how, run, track)


def _require_possible(plugin: Checked, spec: RunSpec, trial: Trial) -> None:
    try:
        plugin.check(trial_spec(spec, trial))
    except StrataError as refused:
        values = printable(", ".join(f"{path}={value}" for path, value in trial.values.items()))
        raise UsageError(f"A trial with {values} cannot work: {refused.message}", hint=refused.hint) from None


def _foreseen(sweep: Sweep, search: Search) -> Iterator[Trial]:
    """Trials that are known before the first: all of a list, or Optuna's first and the ends of every range."""
    yield from search.ask()
    if sweep.strategy != "optuna":
        return
    middle = {path: one.choices[0] if one.choices else one.low for path, one in sweep.parameters.items()}
    for path, one in sweep.parameters.items():
        for value in one.choices or (one.low, one.high):
            yield Trial(0, {**middle, path: value})
