"""One run from the experiment to the record: check, reserve, compute, close, show.

Nothing is written before the experiment, its extras and its inputs were found good. From then on there is always a
record: whatever becomes of the plugin, `runs/<id>` appears once, whole, with the truth in run.yaml. Where the record
cannot be written (a full disk), it waits in its place, with how the run ended noted, for the next command to finish.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from strata_git.config import Settings
from strata_git.errors import StrataError, UsageError, printable
from strata_git.repo.command import Repository
from strata_git.runs import dirty, limits, record
from strata_git.runs.attempt import Ended, Steps, Work, attempt
from strata_git.runs.capture import Log, captured
from strata_git.runs.catalog import load_plugin, require
from strata_git.runs.given import exact_spec, open_inputs
from strata_git.runs.history import write_history
from strata_git.runs.inputs import open_dataset
from strata_git.runs.interrupt import signals_as_interruption
from strata_git.runs.masking import Mask
from strata_git.runs.plugin import Checked, Plugin
from strata_git.runs.recover import drop_outside, record_killed
from strata_git.runs.reserve import LOCAL, PENDING, Claim, Reservation, publish, reserve
from strata_git.runs.resume import Earlier, copy_left, open_earlier, require_same_work
from strata_git.runs.spec import RunSpec, flattened
from strata_git.runs.started import Started
from strata_git.runs.system import Meter, origin_of
from strata_git.runs.tracking import Adapter, Recorder
from strata_git.runs.tracking_choice import choose

if TYPE_CHECKING:
    from strata_git.runs.sweeps.how import How
    from strata_git.runs.sweeps.plugin import SweepPlugin

ARTIFACT_ROOT = "CORE_ARTIFACT_ROOT"
RESUMED = "resume"
"""Below pending/<id>: what an earlier run left, while this one takes it up."""
OpenTracker = Callable[[Started], Adapter | None]
"""Makes the tracker of a run that is about to start; None for a run that only its record remembers."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What came of a run. `path` is its directory in the repository; `killed` are earlier runs found dead and recorded.

    `status` is succeeded, failed or interrupted; `error` the reason of the latter two; `digest` the record's identity.
    `waiting` says why the tracker does not have everything yet (`""`: it has, or never will; see `tracked`). `kept` is
    the reference under which a work tree that was not as HEAD is kept (`""`: none was).
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
    waiting: str = ""
    kept: str = ""


def execute(
    repo: Repository,
    settings: Settings,
    spec: RunSpec,
    environ: Mapping[str, str],
    now: datetime | None = None,
    progress: Callable[[int], None] | None = None,
    *,
    open_tracker: OpenTracker | None = None,
    steps: Steps | None = None,
    resume: str | None = None,
    sweeping: How | None = None,
    claim: Claim | None = None,
    mask: Mask | None = None,
) -> RunOutcome:
    """Run `spec` in `repo` and record it under runs/.

    Raises StrataError (MissingExtra, UsageError among them) for what is wrong before the run has a number; after that
    the outcome tells. `now` fixes the clock, `progress` is told the bytes of inputs hashed, `open_tracker` replaces
    the tracker that settings and environment choose, `steps` is told how far the plugin says it is (done, and of how
    much). `resume` is an earlier run whose unfinished work is taken up. A spec with a `sweep` is swept, the way
    `sweeping` says. `claim` settles the number with other clones; `mask` learns the secrets that the run resolves.
    """
    root = repo.require_worktree()
    plugin = load_plugin(spec.plugin, root)
    sweep = _swept(plugin, repo, sweeping) if spec.sweep else None
    plugin = sweep or plugin
    require(plugin.requires, f"The plugin '{spec.plugin}'")
    open_tracker = open_tracker or choose(settings, environ).open
    if isinstance(plugin, Checked):
        plugin.check(spec)
    limits.require_available(spec.resources)
    spec, mask = exact_spec(repo, spec, repository=settings.repository), mask or Mask.of(environ)
    _require_no_secret(spec, mask)
    reference = spec.committed_dataset
    source = open_dataset(repo, reference, progress=progress) if reference else None
    inputs = open_inputs(repo, spec, progress=progress)
    seen, origin = dirty.look(repo), origin_of(repo)
    killed = record_killed(repo)
    earlier = open_earlier(repo, resume) if resume is not None else None
    if earlier is not None:
        require_same_work(plugin, earlier, spec, source, inputs)
        if sweep is not None:
            sweep.take_up(earlier, seen.code.tree)
    begun = now or datetime.now(UTC)
    reserved = reserve(repo, begun, claim)
    user = (repo.user_config("user.name") or "") if settings.runs_record_user else ""
    started = Started(
        reserved.id, spec, seen.code, source, killed, environ, root / LOCAL, user, settings.repository,
        inputs, mask, origin=origin,
    )  # fmt: skip
    with signals_as_interruption() as quiet, limits.processors(spec.resources):
        work = _begin(repo, reserved, started, begun, seen, settings.secrets_allow, earlier)
        if sweep is not None:
            plugin = sweep.begun(work.started, open_tracker)
        tracker, ended = _work(plugin, work, open_tracker, steps)
        quiet()
        return _recorded(root, work, ended, tracker, now)


