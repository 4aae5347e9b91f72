"""The access log: one line a request, with whatever finds it again and without any value of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from strata_git.errors import printable
from strata_git.serving.logs import tell_access, tells_access

if TYPE_CHECKING:
    from strata_git.serving.api.asked import Asked

QUIET = frozenset({"/ping", "/v2/health/live", "/v2/health/ready", "/metrics"})
"""Asked again and again by machines: told only where `debug` is, unless the answer is an error of ours."""
_PATH = 200
_ADDRESS = 64


def access_line(asked: Asked, status: int, seconds: float) -> None:
    """Tell of a request that came to its end after so many seconds."""
    level = logging.INFO if status >= 500 or asked.route not in QUIET else logging.DEBUG
    if not tells_access(level):
        return
    trace = asked.trace
    fields: dict[str, Any] = {
        "request": asked.id, "trace": trace.trace, "span": trace.span, "method": asked.method, "route": asked.route,
        "status": status, "ms": round(seconds * 1000, 3),
    }  # fmt: skip
    if trace.parent:
        fields["parent"] = trace.parent
    if asked.rows:
        fields["rows"] = asked.rows
    if asked.caller:
        fields["caller"] = asked.caller
    if asked.provenance is not None:
        fields["model"] = asked.provenance.reference
    if client := asked.scope.get("client"):
        fields["client"] = str(client[0])[:_ADDRESS]  # a proxy on this machine says who it is
    tell_access(level, f"{asked.method} {asked.route or printable(asked.path[:_PATH])} {status}", fields)
