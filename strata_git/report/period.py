"""How models and runs did over time: figures counted by week, month or model, over one repository or several. Pure.

A figure belongs to the moment at which its version came into history (the author's date of the introducing commit; the
date it gives itself where that is not known). What is aggregated are facts of the index and nothing else, so the same
numbers come out of any other query over them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import fsum
from statistics import median
from typing import Literal

from strata_git.index.measures import assumed_direction
from strata_git.index.records import ArtifactRecord, Index
from strata_git.report.values import Series

By = Literal["week", "month", "model"]
FAILED = frozenset({"failed", "interrupted", "killed"})


@dataclass(frozen=True, slots=True)
class Observation:
    """One metric of one model version of one repository, at the moment the version came (ISO 8601 in UTC)."""

    repository: str
    model: str
    version: str
    number: int
    moment: str
    metric: str
    value: float
    direction: str = ""


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A metric of one model in one period.

    `trend` is the slope of the least-squares line over the versions in their order, per version (None for fewer than
    two); `best` is None where nobody knows which way is better.
    """

    repository: str
    period: str
    model: str
    metric: str
    direction: str
    count: int
    first: float
    last: float
    mean: float
    best: float | None
    trend: float | None

    @property
    def course(self) -> str:
        """`better`, `worse`, `flat`, or `""` where that cannot be said."""
        if self.trend is None or not self.direction:
            return ""
        if self.trend == 0:
            return "flat"
        return "better" if (self.trend > 0) == (self.direction == "higher") else "worse"


