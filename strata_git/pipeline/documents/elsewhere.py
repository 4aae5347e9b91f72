"""A document read by a process of an engine (`runs.engines`), which has a guarded worker of its own as this one would.

The engine's machines see the scratch directory, as trials of a sweep see theirs: on several machines that is a shared
file system. No secret travels: what is asked names files, and what a worker may know of the environment.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from strata_git.pipeline.documents.guard import Guard
from strata_git.pipeline.documents.limits import Limits

_IDLE_S = 20.0
"""A worker that nobody asked for so long is let go: the process of a cluster may outlive the run by days."""


class _Kept:
    """A guard that ends its worker when nobody asks it any more. `place` is where its files are: one run's scratch."""

    def __init__(self, place: str, environ: Mapping[str, str], limits: Limits) -> None:
        self.place = place
        self._guard = Guard(Path(place), environ, limits)
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            try:
                return self._guard.ask(request)
            finally:
                self._timer = threading.Timer(_IDLE_S, self.let_go)
                self._timer.daemon = True
                self._timer.start()

    def let_go(self) -> None:
        with self._lock:
            self._guard.close()


_HERE = threading.local()
"""A worker for each thread that an engine works with."""


def ask(request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of this thread's worker to a request (`documents.worker`) that says its `environ`, too.

    Raises StrataError where no worker can be started.
    """
    place = str(Path(request["into"]).parent)
    kept: _Kept | None = getattr(_HERE, "kept", None)
    if kept is None or kept.place != place:
        if kept is not None:
            with suppress(OSError):
                kept.let_go()
        kept = _HERE.kept = _Kept(place, request["environ"], Limits(**request["limits"]))
    return kept.ask(request)
