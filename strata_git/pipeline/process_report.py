"""report.md of a run that processed documents: pure, from the content of report.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from strata_git.pipeline.documents.refusal import WHYS
from strata_git.pipeline.documents.tables import table


def page(told: Mapping[str, Any]) -> str:
    """The report as markdown."""
    left, noted = told["left_out"], told["noted"]
    counter = told["tokenizer"]
    counted = f"counted by {counter['counted_by']}" if counter["exact"] else f"estimated by {counter['counted_by']}"
    parts = [
        f"# Documents of {told['connector']}",
        f"{told['documents']} documents were read, {len(left)} were left out.",
        table(
            [
                ("chunks", told["chunks"]),
                (f"tokens ({counted})", told["tokens"]),
                ("characters", told["characters"]),
                ("bytes read", told["bytes"]),
                *((f"documents of type {kind}", count) for kind, count in told["kinds"].items()),
            ],
            ("what", "how many"),
        ),
        *_left_out(left),
        *_noted(noted),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _left_out(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    listed = [(row["document"], row["why"], row["reason"]) for row in rows]
    reasons = sorted({row["why"] for row in rows})
    meant = "\n".join(f"- {why}: {WHYS[why][1]}" for why in reasons)
    return ["## Left out", table(listed, ("document", "why", "what is wrong")), meant]


def _noted(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    listed = [(row["document"], "; ".join(row["notes"])) for row in rows]
    return ["## Worth knowing", table(listed, ("document", "note"))]
