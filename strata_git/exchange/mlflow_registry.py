"""Runs and model versions as MLflow knows them: a run with its parameters, a registered version with its alias.

The record in Git stays the truth; what is written is tagged with digests, found again by them, and never doubled. Times
are those of the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from strata_git.checks.plain import dig, items, mapping, numbers, text
from strata_git.contracts.layout import RUN_ID, RUN_RECORD, Artifact
from strata_git.errors import MissingExtra, StrataError
from strata_git.exchange.content import write_content, write_contents
from strata_git.exchange.subject import Document, Subject, moment, paragraph, plain, require_kind
from strata_git.repo.command import Repository

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

    from strata_git.runs.history import Point
    from strata_git.runs.mlflow import Place
    from strata_git.runs.tracking_delivery import Data

ALIASES = ("production", "staging")
_STATUS = {"succeeded": "FINISHED", "failed": "FAILED", "interrupted": "KILLED", "killed": "KILLED"}
_VALUE_LIMIT = 500
_BATCH = 100


@dataclass(frozen=True, slots=True)
class Registered:
    """What MLflow has now: the run's own id, the registered model with its version, its aliases, and what was new."""

    run: str
    model: str = ""
    version: str = ""
    aliases: tuple[str, ...] = ()
    made: tuple[str, ...] = ()


def store(environ: Mapping[str, str], local: Path, experiment: str, *, uri: str = "", named: bool = False) -> Place:
    """Where MLflow keeps things: at `uri`, else as for runs. `named`: the experiment's name was asked for.

    The files of an SQLite database that was named lie beside it; MLflow itself would put them where one stands.
    """
    from strata_git.runs.mlflow import ARTIFACTS, Place

    left = {name: value for name, value in environ.items() if not (named and name.startswith("MLFLOW_EXPERIMENT"))}
    place = Place.chosen(left | ({"MLFLOW_TRACKING_URI": uri} if uri else {}), local, experiment)
    file = place.uri.removeprefix("sqlite:///")
    if place.artifacts or file == place.uri:
        return place
    return Place(place.uri, place.experiment, (Path(file).absolute().parent / ARTIFACTS).as_uri(), place.local)


def to_mlflow(repo: Repository, subject: Subject, place: Place) -> Registered:
    """Put a run, or a model version with its run, into the store of `place`.

    Raises MissingExtra without MLflow, StrataError for other artifacts and where the store or bytes are missing.
    """
    require_kind(subject, "MLflow", "run", "model")
    from strata_git.runs.mlflow import connected, unusable

    try:
        import mlflow.tracking  # noqa: F401
    except ImportError:
        raise MissingExtra("exchange", "convert --to mlflow") from None
    try:
        client, experiment = connected(place)
        return _register(repo, subject, client, experiment)
    except StrataError:
        raise
    except Exception as error:  # SQLAlchemy, HTTP, MLflow itself: each raises its own kind
        raise unusable(place, error) from error


def _register(repo: Repository, subject: Subject, client: MlflowClient, experiment: str) -> Registered:
    artifact = subject.artifact
    run_name = artifact.name if artifact.kind == "run" else subject.record.run or artifact.reference
    documents = subject.documents if artifact.kind == "run" else subject.run
    run, made = _run(repo, client, experiment, subject, run_name, documents)
    told = [f"run {run}"] if made else []
    if made and artifact.kind == "run":
        _log_files(repo, subject, artifact, lambda folder: client.log_artifacts(run, folder))
    if made:  # last of all: one that is still running was not registered whole, and is filled again
        _end(client, run, subject, documents)
    if artifact.kind == "run":
        return Registered(run, made=tuple(told))
    version, made = _version(repo, client, subject, run)
    told += [f"version {version} of {artifact.name}"] if made else []
    return Registered(run, artifact.name, version, _aliases(client, subject, version), tuple(told))


# -- runs ------------------------------------------------------------------------------------------------------------


