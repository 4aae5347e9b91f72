"""The files of a run directory, and how a record is closed: outputs hashed, run.yaml last, CHECKSUMS.txt over all.

    config.yaml  metrics.json  system.json  logs.txt  run.yaml  artifacts/...  CHECKSUMS.txt

The same files stand in every record, whatever became of the run; metrics of a run that measured nothing are `{}`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from strata_git.contracts.layout import CHECKSUMS, RUN_RECORD
from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.runs.inputs import Dataset
from strata_git.runs.plugin import RunResult
from strata_git.runs.spec import RunSpec, resolved

SCHEMA = "strata/run/v1"
CONFIG, METRICS, SYSTEM, LOGS = "config.yaml", "metrics.json", "system.json", "logs.txt"
ARTIFACTS = "artifacts"
MODEL = "model.json"
"""Below artifacts/: how the plugin described the model it made, with all that metrics.yaml will need."""


@dataclass(frozen=True, slots=True)
class Code:
    """The code a run came from: HEAD, and the tree of all tracked files as they were on disk (HEAD's when clean)."""

    commit: str
    dirty: bool
    tree: str


def code_state(repo: Repository) -> Code:
    """What HEAD and the tracked files are; StrataError before the first commit."""
    from strata_git.repo.history import read_commit
    from strata_git.repo.staged import staged_changes
    from strata_git.repo.tree import commit_tree, tree_oid
    from strata_git.repo.worktree import WorkTree, unsettled_paths

    head = repo.head()
    if head is None:
        raise StrataError(
            "There is no commit yet: a run must name the code it came from.",
            hint='git add --all && git commit -m "Begin"',
        )
    tree = read_commit(repo, head).tree
    tracked = {os.fsdecode(path) for path in repo.git("ls-files", "-z").split(b"\0")[:-1]}
    touched = {change.path for change in staged_changes(repo)} | (unsettled_paths(repo, None) & tracked)
    if not touched:
        return Code(head, False, tree)
    seen = WorkTree(repo, touched)
    kept = [entry for entry in commit_tree(repo, head).under("") if entry.path not in touched]
    now = [entry for path in touched if (entry := seen.get(path)) is not None]
    actual = tree_oid([*kept, *now], "", repo.object_format)
    return Code(head, actual != tree, actual)


def begin(
    directory: Path, *, run: str, spec: RunSpec, code: Code, source: Dataset | None, started: datetime
) -> dict[str, object]:
    """Write what is known before the work starts, and return run.yaml's content (status `running`)."""
    from strata_git.load import dump_json, dump_yaml
    from strata_git.repo.files import write_file

    write_file(directory / CONFIG, dump_yaml(resolved(spec)))
    write_file(directory / SYSTEM, dump_json(system_facts(spec, code)))
    facts: dict[str, object] = {
        "schema": SCHEMA,
        "kind": "run",
        "id": run,
        "status": "running",
        "started": stamp(started),
        "finished": None,
        "plugin": spec.plugin,
        "experiment": spec.experiment,
        "seed": spec.seed,
        "code": asdict(code),
        "inputs": [cited(source)] if source else [],
        "prompts": [],
        "outputs": [],
        "tokens": None,
        "cost": None,
        "error": None,
    }
    write_file(directory / RUN_RECORD, dump_yaml(facts))
    return facts


def close(
    directory: Path,
    facts: Mapping[str, object],
    *,
    status: str,
    finished: datetime | None,
    metrics: Mapping[str, float],
    error: str | None,
) -> str:
    """Complete the record in `directory` and return its digest. logs.txt must be closed.

    Raises StrataError when artifacts/ holds what a record cannot (links, special files, names CHECKSUMS.txt refuses).
    """
    from strata_git.integrity.digest import sha256_directory
    from strata_git.load import dump_json, dump_yaml
    from strata_git.repo.files import write_file

    write_file(directory / METRICS, dump_json(dict(sorted(metrics.items()))))
    hashed = sha256_directory(directory, skip=frozenset({RUN_RECORD, CHECKSUMS}))
    outputs = [
        {"path": path, "sha256": sha256, "bytes": size}
        for path, sha256, size in hashed
        if path.startswith(f"{ARTIFACTS}/")
    ]
    sums = {path: sha256 for path, sha256, _ in hashed}
    _listed(sums)  # refuses before run.yaml says that all is well
    ended = stamp(finished) if finished else None
    changed = {"status": status, "finished": ended, "outputs": outputs, "error": error}
    write_file(directory / RUN_RECORD, dump_yaml({**facts, **changed}))
    return seal(directory, sums)


def seal(directory: Path, known: Mapping[str, str] | None = None) -> str:
    """Write CHECKSUMS.txt over all that lies in `directory`, and return the record's digest.

    `known` are the digests of all files but run.yaml, when they were just computed.
    """
    from strata_git.integrity import checksums
    from strata_git.integrity.digest import sha256_directory, sha256_files
    from strata_git.repo.files import write_file

    if known is None:
        hashed = sha256_directory(directory, skip=checksums.EXCLUDED)
    else:
        hashed = sha256_files([RUN_RECORD], root=directory)
    listed = _listed({**(known or {}), **{path: sha256 for path, sha256, _ in hashed}})
    write_file(directory / CHECKSUMS, listed)
    return checksums.digest(listed)


def _listed(sums: Mapping[str, str]) -> bytes:
    from strata_git.integrity import checksums

    try:
        return checksums.render(sums)
    except ValueError as refused:
        raise StrataError(f"an artifact cannot be recorded: {refused}") from None


def collect(artifact_dir: Path, directory: Path) -> None:
    """Bring the files the plugin wrote beside the record; across file systems they are copied, then removed."""
    target = directory / ARTIFACTS
    if artifact_dir == target:
        return
    from strata_git.integrity.digest import list_files
    from strata_git.repo.files import copy_file

    try:
        os.rename(artifact_dir, target)
        return
    except OSError:  # another file system, as CORE_ARTIFACT_ROOT often is
        pass
    for name in list_files(artifact_dir):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        copy_file(artifact_dir / name, target / name)
    shutil.rmtree(artifact_dir, ignore_errors=True)


def describe_model(result: RunResult, artifact_dir: Path) -> None:
    """Write artifacts/model.json from what the plugin said; StrataError when the file it names is not there."""
    from strata_git.load import dump_json
    from strata_git.repo.files import write_file

    model = result.model
    if model is None:
        return
    if not (artifact_dir / model.artifact).is_file():
        raise StrataError(f"The plugin names the model '{printable(model.artifact)}', but did not write it.")
    metrics = {name: asdict(metric) for name, metric in sorted(result.metrics.items())}
    write_file(
        artifact_dir / MODEL, dump_json({"schema": "strata/model-output/v1", **asdict(model), "metrics": metrics})
    )


def cited(source: Dataset) -> dict[str, object]:
    """How a record names the data it read."""
    return {"ref": source.artifact.reference, "digest": source.digest, "content_hash": source.content_hash}


def system_facts(spec: RunSpec, code: Code) -> dict[str, object]:
    """Where the run took place: never an environment variable, a user or a host name."""
    import platform
    from importlib.metadata import distributions

    packages = {found.name.lower(): found.version for found in distributions() if found.name}
    return {
        "schema": "strata/system/v1",
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "packages": dict(sorted(packages.items())),
        "code": asdict(code),
        "seed": spec.seed,
    }


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC to the second, with `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
