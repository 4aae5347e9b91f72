"""`import dvclive DIR`: DVCLive's files become a run: metrics.json, params.yaml, plots with their steps, artifacts."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from strata_git.checks.plain import mapping, number
from strata_git.errors import StrataError, printable
from strata_git.exchange.foreign_run import ForeignRun, ImportedRun, slug, write_run
from strata_git.exchange.staging import below, copy_tree
from strata_git.load import Unloadable, load_json, load_yaml
from strata_git.repo.command import Repository
from strata_git.runs.history import Point

_LIMIT = 16 << 20
_POINTS = 2_000_000


def import_dvclive(repo: Repository, directory: Path, *, experiment: str = "") -> ImportedRun:
    """Make a run of a DVCLive directory. StrataError where it is none, or holds links."""
    source = directory.absolute()
    place = below(source, "metrics.json", "DVCLive")
    if not place.is_file():
        raise StrataError(
            f"{printable(str(directory))} holds no metrics.json.", hint="Name the directory of DVCLive: dvclive"
        )
    metrics = dict(_flat(_json(place)))
    params_file = below(source, "params.yaml", "DVCLive")
    params = mapping(_yaml(params_file)) if params_file.is_file() else {}
    history = list(_history(source))
    times = [point.when for point in history if point.when is not None]
    end = datetime.fromtimestamp(place.stat().st_mtime, UTC)
    begun = datetime.fromtimestamp(min(times) / 1000, UTC) if times else end
    metrics.pop("step", None)
    return write_run(
        repo,
        ForeignRun(
            plugin="dvclive",
            source=f"DVCLive directory {directory.name}",
            experiment=experiment or slug(source.name if source.name != "dvclive" else source.parent.name, "dvclive"),
            status="succeeded",
            started=min(begun, end),
            finished=end,
            params=dict(params),
            metrics=metrics,
            history=history,
            fill=lambda target: _fill(source, target),
        ),
    )


def _fill(source: Path, target: Path) -> None:
    copy_tree(source, target / "dvclive")


def _json(path: Path) -> object:
    try:
        return load_json(path.read_bytes(), limit=_LIMIT).value
    except (OSError, Unloadable) as error:
        raise StrataError(f"{printable(str(path))}: {error}.") from None


def _yaml(path: Path) -> object:
    try:
        return load_yaml(path.read_bytes(), limit=_LIMIT).value
    except (OSError, Unloadable) as error:
        raise StrataError(f"{printable(str(path))}: {error}.") from None


def _flat(value: object, name: str = "") -> Iterator[tuple[str, float]]:
    """Nested metrics by their path: `train.loss`."""
    waiting: list[tuple[str, object]] = [(name, value)]
    while waiting:
        key, one = waiting.pop(0)
        figure = number(one)
        if isinstance(one, Mapping):
            waiting[:0] = [(f"{key}.{inner}" if key else inner, part) for inner, part in one.items()]
        elif figure is not None and key:
            yield key, figure


def _history(source: Path) -> Iterator[Point]:
    """Every value of plots/metrics/**.tsv: columns step and the metric, and the time where it was recorded."""
    root = source / "plots" / "metrics"
    if root.is_symlink() or not root.is_dir():
        return
    count = 0
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if not name.endswith(".tsv") or path.is_symlink():
                continue
            metric = path.relative_to(root).with_suffix("").as_posix().replace("/", ".")
            for point in _points(path, metric):
                count += 1
                if count > _POINTS:
                    raise StrataError(f"{printable(str(root))} holds more than {_POINTS} values.")
                yield point


def _points(path: Path, metric: str) -> Iterator[Point]:
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        for number_, row in enumerate(csv.DictReader(stream, delimiter="\t")):
            said = [value for key, value in row.items() if key not in ("step", "timestamp", None)]
            value, step, when = (
                _figure(text) for text in (said[0] if said else "", row.get("step"), row.get("timestamp"))
            )
            if value is not None:
                yield Point(metric, int(step if step is not None else number_), value, int(when) if when else None)


def _figure(text: object) -> float | None:
    try:
        return number(float(text)) if isinstance(text, str) else None
    except ValueError:
        return None
