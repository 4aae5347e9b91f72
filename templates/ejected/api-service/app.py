"""The api-service: HTTP and JSON for people, gRPC to the model-service.

    MODEL=unix:/run/service/model.sock uvicorn --app-dir api-service app:app --host 127.0.0.1 --port 8080

Anybody on this machine may ask. For others give it keys: KEYS is a JSON object, name -> SHA-256 of the key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "model-interface"))

import grpc
import numpy as np
import oip_pb2 as oip
import oip_pb2_grpc
import tensors
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

MODEL = os.environ.get("MODEL", "unix:/run/service/model.sock")
KEYS: dict[str, str] = json.loads(os.environ.get("KEYS", "{}"))
SECONDS = 10.0
MOST_BYTES, MOST_ROWS = 8 << 20, 10_000
STATUS = {grpc.StatusCode.INVALID_ARGUMENT: 422, grpc.StatusCode.DEADLINE_EXCEEDED: 504,
          grpc.StatusCode.UNAVAILABLE: 503, grpc.StatusCode.RESOURCE_EXHAUSTED: 429}  # fmt: skip


@asynccontextmanager
async def connected(app: FastAPI) -> AsyncIterator[None]:
    """The channel to the model-service, for as long as the application lives."""
    async with grpc.aio.insecure_channel(MODEL) as channel:
        app.state.model = oip_pb2_grpc.GRPCInferenceServiceStub(channel)
        app.state.columns = None
        yield


app = FastAPI(title="@@NAME@@", description="@@DESCRIPTION@@", lifespan=connected)


@app.get("/v2/health/live")
async def live() -> dict[str, bool]:
    """Whether this process runs."""
    return {"live": True}


@app.get("/v2/health/ready")
async def ready() -> JSONResponse:
    """Whether the model-service would answer."""
    try:
        answer = await app.state.model.ServerReady(oip.ServerReadyRequest(), timeout=2.0)
    except grpc.aio.AioRpcError:
        return JSONResponse({"ready": False}, 503, {"Retry-After": "1"})
    return JSONResponse({"ready": answer.ready}, 200 if answer.ready else 503)


@app.get("/prototype")
async def prototype(request: Request) -> dict[str, Any]:
    """A request that /predict takes."""
    _admit(request)
    return {"records": [{one.name: _blank(one) for one in await _columns()}]}


@app.post("/predict")
async def predict(request: Request) -> JSONResponse:
    """Answers for rows: {"records": [{column: value, ...}, ...]} gives {"predictions": [{output: value}, ...]}."""
    _admit(request)
    rows = _rows(await _body(request))
    asked = oip.ModelInferRequest(model_name="@@MODEL@@")
    for one in await _columns():
        tensors.fill(asked.inputs.add(), one.name, one.datatype, _column(rows, one))
    if unknown := {name for row in rows for name in row} - {one.name for one in asked.inputs}:
        raise HTTPException(422, {"field": min(unknown), "message": "is no column of this model"})
    try:
        answer = await app.state.model.ModelInfer(asked, timeout=SECONDS)
    except grpc.aio.AioRpcError as error:
        message = error.details() if error.code() is grpc.StatusCode.INVALID_ARGUMENT else "no answer"
        raise HTTPException(STATUS.get(error.code(), 500), {"field": "", "message": message}) from None
    outputs = {one.name: _told(tensors.read(one)) for one in answer.outputs}
    records = [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]
    headers = {name: one.string_param for name, one in answer.parameters.items() if one.string_param}
    return JSONResponse({"predictions": records}, headers=headers)


@app.exception_handler(HTTPException)
async def told(_: Request, error: HTTPException) -> JSONResponse:
    """Errors name the field, and never a value."""
    said = error.detail if isinstance(error.detail, dict) else {"field": "", "message": error.detail}
    return JSONResponse({"error": said}, error.status_code)


async def _columns() -> list[Any]:
    """What goes into the model; asked once."""
    if app.state.columns is None:
        try:
            told = await app.state.model.ModelMetadata(oip.ModelMetadataRequest(name="@@MODEL@@"), timeout=SECONDS)
        except grpc.aio.AioRpcError:
            raise HTTPException(503, {"field": "", "message": "the model-service is not there"}) from None
        app.state.columns = list(told.inputs)
    return app.state.columns


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise HTTPException(413, {"field": "", "message": f"more than {MOST_BYTES} bytes"})
    return bytes(body)


def _rows(body: bytes) -> list[dict[str, Any]]:
    try:
        said = json.loads(body)
        rows = said["records"] if isinstance(said, dict) else None
    except (KeyError, ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise HTTPException(422, {"field": "records", "message": "must be a list of objects, one a row"})
    if len(rows) > MOST_ROWS:
        raise HTTPException(413, {"field": "records", "message": f"more than {MOST_ROWS} rows"})
    return rows


def _column(rows: list[dict[str, Any]], column: Any) -> np.ndarray:
    """The values of one column, in the type that the model wants."""
    wrong = HTTPException(422, {"field": column.name, "message": f"must be {column.datatype} in every row"})
    values = [row.get(column.name) for row in rows]
    if any(one is None for one in values):
        raise HTTPException(422, {"field": column.name, "message": "is missing in a row"})
    try:
        array = np.array(values, dtype=object if column.datatype == "BYTES" else None)
        text = column.datatype == "BYTES"
        known = all(isinstance(one, str) for one in values) if text else array.dtype.kind in _KINDS[column.datatype[0]]
        if not known or array.shape != (len(rows), *list(column.shape)[1:]):
            raise wrong
        made = array if text else array.astype(tensors.RAW[column.datatype])
    except (OverflowError, TypeError, ValueError):
        raise wrong from None
    if made.dtype.kind in "iu" and not np.array_equal(made, array):
        raise wrong
    if made.dtype.kind == "f" and not np.isfinite(made).all():
        raise wrong
    return made


_KINDS = {"B": "b", "F": "fiu", "I": "iu", "U": "iu"}
"""First letter of a datatype -> the kinds of arrays that JSON gives for it."""


def _told(array: np.ndarray) -> list[Any]:
    """Plain values; what is no number is null."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(one) for one in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return [plain(value) for value in array.tolist()]


def _blank(column: Any) -> Any:
    """A value that the column takes."""
    one = "" if column.datatype == "BYTES" else False if column.datatype == "BOOL" else 0
    for length in reversed(list(column.shape)[1:]):
        one = [one] * length
    return one


def _admit(request: Request) -> None:
    """Who holds a key may ask; with no keys, everybody who reaches this port."""
    said = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
    digest = hashlib.sha256(said.encode()).hexdigest()
    if KEYS and not any(hmac.compare_digest(digest, one) for one in KEYS.values()):
        raise HTTPException(401, {"field": "", "message": "a key is needed: Authorization: Bearer KEY"})
