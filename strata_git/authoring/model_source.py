"""What a committed run says about the model it made: record and description from HEAD, the file from the work tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strata_git.authoring.commit import commit_command
from strata_git.contracts.layout import (
    CHECKSUMS,
    METADATA,
    RUN_ID,
    RUN_RECORD,
    SIGNATURE,
    Artifact,
    parse_reference,
)
from strata_git.errors import StrataError, UsageError, printable
from strata_git.repo.command import Repository
from strata_git.repo.tree import ListedTree, commit_tree

DESCRIPTION = "artifacts/model.json"
SCHEMA = "strata/model-output/v1"
RESERVED = {CHECKSUMS, METADATA, SIGNATURE, "model.sig", "card.md", "metrics.yaml"}
"""Names that a version has for something else."""


@dataclass(frozen=True, slots=True)
class RunModel:
    """A run's model: `file` in the work tree (verified: `sha256`), where it stands (`place`), its name in a version.

    `companions` are further files of the run that go with it, verified too, by their names in a version. `datasets`
    are the cited inputs, `data` how to name the data where none was committed, `metrics` the described
    measurements by name.
    """

    run: str
    commit: str
    file: Path
    place: str
    name: str
    sha256: str
    format: str
    framework: str
    framework_version: str
    task: str
    inputs: Sequence[Mapping[str, object]]
    outputs: Sequence[Mapping[str, object]]
    trusted_types: Sequence[str]
    metrics: Mapping[str, Mapping[str, Any]]
    companions: Mapping[str, Path]
    datasets: Sequence[Mapping[str, str]]
    data: str

    def facts(self) -> dict[str, object]:
        """The part of metadata.yaml that the run decides."""
        return {
            "artifact": self.name,
            "format": self.format,
            "framework": {"name": self.framework, "version": self.framework_version},
            "run": self.run,
            "datasets": [dict(one) for one in self.datasets],
            "signature": {
                "inputs": [dict(one) for one in self.inputs],
                "outputs": [dict(one) for one in self.outputs],
            },
            "trusted_types": list(self.trusted_types),
        }


def read_run_model(repo: Repository, run_id: str, *, progress: Callable[[int], None] | None = None) -> RunModel:
    """The model of run `run_id`; raises StrataError where the run cannot vouch for one."""
    artifact = _named(run_id)
    tree = _committed(repo, artifact)
    record = _record(tree, artifact)
    said = _description(tree, artifact)
    place = f"{artifact.path}/artifacts/{said['artifact']}"
    file = repo.require_worktree() / place
    sha256 = _verified(tree, artifact, place, file, progress)
    metrics = said["metrics"]
    if not metrics:
        raise StrataError(
            f"{artifact.name} measured nothing about its model, so nothing could ever be compared.",
            hint="Its plugin must return metrics with its model.",
        )
    return RunModel(
        run=artifact.name,
        commit=record.code.commit,
        file=file,
        place=place,
        name=file.name,
        sha256=sha256,
        format=said["format"],
        framework=said["framework"],
        framework_version=said["framework_version"],
        task=said["task"],
        inputs=said["inputs"],
        outputs=said["outputs"],
        trusted_types=said["trusted_types"],
        metrics=metrics,
        companions=_companions(repo, tree, artifact, said, progress),
        datasets=_datasets(record.inputs),
        data=_data(tree, artifact),
    )


def _named(run_id: str) -> Artifact:
    try:
        parsed = parse_reference(run_id, kind="run")
    except ValueError:
        parsed = None
    if parsed is None or not RUN_ID.fullmatch(parsed.name):
        raise UsageError(f"'{printable(run_id)}' is not a run.", hint="Name one such as run-2026-11-21-001.")
    return Artifact("run", parsed.name)


def _committed(repo: Repository, artifact: Artifact) -> ListedTree:
    head = repo.head()
    tree = commit_tree(repo, head, [artifact.path]) if head else ListedTree(repo, [])
    if tree.get(f"{artifact.path}/{RUN_RECORD}") is not None:
        return tree
    if (repo.require_worktree() / artifact.path).is_dir():
        raise StrataError(
            f"{artifact.path} is not committed: a model must come from a run on record.",
            hint=commit_command([artifact.path], f"Run {artifact.name}"),
        )
    raise StrataError(f"There is no {artifact.path}, neither in HEAD nor in the work tree.")


def _record(tree: ListedTree, artifact: Artifact) -> Any:
    from strata_git.contracts.base import ContractError, parse
    from strata_git.contracts.run import RunRecord
    from strata_git.load import Unloadable, load_yaml

    try:
        record = parse(RunRecord, load_yaml(_read(tree, f"{artifact.path}/{RUN_RECORD}")))
    except (ContractError, Unloadable) as error:
        raise StrataError(f"{artifact.path}/{RUN_RECORD}: {error}.") from None
    if record.status != "succeeded":
        raise StrataError(
            f"{artifact.name} {'was' if record.status != 'failed' else 'has'} {record.status}: "
            "only a run that succeeded makes a model.",
            hint=f"Its log: {artifact.path}/logs.txt",
        )
    return record


def _description(tree: ListedTree, artifact: Artifact) -> dict[str, Any]:
    from strata_git.load import Unloadable, load_json

    path = f"{artifact.path}/{DESCRIPTION}"
    if tree.get(path) is None:
        raise StrataError(f"{artifact.name} made no model ({DESCRIPTION} is not in its record).")
    try:
        value = load_json(_read(tree, path)).value
    except Unloadable as error:
        raise StrataError(f"{path}:{error.line}: {error.message}.") from None
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise StrataError(f"{path} is not of schema {SCHEMA}.")
    for key in ("artifact", "format", "framework", "framework_version", "task"):
        if not isinstance(value.get(key), str):
            raise StrataError(f"{path}: '{key}' must be text.")
    for key, kind in {"inputs": list, "outputs": list, "trusted_types": list, "metrics": dict}.items():
        if not isinstance(value.get(key), kind):
            raise StrataError(f"{path}: '{key}' must be a {'list' if kind is list else 'mapping'}.")
    return value


def _verified(
    tree: ListedTree,
    artifact: Artifact,
    place: str,
    file: Path,
    progress: Callable[[int], None] | None,
) -> str:
    """SHA-256 of the model in the work tree, which must be the one that the run's list in HEAD gives."""
    from strata_git.integrity import checksums
    from strata_git.integrity.digest import sha256_files
    from strata_git.repo.lfs import parse_pointer

    try:
        sums = checksums.parse(_read(tree, f"{artifact.path}/{CHECKSUMS}"))
    except checksums.ChecksumError as error:
        raise StrataError(f"{artifact.path}/{CHECKSUMS}: {error.message}.") from None
    expected = sums.get(place.removeprefix(f"{artifact.path}/"))
    restore = f"git restore --source HEAD --staged --worktree {artifact.path}"
    if expected is None or not file.is_file():
        raise StrataError(f"{printable(place)} is not there as the run recorded it.", hint=restore)
    ((_, found, size),) = sha256_files([file], progress=progress)
    if found == expected:
        return found
    pointer = parse_pointer(file.read_bytes()) if size <= 1024 else None
    if pointer is not None and pointer.oid == expected:
        raise StrataError(
            f"{printable(place)} is a Git LFS pointer: its content was not fetched.",
            hint=f'git lfs pull --include "{artifact.path}/**"',
        )
    raise StrataError(f"{printable(place)} differs from HEAD.", hint=restore)


