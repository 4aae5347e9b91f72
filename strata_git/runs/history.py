"""Every measured value of a run with its step, as its record keeps them (TFC-0003 4.3): `artifacts/metrics.jsonl`.

One JSON object a line, in the order the values were measured: `metric`, `step`, `value`, and `at` only where a run
comes from another tracker. The times of our own runs are left out, so that a repeated run gives the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

FILE = "metrics.jsonl"
"""Below artifacts/."""
_EXACT = 1 << 53


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a metric at a step; `when` in milliseconds of Unix time (None: not told)."""

    name: str
    step: int
    value: float
    when: int | None = None


def write_history(artifact_dir: Path, points: Sequence[tuple[str, int | None, float]]) -> None:
    """Write the history of a run below its artifact_dir, where metrics.json would not say it all: values with steps, or
    several of one name. Values without a step are counted. A file that the plugin wrote there stays as it is.

    Raises StrataError when the disk refuses.
    """
    told = Counter(name for name, _, _ in points)
    path = artifact_dir / FILE
    if all(step is None and told[name] == 1 for name, step, _ in points) or path.exists() or path.is_symlink():
        return
    from strata_git.repo.files import write_file

    write_file(path, dump_history(_counted(points)), durable=False)


def dump_history(points: Iterable[Point]) -> bytes:
    """The file's bytes."""
    from strata_git.load import canonical_json

    lines = []
    for point in points:
        told: dict[str, object] = {"metric": point.name, "step": point.step, "value": point.value}
        if point.when is not None:
            told["at"] = datetime.fromtimestamp(point.when / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        lines.append(canonical_json(told) + b"\n")
    return b"".join(lines)


def load_history(data: bytes) -> list[Point]:
    """The points in a file's bytes; lines that say something else are passed over."""
    return [point for line in data.splitlines() if (point := _point(line)) is not None]


def _point(line: bytes) -> Point | None:
    from strata_git.load import Unloadable, load_json

    try:
        value = load_json(line, limit=1 << 16).value
    except Unloadable:
        return None
    match value:
        case {"metric": str(name), "step": int(step), "value": int() | float() as number, **more}:
            at = more.get("at")
            number = float(number) if abs(number) > _EXACT else number  # canonical JSON writes 1e20 without a point
            return Point(name, step, number, _milliseconds(at) if isinstance(at, str) else None)
    return None


def _milliseconds(text: str) -> int | None:
    try:
        return round(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return None


def _counted(points: Iterable[tuple[str, int | None, float]]) -> Iterator[Point]:
    """As trackers are told: the value without a step comes after all before it."""
    last: dict[str, int] = {}
    for name, step, value in points:
        before = last.get(name, -1)
        last[name] = before + 1 if step is None else max(step, before)
        yield Point(name, last[name] if step is None else step, value)
