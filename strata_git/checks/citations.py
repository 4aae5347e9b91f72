"""How one artifact names another: a reference and, beside it, what the other's content was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from strata_git.checks.plain import dig, items, text
from strata_git.contracts.layout import parse_reference


@dataclass(frozen=True, slots=True)
class Citation:
    """One reference in its unambiguous form (`datasets/iris@v1`), or as it was given where it names nothing exact."""

    reference: str
    digest: str | None = None
    content_hash: str | None = None

    @property
    def facts(self) -> dict[str, str]:
        """The citation as it stands in a summary."""
        marks = {"digest": self.digest, "content_hash": self.content_hash}
        return {"ref": self.reference} | {key: mark for key, mark in marks.items() if mark is not None}


def citations(value: object, kind: str | None = None) -> Iterator[Citation]:
    """The citations in a list of texts or of mappings with `ref`; `kind` is assumed where a text does not say."""
    for item in items(value):
        given = text(item) or text(dig(item, "ref"))
        if given is not None:
            yield Citation(full(given, kind), text(dig(item, "digest")), text(dig(item, "content_hash")))


def full(given: str, kind: str | None) -> str:
    """`given` in its unambiguous form; unchanged where it cannot be read, which its contract complains of."""
    try:
        reference = parse_reference(given, kind=kind)
    except ValueError:
        return given
    exact = reference.version is not None or reference.kind in ("run", "service")
    return reference.artifact(reference.kind).reference if reference.kind and exact else given
