"""Trying again what failed for a while: exponential waits with full jitter, never shorter than the other side asked.

One place decides about retries: clients of vendors are told to make one attempt, so that attempts do not multiply.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from strata_git.pipeline.errors import PipelineError

T = TypeVar("T")


def _untold(error: PipelineError, wait: float) -> None:
    """Nobody counts."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """At most `attempts` calls; before the n-th retry up to `first_s` * 2^(n-1) seconds pass, never more than `most_s`.

    Where the other side names a time (`retry_after`) that is waited, if it is no longer than `patience_s`: whoever asks
    for more gets its error told at once. `retried` hears of every wait, for counters and logs.
    """

    attempts: int = 6
    first_s: float = 0.5
    most_s: float = 30.0
    patience_s: float = 300.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    retried: Callable[[PipelineError, float], None] = _untold

    def call(self, function: Callable[[], T]) -> T:
        """What `function` returns in the end. Raises its last PipelineError, at once one that is not retryable."""
        for attempt in range(1, self.attempts + 1):
            try:
                return function()
            except PipelineError as error:
                wait = self.wait(attempt, error.retry_after)
                if not error.retryable or attempt == self.attempts or wait is None:
                    raise
                self.retried(error, wait)
                self.sleep(wait)
        raise AssertionError("unreachable: attempts is at least 1")

    def wait(self, attempt: int, retry_after: float | None = None) -> float | None:
        """Seconds before the attempt that follows; None when that is longer than anybody should be kept waiting."""
        if retry_after is not None and retry_after > self.patience_s:
            return None
        drawn: float = min(self.most_s, self.first_s * 2 ** (attempt - 1)) * (0.5 + self.jitter() / 2)
        return max(drawn, retry_after or 0.0)


def seconds_to_wait(header: str | None, now: float | None = None) -> float | None:
    """What a Retry-After header asks for (RFC 9110 10.2.3: seconds, or a date); None when it says nothing usable."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(header).timestamp()
    except (TypeError, ValueError):
        return None
    return max(0.0, moment - (time.time() if now is None else now))
