"""How long an answer may take: what the asker says, and never more than the service allows.

`X-Request-Timeout-Ms` is a number of milliseconds, `grpc-timeout` what gRPC writes: up to eight digits and a unit.
"""

from __future__ import annotations

from strata_git.serving.errors import RequestError

_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
MILLISECONDS, GRPC = "x-request-timeout-ms", "grpc-timeout"


def allowed_seconds(milliseconds: str, grpc: str, most: float) -> float:
    """Seconds, from the two headers' values (`""`: not there). Raises RequestError (400)."""
    allowed = most
    if milliseconds:
        if not (milliseconds.isascii() and milliseconds.isdigit() and len(milliseconds) <= 9 and int(milliseconds)):
            raise RequestError("must be a whole number of milliseconds, 1 or more", field=MILLISECONDS, status=400)
        allowed = min(allowed, int(milliseconds) / 1000)
    if grpc:
        number, unit = grpc[:-1], _UNITS.get(grpc[-1])
        if unit is None or not (number.isascii() and number.isdigit() and len(number) <= 8):
            raise RequestError("must be up to eight digits and a unit of H, M, S, m, u, n", field=GRPC, status=400)
        allowed = min(allowed, int(number) * unit)
    return allowed
