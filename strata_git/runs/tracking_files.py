"""Trackers that need no other program: a file of lines, and the memory of this process.

`FileTracker` serves where there is no MLflow (TFC-0010 5.1): the file can be followed while the run works. A
`MemoryTracker` is for those who call a plugin from Python, and for tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

FOLDER = "tracked"
"""Below the work tree's ignored `.strata/local`: one file a run."""


class FileTracker:
    """A tracker that writes one JSON line a call to a file."""

    waiting = ""

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
        for path, place in files_below(directory, folder):
            self.log_artifact(path, place)

    def log_input(self, name: str, *, source: str, digest: str = "", rows: int | None = None) -> None:
        self._write({"dataset": name, "source": source, "digest": digest, "rows": rows})

    def finish(self, status: str) -> None:
        self._write({"status": status})

    def leave(self) -> None:
        """Nothing is held."""

    def _write(self, line: Mapping[str, object]) -> None:
        from strata_git.load import canonical_json

        with open(self._path, "ab") as stream:
            stream.write(canonical_json(line) + b"\n")


class MemoryTracker:
    """A tracker that keeps everything it is told: `points` are (metric, step, value), `files` (folder, name)."""

    waiting = ""
    reference = ""

    def __init__(self) -> None:
        self.params: dict[str, object] = {}
        self.points: list[tuple[str, int | None, float]] = []
        self.tags: dict[str, str] = {}
        self.files: list[tuple[str, str]] = []
        self.datasets: dict[str, tuple[str, str, int | None]] = {}
        self.status = ""

    def log_params(self, params: Mapping[str, object]) -> None:
        self.params.update(params)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self.points += [(name, step, value) for name, value in metrics.items()]

    def log_metric(self, name: str, value: float, step: int | None = None) -> None:
        self.log_metrics({name: value}, step)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        self.tags.update(tags)

    def log_artifact(self, path: Path, folder: str = "") -> None:
        self.files.append((folder, path.name))

    def log_artifacts(self, directory: Path, folder: str = "") -> None:
        for path, place in files_below(directory, folder):
            self.log_artifact(path, place)

    def log_input(self, name: str, *, source: str, digest: str = "", rows: int | None = None) -> None:
        self.datasets[name] = (source, digest, rows)

    def finish(self, status: str) -> None:
        self.status = status

    def leave(self) -> None:
        """Nothing is held."""


def files_below(directory: Path, folder: str = "") -> list[tuple[Path, str]]:
    """Every file below `directory`, sorted, with the folder it goes to; links are passed over."""
    return [
        (path, "/".join(filter(None, (folder, *path.parent.relative_to(directory).parts))))
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]
