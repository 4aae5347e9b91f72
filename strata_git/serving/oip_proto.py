"""The Open Inference Protocol's messages (version 2), as the .proto text that is printed and as descriptors.

The descriptors are made from the text itself, in a pool of their own. Generated modules register `inference.*` in the
one pool of the process, where the clients of several servers refuse each other.
Source: the protocol's specification (package `inference`, service `GRPCInferenceService`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

FILE = "open_inference_protocol.proto"
PACKAGE = "inference"
SERVICE = "GRPCInferenceService"

TEXT = """\
// The Open Inference Protocol, version 2.

syntax = "proto3";

package inference;

service GRPCInferenceService {
  // Whether the server runs.
  rpc ServerLive(ServerLiveRequest) returns (ServerLiveResponse);
  // Whether it can answer.
  rpc ServerReady(ServerReadyRequest) returns (ServerReadyResponse);
  // Whether a model can answer.
  rpc ModelReady(ModelReadyRequest) returns (ModelReadyResponse);
  // What the server is called and which extensions it speaks.
  rpc ServerMetadata(ServerMetadataRequest) returns (ServerMetadataResponse);
  // What goes into a model and what comes out.
  rpc ModelMetadata(ModelMetadataRequest) returns (ModelMetadataResponse);
  // Predictions.
  rpc ModelInfer(ModelInferRequest) returns (ModelInferResponse);
}

message ServerLiveRequest {
}

message ServerLiveResponse {
  bool live = 1;
}

message ServerReadyRequest {
}

message ServerReadyResponse {
  bool ready = 1;
}

message ModelReadyRequest {
  string name = 1;
  string version = 2;
}

message ModelReadyResponse {
  bool ready = 1;
}

message ServerMetadataRequest {
}

message ServerMetadataResponse {
  string name = 1;
  string version = 2;
  repeated string extensions = 3;
}

message ModelMetadataRequest {
  string name = 1;
  string version = 2;
}

message ModelMetadataResponse {
  message TensorMetadata {
    string name = 1;
    string datatype = 2;
    // -1: any length.
    repeated int64 shape = 3;
  }
  string name = 1;
  repeated string versions = 2;
  string platform = 3;
  repeated TensorMetadata inputs = 4;
  repeated TensorMetadata outputs = 5;
}

message ModelInferRequest {
  message InferInputTensor {
    string name = 1;
    string datatype = 2;
    repeated int64 shape = 3;
    map<string, InferParameter> parameters = 4;
    InferTensorContents contents = 5;
  }
  message InferRequestedOutputTensor {
    string name = 1;
    map<string, InferParameter> parameters = 2;
  }
  string model_name = 1;
  string model_version = 2;
  string id = 3;
  map<string, InferParameter> parameters = 4;
  repeated InferInputTensor inputs = 5;
  repeated InferRequestedOutputTensor outputs = 6;
  // In place of contents: little-endian elements, strings behind their length in four bytes.
  repeated bytes raw_input_contents = 7;
}

message ModelInferResponse {
  message InferOutputTensor {
    string name = 1;
    string datatype = 2;
    repeated int64 shape = 3;
    map<string, InferParameter> parameters = 4;
    InferTensorContents contents = 5;
  }
  string model_name = 1;
  string model_version = 2;
  string id = 3;
  map<string, InferParameter> parameters = 4;
  repeated InferOutputTensor outputs = 5;
  repeated bytes raw_output_contents = 6;
}

message InferParameter {
  oneof parameter_choice {
    bool bool_param = 1;
    int64 int64_param = 2;
    string string_param = 3;
    double double_param = 4;
    uint64 uint64_param = 5;
  }
}

message InferTensorContents {
  repeated bool bool_contents = 1;
  repeated int32 int_contents = 2;
  repeated int64 int64_contents = 3;
  repeated uint32 uint_contents = 4;
  repeated uint64 uint64_contents = 5;
  repeated float fp32_contents = 6;
  repeated double fp64_contents = 7;
  repeated bytes bytes_contents = 8;
}
"""

_SCALARS = {"double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9, "bytes": 12,
            "uint32": 13}  # fmt: skip
_MESSAGE, _ONE, _MANY = 11, 1, 3
_FIELD = re.compile(r"(repeated )?(?:map<(\w+), (\w+)>|(\w+)) (\w+) = (\d+);")
_HEAD = ('syntax = "proto3";', f"package {PACKAGE};")
_RPC = re.compile(r"rpc (\w+)\((\w+)\) returns \((\w+)\);")


def calls(text: str = TEXT) -> Iterator[tuple[str, str, str]]:
    """The service's methods: name, request, response."""
    for match in _RPC.finditer(text):
        yield match[1], match[2], match[3]


def file_descriptor(text: str = TEXT) -> Any:
    """A `FileDescriptorProto` of TEXT, as protoc makes it of the same text.

    Another text may say more or less in the same style: one declaration a line, no enumerations, options or imports.
    ValueError for what is not understood.
    """
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    made = FileDescriptorProto(name=FILE, package=PACKAGE, syntax="proto3")
    open_: list[Any] = []
    for line in (line.partition("//")[0].strip() for line in text.splitlines()):
        kind, _, rest = line.partition(" ")
        if line == "}" and open_:
            open_.pop()
        elif kind == "message":
            inside = open_[-1].nested_type if open_ else made.message_type
            open_.append(inside.add(name=rest.partition(" ")[0]))
        elif kind == "oneof":
            open_[-1].oneof_decl.add(name=rest.partition(" ")[0])
            open_.append(open_[-1])
        elif kind == "service":
            open_.append(made.service.add(name=rest.partition(" ")[0]))
        elif kind == "rpc":
            name, request, response = _matched(_RPC, line)
            open_[-1].method.add(name=name, input_type=_full(request), output_type=_full(response))
        elif open_ and line:
            _add_field(open_, line)
        elif line and not line.startswith(_HEAD):
            raise ValueError(f"not understood: {line}")
    if open_:
        raise ValueError("not understood: a brace is left open")
    return made


def _add_field(open_: list[Any], line: str) -> None:
    many, key, value, kind, name, number = _matched(_FIELD, line)
    message = open_[-1]
    field = message.field.add(
        name=name, number=int(number), label=_MANY if many or key else _ONE, json_name=_json(name)
    )
    if len(open_) > 1 and open_[-2] is message:
        field.oneof_index = len(message.oneof_decl) - 1
    if not key:
        _set_type(field, kind, message)
        return
    entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
    entry.options.map_entry = True
    _set_type(entry.field.add(name="key", number=1, label=_ONE, json_name="key"), key, entry)
    _set_type(entry.field.add(name="value", number=2, label=_ONE, json_name="value"), value, entry)
    field.type, field.type_name = _MESSAGE, _full(f"{_path(open_)}.{entry.name}")


def _set_type(field: Any, kind: str, message: Any) -> None:
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
        return
    own = {nested.name for nested in message.nested_type}
    field.type, field.type_name = _MESSAGE, _full(f"{message.name}.{kind}" if kind in own else kind)


def _path(open_: list[Any]) -> str:
    return ".".join(dict.fromkeys(message.name for message in open_))


def _full(name: str) -> str:
    return f".{PACKAGE}.{name}"


def _json(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _matched(pattern: re.Pattern[str], line: str) -> tuple[str, ...]:
    match = pattern.fullmatch(line)
    if match is None:
        raise ValueError(f"not understood: {line}")
    return tuple(match.groups(""))
