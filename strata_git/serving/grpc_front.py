"""The service's own door for gRPC: the same protocol, limits, callers and provenance as over HTTP.

Health is told to everybody; all else to whom the service answers: credentials come as metadata (`authorization`,
`x-api-key`). Where an answer comes from is in its parameters and in the initial metadata.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from strata_git.errors import MissingExtra, StrataError, printable
from strata_git.serving import health, oip, oip_grpc
from strata_git.serving.api.trace import continued, request_id
from strata_git.serving.backends.grpc_status import status_of
from strata_git.serving.columns import Bounds
from strata_git.serving.errors import Denied, Unanswered
from strata_git.serving.tensors import to_table

if TYPE_CHECKING:
    from strata_git.contracts.service import Service
    from strata_git.serving.api.auth import Authenticator
    from strata_git.serving.backends.backend import Backend
    from strata_git.serving.backends.grpc import Tls
    from strata_git.serving.columns import Table
    from strata_git.serving.provenance import Provenance
    from strata_git.serving.router import Router

_LOG = logging.getLogger(__name__)
OPEN = frozenset({"ServerLive", "ServerReady"})
"""Methods that nobody needs a key for."""
SLACK, MORE = 64 << 10, 64
"""Bytes of a message beside its tensors; calls beside those that may wait for the model."""
Observer = Callable[[str, str, float, int], None]
"""(method, status code, seconds, rows): told of every call."""
Kept = Callable[[str, "Provenance", "Table", Mapping[str, Any]], None]
"""(request id, who answered, rows, answers): told of every prediction, and never a reason to wait."""


class Front:
    """A server that listens on `port`. `stop` takes no new calls and answers those under way."""

    def __init__(self, server: Any, port: int, drain: float) -> None:
        self.port = port
        self._server = server
        self._drain = drain

    async def stop(self, grace: float | None = None) -> None:
        """At most `grace` seconds (default: the service's drain)."""
        await self._server.stop(self._drain if grace is None else grace)


async def start_front(
    service: Service, router: Router, authenticator: Authenticator, *, host: str, port: int, tls: Tls | None = None,
    observe: Observer | None = None, keep: Kept | None = None,
) -> Front:  # fmt: skip
    """Listen on host and port (0: any). Raises StrataError where that cannot be, MissingExtra."""
    try:
        import grpc.aio
    except ImportError:
        raise MissingExtra("serve", "Answering over gRPC") from None
    limits = service.api.limits
    server = grpc.aio.server(
        options=(
            ("grpc.max_receive_message_length", limits.body_bytes + SLACK),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ),
        maximum_concurrent_rpcs=limits.queue + MORE,
    )
    methods = _Methods(service, router, authenticator, observe, keep)
    server.add_generic_rpc_handlers((oip.server_handlers(methods.all()), health.handlers(methods.health)))
    bound = _bound(server, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", tls)
    await server.start()
    return Front(server, bound, limits.drain_ms / 1000)


def _bound(server: Any, address: str, tls: Tls | None) -> int:
    import grpc

    try:
        if tls is None:
            bound: int = server.add_insecure_port(address)
        else:
            pair = [(tls.key, tls.certificate)]
            bound = server.add_secure_port(
                address, grpc.ssl_server_credentials(pair, tls.ca or None, require_client_auth=bool(tls.ca))
            )
    except (RuntimeError, ValueError):
        bound = 0
    if not bound:
        raise StrataError(f"{printable(address)} cannot be listened on.", hint="--grpc-port 0 takes any free port")
    return bound


class _Missing(StrataError):
    """No such model or version here."""


class _Methods:
    """The protocol's methods over a router."""

    def __init__(
        self, service: Service, router: Router, authenticator: Authenticator, observe: Observer | None,
        keep: Kept | None,
    ) -> None:  # fmt: skip
        limits = service.api.limits
        self._service = service
        self._router = router
        self._authenticator = authenticator
        self._observe = observe
        self._keep = keep
        self._bounds = Bounds(rows=limits.rows, body_bytes=limits.body_bytes)
        self._deadline = limits.deadline_ms / 1000

    def all(self) -> Mapping[str, Any]:
        """Method -> coroutine function."""
        found = {
            "ServerLive": self._server_live, "ServerReady": self._server_ready, "ServerMetadata": self._server_metadata,
            "ModelReady": self._model_ready, "ModelMetadata": self._model_metadata, "ModelInfer": self._infer,
        }  # fmt: skip
        return {name: self._guarded(name, method) for name, method in found.items()}

    async def health(self, request: Any, context: Any) -> Any:  # noqa: ARG002 - gRPC's signature
        """grpc.health.v1.Health/Check: whether predictions are answered."""
        return health.response(await self._router.ready())

    def _guarded(self, name: str, method: Callable[[Any, Any], Awaitable[tuple[Any, int]]]) -> Any:
        """A method with its caller judged, its errors told in gRPC's words, and whoever observes told."""
        import grpc

        async def call(request: Any, context: Any) -> Any:
            begun, rows, code = time.perf_counter(), 0, "OK"
            try:
                if name not in OPEN and self._authenticator.required:
                    await self._authenticator.admit(_headers(context))
                answer, rows = await method(request, context)
                return answer
            except asyncio.CancelledError:
                code = "CANCELLED"
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, no word of it may repeat what was sent
                code, words, metadata = _status(error)
                if code == "INTERNAL":
                    kind, known = type(error.__cause__ or error).__name__, isinstance(error, StrataError)
                    _LOG.error("%s failed (%s)", name, kind, exc_info=None if known else error)
                await context.abort(grpc.StatusCode[code], words, metadata)
            finally:
                if self._observe is not None:
                    self._observe(name, code, time.perf_counter() - begun, rows)

        return call

    async def _server_live(self, _request: Any, _context: Any) -> tuple[Any, int]:
        return oip.message("ServerLiveResponse", live=True), 0

    async def _server_ready(self, _request: Any, _context: Any) -> tuple[Any, int]:
        return oip.message("ServerReadyResponse", ready=await self._router.ready()), 0

    async def _server_metadata(self, _request: Any, _context: Any) -> tuple[Any, int]:
        from strata_git import __version__

        return oip.message("ServerMetadataResponse", name=self._service.name, version=__version__), 0

    async def _model_ready(self, request: Any, _context: Any) -> tuple[Any, int]:
        try:
            ready = await self._asked(request.name, request.version).ready()
        except (_Missing, Unanswered):
            ready = False
        return oip.message("ModelReadyResponse", ready=ready), 0

    async def _model_metadata(self, request: Any, _context: Any) -> tuple[Any, int]:
        backend = self._asked(request.name, request.version)
        source = backend.provenance
        return oip_grpc.model_metadata(request.name, source.version, backend.signature, source.format), 0

    async def _infer(self, request: Any, context: Any) -> tuple[Any, int]:
        backend = self._asked(request.model_name, request.model_version, request.id or None)
        tensors = oip_grpc.read_request(request, self._bounds)
        table = to_table(tensors, backend.signature, nan=self._service.runtime.nan, bounds=self._bounds)
        rest = context.time_remaining()
        outputs = await backend.predict(table, timeout=self._deadline if rest is None else min(rest, self._deadline))
        if self._keep is not None:
            self._keep(request_id(request.id, continued("")), backend.provenance, table, outputs)
        told = backend.provenance.headers()
        response = oip_grpc.write_response(
            outputs, backend.signature.outputs, request, model=request.model_name, version=backend.provenance.version,
            parameters=told,
        )  # fmt: skip
        await context.send_initial_metadata(tuple(told.items()))
        return response, table.rows

    def _asked(self, name: str, version: str, key: str | None = None) -> Backend:
        """Who answers for that name and version: of any version, whoever's turn it is."""
        chosen = self._router.pick(key)
        current = self._router.current or chosen
        if name not in (self._service.name, current.provenance.model):
            raise _Missing("There is no such model here.")
        if not version:
            return chosen
        for one in (current, *(canary for canary, _ in self._router.canaries)):
            if version in (one.provenance.version, one.provenance.version.removeprefix("v")):
                return one
        raise _Missing("This version of the model does not answer here.")


def _headers(context: Any) -> dict[str, str]:
    return {name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)}


def _status(error: Exception) -> tuple[str, str, tuple[tuple[str, str | bytes], ...]]:
    if isinstance(error, Denied):
        return "PERMISSION_DENIED" if error.status == 403 else "UNAUTHENTICATED", error.message, ()
    if isinstance(error, _Missing):
        return "NOT_FOUND", error.message, ()
    return status_of(error)
