"""What the scikit-learn plugin measures and writes down: numbers for each split, a data summary, predictions."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.runs.plugins.sklearn_data import Part, Table

if TYPE_CHECKING:
    from strata_git.runs.spec import RunSpec


def measure(model: Any, table: Table, split: str) -> Iterator[tuple[str, float, str]]:
    """(name, value, better direction) of every measurement on `split`; the rarer ones on the test split only."""
    from sklearn import metrics as m

    part = table.parts[split]
    if not table.classes:
        said = model.predict(part.features)
        yield f"{split}_rmse", float(m.root_mean_squared_error(part.target, said)), "lower"
        yield f"{split}_mae", float(m.mean_absolute_error(part.target, said)), "lower"
        yield f"{split}_r2", float(m.r2_score(part.target, said)), "higher"
        return
    said, sure = model.predict(part.features), model.predict_proba(part.features)
    two = len(table.classes) == 2
    mean: dict[str, Any] = {"pos_label": table.classes[1]} if two else {"average": "macro"}
    yield f"{split}_accuracy", float(m.accuracy_score(part.target, said)), "higher"
    yield f"{split}_f1", float(m.f1_score(part.target, said, **mean)), "higher"
    if len(set(part.target.tolist())) == len(table.classes):
        score = sure[:, 1] if two else sure
        several = {} if two else {"multi_class": "ovr", "labels": list(table.classes)}
        yield f"{split}_auc", float(m.roc_auc_score(part.target, score, **several)), "higher"
    if split == "test":
        yield "test_precision", float(m.precision_score(part.target, said, zero_division=0, **mean)), "higher"
        yield "test_recall", float(m.recall_score(part.target, said, zero_division=0, **mean)), "higher"
        yield "test_log_loss", float(m.log_loss(part.target, sure, labels=list(table.classes))), "lower"


def write_reports(model: Any, table: Table, directory: Path, spec: RunSpec) -> None:
    """data_summary.json, predictions.csv and feature_importance.csv of the test split, and its pictures."""
    from strata_git.load import dump_json
    from strata_git.runs.plugins.sklearn_plots import draw_all

    (directory / "data_summary.json").write_bytes(dump_json(summary(table, spec)))
    _predictions(model, table, directory / "predictions.csv")
    importance = draw_all(model, table, directory, seed=spec.seed)
    with open(directory / "feature_importance.csv", "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["feature", "loss_of_score"])
        for name in sorted(importance, key=lambda one: (-importance[one], one)):
            writer.writerow([name, f"{importance[name]:.6f}"])


def summary(table: Table, spec: RunSpec) -> dict[str, object]:
    """Shape, balance, ranges and digest of what was trained on."""
    import hashlib

    train = table.parts["train"].features
    return {
        "schema": "strata/data-summary/v1",
        "source": table.source,
        "data_spec": dict(spec.data_spec),
        "seed": spec.seed,
        "target": table.target,
        "classes": list(table.classes),
        "splits": {
            name: {
                "rows": part.rows,
                **_spread(table, part),
                "sha256": hashlib.sha256(part.features.tobytes() + str(part.target.tolist()).encode()).hexdigest(),
            }
            for name, part in table.parts.items()
        },
        "features": {
            name: {
                "min": float(train[:, i].min()),
                "mean": float(train[:, i].mean()),
                "max": float(train[:, i].max()),
            }
            for i, name in enumerate(table.columns)
        },
    }


def _spread(table: Table, part: Part) -> dict[str, object]:
    """How often each class occurs, or between which numbers the target lies."""
    if table.classes:
        return {"balance": {str(one): int((part.target == one).sum()) for one in table.classes}}
    low, mean, high = (float(getattr(part.target, name)()) for name in ("min", "mean", "max"))
    return {"range": {"min": low, "mean": mean, "max": high}}


def _predictions(model: Any, table: Table, path: Path) -> None:
    part = table.parts["test"]
    said = model.predict(part.features)
    sure = model.predict_proba(part.features) if table.classes else [()] * len(said)
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["row", "truth", "prediction", *(f"p_{one}" for one in table.classes)])
        for row, (truth, guess, chances) in enumerate(zip(part.target, said, sure, strict=True)):
            writer.writerow([row, truth, guess, *(f"{chance:.6f}" for chance in chances)])
