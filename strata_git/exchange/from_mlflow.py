"""`import mlflow`: a run of an MLflow store, or a registered model's version with its run, becomes a run of ours.

Parameters, last values, every value with its step, data sets, tags and files come along; who ran it on which machine
does not. A nested run names the run it was part of, by MLflow's id and, where that came in before, by ours. A model is
described in artifacts/model.json, so that `git strata model create` makes a version of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from strata_git.checks.plain import dig, items, mapping, number, text
from strata_git.errors import MissingExtra, StrataError, UsageError, printable
from strata_git.exchange.foreign_run import ForeignRun, ImportedRun, slug, write_run
from strata_git.exchange.staging import below, copy_tree
from strata_git.load import Unloadable, dump_json, load_json, load_yaml
from strata_git.repo.command import Repository
from strata_git.runs.history import Point

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

PARENT = "mlflow.parentRunId"
DATA = "mlflow-datasets.json"
"""Below artifacts/: the data sets that MLflow lists for a run."""
_STATUS = {"FINISHED": "succeeded", "FAILED": "failed", "KILLED": "killed"}
_MODEL = re.compile(r"models:/([^/@]+)/([1-9][0-9]*)")
_RUN = re.compile(r"[0-9a-f]{32}")
_LOWER = re.compile(r"loss|error|mse|mae|rmse|perplexity|wer|cer|latency|time", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_TYPES = {"double": "float64", "float": "float32", "long": "int64", "integer": "int32"}
_FILE_KEYS = ("pickled_model", "data", "model_data", "lgb_model", "xgb_model", "cb_model")
_TEXTS = (".yaml", ".yml", ".json", ".md", ".txt", ".asc", ".sig", ".env")
_LIMIT = 4 << 20


@dataclass(frozen=True, slots=True)
class MlflowImport:
    """The run made, the registered model that came with it (`""`: none), and the runs that were nested in it."""

    run: ImportedRun
    model: str = ""
    nested: tuple[ImportedRun, ...] = ()


def import_mlflow(repo: Repository, wanted: str, uri: str, *, nested: bool = False) -> MlflowImport:
    """Make a run of `wanted`, a run's id or `models:/NAME/VERSION`, in the store at `uri`; `nested`: and of each run
    that is part of it, at any depth.

    Raises MissingExtra without MLflow, UsageError for another word, StrataError where the store has no such thing, or
    where the run still goes on.
    """
    registered = _MODEL.fullmatch(wanted)
    if registered is None and not _RUN.fullmatch(wanted):
        raise UsageError(f"'{printable(wanted)}' is neither a run's id nor models:/NAME/VERSION.")
    client = _client(uri)
    with _told(wanted, uri):
        version = client.get_model_version(registered[1], registered[2]) if registered else None
        run_id = (version.run_id or "") if version else wanted
        if not run_id:
            raise StrataError(f"{wanted} names no run in MLflow, so where it comes from is not known.")
        run = client.get_run(run_id)
    status = _STATUS.get(run.info.status)
    if status is None:
        raise StrataError(f"The MLflow run {run_id} is {run.info.status.lower()}: import it when it has ended.")
    with TemporaryDirectory(prefix="strata-") as folder:
        with _told(wanted, uri):
            _download(client, uri, run_id, Path(folder, "run"))
            if version:
                source = client.get_model_version_download_uri(version.name, str(version.version))
                _download_model(uri, source, Path(folder, "model"))
        made = write_run(repo, _foreign(client, run, status, wanted, Path(folder), _ours(repo, run)))
    parts: list[ImportedRun] = []
    for part in _parts(client, run, wanted, uri) if nested else ():
        one = import_mlflow(repo, part, uri, nested=True)
        parts += [one.run, *one.nested]
    return MlflowImport(made, slug(version.name, "model") if version else "", tuple(parts))


def _parts(client: MlflowClient, run: Any, wanted: str, uri: str) -> list[str]:
    """The runs that are part of a run, in the order they began."""
    found: list[str] = []
    token = None
    with _told(wanted, uri):
        while True:
            asked = f"tags.`{PARENT}` = '{run.info.run_id}'"
            page = client.search_runs(
                [run.info.experiment_id], asked, order_by=["attributes.start_time ASC"], page_token=token
            )
            found += [one.info.run_id for one in page]
            token = page.token
            if not token:
                return found


def _ours(repo: Repository, run: Any) -> str:
    """The run in the work tree that the run's parent became ("": none)."""
    parent = run.data.tags.get(PARENT)
    for config in sorted((repo.require_worktree() / "runs").glob("*/config.yaml")) if parent else ():
        if dig(_yaml(config), "tags", "mlflow.run") == parent:
            return config.parent.name
    return ""


