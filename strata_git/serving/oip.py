"""The Open Inference Protocol over gRPC without generated code: messages, a server's handlers, a client.

Nothing but `grpcio` and `protobuf` is needed, and nothing clashes with other clients of the protocol in one process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from strata_git.serving import oip_proto

SERVICE = f"{oip_proto.PACKAGE}.{oip_proto.SERVICE}"
METHODS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {name: (request, response) for name, request, response in oip_proto.calls()}
)
"""Method -> its request's and its response's message."""

Handler = Callable[[Any, Any], Any]
"""(request, gRPC context) -> response."""


def proto_text() -> str:
    """The interface as a .proto file, for clients and servers in other languages."""
    return oip_proto.TEXT


@cache
def messages() -> Mapping[str, Any]:
    """Message name -> its class, in a descriptor pool of our own."""
    from google.protobuf import descriptor_pool, message_factory

    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(oip_proto.file_descriptor().SerializeToString())
    file = pool.FindFileByName(oip_proto.FILE)
    classes = {name: message_factory.GetMessageClass(found) for name, found in file.message_types_by_name.items()}
    return MappingProxyType(classes)


def message(kind: str, /, **fields: Any) -> Any:
    """A message of the protocol, such as `message("ServerLiveResponse", live=True)`."""
    return messages()[kind](**fields)


def server_handlers(methods: Mapping[str, Handler]) -> Any:
    """What `grpc.Server.add_generic_rpc_handlers` takes: one function for each method offered.

    Raises KeyError for a method that the protocol does not have.
    """
    import grpc

    classes = messages()
    rows = {
        name: grpc.unary_unary_rpc_method_handler(
            handler,
            request_deserializer=classes[METHODS[name][0]].FromString,
            response_serializer=_serialized,
        )
        for name, handler in methods.items()
    }
    return grpc.method_handlers_generic_handler(SERVICE, rows)


class Client:
    """Calls the methods on a channel, blocking or `grpc.aio`: `client.call("ModelInfer", request, timeout=1)`."""

    def __init__(self, channel: Any) -> None:
        classes = messages()
        self._calls = {
            name: channel.unary_unary(
                f"/{SERVICE}/{name}",
                request_serializer=_serialized,
                response_deserializer=classes[response].FromString,
            )
            for name, (_, response) in METHODS.items()
        }

    def call(self, method: str, request: Any, *, timeout: float | None = None, metadata: Any = None) -> Any:
        """The response (of an asynchronous channel: its awaitable); `timeout` is in seconds and travels along."""
        return self._calls[method](request, timeout=timeout, metadata=metadata)


def _serialized(message: Any) -> bytes:
    made: bytes = message.SerializeToString()
    return made