def _run(
    repo: Repository,
    client: MlflowClient,
    experiment: str,
    subject: Subject,
    name: str,
    documents: Mapping[str, Document],
) -> tuple[str, bool]:
    """The MLflow run of the run called `name`, and whether it is new, or not yet whole."""
    from strata_git.runs.mlflow import PARENT, dataset_input

    record = documents.get(RUN_RECORD, {})
    known = _found(client, experiment, subject, "strata.run", name)
    if known and known[0].info.status != "RUNNING":
        return str(known[0].info.run_id), False
    begun = _milliseconds(record.get("started")) or _milliseconds(subject.metadata.get("created"))
    above = _parent(record, documents)
    over = _found(client, experiment, subject, "strata.run", above) if above else []
    tags = {
        **{plain(key): plain(value) for key, value in mapping(documents.get("config.yaml", {}).get("tags")).items()},
        PARENT: str(over[0].info.run_id) if over else "",
        "strata.parent": above,
        "strata.run": name,
        "strata.repository": subject.repository,
        "strata.revision": subject.revision,
        "mlflow.source.git.commit": _code(record),
        "mlflow.source.name": plain(record.get("experiment")),
        "mlflow.source.type": "PROJECT",
    }
    labels = {_key(key): value for key, value in tags.items() if value}
    run = known[0] if known else client.create_run(experiment, start_time=begun, run_name=name, tags=labels)
    identity = str(run.info.run_id)
    for batch in _batches(_params(documents)):
        client.log_batch(identity, params=batch)
    for batch in _batches(_metrics(_history(repo, subject, name), documents, begun or 0)):
        client.log_batch(identity, metrics=batch)
    if data := _data(record):
        client.log_inputs(identity, datasets=[dataset_input(one) for one in data])
    for part in _found(client, experiment, subject, "strata.parent", name):
        client.set_tag(part.info.run_id, PARENT, identity)
    return identity, True


def _end(client: MlflowClient, run: str, subject: Subject, documents: Mapping[str, Document]) -> None:
    record = documents.get(RUN_RECORD, {})
    ended = _milliseconds(record.get("finished")) or _milliseconds(record.get("started"))
    status = _STATUS.get(plain(record.get("status")), "FINISHED")
    client.set_terminated(run, status, end_time=ended or _milliseconds(subject.metadata.get("created")))


def _found(client: MlflowClient, experiment: str, subject: Subject, tag: str, value: str) -> list[Any]:
    """The runs of this repository that carry a tag."""
    asked = f"tags.`{tag}` = '{value}'" + (
        f" and tags.`strata.repository` = '{subject.repository}'" if subject.repository else ""
    )
    return list(client.search_runs([experiment], filter_string=asked, max_results=1000))


def _parent(record: Document, documents: Mapping[str, Document]) -> str:
    """The run that a record says it is part of: its sweep's, or that of a nested run which came in ("": none)."""
    said = text(mapping(record.get("sweep")).get("run")) or text(
        mapping(documents.get("config.yaml", {}).get("tags")).get("strata.parent")
    )
    return said if said and RUN_ID.fullmatch(said) else ""


def _data(record: Document) -> list[Data]:
    """The artifacts that a run read."""
    from strata_git.runs.tracking_delivery import Data

    found = []
    for one in items(record.get("inputs")):
        reference, digest = text(dig(one, "ref")), text(dig(one, "content_hash")) or text(dig(one, "digest"))
        if reference and digest:
            found.append(Data(reference.rpartition("/")[2], reference, digest))
    return found


def _history(repo: Repository, subject: Subject, run: str) -> list[Point]:
    """Every value with its step, where the record has them and their bytes are here."""
    from strata_git.repo.tree import commit_tree
    from strata_git.runs.history import FILE, load_history

    path = f"runs/{run}/artifacts/{FILE}"
    tree = commit_tree(repo, subject.revision, [path])
    entry = tree.get(path)
    if entry is None:
        return []
    with TemporaryDirectory(prefix="strata-") as folder:
        try:
            write_content(repo, tree, entry, Path(folder, FILE))
        except StrataError:  # not fetched by Git LFS: the last values are in metrics.json
            return []
        return load_history(Path(folder, FILE).read_bytes())


