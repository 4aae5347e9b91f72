"""In which commit a recorded metric crossed a limit: nothing is trained or run again. Pure.

A metric is known at the commits that brought a version or run; between two of them any commit may be to blame, and
they are counted. Nothing is assumed to stay crossed, so all points are looked at, oldest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strata_git.errors import StrataError
from strata_git.index.export import Plain, encodable
from strata_git.index.history import History, Point, point_document
from strata_git.index.measures import shown

SCHEMA = "strata/bisect/v1"


@dataclass(frozen=True, slots=True)
class Limit:
    """What a metric must not cross: `below` or `above` a value, or a `drop` of so much from the best before it."""

    kind: str
    value: float

    def sentence(self, metric: str) -> str:
        """The limit in words."""
        if self.kind == "drop":
            return f"{metric} got worse by more than {shown(self.value)} than the best before it"
        return f"{metric} is {self.kind} {shown(self.value)}"


@dataclass(frozen=True, slots=True)
class Crossing:
    """The first point beyond the limit (None: none is), the last one before it that was not, and the best before it.

    `silent` are the commits between the two that recorded nothing, oldest first; `unknown` the versions that have no
    such metric, `unplaced` how many have no commit here. `recovered` is the first later point within the limit again.
    """

    limit: Limit
    first: Point | None = None
    good: Point | None = None
    best: Point | None = None
    recovered: Point | None = None
    silent: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    looked: int = 0


def bisect(found: History, limit: Limit) -> Crossing:
    """Find the crossing. Raises StrataError where nothing was recorded, or a drop has no direction to be a drop in."""
    points = found.measured
    if not points:
        raise StrataError(f"Nothing called {found.name} has recorded {found.metric}.")
    if limit.kind == "drop" and found.direction not in ("higher", "lower"):
        raise StrataError(
            f"Nobody says whether {found.metric} is better when it is higher or lower, so it cannot drop.",
            hint="Say a value instead: --below X or --above X; or --better higher|lower",
        )
    unknown = tuple(point.record.reference for point in found.points if point.value is None)
    good: Point | None = None
    top: Point | None = None
    for place, point in enumerate(points):
        if _crosses(point, top, limit, found.direction):
            later = (one for one in points[place + 1 :] if not _crosses(one, top, limit, found.direction))
            return Crossing(limit, point, good, top, next(later, None), unknown=unknown, looked=place + 1)
        good = point
        top = point if top is None or _better(point, top, found.direction) else top
    return Crossing(limit, good=good, best=top, unknown=unknown, looked=len(points))


def _crosses(point: Point, top: Point | None, limit: Limit, direction: str) -> bool:
    value = point.value if point.value is not None else 0.0
    if limit.kind == "below":
        return value < limit.value
    if limit.kind == "above":
        return value > limit.value
    if top is None or top.value is None:
        return False
    worse = top.value - value if direction == "higher" else value - top.value
    return round(worse, 12) > limit.value


def _better(point: Point, top: Point, direction: str) -> bool:
    one, other = point.value or 0.0, top.value or 0.0
    return one < other if direction == "lower" else one > other


def crossing_text(found: Crossing, history: History) -> str:
    """A crossing for people."""
    said = found.limit.sentence(history.metric)
    if found.first is None:
        looked = f"{found.looked} recorded values of {history.name}"
        lines = [f"Never: in none of {looked} {said}.", *_unknown(found)]
        return "\n".join(lines)
    lines = [
        f"{found.first.commit or 'a commit outside this history'} is the first commit in which {said}",
        *_told("first", found.first, history),
        *_told("before", found.good, history),
    ]
    if found.limit.kind == "drop" and found.best is not found.good:
        lines += _told("best", found.best, history)
    lines += _told("again within it", found.recovered, history)
    if found.silent:
        commits = "1 commit" if len(found.silent) == 1 else f"{len(found.silent)} commits"
        lines.append(f"  {commits} between recorded nothing, and may be to blame:")
        lines += [f"    {line}" for line in found.silent[:10]]
        if len(found.silent) > 10:
            lines.append(f"    ... and {len(found.silent) - 10} more")
    return "\n".join([*lines, *_unknown(found)])


def _told(word: str, point: Point | None, history: History) -> Sequence[str]:
    if point is None or point.value is None:
        return []
    when = f"{point.date} {point.commit[:12]} {point.subject}"
    return [f"  {word}: {point.record.reference}, {history.metric} = {shown(point.value)}  ({when})"]


def _unknown(found: Crossing) -> list[str]:
    if not found.unknown:
        return []
    more = f" and {len(found.unknown) - 8} more" if len(found.unknown) > 8 else ""
    return [f"  not recorded in {', '.join(found.unknown[:8])}{more}"]


def crossing_document(found: Crossing, history: History, revision: str) -> Plain:
    """A crossing for programs (schema strata/bisect/v1)."""
    points = {"first": found.first, "before": found.good, "best": found.best, "recovered": found.recovered}
    return encodable({
        "schema": SCHEMA,
        "revision": revision or None,
        "name": history.name,
        "kind": history.kind,
        "metric": history.metric,
        "direction": history.direction or None,
        "limit": {"kind": found.limit.kind, "value": found.limit.value},
        "crossed": found.first is not None,
        **{name: point_document(point) if point else None for name, point in points.items()},
        "silent": list(found.silent),
        "unknown": list(found.unknown),
        "looked": found.looked,
    })  # fmt: skip
