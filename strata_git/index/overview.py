"""What an index counts, in words. No artifact is read for it."""

from __future__ import annotations

from collections import Counter

from strata_git.contracts.layout import KINDS
from strata_git.index.records import Index


def overview(index: Index) -> str:
    """How many artifacts there are, what was removed, how many events; and what of them is in doubt."""
    if not index.revision:
        return "nothing is committed yet"
    counted = Counter(artifact.kind for artifact in index.held())
    told = [_number(counted[kind], root[:-1]) for root, kind in KINDS.items()]
    lines = [f"revision {index.revision}", f"  {', '.join(told)}; {_number(len(index.events), 'stage event')}"]
    if index.removed:
        lines.append(f"  {len(index.removed)} removed, still in the history")
    if index.shallow:
        lines.append("  this clone is shallow: what came before its boundary is not known")
    doubtful = [model for model, findings in index.complaints.items() if any(f.severity != "info" for f in findings)]
    if doubtful:
        lines.append(f"  events of {_number(len(doubtful), 'model')} are in doubt: git strata stages")
    return "\n".join(lines)


def _number(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
