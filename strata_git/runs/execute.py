"""One run from the experiment to the record: check, reserve, compute, close, show.

Nothing is written before the experiment, its extras and its inputs were found good. From then on there is always a
record: whatever becomes of the plugin, `runs/<id>` appears once, whole, with the truth in run.yaml.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from strata_git.config import Settings
from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.runs import record
from strata_git.runs.capture import Log, captured
from strata_git.runs.catalog import TRACKING, load_plugin, require
from strata_git.runs.inputs import open_dataset
from strata_git.runs.interrupt import signals_as_interruption
from strata_git.runs.plugin import Checked, Plugin, RunContext, RunResult
from strata_git.runs.recover import record_killed
from strata_git.runs.reserve import LOCAL, Reservation, publish, reserve
from strata_git.runs.spec import RunSpec, flattened
from strata_git.runs.started import Started
from strata_git.runs.tracking import Adapter, Recorder

ARTIFACT_ROOT = "CORE_ARTIFACT_ROOT"
OpenTracker = Callable[[Started], Adapter | None]
"""Makes the tracker of a run that is about to start; None for a run that only its record remembers."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What came of a run. `path` is its directory in the repository; `killed` are earlier runs found dead and recorded.

    `status` is succeeded, failed or interrupted; `error` the reason of the latter two; `digest` the record's identity.
    """

    id: str
    status: str
    path: str
    digest: str
    metrics: Mapping[str, float]
    model: str | None
    error: str | None
    tracked: bool
    killed: tuple[str, ...]


def execute(
    repo: Repository,
    settings: Settings,
    spec: RunSpec,
    environ: Mapping[str, str],
    now: datetime | None = None,
    progress: Callable[[int], None] | None = None,
    *,
    open_tracker: OpenTracker | None = None,
    steps: Callable[[int, int | None], None] | None = None,
) -> RunOutcome:
    """Run `spec` in `repo` and record it under runs/.

    Raises StrataError (MissingExtra, UsageError among them) for what is wrong before the run has a number; after that
    the outcome tells. `now` fixes the clock, `progress` is told the bytes of inputs hashed, `open_tracker` replaces
    MLflow, `steps` is told how far the plugin says it is (done, and of how much).
    """
    root = repo.require_worktree()
    plugin = load_plugin(spec.plugin, root)
    require(plugin.requires, f"The plugin '{spec.plugin}'")
    if open_tracker is None:
        require(TRACKING)
    if isinstance(plugin, Checked):
        plugin.check(spec)
    reference = spec.committed_dataset
    source = open_dataset(repo, reference, progress=progress) if reference else None
    code = record.code_state(repo)
    killed = record_killed(repo)
    begun = now or datetime.now(UTC)
    reserved = reserve(repo, begun)
    user = repo.user_config("user.name") or ""
    started = Started(reserved.id, spec, code, source, killed, environ, root / LOCAL, user, settings.repository)
    with signals_as_interruption() as quiet:
        work = _begin(root, reserved, started, begun)
        tracker, ended = _work(plugin, work, open_tracker or _mlflow, steps)
        quiet()
        try:
            outcome = _finish(root, work, ended, tracker, now)
        except BaseException:  # the disk is full, the name was taken: the next run finds what is there
            reserved.abandon()
            raise
        reserved.release()
        return outcome


@dataclass(frozen=True, slots=True)
class _Work:
    reserved: Reservation
    started: Started
    facts: Mapping[str, object]
    artifact_dir: Path
    log: Log


@dataclass(frozen=True, slots=True)
class _Ended:
    status: str
    error: str | None = None
    model: str | None = None


def _begin(root: Path, reserved: Reservation, run: Started, begun: datetime) -> _Work:
    """Write the first half of the record; when that is refused, nothing remains."""
    try:
        place = _artifact_dir(run.environ, root, reserved)
        log = Log(reserved.record / record.LOGS)
        log.write("run", f"{run.id}: {run.spec.experiment} with plugin {run.spec.plugin}, seed {run.spec.seed}")
        facts = record.begin(
            reserved.record, run=run.id, spec=run.spec, code=run.code, source=run.source, started=begun
        )
    except BaseException:
        reserved.release()
        raise
    return _Work(reserved, run, facts, place, log)


def _work(
    plugin: Plugin, work: _Work, open_tracker: OpenTracker, steps: Callable[[int, int | None], None] | None
) -> tuple[Recorder, _Ended]:
    """Open the tracker and let the plugin work. A tracker that cannot be opened leaves no run."""
    tracker = Recorder()
    try:
        with captured(work.log):
            try:
                behind = open_tracker(work.started)
            except StrataError:
                _forget(work)
                raise
            tracker = Recorder(behind, lambda text: work.log.write("run", text), work.artifact_dir)
            if behind is not None:
                work.reserved.note({"tracker": behind.reference})
            return tracker, _attempt(plugin, work, tracker, steps)
    except KeyboardInterrupt as stopped:
        return tracker, _Ended("interrupted", f"interrupted by {stopped if stopped.args else 'SIGINT'}")


def _forget(work: _Work) -> None:
    work.log.close()
    shutil.rmtree(work.artifact_dir, ignore_errors=True)
    work.reserved.release()


def _artifact_dir(environ: Mapping[str, str], root: Path, reserved: Reservation) -> Path:
    """Where the plugin writes: below CORE_ARTIFACT_ROOT (relative to the work tree) when set, else in the record."""
    base = environ.get(ARTIFACT_ROOT)
    if not base:
        place = reserved.record / record.ARTIFACTS
        place.mkdir()
        return place
    from secrets import token_hex

    place = root / base / f"{reserved.id}-{token_hex(4)}"  # other repositories may use the same root
    try:
        place.mkdir(parents=True)
    except OSError as error:
        raise StrataError(
            f"{ARTIFACT_ROOT} ({printable(base)}) cannot be used: {error.strerror}.",
            hint=f"Name a directory you may write to, or unset {ARTIFACT_ROOT}.",
        ) from None
    reserved.note({"artifact_dir": str(place)})
    return place


def _attempt(plugin: Plugin, work: _Work, tracker: Recorder, steps: Callable[[int, int | None], None] | None) -> _Ended:
    """How the plugin's work ended, whatever it raised; only a request to stop goes through."""
    log, spec, source = work.log, work.started.spec, work.started.source
    told = {} if steps is None else {"progress": steps}
    context = RunContext(tracker, work.artifact_dir, spec.seed, lambda text: log.write("log", text), source, **told)
    try:
        tracker.log_params(flattened(spec))
        result = plugin.run(spec, context) or RunResult()
        missing = {name: one.value for name, one in result.metrics.items() if name not in tracker.metrics}
        if missing:
            tracker.log_metrics(missing)
        record.describe_model(result, work.artifact_dir)
        if source:
            source.require_unchanged()
        return _Ended("succeeded", model=result.model.artifact if result.model else None)
    except StrataError as refused:
        return _Ended("failed", refused.message)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a plugin is foreign code; what it raises is the outcome
        import traceback

        log.write("run", traceback.format_exc())
        return _Ended("failed", f"{type(error).__name__}: {error}".strip().rstrip(":"))


