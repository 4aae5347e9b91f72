"""What the scikit-learn plugin measures and draws: numbers for each split, a data summary, predictions, plots."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.runs.plugins.sklearn_data import Table

if TYPE_CHECKING:
    from strata_git.runs.spec import RunSpec

_INK, _PALE = "#1f4e79", "Blues"


def measure(model: Any, table: Table, split: str) -> Iterator[tuple[str, float, str]]:
    """(name, value, better direction) of every measurement on `split`; the rarer ones on the test split only."""
    from sklearn import metrics as m

    part = table.parts[split]
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
    """data_summary.json, predictions.csv of the test split, confusion_matrix.png, roc_curve.png (two classes)."""
    from strata_git.load import dump_json

    (directory / "data_summary.json").write_bytes(dump_json(summary(table, spec)))
    _predictions(model, table, directory / "predictions.csv")
    _confusion(model, table, directory / "confusion_matrix.png")
    if len(table.classes) == 2:
        _roc(model, table, directory / "roc_curve.png")


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
                "balance": {str(one): int((part.target == one).sum()) for one in table.classes},
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


def _predictions(model: Any, table: Table, path: Path) -> None:
    part = table.parts["test"]
    said, sure = model.predict(part.features), model.predict_proba(part.features)
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["row", "truth", "prediction", *(f"p_{one}" for one in table.classes)])
        for row, (truth, guess, chances) in enumerate(zip(part.target, said, sure, strict=True)):
            writer.writerow([row, truth, guess, *(f"{chance:.6f}" for chance in chances)])


def _confusion(model: Any, table: Table, path: Path) -> None:
    from sklearn.metrics import confusion_matrix

    part = table.parts["test"]
    counts = confusion_matrix(part.target, model.predict(part.features), labels=list(table.classes))
    figure, axes = _figure("Confusion matrix, test split")
    axes.imshow(counts, cmap=_PALE)
    ticks = range(len(table.classes))
    axes.set_xticks(ticks, [str(one) for one in table.classes])
    axes.set_yticks(ticks, [str(one) for one in table.classes])
    axes.set_xlabel("predicted")
    axes.set_ylabel(f"true ({table.target})")
    for row in ticks:
        for column in ticks:
            ink = "white" if counts[row, column] > counts.max() / 2 else "black"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=ink)
    _draw(figure, path)


def _roc(model: Any, table: Table, path: Path) -> None:
    from sklearn.metrics import roc_curve

    part = table.parts["test"]
    wrong, right, _ = roc_curve(part.target, model.predict_proba(part.features)[:, 1], pos_label=table.classes[1])
    figure, axes = _figure("ROC curve, test split")
    axes.plot(wrong, right, color=_INK)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")
    _draw(figure, path)


def _figure(title: str) -> tuple[Any, Any]:
    """A figure of its own on the Agg canvas: pyplot's global state and backends are never touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8, 4.2), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def _draw(figure: Any, path: Path) -> None:
    figure.savefig(path, format="png", metadata={"Software": None})
