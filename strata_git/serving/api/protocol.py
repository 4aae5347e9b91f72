"""The Open Inference Protocol, version 2, over HTTP: health, metadata, inference; tensors as JSON or bytes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from strata_git import __version__
from strata_git.serving import oip_rest
from strata_git.serving.api.answer import Answer, json_answer
from strata_git.serving.errors import RequestError
from strata_git.serving.tensors import to_table

if TYPE_CHECKING:
    from strata_git.serving.api.asked import Asked
    from strata_git.serving.api.context import Context
    from strata_git.serving.backends.backend import Backend
    from strata_git.serving.columns import Field, Table

EXTENSIONS = ("binary_tensor_data",)
_BYTES = "application/octet-stream"


async def server(_context: Context, _asked: Asked) -> Answer:
    """GET /v2."""
    return json_answer({"name": "git-strata", "version": __version__, "extensions": EXTENSIONS})


async def live(_context: Context, _asked: Asked) -> Answer:
    """GET /v2/health/live: the process answers."""
    return json_answer({"live": True})


async def ready(context: Context, _asked: Asked) -> Answer:
    """GET /v2/health/ready: a model answers, and the service does not end."""
    good = await is_ready(context)
    return json_answer({"ready": good}, 200 if good else 503)


async def is_ready(context: Context) -> bool:
    """Whether requests would be answered now."""
    return not context.draining and await context.router.ready()


async def model(context: Context, asked: Asked) -> Answer:
    """GET /v2/models/M[/versions/V]: the columns as tensors."""
    backend = _named(context, asked)
    provenance, signature = backend.provenance, backend.signature
    return json_answer({
        "name": provenance.model, "versions": [provenance.version], "platform": platform(provenance.format),
        "inputs": [_tensor(field) for field in signature.inputs],
        "outputs": [_tensor(field) for field in signature.outputs],
    })  # fmt: skip


async def model_ready(context: Context, asked: Asked) -> Answer:
    """GET /v2/models/M[/versions/V]/ready."""
    backend = _named(context, asked)
    good = not context.draining and await backend.ready()
    return json_answer({"name": backend.provenance.model, "ready": good}, 200 if good else 503)


async def infer(context: Context, asked: Asked) -> Answer:
    """POST /v2/models/M[/versions/V]/infer."""
    named = _named(context, asked)
    body = await asked.body(context.bounds.body_bytes, context.room)
    request = oip_rest.read_request(body, asked.headers_text(oip_rest.LENGTH_HEADER), context.bounds)
    exact = named if "version" in asked.scope["path_params"] else None
    outputs, backend = await context.ask(asked, partial(_read, context, request), backend=exact)
    provenance = backend.provenance
    about: dict[str, Any] = {
        "model_name": provenance.model, "model_version": provenance.version,
        "parameters": context.headers(provenance)[0],
    }  # fmt: skip
    made, length = oip_rest.write_response(outputs, backend.signature.outputs, request, about)
    if length is None:
        return Answer(made)
    return Answer(made, _BYTES, headers={oip_rest.LENGTH_HEADER.lower(): str(length)})


def platform(format_: str) -> str:
    """The protocol's word for what runs a model."""
    return {"onnx": "onnxruntime_onnx", "skops": "sklearn_skops", "rds": "r_rds"}.get(format_, f"strata_{format_}")


def _read(context: Context, request: oip_rest.InferRequest, backend: Backend) -> Table:
    return to_table(request.tensors, backend.signature, nan=context.service.runtime.nan, bounds=context.bounds)


def _named(context: Context, asked: Asked) -> Backend:
    """The version that the path names: the one in force, or a canary by its version. RequestError (404) for others."""
    said = asked.scope["path_params"]
    current = context.current()
    if said["model"] not in (current.provenance.model, context.service.name):
        raise RequestError("There is no such model here.", status=404)
    version = said.get("version")
    candidates = [current, *(canary for canary, _ in context.router.canaries)]
    for backend in candidates:
        if version is None or version.removeprefix("v") == backend.provenance.version.removeprefix("v"):
            asked.provenance = backend.provenance
            return backend
    raise RequestError("This version of the model does not answer here.", status=404)


def _tensor(field: Field) -> dict[str, Any]:
    return {"name": field.name, "datatype": field.datatype, "shape": [-1, *field.inner]}
