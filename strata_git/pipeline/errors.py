"""What can go wrong between a pipeline and the world, sorted by what a person, or a loop of retries, does about it.

Every class says on which side it happened; `kind` says what it was: see `KINDS`. An error that passes by itself
(`retryable`) may carry the seconds that the other side asked us to wait (`retry_after`). Messages hold no secret:
what a service answered is quoted only after `told` has cut it down to one printable line.
"""

from __future__ import annotations

from typing import Literal

from strata_git.errors import StrataError, printable

Kind = Literal[
    "authentication", "permission", "not_found", "conflict", "throttled", "timeout", "unavailable", "invalid"
]
KINDS: tuple[Kind, ...] = (
    "authentication", "permission", "not_found", "conflict", "throttled", "timeout", "unavailable", "invalid",
)  # fmt: skip
PASSING = frozenset({"throttled", "timeout", "unavailable"})
"""Kinds that may be over when the same is tried again."""
_KIND_OF: dict[int, Kind] = {
    400: "invalid", 401: "authentication", 403: "permission", 404: "not_found", 408: "timeout", 409: "conflict",
    410: "not_found", 412: "conflict", 413: "invalid", 423: "conflict", 425: "unavailable", 429: "throttled",
    504: "timeout", 509: "throttled",
}  # fmt: skip
_HINTS: dict[Kind, str] = {
    "authentication": "Who you are was not accepted. See what resolves: git strata keys test",
    "permission": "You are known there, but may not do this. Ask for the permission that is named in docs/{page}.md.",
    "not_found": "Check the name in strata.yaml: git strata config",
    "conflict": "Somebody else changed it meanwhile. Run the command again.",
    "throttled": "The service asks for fewer calls. Wait a while and run the command again.",
    "timeout": "It took too long. Check the connection, then run the command again.",
    "unavailable": "The service cannot be reached or is in trouble. Check the address, then run the command again.",
    "invalid": "",
}
_LONGEST = 300


class PipelineError(StrataError):
    """Something outside did not do what a pipeline asked of it.

    `kind` is one of `KINDS`, `status` the HTTP status where there was one, `retry_after` the seconds to wait that the
    other side named. `retryable` follows from the kind unless it is given.
    """

    page = "sources"
    """The document of ours that tells about this side."""

    def __init__(
        self,
        message: str,
        *,
        kind: Kind = "invalid",
        hint: str = "",
        retryable: bool | None = None,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint or _HINTS[kind].format(page=self.page))
        self.kind: Kind = kind
        self.retryable = kind in PASSING if retryable is None else retryable
        self.retry_after = retry_after
        self.status = status


class ConnectorError(PipelineError):
    """A source could not be listed or read."""


class ProcessingError(PipelineError):
    """A document could not be made into text."""

    page = "documents"


class InferenceError(PipelineError):
    """A model could not be asked, or gave no usable answer."""

    page = "inference"


class ExportError(PipelineError):
    """A sink did not take what it was given."""

    page = "sinks"


def kind_of(status: int) -> Kind:
    """The kind that an HTTP status stands for (RFC 9110 section 15, RFC 6585)."""
    return _KIND_OF.get(status, "unavailable" if status >= 500 else "invalid")


def told(text: object) -> str:
    """What somebody else said, as one printable line of at most 300 characters."""
    line = printable(" ".join(str(text).split()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
