"""How gRPC waits for its sockets: by the thread that asks, not by threads of its own that hand everything on.

Newer cores of gRPC (1.81, not yet 1.76) have an "event engine" in the second way by default, which costs each call
between two processes of one machine a third more processor time. Both are in every version named here; a variable
chooses.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import cache
from importlib import metadata

VARIABLE = "GRPC_EXPERIMENTS"
"""Of gRPC's core: names of ways to work, with `-` those that are not taken; an unknown one is complained about."""
CHOSEN = "-event_engine_client,-event_engine_listener"
FIRST, LAST = (1, 60), (1, 85)
"""Versions of grpcio that have both ways (measured with 1.66, 1.71, 1.76, 1.81 and 1.85)."""


def settle_polling(environ: MutableMapping[str, str]) -> None:
    """Choose in the environment of this process, before gRPC is loaded, where its version is known and nobody has
    chosen otherwise."""
    if VARIABLE not in environ and FIRST <= _version() <= LAST:
        environ[VARIABLE] = CHOSEN


@cache
def _version() -> tuple[int, int]:
    """Of grpcio as it is installed; (0, 0) where it is not."""
    try:
        major, minor, *_ = metadata.version("grpcio").split(".")
        return int(major), int(minor)
    except (metadata.PackageNotFoundError, ValueError):
        return 0, 0
