"""Columns as tensors of the Open Inference Protocol, and back. Both services use it."""

from __future__ import annotations

import numpy as np
import oip_pb2 as oip

RAW = {
    "BOOL": "?", "INT8": "<i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "<u1", "UINT16": "<u2",
    "UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
"""Datatype -> NumPy's name for its bytes on the wire. Text is BYTES and travels as a list."""
LISTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip


def datatype_of(array: np.ndarray) -> str:
    """The protocol's word for an array's type."""
    names = {np.dtype(dtype): name for name, dtype in RAW.items()}
    return names.get(array.dtype.newbyteorder("<"), "BYTES")


def fill(tensor: oip.ModelInferRequest.InferInputTensor, name: str, datatype: str, array: np.ndarray) -> None:
    """Put an array into a tensor of a request or an answer."""
    tensor.name, tensor.datatype = name, datatype
    tensor.shape.extend(int(one) for one in array.shape)
    contents = getattr(tensor.contents, LISTS["FP32" if datatype == "FP16" else datatype])
    flat = array.reshape(-1)
    if datatype == "FP16":  # the protocol has no list for them
        tensor.datatype = "FP32"
    contents.extend(str(one).encode() for one in flat) if datatype == "BYTES" else contents.extend(flat.tolist())


def read(tensor: oip.ModelInferRequest.InferInputTensor, raw: bytes | None = None) -> np.ndarray:
    """The array in a tensor; `raw` are its bytes, where they were sent beside it. ValueError for what is none."""
    if tensor.datatype not in LISTS and tensor.datatype not in RAW:
        raise ValueError(f"{tensor.name}: datatype {tensor.datatype} is not known")
    if raw is not None and tensor.datatype != "BYTES":
        return np.frombuffer(raw, RAW[tensor.datatype]).reshape(list(tensor.shape))
    if raw is not None:
        raise ValueError(f"{tensor.name}: send text as bytes_contents")
    if tensor.datatype not in LISTS:
        raise ValueError(f"{tensor.name}: send {tensor.datatype} as raw_input_contents")
    values = getattr(tensor.contents, LISTS[tensor.datatype])
    if tensor.datatype == "BYTES":
        return np.array([one.decode() for one in values], dtype=object).reshape(list(tensor.shape))
    return np.array(values, dtype=RAW[tensor.datatype]).reshape(list(tensor.shape))
