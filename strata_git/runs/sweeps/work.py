"""One trial made, in whatever process an engine chose: a value goes in (`Task`), a value comes back (`Ended`).

The plugin works as in any run: seeded, bounded, captured, masked. Its files go to the trial's own directory, which the
sweep must be able to read: on several machines that is a shared file system.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError, printable
from strata_git.runs.sweeps.trial import Ended, Event, Trial

if TYPE_CHECKING:
    from strata_git.runs.capture import Log
    from strata_git.runs.started import Started
    from strata_git.runs.tracking import Recorder

LOG, FILES = "logs.txt", "artifacts"
_STAMP = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Task:
    """A trial with all that making it needs: `started` is the run it would be by itself, `place` its directory, `home`
    the process of the sweep, `host` its machine."""

    trial: Trial
    started: Started
    metric: str
    place: str
    home: int
    host: str


@dataclass(slots=True)
class Told:
    """A tracker that only remembers, so that what was told can be passed on elsewhere. Files are not its affair."""

    events: list[Event] = field(default_factory=list)
    reference: str = ""
    waiting: str = ""

    def log_params(self, params: Mapping[str, object]) -> None:
        self._keep("params", {name: str(value) for name, value in params.items()})

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._keep("metrics", dict(metrics), step)

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        self.log_metrics({name: value}, step)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self._keep("tags", dict(tags))

    def log_artifact(self, path: Path, folder: str = "") -> None: ...
    def log_artifacts(self, directory: Path, folder: str = "") -> None: ...
    def finish(self, status: str) -> None: ...
    def leave(self) -> None: ...

    def log_input(self, name: str, *, source: str, digest: str = "", rows: int | None = None) -> None:
        self._keep("input", {"name": name, "source": source, "digest": digest, "rows": rows})

    def _keep(self, kind: str, values: Any, step: int | None = None) -> None:
        self.events.append((kind, values, step))


def work(task: Task) -> Ended:
    """Make a trial. Never raises for what the plugin does: that is the trial's outcome."""
    from strata_git.runs import limits
    from strata_git.runs.capture import Log, captured
    from strata_git.runs.history import write_history
    from strata_git.runs.tracking import Recorder

    _settle_in(task)
    place, mask, spec = Path(task.place), task.started.mask, task.started.spec
    shutil.rmtree(place, ignore_errors=True)  # what an earlier attempt left half done
    (place / FILES).mkdir(parents=True)
    log, told = Log(place / LOG, mask), Told()
    tracker = Recorder(told, lambda text: log.write("run", text), place / FILES, mask.text)
    began, clock = datetime.now(UTC), time.perf_counter()
    try:
        log.write("run", f"trial {task.trial.index} of {task.started.parent}: {spec.experiment}, seed {spec.seed}")
        with captured(log), limits.processors(spec.resources):
            ended = _attempt(task, tracker, log)
        write_history(place / FILES, tracker.points)
        log.write("run", ended.status if ended.error is None else f"{ended.status}: {ended.error}")
    finally:
        log.close()
    return replace(
        ended,
        metrics=dict(sorted(tracker.metrics.items())),
        seconds=time.perf_counter() - clock,
        started=began.strftime(_STAMP),
        events=tuple(told.events),
    )


def lost(task: Task, error: str) -> Ended:
    """A trial whose process is gone."""
    place = Path(task.place)
    (place / FILES).mkdir(parents=True, exist_ok=True)
    if not (place / LOG).is_file():
        (place / LOG).write_bytes(b"")
    now = datetime.now(UTC).strftime(_STAMP)
    spec = task.started.spec
    return Ended(task.trial.index, dict(task.trial.values), spec.seed, "failed", {}, _short(task, error), 0, now)


def _settle_in(task: Task) -> None:
    """A worker is stopped by its engine; the terminal's Ctrl-C is the sweep's to answer. It does not outlive the sweep
    that started it, however that ends."""
    import signal

    from strata_git.runs.engines import end_with

    if os.getpid() == task.home:
        return
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getppid() == task.home:
        end_with(task.home)


def _attempt(task: Task, tracker: Recorder, log: Log) -> Ended:
    """The outcome, without what only `work` knows."""
    from strata_git.repo.command import Repository
    from strata_git.runs.attempt import Work, attempt
    from strata_git.runs.catalog import load_plugin
    from strata_git.runs.reserve import Reservation
    from strata_git.runs.system import Meter

    meter, error, model, told = Meter(), None, None, {}
    try:
        started = _here(task)
        root = started.local.parent.parent
        repo = Repository.discover(root, started.environ)
        apart = Reservation(started.id, Path(task.place), -1)
        made = Work(repo, apart, started, {}, Path(task.place) / FILES, log, meter)
        ended = attempt(load_plugin(started.spec.plugin, root), made, tracker, None)
        status, error, model, told = ended.status, ended.error, ended.model, dict(ended.told)
    except StrataError as refused:
        status, error = "failed", refused.message
    if status == "succeeded" and task.metric not in tracker.metrics:
        measured = ", ".join(sorted(tracker.metrics)) or "nothing"
        status, error = "failed", f"it measured no {task.metric}; it measured {measured}"
    return Ended(
        index=task.trial.index,
        values=dict(task.trial.values),
        seed=task.started.spec.seed,
        status=status,
        metrics={},
        error=None if error is None else _short(task, error),
        seconds=0,
        started="",
        model=model if status == "succeeded" else None,
        told={**told, "usage": asdict(meter.usage())},
    )


def _short(task: Task, error: str) -> str:
    return printable(task.started.mask.text(error).replace(task.place, "..."))[:2000]


def _here(task: Task) -> Started:
    """The run with its inputs as this machine sees them: elsewhere, device and inode of a shared file are others."""
    import socket

    run = task.started
    if socket.gethostname() == task.host:
        return run
    source = replace(run.source, stamps=_stamped(run.source.root, run.source.stamps)) if run.source else None
    inputs = {name: replace(one, stamps=_stamped(one.path, one.stamps)) for name, one in run.inputs.items()}
    return replace(run, source=source, inputs=inputs)


def _stamped(root: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """What a shared file system shows here of verified files: size and time of change must be the same."""
    from strata_git.runs.inputs import stamp

    found = {name: stamp(root / name) for name in known}
    for name, seen in found.items():
        if seen[2:4] != known[name][2:4]:
            raise StrataError(f"{printable(str(root / name))} is another file here than where the sweep runs")
    return found
