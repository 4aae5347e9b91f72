"""One artifact with everything that exports tell of it: records, plain documents, lineage. Pure.

What is unreadable or missing is empty here; the doctor says why. Strings are whatever somebody committed: adapters
encode them (`uri`, `plain`), and no path of this machine is ever part of a subject.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from strata_git.checks.plain import dig, items, text
from strata_git.contracts.layout import METADATA, RUN_RECORD, Artifact, artifact_of, parse_reference
from strata_git.errors import StrataError, printable
from strata_git.index.lineage import Lineage
from strata_git.index.records import ArtifactRecord, Description

Document = Mapping[str, object]

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


@dataclass(frozen=True, slots=True)
class Subject:
    """`documents` are the artifact's own, by file name; `runs` those of every run on its way, by run id.

    `repository` is the workspace's UUID (`""`: it has none).
    """

    description: Description
    lineage: Lineage
    documents: Mapping[str, Document] = field(default_factory=dict)
    runs: Mapping[str, Mapping[str, Document]] = field(default_factory=dict)
    card: str = ""
    repository: str = ""

    @property
    def record(self) -> ArtifactRecord:
        """What the index knows of it."""
        return self.description.record

    @property
    def artifact(self) -> Artifact:
        """Its name."""
        return self.description.record.artifact

    @property
    def revision(self) -> str:
        """The commit at which it was read."""
        return self.description.revision

    def document(self, name: str) -> Document:
        """One of its documents, empty where it has none such."""
        return self.documents.get(name, {})

    @property
    def metadata(self) -> Document:
        """What metadata.yaml (of a run: run.yaml) says."""
        return self.document(RUN_RECORD if self.artifact.kind == "run" else METADATA)

    @property
    def run(self) -> Mapping[str, Document]:
        """The documents of the run that made it; empty where there is none."""
        return self.runs.get(self.record.run or "", {})


def require_kind(subject: Subject, format_: str, *kinds: str) -> None:
    """StrataError unless the subject is one that the format can hold."""
    if subject.artifact.kind not in kinds:
        raise StrataError(
            f"{subject.artifact.reference} is a {subject.artifact.kind}; {format_} describes a {' or a '.join(kinds)}."
        )


def uri(path: str) -> str:
    """A repository path, or any other name, as a relative URI: every byte that may not stand there is escaped."""
    return quote(os.fsencode(path), safe="/@")


def plain(value: object) -> str:
    """Text that XML, RDF and terminals take, control characters escaped; `""` for what is no text."""
    said = text(value)
    return "" if said is None else printable(said.encode("utf-8", "backslashreplace").decode())


def paragraph(value: object) -> str:
    """As `plain`, line breaks kept."""
    return "\n".join(plain(line) for line in (text(value) or "").splitlines())


def moment(value: object) -> str:
    """An ISO 8601 moment in UTC as records have it; `""` for anything else."""
    said = text(value) or ""
    return said if _MOMENT.fullmatch(said) else ""


def cited(values: Iterable[object]) -> list[str]:
    """The references in a list of citations."""
    return [said for value in values if (said := text(dig(value, "ref")))]


def artifact_named(reference: str) -> Artifact | None:
    """The artifact of a whole reference (`datasets/iris@v1`, a run's id); None where it is none."""
    try:
        parsed = parse_reference(reference)
    except ValueError:
        return None
    kind = parsed.kind or ("run" if parsed.name.startswith("run-") else None)
    return artifact_of(parsed.artifact(kind).path + "/x") if kind else None


def named_columns(value: object) -> list[tuple[str, str]]:
    """Name and type of each column of a schema or signature."""
    return [(plain(dig(item, "name")), plain(dig(item, "type"))) for item in items(value) if text(dig(item, "name"))]
