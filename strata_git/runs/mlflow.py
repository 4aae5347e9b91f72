"""MLflow as a view of runs: the same parameters, numbers, tags, data and files, under the run's own id.

Only `MlflowClient` is used, never the fluent interface, so nothing global is set but the switches below: MLflow neither
telephones home nor keeps asking a dead server for minutes. Without MLFLOW_TRACKING_URI everything stays in
`.strata/local/` (SQLite and a folder of copies), which is ignored by git and can be deleted.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from strata_git.errors import StrataError, printable
from strata_git.runs.masking import without_login
from strata_git.runs.tracking_delivery import Data, Gone, Point, reason_of
from strata_git.runs.tracking_queue import Begin

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"
HERE = "the workspace's own store"
"""The destination of queues for `.strata/local`."""
PARENT = "mlflow.parentRunId"
RUN, REPOSITORY, KEY = "strata.run", "strata.repository", "strata.key"
STATUS = {"succeeded": "FINISHED", "failed": "FAILED", "interrupted": "KILLED", "killed": "KILLED"}
_SILENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_BOUNDED = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # we ask again ourselves, later
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
"""Held to where the environment does not say otherwise."""
_PARAM_LIMIT, _TAG_LIMIT, _NAME_LIMIT = 6000, 8000, 250
_LABELS, _NUMBERS = 100, 800
"""Parameters or tags, and measurements, of one request: MLflow takes 1000 things at once, 100 of the former."""
_REFUSED = re.compile(r"[^\w./: -]")
_FINAL = ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "MALFORMED_REQUEST")
"""MLflow's codes for what it will never take."""
_BUSY = ("database is locked", "IntegrityError", "UniqueViolation", "UNIQUE constraint", "eadlock")
"""What databases say when two write the same thing; MLflow lists a data set once for all runs, and asks before."""


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

    @property
    def destination(self) -> str:
        """The store, named without user and password."""
        return HERE if self.local else without_login(self.uri)

    @property
    def is_file(self) -> bool:
        """Whether the store is a database file: others hold it for moments, it is never away."""
        return self.uri.startswith("sqlite:")


class MlflowStore:
    """MLflow as the other side of queues (`tracking_delivery.Store`); `connect` makes one."""

    def __init__(self, client: MlflowClient, place: Place) -> None:
        self._client, self._place = client, place
        self._experiments: dict[str, str] = {}
        self._made: dict[tuple[str, str], str] = {}

    def create(self, begin: Begin, parent: str) -> str:
        tags = {name: text[:_TAG_LIMIT] for name, text in begin.tags.items()} | {KEY: begin.key}
        tags |= {PARENT: parent} if parent else {}
        experiment = self._experiment(begin.experiment)
        with alone(self._place):
            made = self._client.create_run(experiment, start_time=begin.at, run_name=begin.run, tags=tags)
        self._made[begin.run, begin.repository] = str(made.info.run_id)
        return str(made.info.run_id)

    def find(self, begin: Begin) -> str:
        return self._found(begin, {KEY: begin.key})

    def find_run(self, run: str, begin: Begin) -> str:
        known = self._made.get((run, begin.repository)) or self._found(begin, {RUN: run, REPOSITORY: begin.repository})
        if known:  # a sweep's trials ask for it one after the other
            self._made[run, begin.repository] = known
        return known

    def write(self, run: str, params: Mapping[str, str], points: Iterable[Point], tags: Mapping[str, str]) -> list[str]:
        from mlflow.entities import Metric, Param, RunTag

        kinds: dict[str, tuple[int, list[Any]]] = {
            "params": (_LABELS, [Param(mlflow_name(name), value[:_PARAM_LIMIT]) for name, value in params.items()]),
            "tags": (_LABELS, [RunTag(mlflow_name(name), value[:_TAG_LIMIT]) for name, value in tags.items()]),
            "metrics": (_NUMBERS, [Metric(mlflow_name(one.name), one.value, one.at, one.step) for one in points]),
        }
        given: dict[str, Any] = {what: rows for what, (_, rows) in kinds.items() if rows}
        if not given:
            return []
        if all(len(rows) <= size for size, rows in kinds.values()) and not self._asked(
            run, "", lambda: self._client.log_batch(run, **given)
        ):
            return []
        refused: list[str] = []
        for what, (size, rows) in kinds.items():
            for start in range(0, len(rows), size):
                refused += self._log(run, what, rows[start : start + size])
        return refused

    def describe(self, run: str, data: Iterable[Data]) -> list[str]:
        inputs = [dataset_input(one) for one in data]
        return self._asked(run, "data", lambda: self._client.log_inputs(run, datasets=inputs))

    def upload(self, run: str, path: Path, folder: str) -> list[str]:
        with _meant(run):  # a copy of the file takes its time: others may use the database meanwhile
            self._client.log_artifact(run, str(path), folder or None)
        return []

    def end(self, run: str, status: str, at: int) -> None:
        with alone(self._place), _meant(run):
            self._client.set_terminated(run, STATUS[status], end_time=at)

    def _experiment(self, name: str) -> str:
        if name not in self._experiments:
            with alone(self._place):
                wanted = Place(self._place.uri, name, self._place.artifacts, self._place.local)
                self._experiments[name] = _experiment(self._client, wanted)
        return self._experiments[name]

    def _found(self, begin: Begin, tags: Mapping[str, str]) -> str:
        quoted = (f"tags.`{name}` = '{text}'" for name, text in tags.items() if text and "'" not in text)
        found = self._client.search_runs([self._experiment(begin.experiment)], " and ".join(quoted), max_results=1)
        return str(found[0].info.run_id) if found else ""

    def _log(self, run: str, what: str, rows: Sequence[Any]) -> list[str]:
        """Log rows of one kind; where MLflow refuses them together, one by one, to lose none but the bad ones."""
        named = f"{what[:-1]} {printable(rows[0].key)}" if len(rows) == 1 else ""
        given: dict[str, Any] = {what: rows}
        refused = self._asked(run, named, lambda: self._client.log_batch(run, **given))
        if not refused or named:
            return refused
        return [word for row in rows for word in self._log(run, what, [row])]

    def _asked(self, run: str, what: str, call: Callable[[], object]) -> list[str]:
        from mlflow.exceptions import MlflowException

        try:
            with alone(self._place), _meant(run):
                call()
        except MlflowException as error:
            if error.error_code not in _FINAL or is_busy(error):
                raise
            return [f"{what}: {reason_of(error)}"]
        return []