def _client(uri: str) -> MlflowClient:
    try:
        import mlflow.tracking  # noqa: F401
    except ImportError:
        raise MissingExtra("exchange", "import mlflow") from None
    from strata_git.runs.mlflow import reading_client

    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
        raise StrataError(  # MLflow would make an empty database there
            f"There is no MLflow database at {printable(uri)}.", hint="Name the store: --tracking-uri URI"
        )
    with _told("the store", uri):
        return reading_client(uri)


@contextmanager
def _told(wanted: str, uri: str) -> Iterator[None]:
    """Whatever MLflow, its database or its server raise, as one sentence."""
    try:
        yield
    except StrataError:
        raise
    except Exception as error:  # each of the libraries underneath raises its own kind
        reason = printable(str(error).strip().split("\n", 1)[0][:300])
        raise StrataError(
            f"{wanted} could not be read from MLflow at {printable(uri)}: {reason}",
            hint="Name the store: --tracking-uri URI",
        ) from error


def _download(client: MlflowClient, uri: str, run_id: str, target: Path) -> None:
    import mlflow.artifacts

    target.mkdir()
    if client.list_artifacts(run_id):
        mlflow.artifacts.download_artifacts(run_id=run_id, dst_path=str(target), tracking_uri=uri)


def _download_model(uri: str, source: str, target: Path) -> None:
    import mlflow.artifacts

    target.mkdir()
    mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=str(target), tracking_uri=uri)
    inner = [place for place in target.iterdir() if place.is_dir()]
    if len(list(target.iterdir())) == 1 and inner:  # a folder is put into the target under its own name
        inner[0].rename(target.with_name("inner"))
        target.rmdir()
        target.with_name("inner").rename(target)


def _foreign(client: MlflowClient, run: Any, status: str, wanted: str, folder: Path, parent: str) -> ForeignRun:
    experiment = client.get_experiment(run.info.experiment_id)
    begun = _moment(run.info.start_time) or datetime.now(UTC)
    ended = _moment(run.info.end_time)
    metrics = {name: value for name, value in run.data.metrics.items() if number(value) is not None}
    tags = {name: str(value) for name, value in run.data.tags.items() if not name.startswith(("mlflow.", "strata."))}
    above = {"mlflow.parent": str(run.data.tags.get(PARENT, "")), "strata.parent": parent}
    return ForeignRun(
        plugin="mlflow",
        source=f"MLflow run {run.info.run_id}" + (f" ({wanted})" if wanted != run.info.run_id else ""),
        experiment=slug(experiment.name, "mlflow"),
        status=status,
        started=begun,
        finished=max(ended, begun) if ended else (begun if status != "killed" else None),
        params={name: _typed(value) for name, value in sorted(run.data.params.items())},
        metrics=metrics,
        history=list(_history(client, run)),
        tags={"mlflow.run": run.info.run_id, **{name: text for name, text in above.items() if text}, **tags},
        commit=str(run.data.tags.get("mlflow.source.git.commit", "")),
        fill=lambda target: _fill(folder, target, metrics, _data(run)),
    )


