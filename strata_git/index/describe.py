"""One artifact in full, and its lineage with signatures checked: the questions people ask of an index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from strata_git.contracts.layout import RUN_RECORD
from strata_git.contracts.tree import REGULAR, relative
from strata_git.index.contents import read_documents
from strata_git.index.lineage import Lineage, Node, trace
from strata_git.index.records import Description, FileRecord, Index, Outside, outside_of
from strata_git.index.select import select
from strata_git.index.vouch import Verifier, vouched
from strata_git.repo.command import Repository
from strata_git.repo.tree import ListedTree, commit_tree


def describe(repo: Repository, index: Index, reference: str, verifier: Verifier | None = None) -> Description:
    """The artifact that `reference` means; StrataError when it means none or several."""
    record = vouched(repo, select(index, reference), verifier)
    tree = commit_tree(repo, index.revision, [record.artifact.path])
    return Description(
        record,
        tuple(_files(tree, record.artifact.path)),
        tuple(event for event in index.events if event.model == record.artifact),
        tuple(sorted(one.reference for one in index.citing(record.reference))),
        index.revision,
    )


def lineage_of(
    repo: Repository, index: Index, reference: str, verifier: Verifier | None = None, *, ancestors: bool = True,
    descendants: bool = False,
) -> Lineage:  # fmt: skip
    """Where the artifact that `reference` means comes from (and, with `descendants`, what came of it), every signature
    on the way checked."""
    lineage = trace(index, select(index, reference), reference, ancestors=ancestors, descendants=descendants)
    nodes = tuple(
        node if node.record is None else replace(node, record=vouched(repo, node.record, verifier))
        for node in lineage.nodes
    )
    return replace(lineage, nodes=nodes, outside=dict(_outside(repo, nodes)))


def _outside(repo: Repository, nodes: Iterable[Node]) -> Iterator[tuple[str, Outside]]:
    """What runs say they read and wrote elsewhere, of those that say anything."""
    for node in nodes:
        if node.kind == "run" and node.record is not None:
            said = read_documents(repo, node.record, [RUN_RECORD]).get(RUN_RECORD)
            found = outside_of(said)
            if found != Outside():
                yield node.id, found


def _files(tree: ListedTree, directory: str) -> list[FileRecord]:
    rows = []
    for entry in tree.under(directory):
        name = relative(entry.path, directory)
        if entry.mode not in REGULAR:
            rows.append(FileRecord(name, None, 0, "other"))
            continue
        try:
            content = tree.content(entry)
        except KeyError:
            rows.append(FileRecord(name, None, 0, "absent"))
        else:
            rows.append(FileRecord(name, content.sha256, content.size, content.stored))
    return rows
