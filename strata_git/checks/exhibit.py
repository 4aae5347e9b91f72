"""What lies before the judge: one artifact's directory, each file's digest learned once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import (
    ADDABLE,
    CHECKSUMS,
    GOLDEN,
    METADATA,
    RUN_RECORD,
    SERVICE_RECORD,
    UNSUMMED,
    Artifact,
)
from strata_git.contracts.tree import REGULAR, Content, Entry, Tree, relative

TEXT_LIMIT = 1 << 20
"""Bytes a contract file may have."""

_OF_ALL = frozenset({METADATA, *UNSUMMED})
_CONTRACT_FILES = {
    "dataset": _OF_ALL,
    "model": _OF_ALL | {"metrics.yaml", "card.md"},
    "prompt": _OF_ALL | {"prompt.yaml"},
    "run": UNSUMMED | {RUN_RECORD, "config.yaml", "metrics.json", "system.json", "logs.txt"},
    "service": frozenset({SERVICE_RECORD, GOLDEN}),
}


@dataclass(frozen=True, slots=True)
class Exhibit:
    """The directory of `artifact` in `tree`; names are relative to it.

    `entries` are its files of any mode, `contents` what the regular ones stand for, `absent` the regular ones whose
    object is not here (partial clone), so that nothing can be said of them.
    """

    tree: Tree
    artifact: Artifact
    entries: Mapping[str, Entry]
    contents: Mapping[str, Content]
    absent: tuple[str, ...]

    @classmethod
    def of(cls, tree: Tree, artifact: Artifact) -> Exhibit:
        """Look at every file once."""
        entries = {relative(entry.path, artifact.path): entry for entry in tree.under(artifact.path)}
        contents: dict[str, Content] = {}
        absent = []
        for name, entry in entries.items():
            if entry.mode not in REGULAR:
                continue
            try:
                contents[name] = tree.content(entry)
            except KeyError:
                absent.append(name)
        return cls(tree, artifact, entries, contents, tuple(absent))

    def path(self, name: str) -> str:
        """The repository path of `name`."""
        return f"{self.artifact.path}/{name}"

    def read(self, name: str, limit: int = TEXT_LIMIT) -> bytes:
        """The bytes of a file that is here; raises KeyError or ValueError as the tree does."""
        return self.tree.read(self.entries[name], limit)

    @property
    def record(self) -> str:
        """The file that describes the artifact: run.yaml, service.yaml, or metadata.yaml of all else."""
        return {"run": RUN_RECORD, "service": SERVICE_RECORD}.get(self.artifact.kind, METADATA)

    @property
    def contract_files(self) -> frozenset[str]:
        """Names with a meaning of their own, which are always stored as themselves."""
        return _CONTRACT_FILES[self.artifact.kind]

    def payload(self) -> Iterator[str]:
        """Names of the files that are neither description, list nor signature."""
        return (name for name in self.entries if name != self.record and name not in UNSUMMED)


@dataclass(frozen=True, slots=True)
class Account:
    """What a rule file tells: findings, and facts for the artifact's summary."""

    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)


def judge_presence(exhibit: Exhibit) -> Iterator[Finding]:
    """One word on all objects that are absent: silence would read as approval."""
    if exhibit.absent:
        more = f" and {len(exhibit.absent) - 1} more" if len(exhibit.absent) > 1 else ""
        message = f"not judged: object absent ({exhibit.absent[0]}{more})"
        yield found("STR-Y003", exhibit.artifact.path, message)


def summarise_files(exhibit: Exhibit) -> dict[str, object]:
    """What the index wants to know of the files: numbers, bytes, pointers, and what names their identity."""
    contents = exhibit.contents
    checksums = contents.get(CHECKSUMS)
    oids = {name: exhibit.entries[name].oid for name in (CHECKSUMS, *ADDABLE) if name in exhibit.entries}
    return {
        "files": len(exhibit.entries),
        "bytes": sum(content.size for content in contents.values()),
        "pointers": sum(content.stored == "pointer" for content in contents.values()),
        "digest": f"sha256:{checksums.sha256}" if checksums else None,
        "checksums_oid": oids.get(CHECKSUMS),
        "signature_oid": oids.get("SIGNATURE.asc"),
        "model_sig_oid": oids.get("model.sig"),
        "judged": not exhibit.absent,
    }
