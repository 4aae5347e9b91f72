"""Subjects read from git objects alone, so that a bare clone without Git LFS bytes gives the same."""

from __future__ import annotations

from strata_git.checks.plain import mapping
from strata_git.contracts.layout import METADATA, RUN_RECORD, Artifact
from strata_git.errors import StrataError
from strata_git.exchange.subject import Document, Subject
from strata_git.index.describe import describe, lineage_of
from strata_git.index.export import encodable
from strata_git.index.records import Index
from strata_git.index.vouch import Verifier
from strata_git.load import Unloadable, load_json, load_yaml
from strata_git.repo.command import Repository
from strata_git.repo.objects import TooLarge
from strata_git.repo.tree import ListedTree, commit_tree

CARD = "card.md"
_LIMIT = 4 << 20
_READ = {
    "dataset": (METADATA,),
    "model": (METADATA, "metrics.yaml"),
    "prompt": (METADATA, "prompt.yaml"),
    "run": (RUN_RECORD, "config.yaml", "metrics.json", "system.json"),
    "service": (),
}


def read_subject(
    repo: Repository, index: Index, reference: str, verifier: Verifier | None = None, *, repository: str = ""
) -> Subject:
    """The subject that `reference` means. Raises StrataError where it means none, or its objects are not here."""
    description = describe(repo, index, reference, verifier)
    record = description.record
    lineage = lineage_of(repo, index, record.reference, verifier)
    runs = [node.record.artifact for node in lineage.nodes if node.record and node.record.artifact.kind == "run"]
    artifact = record.artifact
    tree = commit_tree(repo, index.revision, [artifact.path, *(run.path for run in runs)])
    if not record.complete:
        raise StrataError(
            f"{record.reference} cannot be told of: objects of it are not in this clone.",
            hint="Fetch them: git fetch --refetch --filter=blob:none, or all: git fetch --refetch --no-filter",
        )
    return Subject(
        description,
        lineage,
        documents_of(tree, artifact),
        {run.name: documents_of(tree, run) for run in runs},
        _card(tree, artifact),
        repository,
    )


def documents_of(tree: ListedTree, artifact: Artifact) -> dict[str, Document]:
    """The documents of one artifact as plain data, those that can be read."""
    found: dict[str, Document] = {}
    for name in _READ[artifact.kind]:
        value = _loaded(tree, f"{artifact.path}/{name}")
        if value:
            found[name] = value
    return found


def _loaded(tree: ListedTree, path: str) -> Document:
    data = _bytes(tree, path)
    try:
        value = (load_json if path.endswith(".json") else load_yaml)(data).value if data else None
    except Unloadable:
        return {}
    return encodable(dict(mapping(value)))


def _bytes(tree: ListedTree, path: str) -> bytes:
    entry = tree.get(path)
    if entry is None:
        return b""
    try:
        return tree.read(entry, _LIMIT)
    except (KeyError, TooLarge):
        return b""


def _card(tree: ListedTree, artifact: Artifact) -> str:
    return _bytes(tree, f"{artifact.path}/{CARD}").decode("utf-8", "replace")
