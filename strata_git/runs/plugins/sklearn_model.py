"""The models of the scikit-learn plugin: what an experiment may name, and the estimator that it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from strata_git.errors import UsageError, printable

_TREES = {
    "n_estimators", "criterion", "max_depth", "min_samples_split", "min_samples_leaf", "max_features", "ccp_alpha",
    "max_leaf_nodes",
}  # fmt: skip
_FOREST = _TREES | {"bootstrap", "n_jobs", "max_samples"}
_BOOSTED = _TREES | {"learning_rate", "loss", "subsample", "n_iter_no_change", "validation_fraction", "tol"}
_LINEAR = {"fit_intercept", "max_iter", "tol", "solver"}


@dataclass(frozen=True, slots=True)
class Estimator:
    """One model this plugin knows: scikit-learn's class (`module:Class`), its task, the parameters an experiment may
    set, what differs from scikit-learn's defaults, and whether features are standardised before it."""

    path: str
    task: str
    parameters: frozenset[str]
    defaults: Mapping[str, object] = field(default_factory=dict)
    scaled: bool = False


CLASSIFICATION, REGRESSION = "classification", "regression"
ESTIMATORS: Mapping[str, Estimator] = {
    "random_forest": Estimator(
        "sklearn.ensemble:RandomForestClassifier",
        CLASSIFICATION,
        frozenset(_FOREST | {"class_weight"}),
        {"n_jobs": 1},
    ),
    "gradient_boosting": Estimator("sklearn.ensemble:GradientBoostingClassifier", CLASSIFICATION, frozenset(_BOOSTED)),
    "logistic_regression": Estimator(
        "sklearn.linear_model:LogisticRegression",
        CLASSIFICATION,
        frozenset(_LINEAR | {"C", "class_weight", "l1_ratio"}),
        {"max_iter": 1000},
        scaled=True,
    ),
    "random_forest_regressor": Estimator(
        "sklearn.ensemble:RandomForestRegressor", REGRESSION, frozenset(_FOREST), {"n_jobs": 1}
    ),
    "gradient_boosting_regressor": Estimator(
        "sklearn.ensemble:GradientBoostingRegressor", REGRESSION, frozenset(_BOOSTED | {"alpha"})
    ),
    "ridge": Estimator("sklearn.linear_model:Ridge", REGRESSION, frozenset(_LINEAR | {"alpha"}), scaled=True),
}
OWN = {"model", "formats"}
"""Parameters that are this plugin's, not the estimator's."""
FORMATS = ("skops", "onnx")


def check(params: Mapping[str, object]) -> None:
    """Raise UsageError for an unknown model, a parameter it does not have, and a format we do not write."""
    name = params.get("model")
    if name not in ESTIMATORS:
        raise UsageError(
            f"params.model '{printable(str(name))}' is unknown.", hint=f"Known: {', '.join(sorted(ESTIMATORS))}."
        )
    allowed = ESTIMATORS[str(name)].parameters
    if unknown := sorted(set(params) - allowed - OWN):
        raise UsageError(
            f"{name} has no parameter '{printable(unknown[0])}'.", hint=f"It has: {', '.join(sorted(allowed))}."
        )
    formats(params)


def task(params: Mapping[str, object]) -> str:
    """`classification` or `regression`: what the model named in checked `params` does."""
    return ESTIMATORS[str(params["model"])].task


def formats(params: Mapping[str, object]) -> tuple[str, ...]:
    """The formats to save, the one that a model version is made of first; skops alone when nothing is said."""
    asked = params.get("formats", ["skops"])
    listed = asked if isinstance(asked, list) else []
    if not listed or len(set(map(str, listed))) != len(listed) or not all(one in FORMATS for one in listed):
        raise UsageError(
            "params.formats must list formats to save, each once.", hint=f"For example [{', '.join(FORMATS)}]."
        )
    return tuple(str(one) for one in listed)


def build(params: Mapping[str, object], *, seed: int) -> Any:
    """The estimator that checked `params` describe, unfitted."""
    from importlib import import_module

    known = ESTIMATORS[str(params["model"])]
    module, _, name = known.path.partition(":")
    options = {key: value for key, value in params.items() if key not in OWN}
    estimator = getattr(import_module(module), name)(**{**known.defaults, **options}, random_state=seed)
    if not known.scaled:
        return estimator
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    return Pipeline([("scale", StandardScaler()), ("fit", estimator)])


def settle(model: Any) -> None:
    """Let a fitted model answer in one thread. Several add up their trees in whatever order they finish, and sums of
    floats differ by it; how many threads fitted it is nothing a saved model needs to tell."""
    if "n_jobs" in model.get_params(deep=False):
        model.set_params(n_jobs=1)
