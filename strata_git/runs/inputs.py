"""The committed artifacts a run reads: found in HEAD, compared with the work tree, verified byte by byte before use.

A run's inputs must equal HEAD (TFC-0003): the directory holds exactly the committed files, and each has the digest
that its committed CHECKSUMS.txt gives. Nothing else of the work tree is looked at here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from strata_git.contracts.layout import (
    CHECKSUMS,
    METADATA,
    ROOT_OF,
    RUN_RECORD,
    SERVICE_RECORD,
    UNSUMMED,
    Artifact,
    parse_reference,
)
from strata_git.contracts.tree import relative
from strata_git.errors import StrataError, UsageError, printable
from strata_git.repo.command import Repository

FILE = "file:"
"""Begins the reference of a committed file or directory that is no artifact."""
Stamp = tuple[int, int, int, int, int]
"""Device, inode, size, modification and change time of a file when it was verified."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset version whose files were just found to be what HEAD says.

    `digest` identifies the version, `content_hash` its payload; `splits` maps each split to its files (relative to
    `root`, the version's directory).
    """

    artifact: Artifact
    root: Path
    digest: str
    content_hash: str
    metadata: Mapping[str, object]
    splits: Mapping[str, tuple[str, ...]]
    stamps: Mapping[str, Stamp]

    def files(self, split: str) -> list[Path]:
        """The split's files in bytewise order; StrataError when there is no such split or a file changed meanwhile."""
        if split not in self.splits:
            known = ", ".join(self.splits) or "none"
            raise StrataError(
                f"{self.artifact.reference} has no split '{printable(split)}'.", hint=f"Its splits: {known}."
            )
        for name in self.splits[split]:
            self._unchanged(name)
        return [self.root / name for name in self.splits[split]]

    def require_unchanged(self) -> None:
        """Raise StrataError when any file was touched since it was verified."""
        for name in self.stamps:
            self._unchanged(name)

    def _unchanged(self, name: str) -> None:
        if stamp(self.root / name) != self.stamps[name]:
            raise StrataError(f"{self.artifact.path}/{printable(name)} changed while the run was reading it.")


@dataclass(frozen=True, slots=True)
class Input:
    """What a run reads, by the `name` its experiment gives it, found to be what HEAD says.

    `reference` is `datasets/iris@v1` or `file:PATH`; `path` the directory or file on disk; `digest` the identity
    (`sha256:...`): of an artifact that of its CHECKSUMS.txt, of a file that of its bytes, of a directory that of the
    list of its files. `content_hash` is an artifact's, `stamps` tell whether a file was touched since.
    """

    name: str
    reference: str
    path: Path
    digest: str
    content_hash: str | None
    stamps: Mapping[str, Stamp] = field(repr=False)

    def files(self) -> list[Path]:
        """The committed files, in bytewise order of their names; StrataError when one changed since it was verified."""
        self.require_unchanged()
        return [self.path / name for name in self.stamps]

    def require_unchanged(self) -> None:
        """Raise StrataError when any file was touched since it was verified."""
        for name, before in self.stamps.items():
            if stamp(self.path / name) != before:
                raise StrataError(
                    f"The input '{self.name}' ({printable(self.reference)}) changed while the run was reading it."
                )


@dataclass(frozen=True, slots=True)
class _Opened:
    root: Path
    listed: Mapping[str, str]
    stamps: Mapping[str, Stamp]
    digest: str
    content_hash: str


def open_dataset(repo: Repository, reference: str, *, progress: Callable[[int], None] | None = None) -> Dataset:
    """Verify the dataset version that `reference` names and describe it.

    Raises StrataError when it is not committed, differs from HEAD, or its files were not fetched from Git LFS.
    `progress` is told the number of bytes hashed.
    """
    artifact = named_dataset(reference)
    opened = _opened(repo, artifact, progress)
    metadata = _metadata(opened.root, artifact)
    return Dataset(
        artifact=artifact,
        root=opened.root,
        digest=opened.digest,
        content_hash=opened.content_hash,
        metadata=metadata,
        splits=_splits(metadata, opened.listed),
        stamps=opened.stamps,
    )


def open_artifact(
    repo: Repository, name: str, artifact: Artifact, *, progress: Callable[[int], None] | None = None
) -> Input:
    """Verify any committed artifact, as `open_dataset` does, and hand it over as the input `name`."""
    opened = _opened(repo, artifact, progress)
    return Input(name, artifact.reference, opened.root, opened.digest, opened.content_hash, opened.stamps)


def committed_digests(repo: Repository, artifact: Artifact) -> tuple[str, str]:
    """Digest and content hash of an artifact as HEAD has it; the work tree is not looked at."""
    from strata_git.integrity import checksums

    committed = _committed(repo, artifact)
    listed = _checksums(repo, artifact, committed)
    digest = checksums.digest(_read_committed(repo, committed[CHECKSUMS]))
    return digest, checksums.content_hash(listed, kind=artifact.kind)


def dataset_input(source: Dataset) -> Input:
    """The dataset of `dataset_id` as an input like others."""
    return Input("dataset", source.artifact.reference, source.root, source.digest, source.content_hash, source.stamps)


def cited_facts(source: Dataset | None, inputs: Mapping[str, Input]) -> list[dict[str, object]]:
    """How a record names the artifacts it read: each once, with its digests and what the experiment called it."""
    given = [] if source is None else [dataset_input(source)]
    seen: dict[str, dict[str, object]] = {}
    for one in (*given, *inputs.values()):
        if not one.reference.startswith(FILE):
            marks: dict[str, object] = {"ref": one.reference, "digest": one.digest, "content_hash": one.content_hash}
            seen.setdefault(one.reference, marks | ({"name": one.name} if one not in given else {}))
    return list(seen.values())


def _opened(repo: Repository, artifact: Artifact, progress: Callable[[int], None] | None) -> _Opened:
    from strata_git.integrity import checksums

    committed = _committed(repo, artifact)
    root = repo.require_worktree() / artifact.path
    _same_files(artifact, committed, root)
    listed = _checksums(repo, artifact, committed)
    stamps = _verified(artifact, root, listed, progress)
    digest = checksums.digest(_read_committed(repo, committed[CHECKSUMS]))
    return _Opened(root, listed, stamps, digest, checksums.content_hash(listed, kind=artifact.kind))


def named_dataset(reference: str) -> Artifact:
    """The dataset version that `iris@v1`, `datasets/iris@v1` or `datasets/iris/v1` names; UsageError otherwise."""
    try:
        parsed = parse_reference(reference, kind="dataset")
    except ValueError as error:
        raise UsageError(f"dataset_id: {error}.", hint="Write NAME@vN, for example iris@v1.") from None
    if parsed.version is None:
        raise UsageError(
            f"dataset_id '{printable(reference)}' does not say which version.",
            hint=f"Write it: {parsed.name}@v1. A run must name data that never changes.",
        )
    return parsed.artifact("dataset")


def _committed(repo: Repository, artifact: Artifact) -> dict[str, str]:
    """Path inside the version → blob id, as HEAD has it."""
    from strata_git.repo.tree import commit_tree

    head = repo.head()
    entries = commit_tree(repo, head, [artifact.path]).under(artifact.path) if head else []
    if entries:
        return {relative(entry.path, artifact.path): entry.oid for entry in entries}
    path = artifact.path
    if (repo.require_worktree() / path).exists():
        raise StrataError(
            f"{artifact.reference} is not committed: a run reads what is committed only.",
            hint=f'git add {path} && git commit -m "Add {artifact.reference}"',
        )
    raise StrataError(
        f"{artifact.reference} is neither in HEAD nor in the work tree.",
        hint=f"Add it: git strata dataset add FILES --name {artifact.name}"
        if artifact.kind == "dataset"
        else f"git strata list {ROOT_OF[artifact.kind]}",
    )


def _same_files(artifact: Artifact, committed: Mapping[str, str], root: Path) -> None:
    from strata_git.integrity.digest import list_files

    found = set(list_files(root)) if root.is_dir() else set()
    for name in sorted(committed.keys() ^ found):
        state = "is missing from the work tree" if name in committed else "is not committed"
        raise _differs(artifact, name, state)


def _checksums(repo: Repository, artifact: Artifact, committed: Mapping[str, str]) -> dict[str, str]:
    from strata_git.integrity import checksums

    if CHECKSUMS not in committed:
        raise StrataError(
            f"{artifact.reference} has no {CHECKSUMS} in HEAD, so its content cannot be verified.",
            hint=f"git strata doctor {artifact.path}",
        )
    try:
        listed = checksums.parse(_read_committed(repo, committed[CHECKSUMS]))
    except checksums.ChecksumError as error:
        place = f"{artifact.path}/{CHECKSUMS}" + (f":{error.line}" if error.line else "")
        raise StrataError(f"{place}: {error.message}.", hint=f"git strata doctor {artifact.path}") from None
    about = {"run": RUN_RECORD, "service": SERVICE_RECORD}.get(artifact.kind, METADATA)
    if listed.keys() != committed.keys() - UNSUMMED or about not in listed:
        raise StrataError(
            f"{artifact.path}/{CHECKSUMS} does not list exactly the committed files.",
            hint=f"git strata doctor {artifact.path}",
        )
    return listed


def _verified(
    artifact: Artifact, root: Path, listed: Mapping[str, str], progress: Callable[[int], None] | None
) -> dict[str, Stamp]:
    from strata_git.integrity.digest import sha256_files

    names = list(listed)
    stamps = {name: stamp(root / name) for name in names}
    for name, sha256, _ in sha256_files(names, root=root, progress=progress):
        if sha256 != listed[name]:
            raise _pointer(artifact, root / name, listed[name]) or _differs(artifact, name, "differs from HEAD")
    return stamps


def _pointer(artifact: Artifact, path: Path, sha256: str) -> StrataError | None:
    """The refusal for a file that is still Git LFS's pointer to the right content."""
    from strata_git.repo.lfs import POINTER_LIMIT, parse_pointer

    with open(path, "rb") as stream:
        pointer = parse_pointer(stream.read(POINTER_LIMIT + 1))
    if pointer is None or pointer.oid != sha256:
        return None
    return StrataError(
        f"{artifact.path}/{printable(path.name)} is a Git LFS pointer: its content was not fetched.",
        hint=f'git lfs pull --include "{artifact.path}/**"',
    )


def _differs(artifact: Artifact, name: str, state: str) -> StrataError:
    return StrataError(
        f"{artifact.path}/{printable(name)} {state}: a run's inputs must equal HEAD.",
        hint=f"See git status {artifact.path}. To go back: git restore --source HEAD --staged --worktree "
        f"{artifact.path}. Other data is a new version.",
    )


def _metadata(root: Path, artifact: Artifact) -> Mapping[str, object]:
    from strata_git.load import Unloadable, load_yaml

    try:
        value = load_yaml((root / METADATA).read_bytes()).value
    except Unloadable as error:
        raise StrataError(f"{artifact.path}/{METADATA}:{error.line}: {error.message}") from None
    if not isinstance(value, Mapping):
        raise StrataError(f"{artifact.path}/{METADATA}: a mapping is expected.")
    return value


def _splits(metadata: Mapping[str, object], listed: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    declared = metadata.get("splits")
    found = {}
    for name, split in declared.items() if isinstance(declared, Mapping) else ():
        path = str(split.get("path", "")) if isinstance(split, Mapping) else ""
        below = f"{path.rstrip('/')}/" if path.rstrip("/.") else ""
        files = [one for one in listed if one == path or (one.startswith(below) and one != METADATA)]
        found[str(name)] = tuple(sorted(files))
    return found


def _read_committed(repo: Repository, oid: str) -> bytes:
    return repo.objects.read(oid)[1]


def stamp(path: Path) -> Stamp:
    """What tells whether a file was touched; StrataError where it cannot be looked at."""
    try:
        seen = os.lstat(path)
    except OSError as error:
        raise StrataError(f"{printable(str(path))} could not be read: {error.strerror}.") from None
    return (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
