"""A released version's files, as its event names them: tree, list and bytes, each compared with what was signed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from strata_git.contracts.layout import (
    ADDABLE,
    CHECKSUMS,
    METADATA,
    RUN_ID,
    SIGNATURE,
    UNSUMMED,
    Artifact,
    parse_reference,
)
from strata_git.contracts.tree import REGULAR
from strata_git.doctor.deep import READ_LIMIT, DeepTree
from strata_git.errors import StrataError, printable
from strata_git.integrity import checksums
from strata_git.integrity.armor import SIZE_LIMIT
from strata_git.ledger.record import Record
from strata_git.repo.command import Repository
from strata_git.repo.tree import Entry, ListedTree, commit_tree, tree_oid

if TYPE_CHECKING:
    from strata_git.load import Document

_LIST_LIMIT = 64 << 20
_NOTHING = ListedTree(None, ())


@dataclass(frozen=True, slots=True)
class Release:
    """One version at the `commit` of its events. `sums` is its CHECKSUMS.txt: path inside the version -> SHA-256;
    `listing` are its files as git has them there."""

    artifact: Artifact
    listed: bytes
    sums: Mapping[str, str]
    _tree: DeepTree
    listing: ListedTree = _NOTHING
    commit: str = ""

    def read(self, name: str) -> bytes:
        """The bytes of a listed file, read once and hashed: what is returned is what was compared.

        Large files are taken from Git LFS's local objects. Raises StrataError where they are not here, are too large,
        or have another digest than the list.
        """
        path = f"{self.artifact.path}/{name}"
        expected = self.sums.get(name)
        if expected is None:
            raise StrataError(f"{printable(path)} is not in {CHECKSUMS}.")
        try:
            data = self._tree.read_bytes(path)
        except FileNotFoundError:
            raise StrataError(
                f"The bytes of {printable(path)} are not here: Git LFS keeps them elsewhere.",
                hint=f'git lfs fetch --include "{self.artifact.path}/**"',
            ) from None
        except (OSError, KeyError, ValueError) as error:
            raise StrataError(f"{printable(path)} cannot be read: {type(error).__name__}.") from None
        if len(data) >= READ_LIMIT:
            raise StrataError(
                f"{printable(path)} has more than {READ_LIMIT >> 20} MiB: no model of that size is served."
            )
        if hashlib.sha256(data).hexdigest() != expected:
            raise StrataError(f"{printable(path)} has other bytes than {CHECKSUMS} says.")
        return data

    def document(self) -> dict[str, Any]:
        """metadata.yaml, verified, as plain data, and that of this very version. StrataError where it is not."""
        return self._document()[0]

    def model_metadata(self) -> dict[str, Any]:
        """The same, held to the contract of models (TFC-0005)."""
        from strata_git.contracts.base import ContractError, parse
        from strata_git.contracts.model import ModelMetadata

        said, document = self._document()
        try:
            parse(ModelMetadata, document)
        except ContractError as error:
            raise StrataError(f"{self.artifact.path}/{METADATA}: {error}.") from None
        return said

    def _document(self) -> tuple[dict[str, Any], Document]:
        from strata_git.load import Unloadable, load_yaml

        try:
            document = load_yaml(self.read(METADATA))
        except Unloadable as error:
            raise StrataError(f"{self.artifact.path}/{METADATA}: {error}.") from None
        said = document.value if isinstance(document.value, dict) else {}
        if (said.get("name"), said.get("version")) != (self.artifact.name, self.artifact.version):
            raise StrataError(f"{self.artifact.path}/{METADATA} is that of another version.")
        return said, document


def open_release(repo: Repository, record: Record) -> Release:
    """The model version that an event's record names, at its commit; no large file is read yet.

    Raises StrataError where tree, list or files are not what the record and the list say.
    """
    artifact = Artifact("model", record.model, record.version)
    tree = commit_tree(repo, record.commit, [artifact.path])
    entries = tree.under(artifact.path)
    if not entries or tree_oid(entries, artifact.path, repo.object_format) != record.tree:
        raise StrataError(f"{artifact.path} at {record.commit[:12]} is not the tree that its event signs.")
    release = _opened(repo, artifact, tree, record.commit)
    if checksums.digest(release.listed) != record.digest:
        raise StrataError(f"{artifact.path}/{CHECKSUMS} is not the one that its event signs.")
    return release


def require_unaltered(repo: Repository, release: Release) -> None:
    """HEAD, where it has the version, has the files that its event signs; signatures may have come since.

    A version that HEAD no longer has was retired, or is on another branch: what was signed is served all the same.
    Raises StrataError that names the first file that differs.
    """
    head = repo.head()
    artifact = release.artifact
    place = f"{artifact.path}/"
    now = _payload(commit_tree(repo, head, [artifact.path]), artifact) if head else {}
    if not now:
        return
    signed = _payload(release.listing, artifact)
    differing = sorted(now.items() ^ signed.items())
    if not differing:
        return
    name = differing[0][0]
    what = "was changed" if name in now and name in signed else "was added" if name in now else "was taken away"
    raise StrataError(
        f"{printable(place + name)} {what} in HEAD after the version was released: it is not what its event signs",
        hint=f"git restore --source={release.commit[:12]} {artifact.path} brings back what was signed",
    )


def _payload(tree: ListedTree, artifact: Artifact) -> dict[str, tuple[str, str]]:
    """Path in the version -> mode and object, without what may be added later."""
    cut = len(artifact.path) + 1
    entries = ((entry.path[cut:], entry) for entry in tree.under(artifact.path))
    return {name: (entry.mode, entry.oid) for name, entry in entries if name not in ADDABLE}


def open_dataset(repo: Repository, reference: str, content_hash: str) -> Release:
    """A dataset version of HEAD that a model cites with its content hash. Raises StrataError as `open_release`."""
    artifact, head = parse_reference(reference, kind="dataset").artifact("dataset"), repo.head()
    if head is None or not artifact.version:
        raise StrataError(f"{printable(reference)} is not in HEAD.")
    release = _opened(repo, artifact, commit_tree(repo, head, [artifact.path]), head)
    if checksums.content_hash(release.sums, kind="dataset") != content_hash:
        raise StrataError(f"{artifact.reference} has another content than the model was made from.")
    return release


def open_model_version(repo: Repository, artifact: Artifact) -> Release:
    """A model version as HEAD has it; no event is asked. Raises StrataError as `open_release`."""
    head = repo.head()
    if head is None or not artifact.version:
        raise StrataError(f"{printable(artifact.reference)} is not in HEAD.")
    return _opened(repo, artifact, commit_tree(repo, head, [artifact.path]), head)


def open_run(repo: Repository, run: str) -> Release:
    """A run's record as HEAD has it. Raises StrataError as `open_release`."""
    artifact, head = Artifact("run", run), repo.head()
    if head is None or not RUN_ID.fullmatch(run):
        raise StrataError(f"There is no run {printable(run)} in HEAD.")
    return _opened(repo, artifact, commit_tree(repo, head, [artifact.path]), head)


