"""Where a plugin reports to while it works: parameters, measurements, tags and files.

`Tracker` is the whole seam. `Recorder` keeps the truth (what metrics.json will say) and passes everything on to one
more tracker: MLflow's adapter in ordinary life, `FileTracker` where no server and no database is wanted, nothing at all
by default. An adapter that fails never fails a run: the record is the product, tracking is a view of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Protocol


class Tracker(Protocol):
    """What plugins may call, and what adapters offer. Values are scalars; a metric is a finite number."""

    def log_params(self, params: Mapping[str, object]) -> None:
        """Note settings of the run, one value a name."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Note several measurements made at the same `step`."""

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        """Note one measurement; without `step` the last value stands."""

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Label the run."""

    def log_artifact(self, path: Path, folder: str = "") -> None:
        """Show a file of the run (below `folder` on the tracker's side)."""

    def log_artifacts(self, directory: Path, folder: str = "") -> None:
        """Show every file below `directory`."""


class Tracking(Tracker, Protocol):
    """What a plugin is handed: a tracker with the short forms that people expect (TFC-0010 3.3)."""

    def log_param(self, name: str, value: object) -> None:
        """Note one setting of the run."""

    def set_tag(self, name: str, value: str) -> None:
        """Label the run once."""

    def log_figure(self, figure: Figure, name: str) -> None:
        """Save a figure (whatever has `savefig`) as `name` below artifact_dir, and show it."""

    def log_dataset(self, name: str, *, source: str, digest: str = "", rows: int | None = None) -> None:
        """Note data that the plugin brought along; committed datasets are recorded without it."""


class Figure(Protocol):
    """What can be drawn: matplotlib's figures, and others that know how to save themselves."""

    def savefig(self, path: Path, /) -> object:
        """Write the figure to a file whose ending says the format."""


class Adapter(Tracker, Protocol):
    """A tracker that execution opens before a run and closes after it."""

    @property
    def reference(self) -> str:
        """How the tracker calls this run ("" where it has no name for it)."""

    def finish(self, status: str) -> None:
        """Close the run with our status: succeeded, failed, interrupted or killed."""


class Recorder:
    """The tracker handed to plugins: remembers every value, then passes it on.

    `note` takes one sentence for the log when the adapter behind fails; it is not asked again for that run. `place` is
    the run's artifact_dir, where figures go.
    """

    def __init__(
        self, behind: Adapter | None = None, note: Callable[[str], None] = lambda _: None, place: Path | None = None
    ) -> None:
        self._place = place
        self.metrics: dict[str, float] = {}
        self.params: dict[str, object] = {}
        self.tags: dict[str, str] = {}
        self.complete = True
        self._behind = behind
        self._note = note

    def log_params(self, params: Mapping[str, object]) -> None:
        self.params.update(params)
        self._pass_on(lambda behind: behind.log_params(params))

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Raises ValueError for what is not a finite number: it could be neither written nor compared."""
        numbers = {name: finite(name, value) for name, value in metrics.items()}
        self.metrics.update(numbers)
        self._pass_on(lambda behind: behind.log_metrics(numbers, step))

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        self.log_metrics({name: value}, step)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self.tags.update(tags)
        self._pass_on(lambda behind: behind.set_tags(tags))

    def log_artifact(self, path: Path, folder: str = "") -> None:
        self._pass_on(lambda behind: behind.log_artifact(path, folder))

    def log_artifacts(self, directory: Path, folder: str = "") -> None:
        self._pass_on(lambda behind: behind.log_artifacts(directory, folder))

    def log_param(self, name: str, value: object) -> None:
        self.log_params({name: value})

    def set_tag(self, name: str, value: str) -> None:
        self.set_tags({name: value})

    def log_figure(self, figure: Figure, name: str) -> None:
        """Raises ValueError for a name that leaves artifact_dir."""
        relative = PurePosixPath(name)
        if self._place is None or relative.is_absolute() or ".." in relative.parts or not relative.name:
            raise ValueError(f"'{name}' is no path below artifact_dir")
        path = self._place / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path)
        folder = str(relative.parent)
        self.log_artifact(path, "" if folder == "." else folder)

    def log_dataset(self, name: str, *, source: str, digest: str = "", rows: int | None = None) -> None:
        facts = {"source": source, "digest": digest, "rows": rows}
        self.log_params({f"dataset.{name}.{key}": value for key, value in facts.items() if value not in ("", None)})

    def finish(self, status: str) -> None:
        """Close the adapter's side of the run."""
        self._pass_on(lambda behind: behind.finish(status))

    def _pass_on(self, call: Callable[[Adapter], None]) -> None:
        if self._behind is None or not self.complete:
            return
        try:
            call(self._behind)
        except Exception as error:  # noqa: BLE001 - an adapter talks to databases and servers; all they raise is theirs
            self.complete = False
            self._note(f"tracking stopped: {type(error).__name__}: {error}")


class FileTracker:
    """A tracker that writes one JSON line a call to a file: for tests, and for machines without MLflow."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def reference(self) -> str:
        return str(self._path)

    def log_params(self, params: Mapping[str, object]) -> None:
        self._write({"params": dict(params)})

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._write({"metrics": dict(metrics), "step": step})

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        self.log_metrics({name: value}, step)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self._write({"tags": dict(tags)})

    def log_artifact(self, path: Path, folder: str = "") -> None:
        self._write({"artifact": path.name, "folder": folder})

    def log_artifacts(self, directory: Path, folder: str = "") -> None:
        for path in sorted(directory.rglob("*")):
            if path.is_file():
                self.log_artifact(path, "/".join(filter(None, (folder, *path.parent.relative_to(directory).parts))))

    def finish(self, status: str) -> None:
        self._write({"status": status})

    def _write(self, line: Mapping[str, object]) -> None:
        from strata_git.load import canonical_json

        with open(self._path, "ab") as stream:
            stream.write(canonical_json(line) + b"\n")


def finite(name: str, value: float) -> float:
    """`value` as a plain finite number (numpy's scalars become Python's); ValueError otherwise."""
    if isinstance(value, bool):
        raise ValueError(f"metric '{name}' is {value!r}, not a number")
    number = int(value) if isinstance(value, int) else float(value)
    if not math.isfinite(number):
        raise ValueError(f"metric '{name}' is {value}: not a finite number")
    return number