def connect(place: Place) -> MlflowStore:
    """The store at `place`. Raises whatever MLflow and its store raise. Takes seconds, for MLflow is imported, unless
    nobody listens there at all."""
    _knock(place.uri)
    _import_silenced()
    with alone(place):
        client = _client(place)
        client.search_experiments(max_results=1)  # makes a new database whole while nobody else is at it
    return MlflowStore(client, place)


def connected(place: Place) -> tuple[MlflowClient, str]:
    """A client, and the id of the experiment that `place` names, made where there is none.

    Raises whatever MLflow and its store raise; StrataError for a deleted experiment.
    """
    _import_silenced()
    with alone(place):
        client = _client(place)
        return client, _experiment(client, place)


def reading_client(uri: str) -> MlflowClient:
    """A client that looks at the store at `uri` and makes nothing there by itself."""
    _import_silenced()
    return _client(Place(uri, "", "", None))


def unusable(place: Place, error: Exception) -> StrataError:
    """The sentence for a store that refuses."""
    where = "the local MLflow database" if place.local else "the MLflow server named by MLFLOW_TRACKING_URI"
    return StrataError(f"{where[0].upper()}{where[1:]} cannot be used: {reason_of(error)}", hint=remedy(place))


def remedy(place: Place) -> str:
    """What to do about a store that refuses."""
    if place.local:
        return f"If {place.local / DATABASE} is damaged or of another MLflow version, move it away: it is only a view."
    return "Check the address, or unset MLFLOW_TRACKING_URI to track locally."


def is_busy(error: Exception) -> bool:
    """Whether others are at the same rows of the database at the moment: it is worth asking again at once."""
    return any(word in str(error) for word in _BUSY)


def mlflow_name(name: str) -> str:
    """A name as MLflow takes it."""
    return _REFUSED.sub("_", printable(name))[:_NAME_LIMIT]


def dataset_input(given: Data) -> Any:
    """A data set as MLflow lists it: its digest is cut to what the database holds, the source says the whole one."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    whole = {"source": given.source, **({"digest": given.digest} if given.digest else {})}
    dataset = Dataset(
        name=given.name[:_NAME_LIMIT],
        digest=given.digest.removeprefix("sha256:")[:36] or "unknown",
        source_type="git" if given.digest.startswith("sha256:") else "other",
        source=json.dumps(whole),
        profile=json.dumps({"num_rows": given.rows}) if given.rows is not None else None,
    )
    return DatasetInput(dataset, tags=[InputTag("mlflow.data.context", "training")])


@contextmanager
def alone(place: Place) -> Iterator[None]:
    """Keep other processes of this workspace out of the local database: SQLite lets one write at a time, and its first
    migration is not safe to do twice at once."""
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


@contextmanager
def _meant(run: str) -> Iterator[None]:
    """Gone for a run that the store does not know."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST" and run in str(error):
            raise Gone(str(error)) from error
        raise


def _knock(uri: str) -> None:
    """OSError where a server's port is closed: known in a moment, without MLflow. A proxy is left to know better."""
    import socket
    from urllib.parse import urlsplit
    from urllib.request import getproxies

    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or not parts.hostname or getproxies():
        return
    socket.create_connection((parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)), 5).close()


def _import_silenced() -> None:
    """Import MLflow (seconds, so outside any lock); its switches are read from the process's own environment."""
    os.environ.update(_SILENT)
    for name, value in _BOUNDED.items():
        os.environ.setdefault(name, value)
    import logging

    import mlflow.tracking  # noqa: F401

    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.ERROR)


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
