"""What is wrong with a request: the field, the rule, the HTTP status. Never a value that was sent."""

from __future__ import annotations

from strata_git.errors import StrataError, printable

SHOWN = 100
"""Most characters of a name that is told back."""


class RequestError(StrataError):
    """A request that cannot be answered. `field` says where, `status` is that of HTTP (400, 413, 415, 422)."""

    def __init__(self, message: str, *, field: str = "", status: int = 422) -> None:
        self.field = shown(field)
        self.status = status
        super().__init__(f"{self.field}: {message}" if self.field else message)


class Unanswered(StrataError):
    """A sound request that finds no answer now: 429 (too many wait), 503 (no model is ready), 504 (past its deadline).

    `retry_after`, in seconds, is when asking again makes sense.
    """

    def __init__(self, message: str, *, status: int, retry_after: int = 1) -> None:
        self.status = status
        self.retry_after = retry_after
        super().__init__(message)


class Denied(StrataError):
    """Who asks may not: 401 (nobody we know; `challenge` is HTTP's WWW-Authenticate), 403 (known, and not allowed)."""

    def __init__(self, message: str, *, status: int = 401, challenge: str = "") -> None:
        self.status = status
        self.challenge = challenge
        super().__init__(message)


class PredictionError(StrataError):
    """The model cannot answer: it failed, or its answer is not what its signature says."""


def shown(name: str) -> str:
    """A name from outside, safe to print and no longer than it has to be."""
    told = printable(name[:SHOWN])
    return f"{told}…" if len(name) > SHOWN else told
