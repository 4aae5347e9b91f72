"""Tables for the scikit-learn plugin: committed CSV splits, data sets that ship with scikit-learn, synthetic data.

`data_spec` says how: `target` (column of a committed table), `kind: synthetic` with `samples`, `features`,
`informative`, `redundant`, `classes`, `class_separation`, `noise`; `validation` and `test` are fractions cut off where
no split of that name is committed: 15 % each of data that is not committed, when nothing is said.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError, UsageError, printable

if TYPE_CHECKING:
    from strata_git.runs.plugin import RunContext
    from strata_git.runs.spec import RunSpec

BUNDLED = {"breast_cancer": "", "diabetes": "regression", "digits": "", "iris": "", "wine": ""}
"""What scikit-learn ships, and the task where it is not a classification."""
REGRESSION = "regression"
SYNTHETIC = {
    "samples": 1000,
    "features": 20,
    "informative": 5,
    "redundant": 2,
    "classes": 2,
    "class_separation": 1.0,
    "noise": 0.01,
}
_COMMON = {"kind", "target", "validation", "test"}


@dataclass(frozen=True, slots=True)
class Part:
    """One split: a matrix of float64 and a vector of labels."""

    features: Any
    target: Any

    @property
    def rows(self) -> int:
        return len(self.target)


@dataclass(frozen=True, slots=True)
class Table:
    """Splits with the same columns; `parts` has train and test, and val where there is one. A table without `classes`
    has numbers to predict."""

    columns: tuple[str, ...]
    target: str
    target_type: str
    classes: tuple[object, ...]
    source: str
    parts: Mapping[str, Part]


def check(data_spec: Mapping[str, object], *, dataset_id: str, task: str = "classification") -> None:
    """Raise UsageError for a data_spec that cannot be followed, or that is no data for `task`."""
    kind = data_spec.get("kind")
    synthetic = kind == "synthetic"
    if kind is not None and not synthetic:
        raise UsageError(f"data_spec.kind '{printable(str(kind))}' is unknown.", hint="The only kind is: synthetic.")
    if synthetic == bool(dataset_id):
        raise UsageError(
            "An experiment names either dataset_id or data_spec.kind: synthetic.",
            hint="For example dataset_id: breast-cancer@v1, or sklearn:iris.",
        )
    name = dataset_id.removeprefix("sklearn:")
    if dataset_id.startswith("sklearn:") and name not in BUNDLED:
        raise UsageError(f"scikit-learn ships no '{printable(name)}'.", hint=f"It has: {', '.join(BUNDLED)}.")
    if dataset_id.startswith("sklearn:") and task != (BUNDLED[name] or "classification"):
        raise UsageError(
            f"{dataset_id} is data for a {BUNDLED[name] or 'classification'}, params.model is for a {task}.",
            hint=f"For example dataset_id: {'sklearn:diabetes' if task == REGRESSION else 'sklearn:iris'}.",
        )
    if dataset_id and not dataset_id.startswith("sklearn:") and not isinstance(data_spec.get("target"), str):
        raise UsageError("data_spec.target must name the column to predict.")
    known = _COMMON | (set(SYNTHETIC) if synthetic else set())
    if unknown := sorted(set(data_spec) - known):
        raise UsageError(f"data_spec.{printable(unknown[0])} is unknown.", hint=f"Known: {', '.join(sorted(known))}.")
    for part in ("validation", "test"):
        _fraction(data_spec, part)


def load(spec: RunSpec, context: RunContext, task: str = "classification") -> Table:
    """The table that `spec` describes, split; the seed decides every cut. `task` says what the target is."""
    numbers = task == REGRESSION
    if spec.data_spec.get("kind") == "synthetic":
        return _whole(*_synthetic(spec, numbers), spec, "synthetic", numbers)
    if spec.dataset_id.startswith("sklearn:"):
        return _whole(*_bundled(spec.dataset_id.removeprefix("sklearn:")), spec, spec.dataset_id, numbers)
    return _committed(spec, context, numbers)


def _committed(spec: RunSpec, context: RunContext, numbers: bool) -> Table:
    target = str(spec.data_spec["target"])
    names = {
        "train": "train",
        "test": "test",
        "val": next((n for n in ("val", "validation") if n in context.splits), ""),
    }
    columns: tuple[str, ...] = ()
    raw: dict[str, tuple[list[list[float]], list[str]]] = {}
    for part, split in names.items():
        if split:
            found, rows, labels = _read_split(context.dataset(split), target)
            if columns and found != columns:
                raise StrataError(f"The columns of split '{split}' are not those of 'train'.")
            columns, raw[part] = found, (rows, labels)
    whole = all(label.lstrip("-").isdigit() for _, labels in raw.values() for label in labels)
    kind = "float64" if numbers else "int64" if whole else "string"
    parts = {part: _part(rows, labels, kind, target) for part, (rows, labels) in raw.items()}
    if "val" not in parts and (share := _fraction(spec.data_spec, "validation")):
        parts["train"], parts["val"] = _cut(parts["train"], share, spec.seed, stratify=not numbers)
    return _table(columns, target, kind, spec.dataset_id, parts)


def _whole(columns: tuple[str, ...], target: str, whole: Part, spec: RunSpec, source: str, numbers: bool) -> Table:
    test = _fraction(spec.data_spec, "test") or 0.15
    validation = _fraction(spec.data_spec, "validation") if "validation" in spec.data_spec else 0.15
    train, tested = _cut(whole, test, spec.seed, stratify=not numbers)
    parts = {"train": train, "test": tested}
    if validation:
        parts["train"], parts["val"] = _cut(train, validation / (1 - test), spec.seed, stratify=not numbers)
    return _table(columns, target, "float64" if numbers else "int64", source, parts)


def _table(columns: tuple[str, ...], target: str, kind: str, source: str, parts: Mapping[str, Part]) -> Table:
    import numpy as np

    if kind == "float64":
        ordered = {name: parts[name] for name in ("train", "val", "test") if name in parts}
        return Table(columns, target, kind, (), source, ordered)
    classes = np.unique(parts["train"].target)
    if len(classes) < 2:
        raise StrataError(f"The column '{printable(target)}' has only one value in the training split.")
    for name, part in parts.items():
        if extra := set(np.unique(part.target).tolist()) - set(classes.tolist()):
            label = printable(str(min(map(str, extra))))
            raise StrataError(f"The label '{label}' of split '{name}' does not occur in 'train'.")
    ordered = {name: parts[name] for name in ("train", "val", "test") if name in parts}
    return Table(columns, target, kind, tuple(classes.tolist()), source, ordered)


def _read_split(paths: list[Path], target: str) -> tuple[tuple[str, ...], list[list[float]], list[str]]:
    columns: tuple[str, ...] | None = None
    rows: list[list[float]] = []
    labels: list[str] = []
    for path in paths:
        found, more, named = _read_csv(path, target)
        if columns is not None and found != columns:
            raise StrataError(f"{path.name}: its columns are not those of {paths[0].name}.")
        columns = found
        rows += more
        labels += named
    if columns is None or not rows:
        raise StrataError(f"A split of the data set has no rows ({len(paths)} files).")
    return columns, rows, labels


def _read_csv(path: Path, target: str) -> tuple[tuple[str, ...], list[list[float]], list[str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        reader = csv.reader(stream)
        head = next(reader, [])
        if target not in head:
            known = ", ".join(printable(column) for column in head[:40])
            raise StrataError(f"{path.name} has no column '{printable(target)}'.", hint=f"Its columns: {known}.")
        at = head.index(target)
        rows, labels = [], []
        for row in reader:
            if len(row) != len(head):
                raise StrataError(f"{path.name}:{reader.line_num}: {len(row)} fields, {len(head)} columns.")
            labels.append(row.pop(at))
            try:
                rows.append([float(cell) for cell in row])
            except ValueError as error:
                raise StrataError(f"{path.name}:{reader.line_num}: {printable(str(error))}.") from None
    return tuple(head[:at] + head[at + 1 :]), rows, labels


def _part(rows: list[list[float]], labels: list[str], kind: str, target: str) -> Part:
    import numpy as np

    features = np.asarray(rows, dtype=np.float64)
    if kind == "float64":
        try:
            values = np.asarray([float(one) for one in labels])
        except ValueError as error:
            raise StrataError(f"The column '{printable(target)}' holds no numbers: {printable(str(error))}.") from None
        return Part(features, values)
    return Part(features, np.asarray([int(one) for one in labels] if kind == "int64" else labels))


def _cut(part: Part, share: float, seed: int, *, stratify: bool) -> tuple[Part, Part]:
    from sklearn.model_selection import train_test_split

    try:
        left, right, left_target, right_target = train_test_split(
            part.features,
            part.target,
            test_size=share,
            random_state=seed,
            stratify=part.target if stratify else None,
        )
    except ValueError as error:
        raise StrataError(f"A fraction of {share:g} cannot be cut off {part.rows} rows: {error}") from None
    return Part(left, left_target), Part(right, right_target)


def _synthetic(spec: RunSpec, numbers: bool) -> tuple[tuple[str, ...], str, Part]:
    from sklearn.datasets import make_classification, make_regression

    asked: dict[str, Any] = {**SYNTHETIC, **{key: spec.data_spec[key] for key in SYNTHETIC if key in spec.data_spec}}
    shape = {"n_samples": asked["samples"], "n_features": asked["features"], "n_informative": asked["informative"]}
    try:
        if numbers:
            features, target = make_regression(**shape, noise=asked["noise"], random_state=spec.seed)
        else:
            features, target = make_classification(
                **shape,
                n_redundant=asked["redundant"],
                n_classes=asked["classes"],
                class_sep=asked["class_separation"],
                flip_y=asked["noise"],
                random_state=spec.seed,
            )
    except (TypeError, ValueError) as error:
        raise StrataError(f"data_spec does not describe a possible data set: {error}") from None
    name = "target" if numbers else "label"
    return tuple(f"feature_{i:02d}" for i in range(features.shape[1])), name, Part(features, target)


def _bundled(name: str) -> tuple[tuple[str, ...], str, Part]:
    from importlib import import_module

    bunch = getattr(import_module("sklearn.datasets"), f"load_{name}")()
    columns = tuple(str(column).replace(" (cm)", "").replace(" ", "_") for column in bunch.feature_names)
    return columns, "target", Part(bunch.data, bunch.target)


def _fraction(data_spec: Mapping[str, object], name: str) -> float:
    value = data_spec.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise UsageError(f"data_spec.{name} must be a fraction from 0 up to 1.")
    return float(value)