def _recorded(root: Path, work: Work, ended: Ended, tracker: Recorder, now: datetime | None) -> RunOutcome:
    """Complete the record and let go of the run's place; where that cannot be, all of it stays for the next command."""
    try:
        outcome = _finish(root, work, ended, tracker, now)
    except BaseException as failure:  # the disk is full, the name was taken
        work.reserved.abandon()
        tracker.leave()
        if isinstance(failure, StrataError):
            raise _unfinished(work.reserved, ended, failure) from None
        raise
    work.reserved.release()
    return outcome


def _swept(plugin: Plugin, repo: Repository, sweeping: How | None) -> SweepPlugin:
    from strata_git.runs.sweeps.how import How
    from strata_git.runs.sweeps.plugin import SweepPlugin

    return SweepPlugin(plugin, repo, sweeping or How())


def _require_no_secret(spec: RunSpec, mask: Mask) -> None:
    """A spec is recorded word for word, so that it can be run again: no secret that is known may stand in it."""
    for name, value in (*flattened(spec).items(), *((f"tags.{name}", value) for name, value in spec.tags.items())):
        if mask.holds(name) or mask.holds(str(value)):
            raise UsageError(
                f"The experiment's {printable(mask.text(name))} holds a secret: the value of an environment variable. "
                "It would be recorded with the run.",
                hint="Name the secret instead of writing it down.",
            )


def _begin(
    repo: Repository, reserved: Reservation, run: Started, begun: datetime, seen: dirty.Seen,
    allow: tuple[str, ...], earlier: Earlier | None,
) -> Work:  # fmt: skip
    """Write the first half of the record; when that is refused, nothing remains."""
    log = place = None
    try:
        place = _artifact_dir(run.environ, repo.require_worktree(), reserved)
        log = Log(reserved.record / record.LOGS, run.mask)
        log.write("run", f"{run.id}: {run.spec.experiment} with plugin {run.spec.plugin}, seed {run.spec.seed}")
        left = copy_left(earlier, reserved.place / RESUMED) if earlier is not None else None
        code = dirty.keep(repo, seen, run.id, now=begun, allow=allow, told=lambda text: log.write("run", text))
        run = replace(run, code=code)
        facts = record.begin(
            reserved.record, run=run.id, spec=run.spec, code=code, source=run.source, inputs=run.inputs, started=begun,
            origin=run.origin, more={"resumes": earlier and earlier.cited, "user": run.user or None},
        )  # fmt: skip
    except BaseException as failure:
        if log is not None:
            log.discard()
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)
        try:
            dirty.drop(repo, run.id)
        except StrataError:  # the disk is full: the next run finds what is there, and drops it
            reserved.abandon()
        else:
            drop_outside(reserved)
            reserved.release()
        if isinstance(failure, OSError):
            raise StrataError(
                f"The run could not begin: {failure.strerror or failure}.", hint="Check free space and permissions."
            ) from None
        raise
    return Work(repo, reserved, run, facts, place, log, Meter(), left)


