"""MLflow as a view of runs: the same parameters, numbers, tags and files, under the run's own id.

Only `MlflowClient` is used, never the fluent interface, so nothing global is set but two switches that keep MLflow
from telephoning home. Without MLFLOW_TRACKING_URI everything stays in `.strata/local/` (SQLite and a folder of
copies), which is ignored by git and can be deleted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from strata_git.errors import StrataError, printable
from strata_git.runs.started import Started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.tracking import MlflowClient

DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"
_SILENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
_STATUS = {"succeeded": "FINISHED", "failed": "FAILED", "interrupted": "KILLED", "killed": "KILLED"}
_VALUE_LIMIT = 500
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Place:
    """Where MLflow keeps things: tracking URI, experiment name, artifact root ("": the server's own choice)."""

    uri: str
    experiment: str
    artifacts: str
    local: Path | None

    @classmethod
    def chosen(cls, environ: Mapping[str, str], local: Path, experiment: str) -> Place:
        """What the environment snapshot asks for (MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT, MLFLOW_EXPERIMENT_NAME).

        Left alone: the local database, and an MLflow experiment of the experiment's own name.
        """
        name = environ.get("MLFLOW_EXPERIMENT") or environ.get("MLFLOW_EXPERIMENT_NAME") or experiment
        if uri := environ.get("MLFLOW_TRACKING_URI"):
            return cls(uri, name, "", None)
        return cls(f"sqlite:///{local / DATABASE}", name, f"file://{quote(str(local / ARTIFACTS))}", local)


@dataclass(frozen=True, slots=True)
class Input:
    """A data set as MLflow lists it: `digest` is cut to what its database holds, tags carry the whole."""

    name: str
    digest: str
    source: str


@dataclass(slots=True)
class MlflowTracker:
    """One MLflow run, opened by `open_tracker`."""

    client: MlflowClient
    run_id: str
    _steps: dict[str, int] = field(default_factory=dict)

    @property
    def reference(self) -> str:
        return self.run_id

    def log_params(self, params: Mapping[str, object]) -> None:
        from mlflow.entities import Param

        rows = [Param(name, str(value)[:_VALUE_LIMIT]) for name, value in params.items()]
        for start in range(0, len(rows), _BATCH):
            self.client.log_batch(self.run_id, params=rows[start : start + _BATCH])

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        rows = [Metric(name, value, now, self._step(name, step)) for name, value in metrics.items()]
        for start in range(0, len(rows), _BATCH):
            self.client.log_batch(self.run_id, metrics=rows[start : start + _BATCH])

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        self.log_metrics({name: value}, step)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag

        self.client.log_batch(self.run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def log_artifact(self, path: Path, folder: str = "") -> None:
        self.client.log_artifact(self.run_id, str(path), folder or None)

    def log_artifacts(self, directory: Path, folder: str = "") -> None:
        self.client.log_artifacts(self.run_id, str(directory), folder or None)

    def finish(self, status: str) -> None:
        self.client.set_terminated(self.run_id, _STATUS[status])

    def end_dead_run(self, run_id: str) -> None:
        """Mark a run whose process was killed; nothing happens where MLflow no longer knows it."""
        with suppress(Exception):
            self.client.set_terminated(run_id, _STATUS["killed"])

    def _step(self, name: str, step: int | None) -> int:
        """MLflow shows the value of the highest step as the last one: without a step, count them ourselves."""
        self._steps[name] = self._steps.get(name, -1) + 1 if step is None else max(step, self._steps.get(name, 0))
        return self._steps[name] if step is None else step


def track(run: Started) -> MlflowTracker:
    """Begin the MLflow run of `run`, and end those of the runs found dead. StrataError when that cannot be done."""
    place = Place.chosen(run.environ, run.local, run.spec.experiment)
    source = run.source
    inputs = [Input(source.artifact.short, source.content_hash, source.artifact.path)] if source else []
    tracker = open_tracker(place, name=run.id, tags=run.tags(), inputs=inputs)
    for dead in run.killed:
        if dead.tracker:
            tracker.end_dead_run(dead.tracker)
    return tracker


def open_tracker(place: Place, *, name: str, tags: Mapping[str, str], inputs: Sequence[Input] = ()) -> MlflowTracker:
    """Begin an MLflow run called `name`; StrataError when the tracking store cannot be used."""
    try:
        client, experiment = connected(place)
        run = client.create_run(experiment, run_name=name, tags=dict(tags))
        if inputs:
            client.log_inputs(run.info.run_id, datasets=[_dataset_input(one) for one in inputs])
    except StrataError:
        raise
    except Exception as error:  # SQLAlchemy, HTTP, MLflow itself: each raises its own kind
        raise _unusable(place, error) from error
    return MlflowTracker(client, run.info.run_id)


def connected(place: Place) -> tuple[MlflowClient, str]:
    """A client, and the id of the experiment that `place` names, made where there is none.

    Raises whatever MLflow and its store raise; StrataError for a deleted experiment.
    """
    _import_silenced()
    with _alone(place):
        client = _client(place)
        return client, _experiment(client, place)


def reading_client(uri: str) -> MlflowClient:
    """A client that looks at the store at `uri` and makes nothing there by itself."""
    _import_silenced()
    return _client(Place(uri, "", "", None))


def unusable(place: Place, error: Exception) -> StrataError:
    """The sentence for a store that refuses."""
    return _unusable(place, error)


def _import_silenced() -> None:
    """Import MLflow (seconds, so outside any lock); its switches are read from the process's own environment."""
    os.environ.update(_SILENT)
    import logging

    import mlflow.tracking  # noqa: F401

    logging.getLogger("alembic").setLevel(logging.WARNING)


def _client(place: Place) -> MlflowClient:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=place.uri)


def _experiment(client: MlflowClient, place: Place) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(place.experiment)
    if found is None:
        try:
            return str(client.create_experiment(place.experiment, artifact_location=place.artifacts or None))
        except MlflowException:  # on a server somebody else was quicker
            found = client.get_experiment_by_name(place.experiment)
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        raise StrataError(
            f"The MLflow experiment '{printable(place.experiment)}' is deleted.",
            hint="Restore it, or name another one in MLFLOW_EXPERIMENT.",
        )
    return str(found.experiment_id)


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    """Keep other runs out while the local database is made: its first migration is not safe to do twice at once."""
    if place.local is None:
        yield
        return
    import fcntl

    place.local.mkdir(parents=True, exist_ok=True)
    handle = os.open(place.local / "mlflow.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _dataset_input(given: Input) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    short = given.digest.removeprefix("sha256:")[:36]
    dataset = Dataset(name=given.name, digest=short, source_type="git", source=given.source)
    return DatasetInput(dataset, tags=[InputTag("mlflow.data.context", "training")])


def _unusable(place: Place, error: Exception) -> StrataError:
    reason = printable(str(error).strip().split("\n", 1)[0][:300])
    where = "the local MLflow database" if place.local else "the MLflow server named by MLFLOW_TRACKING_URI"
    hint = (
        f"If {place.local / DATABASE} is damaged or of another MLflow version, move it away: it is a view, no record."
        if place.local
        else "Check the address, or unset MLFLOW_TRACKING_URI to track locally."
    )
    return StrataError(f"Tracking cannot begin in {where}: {type(error).__name__}: {reason}", hint=hint)