@dataclass(frozen=True, slots=True)
class Activity:
    """What happened to one model in one period: new versions, how many went into production, and how long that took.

    `lead` is the median of the seconds from a version's introduction to its first entry into production, over the
    entries of the period; None where there was none, or where history does not tell when the version came.
    """

    repository: str
    period: str
    model: str
    versions: int
    promotions: int
    lead: float | None


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of one experiment in one period, and what became of them."""

    repository: str
    period: str
    experiment: str
    runs: int
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What was aggregated from `since` to before `until` (ISO 8601; `""`: without end), by `by`."""

    since: str
    until: str
    by: By
    metrics: tuple[Aggregate, ...]
    activity: tuple[Activity, ...]
    runs: tuple[Runs, ...]
    notes: tuple[str, ...] = ()
    courses: tuple[Series, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One repository: its name in the report (`""` where there is only one), its index, declared directions by
    (reference, metric)."""

    name: str
    index: Index
    directions: Mapping[tuple[str, str], str]


def overview(sources: Iterable[Source], since: str, until: str, by: By, notes: Sequence[str] = ()) -> Overview:
    """Everything that came from `since` on and before `until`."""
    listed = list(sources)
    seen = [one for source in listed for one in observations(source) if _within(one.moment, since, until)]
    return Overview(
        since,
        until,
        by,
        tuple(aggregates(seen, by)),
        tuple(row for source in listed for row in _activity(source, since, until, by)),
        tuple(row for source in listed for row in _runs(source, since, until, by)),
        tuple(notes),
        tuple(courses(seen)),
    )


def courses(seen: Iterable[Observation]) -> Iterator[Series]:
    """The figures of each metric of each model, in the order of its versions."""
    groups: defaultdict[tuple[str, str, str], list[Observation]] = defaultdict(list)
    for one in seen:
        groups[one.repository, one.model, one.metric].append(one)
    for (repository, model, metric), unsorted in sorted(groups.items()):
        ordered = sorted(unsorted, key=lambda one: (one.number, one.version))
        name = f"{repository}:{model}" if repository else model
        yield Series(name, metric, ordered[-1].direction, tuple((one.version, one.value) for one in ordered))


def observations(source: Source) -> Iterator[Observation]:
    """Every metric of every model version that the index knows, those elsewhere included, each version once."""
    for record in _versions(source.index, "model"):
        artifact = record.artifact
        for metric, value in record.metrics.items():
            declared = source.directions.get((record.reference, metric))
            yield Observation(
                source.name, artifact.name, artifact.version, artifact.number, moment_of(record), metric, value,
                declared or assumed_direction(metric),
            )  # fmt: skip


def aggregates(seen: Iterable[Observation], by: By) -> Iterator[Aggregate]:
    """One row for each repository, period, model and metric."""
    groups: defaultdict[tuple[str, str, str, str], list[Observation]] = defaultdict(list)
    for one in seen:
        groups[one.repository, period_of(one.moment, by), one.model, one.metric].append(one)
    for key, unsorted in sorted(groups.items()):
        ordered = sorted(unsorted, key=lambda one: (one.number, one.version))
        values = [one.value for one in ordered]
        ways = {one.direction for one in ordered}
        direction = ordered[-1].direction if len(ways) == 1 else ""
        best = (max if direction == "higher" else min)(values) if direction else None
        mean = fsum(value / len(values) for value in values)
        yield Aggregate(*key, direction, len(values), values[0], values[-1], mean, best, slope(values))


def slope(values: Sequence[float]) -> float | None:
    """The least-squares slope of `values` over 0, 1, 2, ...; None for fewer than two."""
    count = len(values)
    if count < 2:
        return None
    middle = (count - 1) / 2
    spread = fsum((at - middle) ** 2 for at in range(count))
    try:
        return fsum((at - middle) / spread * value for at, value in enumerate(values))
    except OverflowError:  # figures near the largest that there are
        return None


def period_of(moment: str, by: By) -> str:
    """`2026-W47`, `2026-11`, or all of it; `unknown` for what has no date."""
    if by == "model":
        return "all"
    try:
        day = datetime.fromisoformat(moment)
    except ValueError:
        return "unknown"
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}" if by == "week" else f"{day:%Y-%m}"


def moment_of(record: ArtifactRecord) -> str:
    """When an artifact came into history; what it says itself where that is not known."""
    return record.introduced.date if record.introduced is not None and record.introduced.date else record.created


def _versions(index: Index, kind: str) -> list[ArtifactRecord]:
    """Every version once: as the revision has it, else as the first place elsewhere has it."""
    found: dict[str, ArtifactRecord] = {}
    for record in (*index.artifacts, *index.elsewhere):
        if record.artifact.kind == kind:
            found.setdefault(record.reference, record)
    return list(found.values())


def _activity(source: Source, since: str, until: str, by: By) -> Iterator[Activity]:
    came: Counter[tuple[str, str]] = Counter()
    moments: dict[str, str] = {}
    for record in _versions(source.index, "model"):
        moments[record.reference] = record.introduced.date if record.introduced else ""
        if _within(moment := moment_of(record), since, until):
            came[period_of(moment, by), record.artifact.name] += 1
    entered: defaultdict[tuple[str, str], list[float | None]] = defaultdict(list)
    first: set[str] = set()
    for event in source.index.events:
        if not (event.sound and event.action == "entering" and event.stage == "production"):
            continue
        name = event.model.reference
        lead = seconds_between(moments.get(name, ""), event.date) if name not in first else None
        first.add(name)
        if _within(event.date, since, until):
            entered[period_of(event.date, by), event.model.name].append(lead)
    for period, model in sorted(came.keys() | entered.keys()):
        leads = [lead for lead in entered.get((period, model), ()) if lead is not None]
        yield Activity(
            source.name, period, model, came[period, model], len(entered.get((period, model), ())),
            median(leads) if leads else None,
        )  # fmt: skip


def _runs(source: Source, since: str, until: str, by: By) -> Iterator[Runs]:
    counted: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for record in _versions(source.index, "run"):
        if _within(record.created, since, until):
            counted[period_of(record.created, by), record.description][record.status] += 1
    for (period, experiment), states in sorted(counted.items()):
        failed = sum(number for state, number in states.items() if state in FAILED)
        yield Runs(source.name, period, experiment, states.total(), states["succeeded"], failed)


def seconds_between(earlier: str, later: str) -> float | None:
    """How long from one moment to the other; None where either is unknown, or they stand in the wrong order."""
    try:
        passed = (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    except (ValueError, TypeError):
        return None
    return passed if passed >= 0 else None


def _within(moment: str, since: str, until: str) -> bool:
    return bool(moment) and since <= moment and (not until or moment < until)
