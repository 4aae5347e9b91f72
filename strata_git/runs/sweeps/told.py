"""What a trial told its tracker, told to the real one: by the sweep's own process, once the trial has ended.

So no machine that makes trials needs to reach the tracking store, and a thousand trials open no thousand connections.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from strata_git.runs.sweeps.trial import Ended

if TYPE_CHECKING:
    from strata_git.runs.started import Started
    from strata_git.runs.tracking import Adapter


Track = Callable[["Started"], "Adapter | None"]


def tell_trial(track: Track, run: Started, ended: Ended, files: Path | None = None) -> None:
    """Show a trial as the run `run`, with its files where it has a record. A tracker that fails costs no trial."""
    from strata_git.runs.spec import flattened
    from strata_git.runs.tracking import Recorder

    tracker = Recorder(track(run), mask=run.mask.text)
    if not ended.events:  # taken over from an earlier sweep, whose journal keeps no more than this
        tracker.log_params(flattened(run.spec))
        tracker.log_metrics(ended.metrics)
    for kind, values, step in ended.events:
        if kind == "params":
            tracker.log_params(values)
        elif kind == "metrics":
            tracker.log_metrics(values, step)
        elif kind == "tags":
            tracker.set_tags(values)
        else:
            tracker.log_dataset(**values)
    if files is not None:
        tracker.log_artifacts(files)
    tracker.finish(ended.status)
