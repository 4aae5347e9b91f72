"""What goes wrong, in the words of gRPC: status codes out, errors back.

Beside the code go two trailing metadata: `strata-field-bin`, the field at fault (UTF-8), and `strata-retry-after`, in
seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from strata_git.errors import StrataError
from strata_git.serving.errors import PredictionError, RequestError, Unanswered

FIELD, RETRY_AFTER = "strata-field-bin", "strata-retry-after"
_UNANSWERED = {429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}
_STATUS = {name: status for status, name in _UNANSWERED.items()}
_INTERNAL = "The model could not answer."


def status_of(error: Exception) -> tuple[str, str, tuple[tuple[str, str | bytes], ...]]:
    """Name of the status code, words, trailing metadata."""
    if isinstance(error, RequestError):
        field = error.field.encode()
        return "INVALID_ARGUMENT", error.message, ((FIELD, field),) if field else ()
    if isinstance(error, Unanswered):
        return _UNANSWERED[error.status], error.message, ((RETRY_AFTER, str(error.retry_after)),)
    if isinstance(error, PredictionError):
        return "INTERNAL", error.message, ()
    return "INTERNAL", _INTERNAL, ()


def error_of(code: str, details: str, metadata: Sequence[tuple[str, Any]] = ()) -> StrataError:
    """The error that a call which ended with this status is here. An unknown model is one that is not ready."""
    told = dict(metadata)
    if code == "INVALID_ARGUMENT":
        field = told.get(FIELD, b"").decode(errors="replace")
        return RequestError(details.removeprefix(f"{field}: ") if field else details, field=field)
    if code in ("INTERNAL", "UNKNOWN"):
        return PredictionError(details or _INTERNAL)
    after = str(told.get(RETRY_AFTER, "1"))
    seconds = int(after) if after.isascii() and after.isdigit() and len(after) < 6 else 1
    if code == "DEADLINE_EXCEEDED":
        return Unanswered("No answer within the deadline.", status=504, retry_after=seconds)
    if code == "RESOURCE_EXHAUSTED":
        return Unanswered(details or "Too many requests wait already.", status=429, retry_after=seconds)
    return Unanswered("The model is not there at the moment.", status=503, retry_after=seconds)
