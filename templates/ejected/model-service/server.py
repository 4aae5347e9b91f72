"""The model-service: loads one model, and answers with it over gRPC.

    python model-service/server.py --listen unix:/run/service/model.sock

What it loads has the digest that model/model.json names, or it does not start.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "model-interface"))

import grpc  # noqa: E402
import numpy as np  # noqa: E402
import oip_pb2 as oip  # noqa: E402
import oip_pb2_grpc  # noqa: E402
import tensors  # noqa: E402

FLOATS = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}
MOST_BYTES = 64 << 20


class Onnx:
    """A model that ONNX Runtime answers with: one matrix of all columns, or one input a column."""

    def __init__(self, data: bytes, said: dict[str, Any]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.native = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        self._names = [one["name"] for one in said["inputs"]]
        self._outputs = _outputs([one.name for one in self.native.get_outputs()
                                  if one.type.startswith("tensor(")], said)  # fmt: skip

    def predict(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Output -> array, one answer a row."""
        wanted = self.native.get_inputs()
        if {one.name for one in wanted} == set(self._names) and len(wanted) == len(self._names):
            feed = {one.name: _fed(columns[one.name], one) for one in wanted}
        else:
            matrix = np.column_stack([columns[name] for name in self._names])
            feed = {wanted[0].name: matrix.astype(FLOATS[wanted[0].type])}
        answers = self.native.run(list(self._outputs.values()), feed)
        return dict(zip(self._outputs, answers, strict=True))


