"""The built-in plugin: a scikit-learn classifier or regressor, trained, measured and saved as skops and ONNX.

    plugin: sklearn
    dataset_id: breast-cancer@v1          # or sklearn:iris, or none with data_spec.kind: synthetic
    data_spec: {target: diagnosis, validation: 0.15}
    params: {model: random_forest, n_estimators: 100, formats: [skops, onnx]}

It sees the run's context and nothing else: no git, no MLflow, no path but `artifact_dir`. Equal spec and seed give
equal numbers and an equal model file, byte for byte, on one machine and one set of packages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from strata_git.runs.catalog import require
from strata_git.runs.plugin import Metric, ModelOutput, RunContext, RunResult
from strata_git.runs.plugins import sklearn_data as data
from strata_git.runs.plugins import sklearn_model as models
from strata_git.runs.plugins import sklearn_onnx as onnx
from strata_git.runs.plugins import sklearn_skops as skops

if TYPE_CHECKING:
    from strata_git.runs.spec import RunSpec

REQUIRES: Mapping[str, Sequence[str]] = {"sklearn": ("sklearn", "skops", "matplotlib")}
TOLERANCE = 0.01
"""A difference that does not count: other processors and libraries round differently."""


class SklearnPlugin:
    """Trains a scikit-learn classifier or regressor on tables, and saves it as skops and ONNX."""

    name = "sklearn"
    requires = REQUIRES

    def check(self, spec: RunSpec) -> None:
        """Refuse unknown models, parameters of no model, data descriptions that do not say enough, formats whose
        packages are not installed."""
        models.check(spec.params)
        data.check(spec.data_spec, dataset_id=spec.dataset_id, task=models.task(spec.params))
        if "onnx" in models.formats(spec.params):
            require({"onnx": onnx.MODULES}, "Saving a model as ONNX")

    def run(self, spec: RunSpec, context: RunContext) -> RunResult:
        """Prepare, fit, measure, draw, save."""
        from strata_git.runs.plugins.sklearn_report import measure, write_reports

        task = models.task(spec.params)
        table = data.load(spec, context, task)
        context.log(f"data: {', '.join(f'{name} {part.rows} rows' for name, part in table.parts.items())}")
        model = models.build(spec.params, seed=context.seed)
        model.fit(table.parts["train"].features, table.parts["train"].target)
        models.settle(model)
        metrics = {
            name: Metric(value, direction, _tolerance(name, value, task), split, table.parts[split].rows)
            for split in table.parts
            for name, value, direction in measure(model, table, split)
        }
        context.tracking.log_metrics({name: metric.value for name, metric in metrics.items()})
        write_reports(model, table, context.artifact_dir, spec)
        output = _saved(model, table, models.formats(spec.params), context)
        context.tracking.log_artifacts(context.artifact_dir)
        return RunResult(metrics, output)


def _tolerance(name: str, value: float, task: str) -> float:
    """Errors of a regression are in the target's unit: one hundredth of what they are does not count."""
    return TOLERANCE if task == models.CLASSIFICATION or name.endswith("_r2") else round(abs(value) * TOLERANCE, 12)


def _saved(model: Any, table: data.Table, formats: Sequence[str], context: RunContext) -> ModelOutput:
    """Write the model in each of `formats`; the first is what a version is made of, the others go with it."""
    import sklearn

    trusted: Sequence[str] = ()
    files = []
    for form in formats:
        if form == "onnx":
            report = onnx.save(model, table, context.artifact_dir)
            context.log(f"saved {onnx.FILE}; its answers differ by at most {report['max_difference']:.2g}")
            files.append(onnx.FILE)
        else:
            trusted = skops.save(model, context.artifact_dir / skops.FILE)
            context.log(f"saved {skops.FILE}; types to trust: {', '.join(trusted) or 'none'}")
            files.append(skops.FILE)
    parity = [onnx.PARITY] if "onnx" in formats else []
    return ModelOutput(
        artifact=files[0],
        format=formats[0],
        framework="scikit-learn",
        framework_version=sklearn.__version__,
        inputs=[{"name": name, "type": "float64"} for name in table.columns],
        outputs=[{"name": table.target, "type": table.target_type}],
        trusted_types=list(trusted),
        task="tabular-classification" if table.classes else "tabular-regression",
        companions=[*files[1:], *parity],
    )
