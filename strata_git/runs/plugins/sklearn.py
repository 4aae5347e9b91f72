"""The built-in plugin: a scikit-learn classifier, trained, measured and saved as skops.

    plugin: sklearn
    dataset_id: breast-cancer@v1          # or sklearn:iris, or none with data_spec.kind: synthetic
    data_spec: {target: diagnosis, validation: 0.15}
    params: {model: random_forest, n_estimators: 100}

It sees the run's context and nothing else: no git, no MLflow, no path but `artifact_dir`. Equal spec and seed give
equal numbers and an equal model file, byte for byte, on one machine and one set of packages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from strata_git.runs.plugin import Metric, ModelOutput, RunContext, RunResult
from strata_git.runs.plugins import sklearn_data as data
from strata_git.runs.plugins import sklearn_model as models

if TYPE_CHECKING:
    from strata_git.runs.spec import RunSpec

REQUIRES: Mapping[str, Sequence[str]] = {"sklearn": ("sklearn", "skops", "matplotlib")}
TOLERANCE = 0.01
"""A difference that does not count: other processors and libraries round differently."""


class SklearnPlugin:
    """Trains a scikit-learn classifier (random_forest or logistic_regression) on tables."""

    name = "sklearn"
    requires = REQUIRES

    def check(self, spec: RunSpec) -> None:
        """Refuse unknown models, parameters of no model, and data descriptions that do not say enough."""
        models.check(spec.params)
        data.check(spec.data_spec, dataset_id=spec.dataset_id)

    def run(self, spec: RunSpec, context: RunContext) -> RunResult:
        """Prepare, fit, measure, draw, save."""
        from strata_git.runs.plugins.sklearn_report import measure, write_reports

        table = data.load(spec, context)
        context.log(f"data: {', '.join(f'{name} {part.rows} rows' for name, part in table.parts.items())}")
        model = models.build(spec.params, seed=context.seed)
        model.fit(table.parts["train"].features, table.parts["train"].target)
        metrics = {
            name: Metric(value, direction, TOLERANCE, split, table.parts[split].rows)
            for split in table.parts
            for name, value, direction in measure(model, table, split)
        }
        context.tracking.log_metrics({name: metric.value for name, metric in metrics.items()})
        write_reports(model, table, context.artifact_dir, spec)
        trusted = models.save(model, context.artifact_dir / models.FILE)
        context.log(f"saved {models.FILE}; types to trust: {', '.join(trusted) or 'none'}")
        context.tracking.log_artifacts(context.artifact_dir)
        return RunResult(metrics, _described(table, trusted))


def _described(table: data.Table, trusted: Sequence[str]) -> ModelOutput:
    import sklearn

    return ModelOutput(
        artifact=models.FILE,
        format="skops",
        framework="scikit-learn",
        framework_version=sklearn.__version__,
        inputs=[{"name": name, "type": "float64"} for name in table.columns],
        outputs=[{"name": table.target, "type": table.target_type}],
        trusted_types=list(trusted),
    )