def _finish(root: Path, work: _Work, ended: _Ended, tracker: Recorder, now: datetime | None) -> RunOutcome:
    reserved, log, facts = work.reserved, work.log, work.facts
    finished = now or datetime.now(UTC)
    with captured(log):
        tracker.finish(ended.status)
    log.write("run", ended.status if ended.error is None else f"{ended.status}: {ended.error}")
    log.close()
    error = printable(ended.error)[:2000] if ended.error is not None else None
    try:
        record.collect(work.artifact_dir, reserved.record)
        digest = record.close(
            reserved.record, facts, status=ended.status, finished=finished, metrics=tracker.metrics, error=error
        )
    except StrataError as refused:  # what the plugin wrote cannot be recorded: say so, without it
        shutil.rmtree(reserved.record / record.ARTIFACTS, ignore_errors=True)
        ended, error = _Ended("failed"), refused.message
        digest = record.close(
            reserved.record, facts, status="failed", finished=finished, metrics=tracker.metrics, error=error
        )
    publish(reserved, root)
    return RunOutcome(
        id=reserved.id,
        status=ended.status,
        path=f"runs/{reserved.id}",
        digest=digest,
        metrics=dict(sorted(tracker.metrics.items())),
        model=ended.model,
        error=error,
        tracked=tracker.complete,
        killed=tuple(dead.id for dead in work.started.killed),
    )


def _mlflow(run: Started) -> Adapter:
    from strata_git.runs.mlflow import track

    return track(run)