def _work(plugin: Plugin, work: Work, open_tracker: OpenTracker, steps: Steps | None) -> tuple[Recorder, Ended]:
    """Open the tracker and let the plugin work. A tracker that cannot be opened leaves no run."""
    tracker = Recorder()
    try:
        with captured(work.log):
            try:
                behind = open_tracker(replace(work.started, artifact_dir=work.artifact_dir))
            except StrataError:
                _forget(work)
                raise
            told = work.started.mask.text
            tracker = Recorder(behind, lambda text: work.log.write("run", text), work.artifact_dir, told)
            if behind is not None:
                work.reserved.note({"tracker": behind.reference})
            return tracker, attempt(plugin, work, tracker, steps)
    except KeyboardInterrupt as stopped:
        return tracker, Ended("interrupted", f"interrupted by {stopped if stopped.args else 'SIGINT'}")


def _forget(work: Work) -> None:
    work.log.discard()
    shutil.rmtree(work.artifact_dir, ignore_errors=True)
    dirty.drop(work.repo, work.started.id)
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
    reserved.note({"artifact_dir": str(place)})  # before it is there: who dies between the two leaves it known
    try:
        place.mkdir(parents=True)
    except OSError as error:
        raise StrataError(
            f"{ARTIFACT_ROOT} ({printable(base)}) cannot be used: {error.strerror}.",
            hint=f"Name a directory you may write to, or unset {ARTIFACT_ROOT}.",
        ) from None
    return place


def _finish(root: Path, work: Work, ended: Ended, tracker: Recorder, now: datetime | None) -> RunOutcome:
    """Close and show the record. How the run ended is noted first: whoever has to finish this knows it."""
    reserved, log = work.reserved, work.log
    error = printable(work.started.mask.text(ended.error))[:2000] if ended.error is not None else None
    log.write("run", ended.status if error is None else f"{ended.status}: {error}")
    log.close()
    end = record.End(
        ended.status,
        now or datetime.now(UTC),
        error,
        dict(tracker.metrics),
        {**ended.told, "usage": asdict(work.meter.usage())},
    )
    reserved.note({"ended": end.plain()})
    try:
        write_history(work.artifact_dir, tracker.points)
        record.collect(work.artifact_dir, reserved.record)
        digest = record.close_as(reserved.record, work.facts, end)
    except record.Unrecordable as refused:  # what the plugin wrote is no record: say so, without it
        shutil.rmtree(reserved.record / record.ARTIFACTS, ignore_errors=True)
        shutil.rmtree(work.artifact_dir, ignore_errors=True)
        ended, end = Ended("failed"), replace(end, status="failed", error=refused.message)
        digest = record.close_as(reserved.record, work.facts, end)
    publish(reserved, root)
    tracker.finish(ended.status)  # whatever becomes of it, the record stands
    return RunOutcome(
        id=reserved.id,
        status=end.status,
        path=f"runs/{reserved.id}",
        digest=digest,
        metrics=dict(sorted(tracker.metrics.items())),
        model=ended.model,
        error=end.error,
        tracked=tracker.complete and not tracker.waiting,
        killed=tuple(dead.id for dead in work.started.killed),
        waiting=tracker.waiting,
        kept=f"{dirty.KEPT}{reserved.id}" if work.started.code.kept else "",
    )


def _unfinished(reserved: Reservation, ended: Ended, failure: StrataError) -> StrataError:
    """The run is over, and its record is not in place."""
    return StrataError(
        f"{reserved.id} {ended.status}, but its record could not be completed: {failure.message}",
        hint=f"All of it waits in {PENDING}/{reserved.id}: make room, then say git strata runs recover",
        exit_code=failure.exit_code,
    )
