"""A run's record read back: from the work tree, else from HEAD, each file checked against its CHECKSUMS.txt."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from strata_git.contracts.layout import CHECKSUMS, RUN_ID, RUN_RECORD, parse_reference
from strata_git.errors import StrataError, UsageError, printable
from strata_git.repo.command import Repository
from strata_git.runs.record import ARTIFACTS, CONFIG, METRICS, MODEL, SYSTEM
from strata_git.runs.reproduce_compare import Content

_LIMIT = 16 << 20
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_Reader = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a record says. `digest` is that of its CHECKSUMS.txt (`sha256:` and 64 digits).

    `config` are the bytes of config.yaml; `commit`, `dirty`, `tree` and `kept` are the code it came from; `inputs` maps
    each thing that was read to its digest; `tolerances` are those that the run declared for its own metrics.
    """

    id: str
    digest: str
    status: str
    plugin: str
    experiment: str
    config: bytes
    commit: str
    dirty: bool
    tree: str
    kept: str | None
    metrics: Mapping[str, float]
    tolerances: Mapping[str, float]
    outputs: Mapping[str, Content]
    inputs: Mapping[str, str]
    system: Mapping[str, object]
    error: str | None


def named_run(text: str) -> str:
    """The run id in `run-2026-11-21-001` or `runs/run-2026-11-21-001`; UsageError for anything else."""
    name = text.strip().rstrip("/").removeprefix("runs/")
    if RUN_ID.fullmatch(name):
        return name
    raise UsageError(
        f"'{printable(text)}' is no run.", hint="A run is named like run-2026-11-21-001: git strata list runs"
    )


def read_recorded(repo: Repository, run: str) -> Recorded:
    """The record of `run`; StrataError where there is none here, or it is not what its CHECKSUMS.txt says."""
    from strata_git.integrity import checksums

    read = _reader(repo, run)
    listed = read(CHECKSUMS)
    if listed is None:
        raise _damaged(run, f"it has no {CHECKSUMS}")
    try:
        sums = checksums.parse(listed)
    except checksums.ChecksumError as error:
        raise _damaged(run, f"{CHECKSUMS}: {error.message}") from None

    def verified(name: str) -> bytes:
        data = read(name)
        if data is None or hashlib.sha256(data).hexdigest() != sums.get(name):
            raise _damaged(run, f"{name} is not what its {CHECKSUMS} lists")
        return data

    facts = _mapping(run, RUN_RECORD, verified(RUN_RECORD))
    described = f"{ARTIFACTS}/{MODEL}"
    model = _mapping(run, described, verified(described)) if described in sums else {}
    metrics = _mapping(run, METRICS, verified(METRICS))
    return _recorded(
        run, checksums.digest(listed), facts, verified(CONFIG), _mapping(run, SYSTEM, verified(SYSTEM)), metrics, model
    )


def input_paths(recorded: Recorded) -> frozenset[str]:
    """The directories of the artifacts that a run read."""
    found = set()
    for name in recorded.inputs:
        if name.startswith("file:"):
            found.add(name.removeprefix("file:"))
            continue
        try:
            reference = parse_reference(name)
        except ValueError:
            continue
        if reference.kind is not None:
            found.add(reference.artifact(reference.kind).path)
    return frozenset(found)


def _reader(repo: Repository, run: str) -> _Reader:
    """How files of a record are read: as they lie in the work tree, else as HEAD has them."""
    from strata_git.repo.worktree import read_plain

    place = f"runs/{run}"
    if repo.worktree is not None and (repo.worktree / place).is_dir():
        return lambda name: read_plain(repo, f"{place}/{name}", _LIMIT)
    head = repo.head()
    if head is None or dict(repo.objects.lookup([f"{head}:{place}"]))[f"{head}:{place}"] is None:
        raise StrataError(
            f"There is no {place} in the work tree or in HEAD.",
            hint="git strata list runs   shows those that are here; one of another branch is there: git switch BRANCH",
        )

    def committed(name: str) -> bytes | None:
        asked = f"{head}:{place}/{name}"
        row = dict(repo.objects.lookup([asked]))[asked]
        return row[2] if row is not None and row[1] == "blob" and len(row[2]) <= _LIMIT else None

    return committed


def _mapping(run: str, name: str, data: bytes) -> dict[str, object]:
    from strata_git.load import Unloadable, load_json, load_yaml

    try:
        value = (load_json if name.endswith(".json") else load_yaml)(data).value
    except Unloadable as error:
        raise _damaged(run, f"{name}: {error.message}") from None
    if not isinstance(value, dict):
        raise _damaged(run, f"{name} is no mapping")
    return value


def _recorded(
    run: str, digest: str, facts: Mapping[str, object], config: bytes, system: Mapping[str, object],
    metrics: Mapping[str, object], model: Mapping[str, object],
) -> Recorded:  # fmt: skip
    code, outputs, inputs = facts.get("code"), facts.get("outputs"), facts.get("inputs")
    try:
        assert isinstance(code, dict) and isinstance(outputs, list) and isinstance(inputs, list)  # noqa: S101, PT018
        made = {str(one["path"]): Content(str(one["sha256"]), int(one["bytes"])) for one in outputs}
        read = [*inputs, *_rows(facts, "files"), *_rows(facts, "sources"), *_rows(facts, "prompts")]
        said = {_input_name(one): str(one.get("digest") or one.get("sha256") or "") for one in read}
        figures = {name: float(value) for name, value in metrics.items()}  # type: ignore[arg-type]
        return Recorded(
            run, digest, str(facts["status"]), str(facts["plugin"]), str(facts["experiment"]), config,
            _oid(code["commit"]), bool(code["dirty"]), _oid(code["tree"]),
            None if code.get("kept") is None else _oid(code["kept"]), figures, _tolerances(model), made, said,
            system, None if facts.get("error") is None else str(facts["error"]),
        )  # fmt: skip
    except (AssertionError, KeyError, TypeError, ValueError, AttributeError):
        raise _damaged(run, f"{RUN_RECORD} does not keep its contract") from None


def _oid(value: object) -> str:
    """An object id; whatever else git would take for a name is none."""
    if isinstance(value, str) and _OID.fullmatch(value):
        return value
    raise ValueError


def _input_name(one: Mapping[str, object]) -> str:
    return str(one.get("ref") or one.get("uri") or f"file:{one['path']}")


def _rows(facts: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    listed = facts.get(key)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _tolerances(model: Mapping[str, object]) -> dict[str, float]:
    described = model.get("metrics")
    rows = described.items() if isinstance(described, dict) else ()
    return {name: float(row["tolerance"]) for name, row in rows if isinstance(row, dict) and row.get("tolerance")}


def _damaged(run: str, why: str) -> StrataError:
    return StrataError(f"The record runs/{run} cannot be believed: {why}.", hint=f"git strata doctor runs/{run}")