def _companions(
    repo: Repository,
    tree: ListedTree,
    artifact: Artifact,
    said: Mapping[str, Any],
    progress: Callable[[int], None] | None,
) -> dict[str, Path]:
    named = said.get("companions", [])
    if not isinstance(named, list) or not all(isinstance(one, str) for one in named):
        raise StrataError(f"{artifact.path}/{DESCRIPTION}: 'companions' must be a list of files.")
    found: dict[str, Path] = {}
    for one in named:
        place = f"{artifact.path}/artifacts/{one}"
        file = repo.require_worktree() / place
        _verified(tree, artifact, place, file, progress)
        if file.name in RESERVED or file.name in found or one == said["artifact"]:
            raise StrataError(
                f"{artifact.path}/{DESCRIPTION}: a version cannot hold two files '{printable(file.name)}'."
            )
        found[file.name] = file
    return found


def _datasets(inputs: Sequence[Any]) -> list[dict[str, str]]:
    return [
        {"ref": one.ref, "content_hash": one.content_hash}
        for one in inputs
        if one.ref.startswith("datasets/") and one.content_hash is not None
    ]


def _data(tree: ListedTree, artifact: Artifact) -> str:
    """How the run called data that is no committed version: `sklearn:iris`, `synthetic`."""
    from strata_git.load import Unloadable, load_yaml

    try:
        value = load_yaml(_read(tree, f"{artifact.path}/config.yaml")).value
    except Unloadable:
        return "unknown"
    config = value if isinstance(value, dict) else {}
    kind = config["data_spec"].get("kind") if isinstance(config.get("data_spec"), dict) else None
    return str(config.get("dataset_id") or kind or "unknown")


def _read(tree: ListedTree, path: str) -> bytes:
    entry = tree.get(path)
    if entry is None:
        raise StrataError(f"{printable(path)} is not in HEAD.")
    return tree.read(entry)
