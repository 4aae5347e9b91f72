"""Where a text stands: in names, descriptions, cards, prompts and everything else that people write about artifacts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from unicodedata import normalize

from strata_git.errors import UsageError
from strata_git.index.contents import read_texts
from strata_git.index.export import Plain, encodable
from strata_git.index.impact import everything, key_of
from strata_git.index.records import ArtifactRecord, Index
from strata_git.repo.command import Repository

SCHEMA = "strata/search/v1"
TEXTS: Mapping[str, tuple[str, ...]] = {
    "dataset": ("metadata.yaml", "card.md", "README.md"),
    "model": ("metadata.yaml", "card.md", "metrics.yaml", "README.md"),
    "prompt": ("metadata.yaml", "prompt.yaml", "README.md"),
    "run": ("run.yaml", "config.yaml", "metrics.json"),
    "service": ("service.yaml", "README.md"),
}
"""The files of a kind that are searched; payload is not."""
_SHOWN = 160
_HITS = 20
"""Lines of one artifact that are told."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A line that has the text. `path` is the file below the artifact's directory (`""`: its name, or the subject of
    the commit that brought it), `line` 1-based (0 there)."""

    record: ArtifactRecord
    path: str
    line: int
    text: str
    here: bool


def search(
    repo: Repository, index: Index, wanted: str, *, kind: str | None = None, every: bool = False
) -> Iterator[Hit]:
    """All hits, artifact by artifact; case and Unicode form make no difference.

    With `every` other branches and the past are searched, too. Raises UsageError for an empty text.
    """
    needle = folded(" ".join(wanted.split()))
    if not needle:
        raise UsageError("Say what to look for.")
    here = {key_of(record) for record in index.artifacts}
    pool = everything(index) if every else index.artifacts if kind is None else index.of_kind(kind)
    for record in pool:
        if kind in (None, record.artifact.kind):
            texts = read_texts(repo, record, TEXTS[record.artifact.kind])
            yield from hits(record, texts, needle, here=key_of(record) in here)


def hits(record: ArtifactRecord, texts: Mapping[str, str], needle: str, *, here: bool = True) -> Iterator[Hit]:
    """The hits of one artifact, at most 20; `needle` is folded already."""
    found = 0
    names = [record.reference, record.introduced.subject if record.introduced else ""]
    for name in names:
        if needle in folded(name):
            yield Hit(record, "", 0, name, here)
            found += 1
    for path, text in texts.items():
        if needle not in folded(text):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if needle in folded(line):
                yield Hit(record, path, number, " ".join(line.split()), here)
                found += 1
                if found >= _HITS:
                    return


def folded(text: str) -> str:
    """What is left of a text where case, form and runs of spaces make no difference."""
    return " ".join(normalize("NFKC", text).casefold().split()) if "\n" not in text else _folded_lines(text)


def _folded_lines(text: str) -> str:
    return "\n".join(folded(line) for line in text.split("\n"))


def search_text(found: Iterable[Hit], wanted: str) -> str:
    """Hits for people, below the artifact that has them."""
    lines: list[str] = []
    last: tuple[str, str] | None = None
    for hit in found:
        if key_of(hit.record) != last:
            last = key_of(hit.record)
            lines.append(hit.record.reference + ("" if hit.here else "  (elsewhere)"))
        if hit.path:
            lines.append(f"  {hit.record.artifact.path}/{hit.path}:{hit.line}: {_around(hit.text, folded(wanted))}")
        elif hit.text != hit.record.reference:
            lines.append(f"  commit {_commit(hit.record)}: {_around(hit.text, folded(wanted))}")
    return "\n".join(lines)


def search_document(found: Iterable[Hit], wanted: str, revision: str) -> Plain:
    """Hits for programs (schema strata/search/v1)."""
    return encodable({
        "schema": SCHEMA,
        "revision": revision or None,
        "text": wanted,
        "hits": [
            {"reference": hit.record.reference, "kind": hit.record.artifact.kind, "tree": hit.record.tree,
             "path": f"{hit.record.artifact.path}/{hit.path}" if hit.path else None, "line": hit.line or None,
             "text": hit.text, "here": hit.here}
            for hit in found
        ],
    })  # fmt: skip


def _commit(record: ArtifactRecord) -> str:
    return record.introduced.commit[:12] if record.introduced else ""


def _around(text: str, needle: str) -> str:
    """The line, or the part of a long one in which the text stands."""
    if len(text) <= _SHOWN:
        return text
    at = max(folded(text).find(needle) - _SHOWN // 3, 0)
    return ("…" if at else "") + text[at : at + _SHOWN] + ("…" if at + _SHOWN < len(text) else "")
