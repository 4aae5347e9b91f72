"""Measurements of a program: lines `strata-metric NAME=VALUE ... [step=N]` it says, and a file it writes.

A metric is a finite number (TFC-0003 4.1). NaN is no measurement: the program goes on, and the run fails at its end, in
words, rather than keep an older value as if nothing had happened.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from strata_git.errors import StrataError, printable
from strata_git.runs.plugin import Metric
from strata_git.runs.plugins.command_params import MetricsSaid

MARK = "strata-metric "
_SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_STEPS = ("step", "epoch", "iteration")
_LARGEST = 16 << 20


class Measured:
    """What was measured so far; `log` (metrics, step) shows it to whoever follows the run."""

    def __init__(self, log: Callable[[Mapping[str, float], int | None], None], note: Callable[[str], None]) -> None:
        self.values: dict[str, float] = {}
        self.infinite: dict[str, float] = {}
        self._log, self._note = log, note

    def hear(self, line: str) -> bool:
        """Take a line that the program said; whether it told metrics."""
        if not line.startswith(MARK):
            return False
        try:
            found, step = parse_line(line)
        except ValueError as error:
            self._note(f"warning: {error}: {printable(line.strip()[:200])}")
            return True
        self.add(found, step)
        return True

    def add(self, found: Mapping[str, float], step: int | None = None) -> None:
        """Remember numbers and show the finite ones."""
        for name, value in found.items():
            self.infinite.pop(name, None)
            if not math.isfinite(value):
                self.infinite[name] = value
        finite = {name: value for name, value in found.items() if math.isfinite(value)}
        self.values.update(finite)
        if finite:
            self._log(finite, step)

    def read(self, path: Path, name: str) -> None:
        """Take the file of metrics at `path`, called `name` in messages. StrataError when it cannot be read."""
        for found, step in read_metrics(path, name, self._note):
            self.add(found, step)

    def result(self, said: MetricsSaid) -> dict[str, Metric]:
        """Every metric with what is needed to compare it. StrataError where one ended as no finite number."""
        if self.infinite:
            name, value = next(iter(self.infinite.items()))
            raise StrataError(f"The metric '{printable(name)}' ended as {value}: not a finite number.")
        return {
            name: Metric(value, _direction(name, said), said.tolerance, _split(name))
            for name, value in self.values.items()
        }


def parse_line(line: str) -> tuple[dict[str, float], int | None]:
    """Metrics and step of a line that begins with `strata-metric `; ValueError where it cannot be read."""
    found: dict[str, float] = {}
    step = None
    for word in line.split()[1:]:
        name, equals, value = word.rpartition("=")
        if not equals or not name:
            raise ValueError("not NAME=VALUE")
        if name == "step":
            if not re.fullmatch(r"[0-9]{1,18}", value):
                raise ValueError("step is no whole number")
            step = int(value)
        else:
            try:
                found[name] = float(value)
            except ValueError:
                raise ValueError(f"'{printable(value)}' is no number") from None
    if not found:
        raise ValueError("no NAME=VALUE")
    return found, step


def read_metrics(path: Path, name: str, note: Callable[[str], None]) -> Iterator[tuple[dict[str, float], int | None]]:
    """Numbers of a JSON or YAML file, or of every row of a CSV file with its step; what is no number is noted."""
    from strata_git.load import Unloadable, load_json, load_yaml

    try:
        with open(path, "rb") as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise StrataError(
            f"The program wrote no metrics: artifacts/{printable(name)} ({error.strerror}).",
            hint="params.metrics.file names a file below ${artifact_dir}.",
        ) from None
    if len(data) > _LARGEST:
        raise StrataError(f"artifacts/{printable(name)} is larger than {_LARGEST >> 20} MiB: too large for metrics.")
    if name.endswith(".csv"):
        yield from _rows(data, name)
        return
    try:
        value = (load_json if name.endswith(".json") else load_yaml)(data).value
    except Unloadable as error:
        place = f"artifacts/{printable(name)}" + (f":{error.line}" if error.line else "")
        raise StrataError(f"{place}: {error.message}.") from None
    if not isinstance(value, Mapping):
        raise StrataError(f"artifacts/{printable(name)}: a mapping of names to numbers is expected.")
    flat = dict(flattened(value))
    skipped = [key for key, one in flat.items() if isinstance(one, bool) or not isinstance(one, int | float)]
    if skipped:
        note(f"{printable(name)}: no numbers, left out: {printable(', '.join(skipped[:20]))}")
    yield {key: one for key, one in flat.items() if key not in set(skipped)}, None


def flattened(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Names joined by dots, and what is no mapping."""
    for key, one in value.items():
        if isinstance(one, Mapping):
            yield from flattened(one, f"{above}{key}.")
        else:
            yield f"{above}{key}", one


def _rows(data: bytes, name: str) -> Iterator[tuple[dict[str, float], int | None]]:
    """Two forms: a column a metric (and perhaps `step`), or the columns `name` and `value` (and perhaps `step`)."""
    reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig", "backslashreplace"), newline=""))
    columns = list(reader.fieldnames or [])
    long = {"name", "value"} <= set(columns)
    counter = next((one for one in _STEPS if one in columns), None)
    for row in reader:
        place = f"artifacts/{printable(name)}:{reader.line_num}"
        step = None if counter is None else int(_number(row[counter], place))
        cells = {row["name"]: row["value"]} if long else {key: row[key] for key in columns if key != counter}
        found = {key: _number(cell, place) for key, cell in cells.items() if key and (cell or "").strip()}
        if found:
            yield found, step


def _number(cell: str | None, place: str) -> float:
    try:
        return float(cell or "")
    except ValueError:
        raise StrataError(f"{place}: '{printable((cell or '')[:80])}' is no number.") from None


def _direction(name: str, said: MetricsSaid) -> str:
    return "lower" if any(fnmatchcase(name, pattern) for pattern in said.lower) else "higher"


def _split(name: str) -> str:
    """The split that a name begins with (TFC-0003 4.2): `test_f1`, `test.f1`, `test/f1`."""
    return _SPLITS.get(re.split(r"[_./-]", name, maxsplit=1)[0], "")
