"""A run that need not be made: one that succeeded computed the same from the same, and its record is whole.

The same is: the RunSpec but for tags and resources, the digest of everything read, the code, and for what runs in this
Python its version and packages. Code is what `params.code` names, and the files that a command is told; where nothing
is named, every file of the work tree but artifacts and experiments. Where in doubt there is no such run: computing
once more costs time, a wrong answer costs more.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from strata_git.contracts.layout import CHECKSUMS, ROOTS, RUN_ID
from strata_git.errors import StrataError
from strata_git.repo.command import Repository
from strata_git.runs.spec import RunSpec, resolved

_FREE = ("tags", "resources")
_NO_CODE = (*ROOTS, "experiments", ".strata")
_PROGRAMS = ("command", "notebook")
"""Plugins whose code lies in the work tree though they come with git-strata."""

Blobs = Mapping[str, str]


def reuse(repo: Repository, spec: RunSpec, *, repository: str = "") -> str | None:
    """The id of the newest run in the work tree that is what running `spec` now would be; None where there is none.

    `repository` is the workspace's UUID, for inputs named by stage. Raises StrataError for inputs that are not what
    HEAD says, as running would.
    """
    from strata_git.runs.catalog import load_plugin
    from strata_git.runs.given import exact_spec, open_inputs
    from strata_git.runs.inputs import open_dataset
    from strata_git.runs.plugin import Checked

    plugin = load_plugin(spec.plugin, repo.require_worktree())
    if isinstance(plugin, Checked):
        plugin.check(spec)
    spec = exact_spec(repo, spec, repository=repository)
    candidates = list(_alike(repo.require_worktree(), spec))
    if not candidates:
        return None
    source = open_dataset(repo, spec.committed_dataset) if spec.committed_dataset else None
    read = {one.reference: one.digest for one in open_inputs(repo, spec).values()}
    if source is not None:
        read[source.artifact.reference] = source.digest
    counts = _code_filter(spec)
    now = _blobs_now(repo, counts)
    for run in candidates:
        if _is_same(repo, run, spec, read, counts, now):
            return run
    return None


def _alike(root: Path, spec: RunSpec) -> Iterator[str]:
    """Runs with this spec, the newest first."""
    from strata_git.load import Unloadable, dump_yaml, load_yaml

    wanted = {key: value for key, value in resolved(spec).items() if key not in _FREE}
    begin = dump_yaml({key: wanted[key] for key in ("experiment", "plugin", "seed")})
    place = root / "runs"
    names = [path.name for path in place.iterdir() if RUN_ID.fullmatch(path.name)] if place.is_dir() else []
    for name in sorted(names, key=_age, reverse=True):
        try:
            data = (place / name / "config.yaml").read_bytes()
            value = load_yaml(data).value if data.startswith(begin) else None
        except (OSError, Unloadable):
            continue
        if isinstance(value, dict) and {key: value.get(key) for key in wanted} == wanted:
            yield name


def _age(run: str) -> tuple[str, int]:
    day, _, number = run.rpartition("-")
    return day, int(number)


def _is_same(repo: Repository, run: str, spec: RunSpec, read: Blobs, counts: Callable[[str], bool], now: Blobs) -> bool:
    from strata_git.runs.reproduce_record import read_recorded

    try:
        recorded = read_recorded(repo, run)
        if recorded.status != "succeeded" or dict(recorded.inputs) != dict(read):
            return False
        if _in_this_python(spec) and not _same_python(recorded.system):
            return False
        return _blobs_then(repo, run, recorded.commit, counts) == now and _is_whole(repo, run)
    except StrataError:  # damaged, or its code is not here
        return False


def _code_filter(spec: RunSpec) -> Callable[[str], bool]:
    """Which paths of the work tree are code of this spec."""
    from strata_git.runs.plugins.command_params import code_paths

    if spec.plugin not in _PROGRAMS:
        from strata_git.runs.catalog import BUILTIN

        shipped = spec.plugin in BUILTIN
        return lambda path: not shipped and path.partition("/")[0] not in _NO_CODE
    said = code_paths(spec.params)
    if not said:
        return lambda path: path.partition("/")[0] not in _NO_CODE
    cwd = str(spec.params.get("cwd", "."))
    argv = [str(word) for word in spec.params.get("argv", [])]
    named = {posixpath.normpath(posixpath.join(cwd, word)) for word in argv}
    if "notebook" in spec.params:
        named.add(str(spec.params["notebook"]))
    return lambda path: path in named or any(path == one or path.startswith(f"{one}/") for one in said)


def _blobs_now(repo: Repository, counts: Callable[[str], bool]) -> Blobs:
    from strata_git.repo.tree import commit_tree
    from strata_git.repo.worktree import WorkTree
    from strata_git.runs.dirty import look

    seen = look(repo)
    open_ones = {path for path in seen.touched | seen.untracked if counts(path)}
    settled = commit_tree(repo, seen.code.commit).under("")
    found = {entry.path: entry.oid for entry in settled if counts(entry.path) and entry.path not in open_ones}
    if open_ones:
        found |= {entry.path: entry.oid for entry in WorkTree(repo, open_ones).under("") if counts(entry.path)}
    return found


def _blobs_then(repo: Repository, run: str, commit: str, counts: Callable[[str], bool]) -> Blobs | None:
    """The code of an earlier run: what was kept of its work tree, else its commit's; None where it is not known."""
    from strata_git.load import load_yaml
    from strata_git.repo.refs import read_ref
    from strata_git.repo.tree import commit_tree
    from strata_git.runs.dirty import KEPT

    facts: Any = load_yaml((repo.require_worktree() / "runs" / run / "run.yaml").read_bytes()).value
    code = facts["code"]
    if code["dirty"] or code.get("kept"):
        kept = read_ref(repo, KEPT + run)
        if kept is None:
            return None
        commit = kept
    if repo.resolve(commit) is None:
        return None
    return {entry.path: entry.oid for entry in commit_tree(repo, commit).under("") if counts(entry.path)}


def _in_this_python(spec: RunSpec) -> bool:
    """Whether packages of this Python take part: of other programs nothing is known."""
    return spec.plugin != "command" or any("${python}" in str(word) for word in spec.params.get("argv", []))


def _same_python(system: Mapping[str, object]) -> bool:
    import platform
    import sys

    from strata_git.runs.system import packages

    return system.get("python") == platform.python_version() and system.get("packages") == packages(sys.path)


def _is_whole(repo: Repository, run: str) -> bool:
    """Whether every file of the record is there as it is listed, or as Git LFS's pointer to it."""
    from strata_git.integrity import checksums
    from strata_git.integrity.digest import sha256_directory
    from strata_git.repo.lfs import POINTER_LIMIT, parse_pointer

    place = repo.require_worktree() / "runs" / run
    listed = checksums.parse((place / CHECKSUMS).read_bytes())
    found = {path: (sha256, size) for path, sha256, size in sha256_directory(place, skip=checksums.EXCLUDED)}
    if found.keys() != listed.keys():
        return False
    for path, (sha256, size) in found.items():
        if sha256 == listed[path]:
            continue
        pointer = parse_pointer((place / path).read_bytes()) if size <= POINTER_LIMIT else None
        if pointer is None or pointer.oid != listed[path]:
            return False
    return True
