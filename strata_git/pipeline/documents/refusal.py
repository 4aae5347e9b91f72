"""Why a document could not be made into text. One document is lost by it, never a run."""

from __future__ import annotations

from typing import Literal

from strata_git.pipeline.errors import Kind, ProcessingError, told

Why = Literal[
    "malformed", "encrypted", "too_large", "expands", "unsupported", "missing_extra", "timeout", "memory", "crashed",
    "unavailable",
]  # fmt: skip
WHYS: dict[str, tuple[Kind, str]] = {
    "malformed": ("invalid", "it is damaged, or not what it says it is"),
    "encrypted": ("permission", "it needs a password"),
    "too_large": ("invalid", "it is larger than processing in strata.yaml allows"),
    "expands": ("invalid", "it unpacks to more than it may"),
    "unsupported": ("invalid", "documents of this kind are not read"),
    "missing_extra": ("unavailable", "an optional extra is needed for it"),
    "timeout": ("timeout", "reading it took too long"),
    "memory": ("invalid", "reading it took too much memory"),
    "crashed": ("invalid", "the program that reads it crashed"),
    "unavailable": ("unavailable", "its source did not give it"),
}
"""Every reason, with the kind of error it is and what it means."""


class Refused(ProcessingError):
    """A document that is left out. `why` is a key of `WHYS`, `reason` one printable line about this document."""

    def __init__(self, why: Why, reason: str) -> None:
        self.why: Why = why
        self.reason = told(reason)
        super().__init__(f"The document is left out: {self.reason}.", kind=WHYS[why][0], retryable=False)
