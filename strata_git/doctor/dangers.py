"""What a scan of a version's files finds that a trust policy (`requires: [scan]`) has not allowed: a tripwire."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from strata_git.checks.model_files import DEEP_LIMIT
from strata_git.contracts.layout import METADATA, UNSUMMED, Artifact
from strata_git.contracts.tree import REGULAR
from strata_git.doctor.deep import DeepTree
from strata_git.errors import printable
from strata_git.integrity.scan import Report, forbidden, scan_file
from strata_git.repo.command import Repository
from strata_git.repo.tree import Entry, commit_tree

_ALWAYS = frozenset({"harm", "disguise", "broken", "unscanned"})
_TEXTS = frozenset({METADATA, *UNSUMMED})


def dangers_of(repo: Repository, commit: str, artifact: Artifact, allowed: Collection[str]) -> tuple[str, ...]:
    """What stands against the files of a version in `commit`, in sentences; nothing where all is well.

    `allowed` are the imports that a pickle may make. A file whose bytes are not here, or are not those its Git LFS
    pointer names, counts as dangerous: nobody looked into it.
    """
    tree = commit_tree(repo, commit, [artifact.path])
    deep = DeepTree(repo, tree, on_disk=False)
    entries = [entry for entry in tree.under(artifact.path) if entry.mode in REGULAR and _name(entry) not in _TEXTS]
    deep.prefetch(entries)
    return tuple(told for entry in entries for told in _judge(deep, entry, tree.content(entry).sha256, allowed))


def _judge(deep: DeepTree, entry: Entry, digest: str, allowed: Collection[str]) -> Iterator[str]:
    path = printable(entry.path)
    content = deep.content(entry)
    if entry.path in deep.unseen:
        yield f"{path} was not scanned: its bytes are not here (git lfs fetch)"
    elif content.sha256 != digest:
        yield f"{path} was not scanned: its bytes are not those that its pointer names (git lfs fsck)"
    elif content.size > DEEP_LIMIT:
        yield f"{path} was not scanned: {content.size >> 20} MiB are more than {DEEP_LIMIT >> 20}"
    else:
        try:
            report = scan_file(_name(entry), deep.read_bytes(entry.path))
        except (OSError, KeyError, ValueError):
            yield f"{path} was not scanned: it cannot be read"
            return
        yield from (f"{path} {told}" for told in _told(report, allowed))


def _told(report: Report, allowed: Collection[str]) -> Iterator[str]:
    for danger in report.dangers:
        if danger.kind in _ALWAYS or (danger.kind == "code" and not report.imports):
            yield f"({printable(danger.where)}) {danger.what}" if danger.where else danger.what
    if beyond := sorted(forbidden(report.imports, allowed)):
        yield f"imports {', '.join(printable(name) for name in beyond[:5])}, which the policy does not allow"


def _name(entry: Entry) -> str:
    return entry.path.rpartition("/")[2]
