"""The health service that gRPC's tools ask (grpc.health.v1), without its package: two messages and one method.

Source: gRPC Health Checking Protocol. `Watch` is not offered, which clients of the protocol take for "always there".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

SERVICE = "grpc.health.v1.Health"
SERVING, NOT_SERVING = 1, 2
_FILE, _PACKAGE = "grpc_health_v1.proto", "grpc.health.v1"


@cache
def messages() -> tuple[Any, Any]:
    """The classes of the request (`service`) and of the response (`status`), in a pool of their own."""
    from google.protobuf import descriptor_pool, message_factory
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

    made = FileDescriptorProto(name=_FILE, package=_PACKAGE, syntax="proto3")
    request = made.message_type.add(name="HealthCheckRequest")
    request.field.add(
        name="service", number=1, label=FieldDescriptorProto.LABEL_OPTIONAL, type=FieldDescriptorProto.TYPE_STRING
    )
    response = made.message_type.add(name="HealthCheckResponse")
    status = response.enum_type.add(name="ServingStatus")
    for number, name in enumerate(("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")):
        status.value.add(name=name, number=number)
    response.field.add(
        name="status", number=1, label=FieldDescriptorProto.LABEL_OPTIONAL, type=FieldDescriptorProto.TYPE_ENUM,
        type_name=f".{_PACKAGE}.HealthCheckResponse.ServingStatus",
    )  # fmt: skip
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(made.SerializeToString())
    file = pool.FindFileByName(_FILE).message_types_by_name
    return tuple(message_factory.GetMessageClass(file[one.name]) for one in (request, response))


def handlers(check: Callable[[Any, Any], Any]) -> Any:
    """What `add_generic_rpc_handlers` takes. `check` is the method, plain or a coroutine: (request, context)."""
    import grpc

    request, _ = messages()
    method = grpc.unary_unary_rpc_method_handler(
        check, request_deserializer=request.FromString, response_serializer=lambda one: one.SerializeToString()
    )
    return grpc.method_handlers_generic_handler(SERVICE, {"Check": method})


def response(ready: bool) -> Any:
    """A response that says whether requests are answered."""
    return messages()[1](status=SERVING if ready else NOT_SERVING)
