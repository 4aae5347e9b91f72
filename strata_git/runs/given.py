"""The inputs that an experiment names: references made exact, then each opened and verified (TFC-0002 2.8, 3.1)."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from strata_git.contracts.layout import KINDS, ROOT_OF, Artifact, parse_reference
from strata_git.contracts.tree import relative
from strata_git.errors import StrataError, UsageError, printable
from strata_git.repo.command import Repository
from strata_git.runs.inputs import FILE, Input, Stamp, open_artifact, stamp
from strata_git.runs.spec import RunSpec


def exact_spec(repo: Repository, spec: RunSpec, *, repository: str = "") -> RunSpec:
    """`spec` with every input named in full and exactly: kinds filled in, stages replaced by the version there now.

    `repository` is the workspace's UUID. Raises StrataError for what is not there, or could be two things.
    """
    if not spec.inputs:
        return spec
    exact = {
        name: given if given.startswith(FILE) else exact_reference(repo, given, repository=repository)
        for name, given in spec.inputs.items()
    }
    return replace(spec, inputs=exact)


def exact_reference(repo: Repository, given: str, *, repository: str = "") -> str:
    """The unambiguous reference (`models/forest@v2`) of what `given` means in HEAD and, for a stage, in the ledger."""
    try:
        parsed = parse_reference(given)
    except ValueError as error:
        raise UsageError(f"inputs: {printable(str(error))}.") from None
    if parsed.stage is not None:
        return _at_stage(repo, parsed.name, parsed.stage, repository)
    if parsed.kind is not None:
        return parsed.artifact(parsed.kind).reference
    kinds = ("prompt",) if "#" in given else tuple(_kinds_there(repo, parsed.name, parsed.version or ""))
    if len(kinds) > 1:
        told = " or ".join(f"{ROOT_OF[kind]}/{given}" for kind in kinds)
        raise StrataError(f"The input '{printable(given)}' is more than one thing.", hint=f"Say which: {told}")
    if not kinds:
        raise StrataError(
            f"The input '{printable(given)}' is not in HEAD: a run reads what is committed only.",
            hint="git strata list shows what there is.",
        )
    return parsed.artifact(kinds[0]).reference


def open_inputs(repo: Repository, spec: RunSpec, *, progress: Callable[[int], None] | None = None) -> dict[str, Input]:
    """Open and verify every input of an exact spec. Raises StrataError for the first that is not what HEAD says."""
    opened = {}
    for name, reference in spec.inputs.items():
        if reference.startswith(FILE):
            opened[name] = open_path(repo, name, reference.removeprefix(FILE), progress)
        else:
            parsed = parse_reference(reference)
            if parsed.kind is None:
                raise UsageError(f"inputs.{name}: '{printable(reference)}' does not say what kind of thing it is.")
            opened[name] = open_artifact(repo, name, parsed.artifact(parsed.kind), progress=progress)
    return opened


def _at_stage(repo: Repository, model: str, stage: str, repository: str) -> str:
    from strata_git.ledger.events import read_ledger

    state = read_ledger(repo, repository=repository, model=model).model(model)
    if not state.sound:
        raise StrataError(
            f"The events of {model} do not agree: which version is in {stage} cannot be told.",
            hint=f"git strata history {model}",
        )
    there = [version for version, placed in state.versions.items() if placed.stage == stage]
    if len(there) == 1:
        return Artifact("model", model, there[0]).reference
    if there:
        raise StrataError(
            f"{len(there)} versions of {model} are in {stage}: {', '.join(there)}.", hint="Name one of them."
        )
    raise StrataError(f"No version of {model} is in {stage}.", hint="git strata stages shows what is.")


def _kinds_there(repo: Repository, name: str, version: str) -> Iterator[str]:
    from strata_git.repo.tree import commit_tree

    head = repo.head()
    kinds = [kind for kind in KINDS.values() if kind not in ("run", "service")]
    paths = {kind: Artifact(kind, name, version).path for kind in kinds}
    tree = commit_tree(repo, head, list(paths.values())) if head else None
    for kind, path in paths.items():
        if tree is not None and tree.under(path):
            yield kind


def open_path(repo: Repository, name: str, given: str, progress: Callable[[int], None] | None = None) -> Input:
    """A committed file or directory that is no artifact; what git ignores in a directory does not count."""
    from strata_git.integrity import checksums
    from strata_git.repo.tree import commit_tree

    path = given.rstrip("/")
    head = repo.head()
    tree = commit_tree(repo, head, [path]) if head else None
    single = tree.get(path) if tree is not None else None
    entries = [single] if single is not None else list(tree.under(path)) if tree is not None else []
    if not entries or tree is None:
        raise StrataError(
            f"inputs.{name}: {printable(path)} is not in HEAD: a run reads what is committed only.",
            hint=f"git add {printable(path)} && git commit",
        )
    _nothing_else(repo, name, path, {entry.path for entry in entries})
    root = repo.require_worktree()
    base = (root / path).parent if single is not None else root / path
    sums: dict[str, str] = {}
    for entry in entries:
        if stat.S_IFMT(int(entry.mode, 8)) != stat.S_IFREG:
            raise StrataError(f"inputs.{name}: {printable(entry.path)} is no regular file in HEAD.")
        sums[Path(path).name if single is not None else relative(entry.path, path)] = tree.content(entry).sha256
    stamps = _verified(name, path if single is None else path.rpartition("/")[0], base, sums, progress)
    if single is not None:
        ((inside, seen),) = stamps.items()
        return Input(name, FILE + path, root / path, f"sha256:{sums[inside]}", None, {"": seen})
    try:
        listed = checksums.render(sums)
    except ValueError as refused:
        raise StrataError(f"inputs.{name}: {printable(str(refused))}.") from None
    return Input(name, FILE + path, base, "sha256:" + hashlib.sha256(listed).hexdigest(), None, stamps)


def _verified(
    name: str, above: str, base: Path, sums: Mapping[str, str], progress: Callable[[int], None] | None
) -> dict[str, Stamp]:
    """What the files looked like when they were found to have the digests `sums`."""
    from strata_git.integrity.digest import sha256_files
    from strata_git.repo.lfs import POINTER_LIMIT, parse_pointer

    missing = next((inside for inside in sums if not os.path.lexists(base / inside)), None)
    if missing is not None:
        raise _differs(name, f"{above}/{missing}".lstrip("/"), "is missing from the work tree")
    names = sorted(sums, key=os.fsencode)
    seen = {inside: stamp(base / inside) for inside in names}
    for inside, found, size in sha256_files(names, root=base, progress=progress):
        if found == sums[inside]:
            continue
        path = f"{above}/{inside}".lstrip("/")
        pointer = parse_pointer((base / inside).read_bytes()) if size <= POINTER_LIMIT else None
        if pointer is not None and pointer.oid == sums[inside]:
            raise StrataError(
                f"inputs.{name}: {printable(path)} is a Git LFS pointer: its content was not fetched.",
                hint=f'git lfs pull --include "{printable(path)}"',
            )
        raise _differs(name, path, "differs from HEAD")
    return seen


def _nothing_else(repo: Repository, name: str, path: str, committed: set[str]) -> None:
    from strata_git.repo.staged import staged_changes
    from strata_git.repo.worktree import unsettled_paths

    root = repo.require_worktree()
    around = {change.path for change in staged_changes(repo, [path])} | unsettled_paths(repo, [path])
    for other in sorted(around - committed):
        if os.path.lexists(root / other):
            raise _differs(name, other, "is not committed")


def _differs(name: str, path: str, state: str) -> StrataError:
    shown = printable(path)
    return StrataError(
        f"inputs.{name}: {shown} {state}: a run's inputs must equal HEAD.",
        hint=f"See git status {shown}. To go back: git restore --source HEAD --staged --worktree {shown}",
    )
