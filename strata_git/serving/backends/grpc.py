"""A model in other processes, asked over gRPC: on Unix sockets, or by TCP with or without TLS.

Of several processes with the same version the one with the fewest requests under way is asked; one that is gone is left
alone for a moment, and a request that it did not answer goes to another. An answer that another version gave, whoever
listens on the socket now, is never passed on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from strata_git.errors import MissingExtra, StrataError
from strata_git.serving import oip, oip_grpc
from strata_git.serving.backends.answers import ALL_OUTPUTS, DIGEST, arrays_of, tensors_of
from strata_git.serving.backends.grpc_status import error_of
from strata_git.serving.backends.together import Together
from strata_git.serving.batching import Outputs
from strata_git.serving.columns import Bounds, Signature, Table
from strata_git.serving.errors import PredictionError, RequestError, Unanswered
from strata_git.serving.provenance import Provenance

if TYPE_CHECKING:
    from strata_git.contracts.service import Batch, Limits

REST = 0.2
"""Seconds for which a process that was not there is asked only if no other is."""
AT_ONCE = 1
"""Calls under way to one process before others wait to go together."""
_MOST_BYTES = 1 << 30
_OPTIONS = (
    ("grpc.max_send_message_length", _MOST_BYTES),
    ("grpc.max_receive_message_length", _MOST_BYTES),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
)


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM: who may answer (`ca`; empty: the system's), and who asks (`key` and `certificate`)."""

    ca: bytes = b""
    key: bytes = b""
    certificate: bytes = b""


class GrpcBackend:
    """See `backend.Backend`. Made where an event loop runs; channels connect, and connect again, by themselves."""

    def __init__(
        self, targets: str | Sequence[str], signature: Signature, provenance: Provenance, *,
        batch: Batch | None = None, limits: Limits | None = None, tls: Tls | None = None,
        metadata: Sequence[tuple[str, str]] = (),
    ) -> None:  # fmt: skip
        """`targets` are gRPC's (`unix:/run/model.sock`, `host:port`), all of the same version; `metadata` goes along.

        With `batch` requests that wait for others go there together; a model whose answer to a row depends on other
        rows must have none. Raises MissingExtra.
        """
        try:
            import grpc.aio  # noqa: F401 - found missing now, and loaded, not at the first request
            import numpy as np  # noqa: F401 - the same
        except ImportError:
            raise MissingExtra("serve", "Asking a model-service") from None
        listed = (targets,) if isinstance(targets, str) else tuple(targets)
        self._signature = signature
        self._provenance = provenance
        self._metadata = tuple(metadata) or None
        self._drain = 10.0 if limits is None else limits.drain_ms / 1000
        self._children = [_Child(_channel(target, tls)) for target in listed]
        self._closed = False
        self._together: Together | None = None
        if batch is not None:
            queue, at_once = 256 if limits is None else limits.queue, AT_ONCE * len(listed)
            self._together = Together(self._answered, signature, rows=batch.rows, queue=queue, at_once=at_once)

    @property
    def signature(self) -> Signature:
        """Its columns."""
        return self._signature

    @property
    def provenance(self) -> Provenance:
        """Which version it is and where it comes from."""
        return self._provenance

    async def predict(self, table: Table, *, timeout: float | None = None) -> Outputs:
        """See `backend.Backend`."""
        if self._closed:
            raise Unanswered("The model is being taken away.", status=503)
        if self._together is not None:
            return await self._together.predict(table, timeout)
        return await self._answered(table, timeout)

    async def _answered(self, table: Table, timeout: float | None) -> Outputs:
        request = oip_grpc.write_request(
            self._provenance.model, self._provenance.version, tensors_of(table, self._signature)
        )
        request.parameters[ALL_OUTPUTS].bool_param = True
        until = None if timeout is None else time.monotonic() + timeout
        response = await self._asked("ModelInfer", request, until)
        self._judge(response)
        try:
            found = oip_grpc.read_response(response, Bounds(elements=_MOST_BYTES))
        except RequestError as error:
            raise PredictionError(f"The model-service answers with what cannot be read: {error.message}") from None
        return arrays_of(found, self._signature, table.rows)

    async def ready(self) -> bool:
        """Whether one of the processes would answer now."""
        if self._closed:
            return False
        request = oip.message("ModelReadyRequest", name=self._provenance.model, version=self._provenance.version)
        try:
            response = await self._asked("ModelReady", request, time.monotonic() + 1)
        except StrataError:
            return False
        return bool(response.ready)

    async def close(self) -> None:
        """See `backend.Backend`."""
        if not self._closed:
            self._closed = True
            until = time.monotonic() + self._drain
            while self._together is not None and not self._together.is_idle and time.monotonic() < until:
                await asyncio.sleep(0.01)
            for child in self._children:
                await child.channel.close(self._drain)

    async def _asked(self, method: str, request: Any, until: float | None) -> Any:
        """The answer of the least busy process that is there."""
        import grpc.aio

        refused: set[int] = set()
        while True:
            child = min(
                (one for one in self._children if id(one) not in refused),
                key=lambda one: (one.rests_until > time.monotonic(), one.under_way),
            )
            rest = None if until is None else max(until - time.monotonic(), 0.0)
            child.under_way += 1
            try:
                return await child.client.call(method, request, timeout=rest, metadata=self._metadata)
            except grpc.aio.UsageError:  # the channel was closed meanwhile
                raise Unanswered("The model is being taken away.", status=503) from None
            except grpc.aio.AioRpcError as error:
                told = error_of(error.code().name, error.details() or "", tuple(error.trailing_metadata() or ()))
            finally:
                child.under_way -= 1
            if not isinstance(told, Unanswered) or told.status == 504:
                raise told
            refused.add(id(child))
            if told.status == 503:
                child.rests_until = time.monotonic() + REST
            if len(refused) == len(self._children):
                raise told

    def _judge(self, response: Any) -> None:
        said = response.parameters[DIGEST].string_param if DIGEST in response.parameters else ""
        if (response.model_version, said) != (self._provenance.version, self._provenance.digest):
            raise Unanswered("Another version answers than the one that was asked.", status=503)


class _Child:
    """One process: its channel, what it has to do, until when it is left alone."""

    def __init__(self, channel: Any) -> None:
        self.channel = channel
        self.client = oip.Client(channel)
        self.under_way = 0
        self.rests_until = 0.0


def _channel(target: str, tls: Tls | None) -> Any:
    import grpc
    import grpc.aio

    options = _OPTIONS
    with suppress(ValueError):
        if tls is not None:
            credentials = grpc.ssl_channel_credentials(tls.ca or None, tls.key or None, tls.certificate or None)
            return grpc.aio.secure_channel(target, credentials, options)
        return grpc.aio.insecure_channel(target, options)
    raise StrataError(f"'{target}' is no address of a model-service.")
