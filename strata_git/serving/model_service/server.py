"""A gRPC server around a model: on a Unix socket that only this user may use, or on a port, with or without TLS."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.errors import MissingExtra, StrataError, printable
from strata_git.serving.model_service.servicer import Servicer

if TYPE_CHECKING:
    from strata_git.contracts.service import Limits
    from strata_git.serving.backends.grpc import Tls

QUICK_THREADS, MOST_THREADS = 4, 64
"""Threads for a quick model, which never has many requests under way; for any other, which answers them together."""
SLACK = 1 << 20


class ModelServer:
    """A server that listens. `stop` answers what is under way first."""

    def __init__(self, server: Any, servicer: Servicer, port: int, drain: float) -> None:
        self.port = port
        """Where it listens; 0 for a Unix socket."""
        self._server = server
        self._servicer = servicer
        self._drain = drain

    @property
    def is_stuck(self) -> bool:
        """Whether a prediction does not end."""
        return self._servicer.is_stuck

    def stop(self) -> None:
        """Not ready any more, nothing new, and what is under way as long as it may take; then it is over."""
        self._servicer.retire()
        self._server.stop(self._drain).wait(self._drain + 1)
        self._servicer.close()


def start_server(servicer: Servicer, address: str, *, limits: Limits, tls: Tls | None = None) -> ModelServer:
    """Listen on `unix:/path` or `host:port` (0: any). With `tls` and its `ca` only clients it knows may ask.

    Raises StrataError where it cannot listen, MissingExtra.
    """
    try:
        import grpc
    except ImportError:
        raise MissingExtra("serve", "A model-service") from None
    threads = QUICK_THREADS if servicer.is_quick else MOST_THREADS
    server = grpc.server(
        ThreadPoolExecutor(max_workers=threads, thread_name_prefix="requests"),
        options=(
            ("grpc.max_receive_message_length", 4 * limits.body_bytes + SLACK),  # JSON's shortest number: two bytes
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ),
        maximum_concurrent_rpcs=limits.queue + threads,
    )
    server.add_generic_rpc_handlers(servicer.handlers())
    port = _bind(server, address, tls)
    server.start()
    return ModelServer(server, servicer, 0 if address.startswith("unix:") else port, limits.drain_ms / 1000)


def _bind(server: Any, address: str, tls: Tls | None) -> int:
    import grpc

    path = Path(address.removeprefix("unix:")) if address.startswith("unix:") else None
    if path is not None:
        _clear(path)
    before = os.umask(0o177)
    try:
        if tls is None:
            port: int = server.add_insecure_port(address)
        else:
            credentials = grpc.ssl_server_credentials(
                [(tls.key, tls.certificate)], tls.ca or None, require_client_auth=bool(tls.ca)
            )
            port = server.add_secure_port(address, credentials)
    except (RuntimeError, ValueError):
        port = 0
    finally:
        os.umask(before)
    if not port:
        raise StrataError(f"{printable(address)} cannot be listened on.")
    return port


def _clear(path: Path) -> None:
    """A socket that a process left which is gone."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise StrataError(f"{printable(str(path))} is there already, and no socket.")
        path.unlink()
