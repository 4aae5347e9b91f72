"""Which tracker a run gets (TFC-0010 5.1), and how queues of earlier runs reach the same place."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from strata_git.config import TRACKERS, Settings
from strata_git.errors import StrataError, UsageError, printable
from strata_git.runs.catalog import TRACKING, missing_extras, require
from strata_git.runs.started import Started
from strata_git.runs.tracking import Adapter
from strata_git.runs.tracking_files import FOLDER, FileTracker
from strata_git.runs.tracking_queue import Begin, milliseconds, queue_name

if TYPE_CHECKING:
    from strata_git.runs.tracking_courier import Route

URI = "MLFLOW_TRACKING_URI"
_OVER = ("succeeded", "failed", "interrupted", "killed")


@dataclass(frozen=True, slots=True)
class Choice:
    """A way to track: `to` is mlflow, files or none; `note` one sentence for the user where it is second best."""

    to: str
    note: str = ""

    def open(self, run: Started) -> Adapter | None:
        """The tracker of `run`; None for a run that only its record remembers."""
        if self.to == "mlflow":
            return track(run, run.parent, deliver=not run.parent)
        if self.to == "none":
            return None
        place = run.local / FOLDER / f"{queue_name(run.id)}.jsonl"
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StrataError(f"{printable(str(place.parent))} cannot be written: {error.strerror}.") from None
        return FileTracker(place)


def choose(settings: Settings, environ: Mapping[str, str], asked: str = "") -> Choice:
    """What `asked` (the command line), strata.yaml and the environment say, in this order.

    MLFLOW_TRACKING_URI asks for MLflow. Nobody asking, it is MLflow where that is installed, else files. Raises
    MissingExtra where MLflow is asked for and not installed, UsageError for another word.
    """
    if asked and asked not in TRACKERS:
        raise UsageError(f"There is no tracker '{printable(asked)}'.", hint=f"There are: {', '.join(TRACKERS)}.")
    wanted = asked or settings.tracking_to or ("mlflow" if environ.get(URI) else "")
    if wanted == "mlflow":
        require(TRACKING)
    if wanted:
        return Choice(wanted)
    if missing_extras(TRACKING):
        return Choice(
            "files", "MLflow is not installed: the record is all that is kept (pip install 'git-strata[runs]')"
        )
    return Choice("mlflow")


def track(run: Started, parent: str = "", *, deliver: bool | None = None, keep: bool = False) -> Adapter:
    """The tracker of `run` in MLflow, as part of the run `parent` ("": of the one that `run` names, if any).

    `deliver=False` only writes the queue, and no MLflow is loaded here: that is so for a part of a run, which whoever
    tracks the run itself sends. `keep` copies the files that are told of: those of a run that leaves no record. Raises
    StrataError where nothing can be written.
    """
    from strata_git.runs.mlflow import REPOSITORY, RUN, Place
    from strata_git.runs.tracking_courier import QueueTracker

    parent = parent or run.parent
    deliver = not parent if deliver is None else deliver
    place = Place.chosen(run.environ, run.local, run.spec.experiment)
    begin = Begin(
        run=run.id,
        repository=run.repository,
        destination=run.mask.text(place.destination),
        experiment=place.experiment,
        key=token_hex(16),
        at=milliseconds(),
        parent=parent,
        artifacts=str(run.artifact_dir) if run.artifact_dir else "",
        tags={
            **{run.mask.text(name): run.mask.text(text) for name, text in run.tags().items()},
            **{name: text for name, text in ((RUN, run.id), (REPOSITORY, run.repository)) if text},
            **({"strata.parent": parent} if parent else {}),
        },
    )
    tracker = QueueTracker(run.local, begin, route(run.environ, run.local) if deliver else None, keep=keep)
    if run.source:
        source, rows = run.source, _rows(run.source.metadata)
        tracker.log_input(source.artifact.short, source=source.artifact.path, digest=source.content_hash, rows=rows)
    elif run.spec.dataset_id:
        tracker.log_input(run.spec.dataset_id, source=run.spec.dataset_id)
    for name, one in run.inputs.items():
        tracker.log_input(name, source=one.reference, digest=one.digest)
    return tracker


def route(environ: Mapping[str, str], local: Path) -> Route:
    """The way to the MLflow that the environment names; nothing is loaded or asked yet."""
    from strata_git.runs.mlflow import Place, connect, is_busy
    from strata_git.runs.tracking_courier import Pace, Route

    place = Place.chosen(environ, local, "")
    pace = Pace(patience=300) if place.is_file else Pace()
    root = local.parent.parent
    return Route(root, local, place.destination, lambda: connect(place), status_reader(root), pace, is_busy)


def status_reader(root: Path) -> Callable[[str], str | None]:
    """How to learn how a run of the work tree `root` ended whose tracker was not told: by its record.

    The answer is None while the run may go on, or waits for somebody to record that it was killed.
    """

    def status_of(run: str) -> str | None:
        from strata_git.load import Unloadable, load_yaml

        whole = run.partition("/")[0]
        try:
            value = load_yaml((root / "runs" / run / "run.yaml").read_bytes(), limit=16 << 20).value
        except (OSError, Unloadable):
            return None if os.path.lexists(root / ".strata/local/pending" / whole) else "killed"
        status = value.get("status") if isinstance(value, Mapping) else None
        return status if status in _OVER else "killed"

    return status_of


def _rows(metadata: Mapping[str, object]) -> int | None:
    """Rows of all splits together, where the dataset says them."""
    splits = metadata.get("splits")
    told = (
        [one.get("rows") for one in splits.values() if isinstance(one, Mapping)] if isinstance(splits, Mapping) else []
    )
    rows = [number for number in told if isinstance(number, int)]
    return sum(rows) if rows and len(rows) == len(told) else None