def _moment(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None


def _typed(value: str) -> object:
    """Numbers as such: MLflow keeps every parameter as text."""
    if not _NUMBER.fullmatch(value) or len(value) > 40:
        return value
    figure = number(int(value) if value.lstrip("+-").isdigit() else float(value))
    return value if figure is None else figure


def _history(client: MlflowClient, run: Any) -> Iterator[Point]:
    for name in sorted(run.data.metrics):
        for one in client.get_metric_history(run.info.run_id, name):
            if number(one.value) is not None:
                yield Point(name, int(one.step), float(one.value), int(one.timestamp))


# -- files -----------------------------------------------------------------------------------------------------------


def _data(run: Any) -> list[dict[str, object]]:
    """What MLflow knows of the data that the run read."""
    listed = run.inputs.dataset_inputs if run.inputs else []
    return [
        {
            "name": one.dataset.name,
            "digest": one.dataset.digest,
            "source_type": one.dataset.source_type,
            "source": one.dataset.source,
            "schema": one.dataset.schema,
            "profile": one.dataset.profile,
            "context": next((tag.value for tag in one.tags if tag.key == "mlflow.data.context"), None),
        }
        for one in listed
    ]


def _fill(folder: Path, target: Path, metrics: Mapping[str, float], data: list[dict[str, object]]) -> None:
    copy_tree(folder / "run", target / "mlflow")
    if data:
        (target / DATA).write_bytes(dump_json({"schema": "strata/mlflow-datasets/v1", "datasets": data}))
    model = folder / "model"
    if model.is_dir():
        names = copy_tree(model, target / "model")
        (target / "model.json").write_bytes(dump_json(_description(target / "model", names, metrics)))


def _description(model: Path, names: list[str], metrics: Mapping[str, float]) -> dict[str, object]:
    """artifacts/model.json: which file is the model, and what is known of it."""
    said = _yaml(model / "MLmodel")
    flavors = {name: flavor for name, flavor in mapping(said.get("flavors")).items() if name != "python_function"}
    name, flavor = next(iter(sorted(flavors.items())), ("unknown", {}))
    file = _model_file(model, names, flavor)
    below(model, file, "MLmodel")
    framework = {"sklearn": "scikit-learn"}.get(name, name)
    version = next((text(value) for key, value in mapping(flavor).items() if key.endswith("_version")), None)
    return {
        "schema": "strata/model-output/v1",
        "artifact": f"model/{file}",
        "format": slug(text(dig(flavor, "serialization_format")) or file.rpartition(".")[2], "unknown"),
        "framework": framework,
        "framework_version": version or "unknown",
        "task": "other",
        "inputs": _columns(said, "inputs"),
        "outputs": _columns(said, "outputs"),
        "trusted_types": [],
        "metrics": {
            metric: {
                "value": value,
                "direction": "lower" if _LOWER.search(metric) else "higher",
                "tolerance": 0,
                "split": "all",
                "n": None,
            }
            for metric, value in sorted(metrics.items())
        },
    }


def _model_file(model: Path, names: list[str], flavor: object) -> str:
    """What the flavour names; what metadata.yaml of a version of ours names; the largest file that is no text."""
    named = [text(dig(flavor, key)) for key in _FILE_KEYS] + [text(dig(_yaml(model / "metadata.yaml"), "artifact"))]
    if known := [name for name in named if name in names and name]:
        return known[0]
    bytes_ = [name for name in names if not name.endswith(_TEXTS) and name != "MLmodel"] or names
    return max(bytes_, key=lambda name: ((model / name).stat().st_size, name))


def _yaml(path: Path) -> Mapping[str, object]:
    try:
        return mapping(load_yaml(path.read_bytes(), limit=_LIMIT).value)
    except (OSError, Unloadable):
        return {}


def _columns(said: Mapping[str, object], side: str) -> list[dict[str, str]]:
    """The named columns of a signature; tensors have none."""
    listed = text(dig(said, "signature", side))
    try:
        value = load_json(listed.encode(), limit=_LIMIT).value if listed else []
    except Unloadable:
        return []
    found = [(text(dig(one, "name")), text(dig(one, "type")) or "string") for one in items(value)]
    return [{"name": name, "type": _TYPES.get(kind, kind)} for name, kind in found if name]
