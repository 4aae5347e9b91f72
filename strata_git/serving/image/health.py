"""Whether a service in this container is ready: exit code 0 or 1. Nothing but the standard library is imported."""

from __future__ import annotations

import http.client
import socket
import sys

_SECONDS = 3.0


class _Local(http.client.HTTPConnection):
    """HTTP through a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        """As HTTPConnection's."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)


def ready(place: str = "8080") -> bool:
    """Whether the api-service at `place` (a port of this machine, or a socket's path) answers that it is ready."""
    if place.startswith("/"):
        asked: http.client.HTTPConnection = _Local(place)
    else:
        asked = http.client.HTTPConnection("127.0.0.1", int(place), timeout=_SECONDS)
    try:
        asked.request("GET", "/v2/health/ready")
        return asked.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asked.close()


if __name__ == "__main__":
    sys.exit(0 if ready(*sys.argv[1:2]) else 1)
