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


class PredictionError(StrataError):
    """The model cannot answer: it failed, or its answer is not what its signature says."""


def shown(name: str) -> str:
    """A name from outside, safe to print and no longer than it has to be."""
    told = printable(name[:SHOWN])
    return f"{told}…" if len(name) > SHOWN else told
