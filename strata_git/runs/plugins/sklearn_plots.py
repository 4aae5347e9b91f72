"""What the scikit-learn plugin draws of the test split. Each figure is a PNG of its own; pyplot is never touched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from strata_git.runs.plugins.sklearn_data import Table

_INK, _ACCENT, _PALE = "#1f4e79", "#c1592b", "Blues"
_FEATURES = 20
"""Most features that a picture of their importance names."""
_REPEATS = 5


def draw_all(model: Any, table: Table, directory: Path, *, seed: int) -> dict[str, float]:
    """Every picture that fits the task; the importance of each feature is given back too."""
    if not table.classes:
        _against(model, table, directory / "predicted_actual.png")
        _residuals(model, table, directory / "residuals.png")
    else:
        _confusion(model, table, directory / "confusion_matrix.png")
        if len(table.classes) == 2:
            _roc(model, table, directory / "roc_curve.png")
            _calibration(model, table, directory / "calibration.png")
    return _importance(model, table, directory / "feature_importance.png", seed)


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
    _save(figure, path)


def _roc(model: Any, table: Table, path: Path) -> None:
    from sklearn.metrics import roc_curve

    part = table.parts["test"]
    wrong, right, _ = roc_curve(part.target, model.predict_proba(part.features)[:, 1], pos_label=table.classes[1])
    figure, axes = _figure("ROC curve, test split")
    axes.plot(wrong, right, color=_INK)
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")
    _save(figure, path)


def _calibration(model: Any, table: Table, path: Path) -> None:
    from sklearn.calibration import calibration_curve

    part = table.parts["test"]
    chances = model.predict_proba(part.features)[:, 1]
    happened, said = calibration_curve(part.target, chances, n_bins=10, pos_label=table.classes[1])
    figure, axes = _figure("Calibration, test split")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    axes.plot(said, happened, color=_INK, marker="o", markersize=4)
    axes.set_xlabel(f"predicted probability of {table.classes[1]}")
    axes.set_ylabel("share observed")
    _save(figure, path)


def _against(model: Any, table: Table, path: Path) -> None:
    part = table.parts["test"]
    said = model.predict(part.features)
    figure, axes = _figure("Predicted and actual, test split")
    low, high = min(part.target.min(), said.min()), max(part.target.max(), said.max())
    axes.plot([low, high], [low, high], color="grey", linestyle=":")
    axes.scatter(part.target, said, s=10, color=_INK, alpha=0.6)
    axes.set_xlabel(f"actual {table.target}")
    axes.set_ylabel(f"predicted {table.target}")
    _save(figure, path)


def _residuals(model: Any, table: Table, path: Path) -> None:
    part = table.parts["test"]
    figure, axes = _figure("Residuals, test split")
    axes.hist(part.target - model.predict(part.features), bins=30, color=_INK)
    axes.axvline(0, color="grey", linestyle=":")
    axes.set_xlabel("actual - predicted")
    axes.set_ylabel("rows")
    _save(figure, path)


def _importance(model: Any, table: Table, path: Path, seed: int) -> dict[str, float]:
    """By permutation (Breiman 2001): how much the score falls when a column of the test split is shuffled."""
    from sklearn.inspection import permutation_importance

    part = table.parts["test"]
    found = permutation_importance(model, part.features, part.target, n_repeats=_REPEATS, random_state=seed)
    means = {name: float(value) for name, value in zip(table.columns, found.importances_mean, strict=True)}
    spread = dict(zip(table.columns, found.importances_std, strict=True))
    shown: Sequence[str] = sorted(means, key=lambda name: (means[name], name))[-_FEATURES:]
    figure, axes = _figure("Importance of features, test split")
    axes.barh(shown, [means[one] for one in shown], xerr=[spread[one] for one in shown], color=_INK, ecolor=_ACCENT)
    axes.tick_params(axis="y", labelsize=6)
    axes.set_xlabel("loss of score when shuffled")
    _save(figure, path)
    return means


def _figure(title: str) -> tuple[Any, Any]:
    """A figure of its own on the Agg canvas: pyplot's global state and backends are never touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8, 4.2), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, format="png", metadata={"Software": None})
