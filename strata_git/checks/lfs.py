"""What is stored with Git LFS and what is not (TFC-0001 section 6)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from strata_git.checks.exhibit import Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import dig, items, mapping, number, text

SHOWN = 10
"""File names kept in a summary for each complaint; the rest is counted."""

STORED = frozenset({"dataset", "model", "run"})
"""The kinds whose payload belongs into Git LFS."""
TEXT = (".yaml", ".yml", ".json", ".md", ".txt", ".asc", ".sig")
"""What is never stored there, by the ends of names."""


def judge_pointers(exhibit: Exhibit) -> Iterator[Finding]:
    """Contract files must be readable without Git LFS, whatever the settings say."""
    for name in sorted(exhibit.contract_files):
        content = exhibit.contents.get(name)
        if content is not None and content.stored == "pointer":
            yield found("STR-F002", exhibit.path(name), "is a Git LFS pointer, where the text itself is meant")


def summarise_storage(exhibit: Exhibit) -> dict[str, object]:
    """Which payload is stored otherwise than Git LFS would: facts for `judge_storage`."""
    if exhibit.artifact.kind not in STORED:
        return {}
    raw = [
        name
        for name, content in exhibit.contents.items()
        if content.stored == "blob" and name not in exhibit.contract_files and not name.endswith(TEXT)
    ]
    malformed = [name for name, content in exhibit.contents.items() if content.stored == "malformed"]
    return {
        "lfs": {
            "raw": {"count": len(raw), "names": raw[:SHOWN]},
            "malformed": {"count": len(malformed), "names": malformed[:SHOWN]},
        }
    }


def judge_storage(summary: Mapping[str, object], *, lfs: bool) -> Iterator[Finding]:
    """Judge how an artifact's payload is stored, from its summary alone; nothing where the setting `lfs` is off.

    Not for the working tree, where Git LFS has put the files themselves.
    """
    if not lfs:
        return
    directory = text(summary.get("path")) or ""
    for key, rule, message in (
        ("raw", "STR-F001", "is stored in Git itself, not with Git LFS"),
        ("malformed", "STR-F003", "looks like a Git LFS pointer and is none"),
    ):
        part = mapping(dig(summary, "lfs", key))
        names = [name for name in items(part.get("names")) if isinstance(name, str)]
        rest = int(number(part.get("count")) or 0) - len(names)
        for name in names:
            more = f" (and {rest} more files of this artifact)" if rest and name == names[-1] else ""
            yield found(rule, f"{directory}/{name}", message + more)