def _opened(repo: Repository, artifact: Artifact, tree: ListedTree, commit: str) -> Release:
    listed = _blob(tree, f"{artifact.path}/{CHECKSUMS}", _LIST_LIMIT)
    if listed is None:
        raise StrataError(f"{artifact.path} has no {CHECKSUMS}.")
    try:
        sums = checksums.parse(listed)
    except checksums.ChecksumError as error:
        raise StrataError(f"{artifact.path}/{CHECKSUMS}: {error.message}.") from None
    _compare(tree, artifact, sums)
    return Release(artifact, listed, sums, DeepTree(repo, tree, on_disk=False), tree, commit)


def read_signature(repo: Repository, release: Release, commit: str) -> bytes | None:
    """SIGNATURE.asc as HEAD has it, where HEAD has the same version (signatures may come later), else as `commit` had
    it; None where nobody signed."""
    place = release.artifact.path
    for revision in (repo.head(), commit):
        if revision is None:
            continue
        tree = commit_tree(repo, revision, [f"{place}/{SIGNATURE}", f"{place}/{CHECKSUMS}"])
        if _blob(tree, f"{place}/{CHECKSUMS}", _LIST_LIMIT) == release.listed:
            return _blob(tree, f"{place}/{SIGNATURE}", SIZE_LIMIT)
    return None


def _compare(tree: ListedTree, artifact: Artifact, sums: Mapping[str, str]) -> None:
    """Every file is listed and every listed file is there, with the digest that git's blob or the pointer has."""
    cut = len(artifact.path) + 1
    entries = {entry.path[cut:]: entry for entry in tree.under(artifact.path) if entry.path[cut:] not in UNSUMMED}
    if differing := sorted(entries.keys() ^ sums.keys()):
        raise StrataError(f"{artifact.path}: {CHECKSUMS} does not list exactly its files ({printable(differing[0])}).")
    tree.prefetch(entries.values())
    for name, entry in entries.items():
        if entry.mode not in REGULAR or _sha256(tree, entry) != sums[name]:
            raise StrataError(f"{artifact.path}/{printable(name)} is not the file that {CHECKSUMS} lists.")


def _sha256(tree: ListedTree, entry: Entry) -> str:
    try:
        return tree.content(entry).sha256
    except KeyError:
        raise StrataError(f"{printable(entry.path)} is not in this clone.") from None


def _blob(tree: ListedTree, path: str, limit: int) -> bytes | None:
    entry = tree.get(path)
    try:
        return tree.read(entry, limit) if entry is not None and entry.mode in REGULAR else None
    except (KeyError, ValueError):
        raise StrataError(f"{printable(path)} cannot be read.") from None
