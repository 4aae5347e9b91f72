"""Nearest centroid: each class is the mean of its rows, and a row belongs to the class whose mean is nearest.

Needs nothing but Python. The model is a JSON file of means, which cannot run code when it is loaded.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from strata_git.runs.plugin import Metric, ModelOutput, RunContext, RunResult
from strata_git.runs.spec import RunSpec

Row = tuple[list[float], str]
MODEL = "centroids.json"


class NearestCentroidPlugin:
    """Classifies rows of a table by the nearest class mean."""

    name = "nearest-centroid"
    requires: ClassVar[dict[str, tuple[str, ...]]] = {}  # extras, and modules that show they are installed

    def check(self, spec: RunSpec) -> None:
        """Refuse an experiment that does not say which column is to be told."""
        if not isinstance(spec.data_spec.get("target"), str):
            raise ValueError("data_spec.target must name a column")

    def run(self, spec: RunSpec, context: RunContext) -> RunResult:
        """Learn from the split `train`, measure on every split, save the means."""
        target = str(spec.data_spec["target"])
        rows = {split: read(context.dataset(split), target) for split in context.splits}
        columns = columns_of(context.dataset("train")[0], target)
        centroids = means(rows["train"])
        context.tracking.log_param("classes", ", ".join(centroids))
        metrics = {}
        for place, (split, part) in enumerate(rows.items(), 1):
            right = sum(predict(centroids, values) == label for values, label in part)
            metrics[f"{split}_accuracy"] = Metric(right / len(part), "higher", 0.02, split, len(part))
            context.progress(place, len(rows))
        write_confusion(context.artifact_dir / "confusion.csv", centroids, rows["test"])
        said = {"columns": columns, "target": target, "centroids": centroids}
        (context.artifact_dir / MODEL).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
        context.tracking.log_artifacts(context.artifact_dir)
        return RunResult(metrics, described(columns, target))


def read(files: Iterable[Path], target: str) -> list[Row]:
    """Values and label of every row."""
    rows = []
    for path in files:
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                label = row.pop(target)
                rows.append(([float(value) for value in row.values()], label))
    return rows


def columns_of(path: Path, target: str) -> list[str]:
    """The columns that the model reads, in order."""
    with path.open(newline="", encoding="utf-8") as stream:
        return [name for name in next(csv.reader(stream)) if name != target]


def means(rows: Iterable[Row]) -> dict[str, list[float]]:
    """Class -> mean of its rows, classes in order."""
    held: dict[str, list[list[float]]] = {}
    for values, label in rows:
        held.setdefault(label, []).append(values)
    return {
        label: [sum(column) / len(part) for column in zip(*part, strict=True)] for label, part in sorted(held.items())
    }


def predict(centroids: dict[str, list[float]], values: list[float]) -> str:
    """The class whose mean is nearest; the first of two that are equally near."""
    return min(centroids, key=lambda label: sum((a - b) ** 2 for a, b in zip(centroids[label], values, strict=True)))


def write_confusion(path: Path, centroids: dict[str, list[float]], rows: Iterable[Row]) -> None:
    """How often each class was taken for each."""
    counts: dict[tuple[str, str], int] = {}
    for values, label in rows:
        key = (label, predict(centroids, values))
        counts[key] = counts.get(key, 0) + 1
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["true", "predicted", "rows"])
        writer.writerows([*key, count] for key, count in sorted(counts.items()))


def described(columns: list[str], target: str) -> ModelOutput:
    """The model as its next readers must know it."""
    return ModelOutput(
        artifact=MODEL,
        format="json",
        framework="nearest-centroid",
        framework_version="1",
        inputs=[{"name": name, "type": "float64"} for name in columns],
        outputs=[{"name": target, "type": "string"}],
    )
