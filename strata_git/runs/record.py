"""The files of a run directory, and how a record is closed: outputs hashed, run.yaml last, CHECKSUMS.txt over all.

    config.yaml  metrics.json  system.json  logs.txt  run.yaml  artifacts/...  CHECKSUMS.txt

The same files stand in every record, whatever became of the run; metrics of a run that measured nothing are `{}`.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from strata_git.contracts.layout import CHECKSUMS, RUN_RECORD
from strata_git.errors import StrataError, printable
from strata_git.runs.dirty import Code
from strata_git.runs.inputs import FILE, Dataset, Input, cited_facts
from strata_git.runs.plugin import RunResult
from strata_git.runs.spec import RunSpec, resolved

if TYPE_CHECKING:
    from strata_git.runs.system import Origin

SCHEMA = "strata/run/v1"
CONFIG, METRICS, SYSTEM, LOGS = "config.yaml", "metrics.json", "system.json", "logs.txt"
ARTIFACTS = "artifacts"
_PROMPTS = "prompts/"
MODEL = "model.json"
"""Below artifacts/: how the plugin described the model it made, with all that metrics.yaml will need."""


class Unrecordable(StrataError):
    """What a plugin wrote is nothing that a record can hold."""


def begin(
    directory: Path,
    *,
    run: str,
    spec: RunSpec,
    code: Code,
    source: Dataset | None,
    started: datetime,
    inputs: Mapping[str, Input] = MappingProxyType({}),
    origin: Origin | None = None,
    more: Mapping[str, object] = MappingProxyType({}),
) -> dict[str, object]:
    """Write what is known before the work starts, and return run.yaml's content (status `running`)."""
    from strata_git.load import dump_json, dump_yaml
    from strata_git.repo.files import write_file
    from strata_git.runs.system import Origin, system_facts

    write_file(directory / CONFIG, dump_yaml(resolved(spec)))
    write_file(directory / SYSTEM, dump_json(system_facts(code, spec.seed, origin or Origin())))
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
        "inputs": [one for one in cited_facts(source, inputs) if not str(one["ref"]).startswith(_PROMPTS)],
        "prompts": [one for one in cited_facts(None, inputs) if str(one["ref"]).startswith(_PROMPTS)],
        "files": [
            {"name": one.name, "path": one.reference.removeprefix(FILE), "digest": one.digest}
            for one in inputs.values()
            if one.reference.startswith(FILE)
        ],
        "sources": [],
        "outputs": [],
        "tokens": None,
        "cost": None,
        "error": None,
        "usage": None,
        "resumes": None,
        "user": None,
        **more,
    }
    write_file(directory / RUN_RECORD, dump_yaml(facts))
    return facts


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended: status, when (None: killed), the reason where it did not succeed, its metrics, and further
    entries of run.yaml."""

    status: str
    finished: datetime | None
    error: str | None
    metrics: Mapping[str, float]
    told: Mapping[str, object]

    def plain(self) -> dict[str, object]:
        """The same as JSON values."""
        finished = None if self.finished is None else self.finished.isoformat()
        return {**asdict(self), "finished": finished}

    @classmethod
    def of(cls, plain: object) -> End | None:
        """What `plain` made JSON of; None for anything else."""
        match plain:
            case {"status": str(status), "finished": str(finished), "error": str() | None as error,
                  "metrics": dict(metrics), "told": dict(told)}:  # fmt: skip
                return cls(status, datetime.fromisoformat(finished), error, metrics, told)
        return None


def close_as(directory: Path, facts: Mapping[str, object], end: End) -> str:
    """`close` by all that is known of a run's end."""
    return close(
        directory, {**facts, **end.told}, status=end.status, finished=end.finished, metrics=end.metrics, error=end.error
    )


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

    Raises Unrecordable when artifacts/ holds what a record cannot (links, special files, names CHECKSUMS.txt refuses),
    any other StrataError when the disk refuses.
    """
    from strata_git.integrity.digest import sha256_directory
    from strata_git.load import dump_json, dump_yaml
    from strata_git.repo.files import write_file

    write_file(directory / METRICS, dump_json(dict(sorted(metrics.items()))))
    try:
        hashed = sha256_directory(directory, skip=frozenset({RUN_RECORD, CHECKSUMS}))
    except StrataError as refused:
        raise Unrecordable(refused.message, hint=refused.hint) from None
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
        raise Unrecordable(f"an artifact cannot be recorded: {refused}") from None


def collect(artifact_dir: Path, directory: Path) -> None:
    """Bring the files the plugin wrote beside the record; across file systems they are copied, then removed.

    May be done again after it was cut short. Raises Unrecordable for links and special files, any other StrataError
    when the disk refuses; nothing is removed then.
    """
    target = directory / ARTIFACTS
    if artifact_dir == target or not artifact_dir.is_dir():
        return
    from strata_git.integrity.digest import list_files
    from strata_git.repo.files import copy_file, unwritable

    if not target.exists():
        try:
            os.rename(artifact_dir, target)
            return
        except OSError:  # another file system, as CORE_ARTIFACT_ROOT often is
            pass
    for name in list_files(artifact_dir):
        if not stat.S_ISREG(os.lstat(artifact_dir / name).st_mode):
            raise Unrecordable(f"{ARTIFACTS}/{printable(name)} is no regular file.")
        try:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(target / name, error) from None
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
    if (artifact_dir / MODEL).exists():
        raise StrataError(
            f"The plugin wrote {ARTIFACTS}/{MODEL}, where the record describes its model.",
            hint="Give that file another name.",
        )
    metrics = {name: asdict(metric) for name, metric in sorted(result.metrics.items())}
    write_file(
        artifact_dir / MODEL, dump_json({"schema": "strata/model-output/v1", **asdict(model), "metrics": metrics})
    )


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC to the second, with `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
