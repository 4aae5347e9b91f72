"""Python stubs of a .proto, and whether stubs and .proto agree. Pure.

They are made from the descriptors that the .proto's text gives, in a pool of their own: protoc is not needed, any
protobuf from 5 on reads them, and no client of the same protocol in one process is in their way. What
`grpc_tools.protoc` makes of the same text is judged just so.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from strata_git.errors import printable
from strata_git.serving import oip_proto

PROTO, MESSAGES, GRPC = "oip.proto", "oip_pb2.py", "oip_pb2_grpc.py"
_METHOD = re.compile(r"""["']/([\w.]+)/(\w+)["']""")
_AGAIN = "python -m grpc_tools.protoc -I. --python_out=. --grpc_python_out=. oip.proto"


def messages_module(text: str = oip_proto.TEXT) -> str:
    """oip_pb2.py: a class for every message of the .proto `text`. ValueError for a text that is not understood."""
    made = oip_proto.file_descriptor(text)
    data = made.SerializeToString(deterministic=True)
    lines = "\n".join(f"    {data[at : at + 72]!r}" for at in range(0, len(data), 72))
    classes = "\n".join(f'{one.name} = _class("{one.name}")' for one in made.message_type)
    return f'''"""Messages of {PROTO}. Made from it; after a change make it anew:

    {_AGAIN}
"""

from google.protobuf import descriptor_pool, message_factory

_POOL = descriptor_pool.DescriptorPool()  # other clients of the protocol in this process have their own
_POOL.AddSerializedFile(  # fmt: skip
{lines}
)
DESCRIPTOR = _POOL.FindFileByName("{made.name}")


def _class(name):
    return message_factory.GetMessageClass(DESCRIPTOR.message_types_by_name[name])


{classes}
'''


def grpc_module(text: str = oip_proto.TEXT) -> str:
    """oip_pb2_grpc.py: the service's stub for clients and its base for servers."""
    service, package = oip_proto.SERVICE, oip_proto.PACKAGE
    rows = list(oip_proto.calls(text))
    stubs = "\n".join(
        f'        self.{name} = channel.unary_unary(\n            "/{package}.{service}/{name}",\n'
        f"            request_serializer=oip_pb2.{request}.SerializeToString,\n"
        f"            response_deserializer=oip_pb2.{response}.FromString,\n        )"
        for name, request, response in rows
    )
    methods = "\n\n".join(
        f"    def {name}(self, request, context):\n        context.abort(grpc.StatusCode.UNIMPLEMENTED, "
        f'"{name} is not offered")'
        for name, _, _ in rows
    )
    handlers = "\n".join(
        f'        "{name}": grpc.unary_unary_rpc_method_handler(\n            servicer.{name},\n'
        f"            request_deserializer=oip_pb2.{request}.FromString,\n"
        f"            response_serializer=oip_pb2.{response}.SerializeToString,\n        ),"
        for name, request, response in rows
    )
    return f'''"""The service of {PROTO}, for clients and servers. Made from it; after a change make it anew:

    {_AGAIN}
"""

import grpc
import oip_pb2


class {service}Stub:
    """Calls its methods on a channel, blocking or grpc.aio."""

    def __init__(self, channel):
{stubs}


class {service}Servicer:
    """What a server derives from."""

{methods}


def add_{service}Servicer_to_server(servicer, server):
    """Let `server` answer with `servicer`."""
    handlers = {{
{handlers}
    }}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("{package}.{service}", handlers),))
'''


def judge_stubs(proto: str, messages: str, grpc: str) -> list[str]:
    """How the two Python files differ from the .proto, in sentences. They are read, never imported."""
    try:
        wanted = oip_proto.file_descriptor(proto)
    except ValueError as error:
        return [f"{PROTO} cannot be compared: {printable(str(error)[:200])}"]
    try:
        given = _descriptor(messages)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return [f"{MESSAGES} cannot be read: {printable(str(error)[:200])}"]
    wrong = _differences(wanted, given)
    paths = set(_METHOD.findall(grpc))
    expected = {(f"{oip_proto.PACKAGE}.{oip_proto.SERVICE}", name) for name, _, _ in oip_proto.calls(proto)}
    for _, name in sorted(expected - paths):
        wrong.append(f"{GRPC} has no method {name}")
    for _, name in sorted(paths - expected):
        wrong.append(f"{GRPC} has a method {printable(name)} that {PROTO} has not")
    return wrong


def _descriptor(source: str) -> Any:
    """The descriptor that a module hands to its pool. ValueError where it hands over none."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto
    from google.protobuf.message import DecodeError

    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
            said = node.args[0]
            if node.func.attr == "AddSerializedFile" and isinstance(said, ast.Constant):
                if not isinstance(said.value, bytes):
                    break
                try:
                    return FileDescriptorProto.FromString(said.value)
                except DecodeError:
                    break
    raise ValueError("it holds no descriptor")


def _differences(wanted: Any, given: Any) -> list[str]:
    found = []
    for kind, what in (("message_type", "message"), ("service", "service")):
        ours = {one.name: _plain(one) for one in getattr(wanted, kind)}
        theirs = {one.name: _plain(one) for one in getattr(given, kind)}
        for name in sorted(ours.keys() | theirs.keys()):
            if name not in theirs:
                found.append(f"{MESSAGES} has no {what} {printable(name)}")
            elif name not in ours:
                found.append(f"{MESSAGES} has a {what} {printable(name)} that {PROTO} has not")
            elif ours[name] != theirs[name]:
                found.append(f"{MESSAGES} has another {what} {printable(name)} than {PROTO}")
    if given.package != wanted.package:
        found.append(f"{MESSAGES} is of another package than {PROTO}")
    return found


def _plain(message: Any) -> bytes:
    """A message without the names for JSON, which not every compiler writes down."""
    made = type(message)()
    made.CopyFrom(message)
    _without_json(made)
    data: bytes = made.SerializeToString(deterministic=True)
    return data


def _without_json(message: Any) -> None:
    for field in getattr(message, "field", ()):
        field.ClearField("json_name")
    for nested in getattr(message, "nested_type", ()):
        _without_json(nested)
