"""The protocol's gRPC messages to tensors and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from strata_git.serving import oip
from strata_git.serving.columns import Bounds, Field, Signature
from strata_git.serving.errors import RequestError
from strata_git.serving.oip_rest import chosen
from strata_git.serving.tensors import Tensor, from_raw, from_values, of_outputs, to_raw

_CONTENTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip
"""Datatype -> the list that holds its elements; FP16 has none and travels as raw bytes."""
_WHOLE = Bounds()


def read_request(request: Any, bounds: Bounds = _WHOLE) -> list[Tensor]:
    """The tensors of a ModelInferRequest. Raises RequestError with the tensor that cannot be read."""
    raw = list(request.raw_input_contents)
    if raw and len(raw) != len(request.inputs):
        raise RequestError("raw_input_contents are not as many as the inputs.")
    tensors = []
    for place, tensor in enumerate(request.inputs):
        shape = list(tensor.shape)
        if raw:
            if tensor.HasField("contents"):
                raise RequestError("has contents beside raw_input_contents", field=tensor.name)
            tensors.append(from_raw(tensor.name, tensor.datatype, shape, raw[place], bounds))
        else:
            tensors.append(from_values(tensor.name, tensor.datatype, shape, _elements(tensor), bounds))
    return tensors


def write_request(model: str, version: str, tensors: Sequence[Tensor]) -> Any:
    """A ModelInferRequest with raw contents."""
    request = oip.message("ModelInferRequest", model_name=model, model_version=version)
    for tensor in tensors:
        request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        request.raw_input_contents.append(to_raw(tensor))
    return request


def write_response(
    outputs: Mapping[str, Any], fields: Sequence[Field], request: Any, *, model: str, version: str,
    parameters: Mapping[str, str] | None = None,
) -> Any:  # fmt: skip
    """A ModelInferResponse with raw contents; RequestError for an output that the model does not have."""
    made = oip.message("ModelInferResponse", model_name=model, model_version=version, id=request.id)
    for name, text in (parameters or {}).items():
        made.parameters[name].string_param = text
    for tensor in of_outputs(chosen(outputs, fields, [one.name for one in request.outputs]), fields):
        made.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        made.raw_output_contents.append(to_raw(tensor))
    return made


def read_response(response: Any, bounds: Bounds = _WHOLE) -> list[Tensor]:
    """The tensors of a ModelInferResponse of any server; RequestError where they cannot be read."""
    raw = list(response.raw_output_contents)
    if raw and len(raw) != len(response.outputs):
        raise RequestError("raw_output_contents are not as many as the outputs.")
    return [
        from_raw(one.name, one.datatype, list(one.shape), raw[place], bounds)
        if raw
        else from_values(one.name, one.datatype, list(one.shape), _elements(one), bounds)
        for place, one in enumerate(response.outputs)
    ]


def model_metadata(model: str, version: str, signature: Signature, platform: str) -> Any:
    """A ModelMetadataResponse: every column is a tensor [-1], or [-1, *inner]."""
    made = oip.message("ModelMetadataResponse", name=model, versions=[version], platform=platform)
    for fields, listed in ((signature.inputs, made.inputs), (signature.outputs, made.outputs)):
        for field in fields:
            listed.add(name=field.name, datatype=field.datatype, shape=[-1, *field.inner])
    return made


def _elements(tensor: Any) -> list[Any]:
    expected = _CONTENTS.get(tensor.datatype)
    filled = [field.name for field, _ in tensor.contents.ListFields()]
    if filled and filled != [expected]:
        raise RequestError(f"has contents that are not {expected or 'raw bytes'}", field=tensor.name)
    return list(getattr(tensor.contents, expected)) if expected else []
