"""A run that somebody else's tracker recorded, written as a record of ours (TFC-0003).

What the other side does not say is not made up: the code is the commit it names where that is in this repository, and
else the workspace as it was when the run came in, which the log then tells.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from strata_git.contracts.layout import CHECKSUMS
from strata_git.errors import StrataError, printable
from strata_git.load import dump_json, dump_yaml
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file
from strata_git.repo.history import read_commit
from strata_git.runs import record
from strata_git.runs.dirty import Code, code_state
from strata_git.runs.history import FILE as HISTORY
from strata_git.runs.history import Point, dump_history
from strata_git.runs.reserve import publish, reserve

_RUNS = re.compile("[^a-z0-9]+")
_LABEL = 200


@dataclass(frozen=True, slots=True)
class ForeignRun:
    """What is known of it. `plugin` is the tracker's name; `source` says in a line where it comes from.

    `fill` puts its files into the directory it is given. `python` and `packages` are what the tracker recorded.
    """

    plugin: str
    source: str
    experiment: str
    status: str
    started: datetime
    finished: datetime | None
    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    history: Sequence[Point] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    commit: str = ""
    python: str = "unknown"
    fill: Callable[[Path], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """A run in the work tree, not yet committed."""

    id: str
    digest: str
    metrics: Mapping[str, float]
    files: int
    message: str

    @property
    def path(self) -> str:
        """Its directory."""
        return f"runs/{self.id}"


def slug(text: str, otherwise: str) -> str:
    """`text` as a name of ours."""
    return _RUNS.sub("-", text.lower()).strip("-")[:60].strip("-") or otherwise


def write_run(repo: Repository, run: ForeignRun) -> ImportedRun:
    """Write the record under the next number of the day it began; StrataError, and nothing left, where it cannot be."""
    repo.require_worktree()
    code, told = _code(repo, run.commit)
    reserved = reserve(repo, run.started)
    try:
        digest = _fill(reserved.record, reserved.id, run, code, told)
        files = sum(path.is_file() for path in reserved.record.rglob("*"))
        publish(reserved, repo.require_worktree())
    finally:
        reserved.release()
    return ImportedRun(reserved.id, digest, run.metrics, files, f"Import {reserved.id} from {run.plugin}")


def _fill(directory: Path, identity: str, run: ForeignRun, code: Code, told: str) -> str:
    artifacts = directory / record.ARTIFACTS
    artifacts.mkdir()
    run.fill(artifacts)
    if (artifacts / CHECKSUMS).is_symlink():
        raise StrataError("The run holds a link.")
    if run.history:
        write_file(artifacts / HISTORY, dump_history(run.history), durable=False)
    seed = run.params.get("seed", run.params.get("random_state"))
    seed = seed if isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 1 << 32 else 0
    config = {
        "experiment": run.experiment,
        "plugin": run.plugin,
        "seed": seed,
        "dataset_id": "",
        "data_spec": {},
        "params": dict(run.params),
        "tags": {_label(name): value for name, value in sorted(run.tags.items()) if _label(name)},
    }
    system = {
        "schema": "strata/system/v1",
        "platform": "unknown",
        "python": run.python,
        "packages": {},
        "code": asdict(code),
        "seed": seed,
    }
    facts: dict[str, object] = {
        "schema": record.SCHEMA,
        "kind": "run",
        "id": identity,
        "status": run.status,
        "started": record.stamp(run.started),
        "finished": None,
        "plugin": run.plugin,
        "experiment": run.experiment,
        "seed": seed,
        "code": asdict(code),
        "inputs": [],
        "prompts": [],
        "outputs": [],
        "tokens": None,
        "cost": None,
        "error": None,
    }
    try:
        write_file(directory / record.CONFIG, dump_yaml(config))
    except (ValueError, TypeError) as error:
        raise StrataError(f"The run's parameters cannot be written: {printable(str(error))}.") from None
    write_file(directory / record.SYSTEM, dump_json(system))
    write_file(directory / record.LOGS, f"imported from {printable(run.source)}\n{told}\n".encode())
    failed = None if run.status == "succeeded" else f"{run.plugin} recorded the run as {run.status}"
    return record.close(directory, facts, status=run.status, finished=run.finished, metrics=run.metrics, error=failed)


def _label(text: str) -> str:
    return printable(text)[:_LABEL].strip()


def _code(repo: Repository, commit: str) -> tuple[Code, str]:
    """The code of the run, and a line about how that is known."""
    found = repo.resolve(commit) if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit) else None
    if found is not None:
        tree = read_commit(repo, found).tree
        return Code(found, False, tree), f"it names commit {found} as its code; changes beside it are not recorded"
    now = code_state(repo)
    named = f"its code is commit {printable(commit)}, which is not here" if commit else "it names no code"
    return now, f"{named}: recorded is the workspace as it was when the run was imported"
