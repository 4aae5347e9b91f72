"""Metrics of what is new beside those of what it is compared with, gates, and histories. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from strata_git.contracts.gates import Gate
from strata_git.contracts.layout import Artifact
from strata_git.index.measures import assumed_direction
from strata_git.index.records import ArtifactRecord, Index, StageRecord
from strata_git.integrity.metric_gates import Figure, judge_gate
from strata_git.report.gates import GateRule
from strata_git.report.values import Gated, Measured, Series

Figures = Mapping[str, Figure]
LONGEST = 200
"""Most points of one history."""


def in_production(index: Index, model: str) -> StageRecord | None:
    """The last event by which a version of `model` is in production now; None where none is, or it does not count."""
    events = (e for e in index.events if e.model.name == model and e.current and e.stage == "production" and e.sound)
    return next(reversed(list(events)), None)


def predecessor(versions: Iterable[Artifact], artifact: Artifact) -> Artifact | None:
    """The version of the same name with the highest number below."""
    lower = [v for v in versions if (v.kind, v.name) == (artifact.kind, artifact.name) and v.number < artifact.number]
    return max(lower, key=lambda each: each.number, default=None)


def run_before(index: Index, run: ArtifactRecord) -> ArtifactRecord | None:
    """The run of the same experiment that succeeded last before `run`."""
    earlier = [
        record
        for record in index.of_kind("run")
        if record.description == run.description
        and record.status == "succeeded"
        and (record.created, record.reference) < (run.created, run.reference)
    ]
    return max(earlier, key=lambda record: (record.created, record.reference), default=None)


@dataclass(frozen=True, slots=True)
class Compared:
    """What somebody's figures are held against: `role` says what it is (in production, the version before)."""

    reference: str = ""
    role: str = ""
    figures: Figures | None = None


def compare(artifact: Artifact, figures: Figures, other: Compared) -> Iterator[Measured]:
    """One row for each metric of `artifact`."""
    for metric, figure in sorted(figures.items()):
        before = (other.figures or {}).get(metric)
        yield Measured(artifact.reference, artifact.kind, metric, figure, other.reference, other.role, before)


def figures_of_run(metrics: Mapping[str, float]) -> Figures:
    """A run's metrics; which way is better is what their names say by common usage."""
    return {name: Figure(value, assumed_direction(name)) for name, value in metrics.items()}


def hold(
    artifact: Artifact, figures: Figures | None, production: Figures | None, rules: Sequence[GateRule]
) -> Iterator[Gated]:
    """Every gate that is about the model, held against its figures. A metric that is missing never passes."""
    for gate in _gates_for(artifact.name, rules):
        yield Gated(artifact.reference, gate.text, judge_gate(gate, figures, production))


def histories(name: str, versions: Sequence[tuple[str, Figures]]) -> Iterator[Series]:
    """The history of each metric that the last version has; `versions` are (version, figures), oldest first."""
    if not versions:
        return
    for metric, last in sorted(versions[-1][1].items()):
        points = tuple((version, figures[metric].value) for version, figures in versions if metric in figures)
        yield Series(name, metric, last.direction, points[-LONGEST:])


def _gates_for(model: str, rules: Sequence[GateRule]) -> tuple[Gate, ...]:
    return tuple(dict.fromkeys(gate for rule in rules if rule.fits(model) for gate in rule.gates))