class Skops:
    """A scikit-learn estimator, with the types that its version trusts."""

    def __init__(self, data: bytes, said: dict[str, Any]) -> None:
        import skops.io

        self.native = skops.io.loads(data, trusted=said["trusted_types"])
        self._names = [one["name"] for one in said["inputs"]]
        self._output = said["outputs"][0]["name"]

    def predict(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Output -> array, one answer a row."""
        if getattr(self.native, "feature_names_in_", None) is not None:
            import pandas as pd

            rows: Any = pd.DataFrame({name: columns[name] for name in self._names})
        else:
            rows = np.column_stack([columns[name] for name in self._names]).astype("float64")
        answers = {self._output: self.native.predict(rows)}
        if hasattr(self.native, "predict_proba"):
            answers.setdefault("probabilities", self.native.predict_proba(rows))
        return answers


class Native:
    """A loaded model as predict.py gets it: `model(rows)` asks it, `native` is the library's own object."""

    def __init__(self, model: Any, said: dict[str, Any]) -> None:
        self._model, self._said, self.native = model, said, model.native

    def __call__(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        types = {one["name"]: one for one in self._said["inputs"]}
        columns = {name: np.array([row[name] for row in rows], dtype=_dtype(one)) for name, one in types.items()}
        answers = {name: array.tolist() for name, array in self._model.predict(columns).items()}
        return [dict(zip(answers, row, strict=True)) for row in zip(*answers.values(), strict=True)]


class Own:
    """The answers of own/predict.py: predict(model, rows), and load(path) where it has one."""

    def __init__(self, directory: Path, said: dict[str, Any], default: Any) -> None:
        sys.path.insert(0, str(HERE / "own"))
        import predict

        self._predict, self._said = predict.predict, said
        self._model = predict.load(str(directory)) if hasattr(predict, "load") else default()

    def predict(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Output -> array: of one value or dict a row, or of a dict or data frame of columns."""
        plain = {name: [_plain(one) for one in array.tolist()] for name, array in columns.items()}
        rows = [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]
        answer = self._predict(self._model, rows)
        names = [one["name"] for one in self._said["outputs"]]
        if hasattr(answer, "keys"):
            found = {str(name): list(answer[name]) for name in answer.keys()}  # noqa: SIM118 - data frames, too
        elif isinstance(answer[0], dict):
            found = {name: [row[name] for row in answer] for name in answer[0]}
        elif len(names) == 1:
            found = {names[0]: list(answer)}
        else:
            found = dict(zip(names, zip(*answer, strict=True), strict=True))
        return {name: _array(values) for name, values in found.items()}


class Service(oip_pb2_grpc.GRPCInferenceServiceServicer):
    """The protocol's methods."""

    def __init__(self, directory: Path) -> None:
        self.said = json.loads((directory / "model.json").read_text())
        self.name = self.said["provenance"]["strata-model"].partition("@")[0]
        for file, digest in self.said["files"].items():
            if hashlib.sha256((directory / file).read_bytes()).hexdigest() != digest:
                sys.exit(f"{file} is not the file that was promoted: its digest differs")
        own = (HERE / "own" / "predict.py").is_file()
        self.model = Own(directory, self.said, lambda: self._native(directory)) if own else self._default(directory)

    def _default(self, directory: Path) -> Any:
        data = (directory / self.said["file"]).read_bytes()
        return {"onnx": Onnx, "skops": Skops}[self.said["format"]](data, self.said)

    def _native(self, directory: Path) -> Native:
        return Native(self._default(directory), self.said)

    def ServerLive(self, request, context):
        return oip.ServerLiveResponse(live=True)

    def ServerReady(self, request, context):
        return oip.ServerReadyResponse(ready=True)

    def ModelReady(self, request, context):
        return oip.ModelReadyResponse(ready=request.name == self.name)

    def ServerMetadata(self, request, context):
        return oip.ServerMetadataResponse(name="model-service", version="1")

    def ModelMetadata(self, request, context):
        answer = oip.ModelMetadataResponse(name=self.name, platform=self.said["format"])
        answer.versions.append(self.said["provenance"]["strata-model"].partition("@")[2])
        for fields, told in ((self.said["inputs"], answer.inputs), (self.said["outputs"], answer.outputs)):
            for one in fields:
                told.add(name=one["name"], datatype=one["datatype"], shape=[-1, *one["inner"]])
        return answer

    def ModelInfer(self, request, context):
        try:
            columns = self._columns(request)
        except (IndexError, ValueError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        answers = self.model.predict(columns)
        told = oip.ModelInferResponse(model_name=self.name, id=request.id)
        told.model_version = self.said["provenance"]["strata-model"].partition("@")[2]
        for name, value in self.said["provenance"].items():
            told.parameters[name].string_param = value
        types = {one["name"]: one for one in self.said["outputs"]}
        for name, array in answers.items():
            if name in types and types[name]["datatype"] != "BYTES":
                array = array.astype(types[name]["type"], copy=False).reshape(array.shape[0], *types[name]["inner"])
            tensors.fill(told.outputs.add(), name, tensors.datatype_of(array), array)
        return told

    def _columns(self, request) -> dict[str, np.ndarray]:
        """The columns of a request in the types of the model's signature. ValueError names the column."""
        raw = list(request.raw_input_contents) or [None] * len(request.inputs)
        given = {one.name: tensors.read(one, data) for one, data in zip(request.inputs, raw, strict=True)}
        columns = {}
        for one in self.said["inputs"]:
            if one["name"] not in given:
                raise ValueError(f"{one['name']}: is missing")
            array = given.pop(one["name"])
            columns[one["name"]] = array.reshape(array.shape[0], *one["inner"])
            if one["datatype"] != "BYTES":
                columns[one["name"]] = columns[one["name"]].astype(one["type"])
        if given:
            raise ValueError(f"{next(iter(given))}: is no column of this model")
        return columns


def _dtype(one: dict[str, Any]) -> Any:
    return object if one["datatype"] == "BYTES" else one["type"]


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and value != value else value  # NaN is no number


def _array(values: Any) -> np.ndarray:
    array = np.asarray([np.nan if one is None else one for one in values])
    return array.astype(object) if array.dtype.kind in "US" else array


def _fed(array: np.ndarray, wanted: Any) -> np.ndarray:
    array = array.astype(FLOATS[wanted.type]) if wanted.type in FLOATS else array
    return array.reshape(-1, 1) if array.ndim == 1 and len(wanted.shape) == 2 else array


def _outputs(offered: list[str], said: dict[str, Any]) -> dict[str, str]:
    """Name of an answer -> the model's own name for it."""
    names = [one["name"] for one in said["outputs"]]
    found = {name: name for name in names if name in offered}
    if len(found) < len(names):
        found = {names[0]: next(name for name in offered if name != "probabilities")}
    if "probabilities" in offered and "probabilities" not in {*found, *found.values()}:
        found["probabilities"] = "probabilities"
    return found


def main() -> None:
    """Serve until somebody says to stop; then answer what is under way."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--listen", default="unix:/run/service/model.sock", help="unix:PATH, or HOST:PORT")
    parser.add_argument("--model", type=Path, default=HERE / "model", help="the directory with model.json")
    asked = parser.parse_args()
    service = Service(asked.model)
    sizes = [("grpc.max_receive_message_length", MOST_BYTES), ("grpc.max_send_message_length", MOST_BYTES)]
    server = grpc.server(ThreadPoolExecutor(2), options=sizes, maximum_concurrent_rpcs=256)
    oip_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(service, server)
    server.add_insecure_port(asked.listen)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server.start()
    print(f"ready {asked.listen}", flush=True)
    stop.wait()
    server.stop(10).wait()


if __name__ == "__main__":
    main()