def _params(documents: Mapping[str, Document]) -> list[Any]:
    from mlflow.entities import Param

    config = documents.get("config.yaml", {})
    flat: dict[str, str] = {}
    waiting: list[tuple[str, object]] = [(key, value) for key, value in config.items() if key != "tags"]
    while waiting:
        key, value = waiting.pop(0)
        if isinstance(value, Mapping):
            waiting[:0] = [(f"{key}.{inner}", part) for inner, part in value.items()]
        else:
            flat[_key(key)] = str(value)[:_VALUE_LIMIT]
    return [Param(key, value) for key, value in flat.items()]


def _metrics(history: Sequence[Point], documents: Mapping[str, Document], when: int) -> list[Any]:
    """All values with their steps; of a name without any, the last one."""
    from mlflow.entities import Metric

    told = {point.name for point in history}
    rows = [Metric(_key(one.name), one.value, one.when or when, one.step) for one in history]
    last = [(name, value) for name, value in numbers(documents.get("metrics.json")) if name not in told]
    return rows + [Metric(_key(name), value, when, 0) for name, value in last]


def _key(name: str) -> str:
    """A name as MLflow takes it."""
    from strata_git.runs.mlflow import mlflow_name

    return mlflow_name(plain(name))


def _batches(rows: list[Any]) -> Iterable[list[Any]]:
    return (rows[start : start + _BATCH] for start in range(0, len(rows), _BATCH))


def _code(record: Document) -> str:
    return text(mapping(record.get("code")).get("commit")) or ""


def _milliseconds(value: object) -> int | None:
    said = moment(value)
    try:
        return int(datetime.strptime(said, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return None


def _log_files(repo: Repository, subject: Subject, artifact: Artifact, log: Callable[[str], object]) -> None:
    """Hand over a folder with the artifact's files, which is gone afterwards."""
    with TemporaryDirectory(prefix="strata-") as folder:
        write_contents(repo, subject.revision, artifact, Path(folder))
        log(folder)


# -- model versions --------------------------------------------------------------------------------------------------


def _version(repo: Repository, client: MlflowClient, subject: Subject, run: str) -> tuple[str, bool]:
    """The registered version with this content, and whether it is new."""
    from mlflow.exceptions import MlflowException

    name, digest = subject.artifact.name, subject.record.digest or ""
    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name, description=f"{name}, from its Git repository")
    known = client.search_model_versions(f"name = '{name}'")
    for one in known:
        if one.tags.get("strata.digest") == digest and one.tags.get("strata.version") == subject.artifact.version:
            return str(one.version), False
    folder = subject.artifact.path
    _log_files(repo, subject, subject.artifact, lambda place: client.log_artifacts(run, place, folder))
    tags = {
        "strata.version": subject.artifact.version,
        "strata.digest": digest,
        "strata.content_hash": subject.record.content_hash or "",
        "strata.repository": subject.repository,
        "strata.revision": subject.revision,
        "strata.run": subject.record.run or "",
    }
    made = client.create_model_version(
        name,
        source=f"{client.get_run(run).info.artifact_uri}/{folder}",
        run_id=run,
        tags={key: value for key, value in tags.items() if value},
        description=paragraph(subject.metadata.get("description")),
    )
    return str(made.version), True


def _aliases(client: MlflowClient, subject: Subject, version: str) -> tuple[str, ...]:
    """Aliases as the ledger has the stages; one that this version has no more is taken away."""
    name = subject.artifact.name
    given = client.get_registered_model(name).aliases
    for alias in ALIASES:
        if alias in subject.record.stages:
            client.set_registered_model_alias(name, alias, version)
        elif str(given.get(alias)) == version:
            client.delete_registered_model_alias(name, alias)
    return tuple(alias for alias in ALIASES if alias in subject.record.stages)
