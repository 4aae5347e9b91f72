"""Asking a service in another process to end, and seeing that it does."""

from __future__ import annotations

import os
import signal
import time

from strata_git.errors import StrataError
from strata_git.serving.supervision.state import State, is_alive

MORE = 10.0
"""Seconds for what an end takes beyond the answers that are under way."""


def stop_service(state: State, seconds: float | None = None) -> float:
    """SIGTERM, and wait; the seconds it took. `seconds` None: as long as its drain may take, and some more.

    Raises StrataError where it may not be asked, or lives on.
    """
    began = time.monotonic()
    limit = state.drain_ms / 1000 + MORE if seconds is None else seconds
    try:
        os.kill(state.pid, signal.SIGTERM)
    except ProcessLookupError:
        return 0.0
    except PermissionError:
        raise StrataError(
            f"{state.name} (process {state.pid}) is another user's.", hint="Stop it as that user"
        ) from None
    while is_alive(state):
        if time.monotonic() - began > limit:
            raise StrataError(
                f"{state.name} (process {state.pid}) has not ended after {limit:g} s.",
                hint=f"Ask again to end it at once: git strata service stop {state.name}",
            )
        time.sleep(0.05)
    return time.monotonic() - began
