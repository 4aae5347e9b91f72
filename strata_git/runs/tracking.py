"""Where a plugin reports to while it works: parameters, measurements, tags and files.

`Tracker` is the whole seam. `Recorder` keeps the truth (what metrics.json and metrics.jsonl will say) and passes
everything on, masked, to one more tracker, which `tracking_choice` picks. An adapter that fails never fails a run: the
record is the product, tracking is a view of it (TFC-0010 5).
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
    """A tracker that execution opens before a run and closes after its record is in place."""

    @property
    def reference(self) -> str:
        """How the tracker calls this run ("" where it has no name for it)."""

    @property
    def waiting(self) -> str:
        """Why the tracker does not have everything yet; "" when it has. What waits is sent later, and not lost."""

    def log_input(self, name: str, *, source: str, digest: str = "", rows: int | None = None) -> None:
        """Note data that the run read."""

    def finish(self, status: str) -> None:
        """Close the run with our status: succeeded, failed, interrupted or killed. Takes a bounded time."""

    def leave(self) -> None:
        """Let go of the run without saying how it ended: its record could not be put in place."""


class Recorder:
    """The tracker handed to plugins: remembers every value, then passes it on.

    `note` takes one sentence for the log when the adapter behind fails; it is not asked again for that run. `place` is
    the run's artifact_dir, where figures go; `mask` takes secrets out of what the adapter is told. `points` are all
    measurements in their order, with the step each was made at (None: not said).
    """

    def __init__(
        self,
        behind: Adapter | None = None,
        note: Callable[[str], None] = lambda _: None,
        place: Path | None = None,
        mask: Callable[[str], str] = str,
    ) -> None:
        self._place = place
        self._mask = mask
        self.points: list[tuple[str, int | None, float]] = []
        self.metrics: dict[str, float] = {}
        self.params: dict[str, object] = {}
        self.tags: dict[str, str] = {}
        self.complete = True
        self._behind = behind
        self._note = note

    def log_params(self, params: Mapping[str, object]) -> None:
        self.params.update(params)
        masked = {self._mask(name): self._mask(str(value)) for name, value in params.items()}
        self._pass_on(lambda behind: behind.log_params(masked))

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Raises ValueError for what is not a finite number: it could be neither written nor compared."""
        numbers = {name: finite(name, value) for name, value in metrics.items()}
        self.metrics.update(numbers)
        self.points += [(name, step, value) for name, value in numbers.items()]
        self._pass_on(lambda behind: behind.log_metrics(numbers, step))

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        self.log_metrics({name: value}, step)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self.tags.update(tags)
        masked = {self._mask(name): self._mask(text) for name, text in tags.items()}
        self._pass_on(lambda behind: behind.set_tags(masked))

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
        shown = self._mask(source)
        self._pass_on(lambda behind: behind.log_input(name, source=shown, digest=digest, rows=rows))

    @property
    def waiting(self) -> str:
        """Why the adapter does not have everything yet ("": it has, or will never have; see `complete`)."""
        return self._behind.waiting if self._behind is not None and self.complete else ""

    def finish(self, status: str) -> None:
        """Close the adapter's side of the run, now that its record is in place."""
        try:
            if self._behind is not None and self.complete:
                self._behind.finish(status)
        except Exception:  # noqa: BLE001 - as above; the log is closed, so the outcome alone tells
            self.complete = False
        if not self.complete:
            self.leave()

    def leave(self) -> None:
        """Let go of the adapter's side of the run without a word."""
        if self._behind is not None:
            self._behind.leave()

    def _pass_on(self, call: Callable[[Adapter], None]) -> None:
        if self._behind is None or not self.complete:
            return
        try:
            call(self._behind)
        except Exception as error:  # noqa: BLE001 - an adapter talks to databases and servers; all they raise is theirs
            self.complete = False
            self._note(f"tracking stopped: {type(error).__name__}: {error}")


def finite(name: str, value: float) -> float:
    """`value` as a plain finite number (numpy's scalars become Python's); ValueError otherwise."""
    if isinstance(value, bool):
        raise ValueError(f"metric '{name}' is {value!r}, not a number")
    number = int(value) if isinstance(value, int) else float(value)
    if not math.isfinite(number):
        raise ValueError(f"metric '{name}' is {value}: not a finite number")
    return number
