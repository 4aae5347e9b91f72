"""A service's OpenAPI document (3.1), written from the signature of the model that answers: real columns and types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from strata_git import __version__
from strata_git.serving.api.openapi_parts import (
    ANSWER_HEADERS,
    EXPECTED_HEADERS,
    FAILURES,
    PROTOCOL_FAILURES,
    component_schemas,
    failures,
    media,
)
from strata_git.serving.api.schemas import blank_record, tensor_example

if TYPE_CHECKING:
    from strata_git.contracts.service import Service
    from strata_git.serving.columns import Signature
    from strata_git.serving.provenance import Provenance

Plain = dict[str, Any]


def describe(
    service: Service, signature: Signature | None, provenance: Provenance | None,
    example: Mapping[str, Any] | None = None,
) -> Plain:  # fmt: skip
    """The document. Without a model it has the routes that answer always; `example` is one valid record."""
    auth = service.api.auth
    told: Plain = {
        "openapi": "3.1.0",
        "info": {
            "title": service.name,
            "version": provenance.version if provenance is not None else "none",
            "description": _description(service, provenance),
            "x-generator": f"git-strata {__version__}",
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": "predict", "description": "Asking the model."},
                 {"name": "protocol", "description": "The Open Inference Protocol, version 2."},
                 {"name": "about", "description": "What the service tells of itself."}],
        "paths": _always(service),
        "components": {"headers": ANSWER_HEADERS},
    }  # fmt: skip
    if signature is not None and provenance is not None:
        record = dict(example or blank_record(signature))
        told["paths"] = {
            **_predicting(record),
            **_of_the_model(provenance, signature, record),
            **told["paths"],
        }
        told["components"]["schemas"] = component_schemas(service, signature, record)
    else:
        told["components"]["schemas"] = component_schemas(service, None, {})
    if auth.required:
        schemes: Plain = {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                          "bearer": {"type": "http", "scheme": "bearer"}}  # fmt: skip
        told["components"]["securitySchemes"] = schemes
        told["security"] = [{name: []} for name in schemes]
    return told


def _description(service: Service, provenance: Provenance | None) -> str:
    said = [service.description or f"Answers with the model {service.model}."]
    if provenance is not None:
        said.append(f"In force: {provenance.reference} ({provenance.stage}), commit {provenance.commit[:12]}.")
    said.append("Every answer carries headers that say which version gave it: strata-model, strata-commit, and more.")
    return "\n\n".join(said)


def _operation(
    identity: str,
    tag: str,
    summary: str,
    answers: Plain,
    failing: tuple[int, ...],
    *,
    protocol: bool = False,
    **more: Any,
) -> Plain:
    told: Plain = {
        "operationId": identity, "tags": [tag], "summary": summary,
        "responses": {"200": {"description": "The answer.", "headers": EXPECTED_HEADERS, "content": answers},
                      **failures(failing, protocol=protocol)},
    }  # fmt: skip
    return {**told, **more}


def _predicting(record: Plain) -> Plain:
    body = {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/PredictRequest"},
                "examples": {
                    "records": {"value": {"records": [record]}},
                    "columns": {"value": {"columns": {name: [value] for name, value in record.items()}}},
                    "split": {"value": {"split": {"columns": list(record), "data": [list(record.values())]}}},
                },
            },
            "text/csv": {"schema": {"type": "string", "description": "Names of columns, then rows."}},
            "application/vnd.apache.arrow.stream": {},
        },
    }
    answers = {
        "application/json": {"schema": {"$ref": "#/components/schemas/PredictResponse"}},
        "text/csv": {"schema": {"type": "string"}},
        "application/vnd.apache.arrow.stream": {},
    }
    asked = {"content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/InvocationsRequest"},
                             "examples": {"records": {"value": {"dataframe_records": [record]}}}},
        "text/csv": {"schema": {"type": "string"}}}, "required": True}  # fmt: skip
    invoked = {
        "application/json": {"schema": {"$ref": "#/components/schemas/InvocationsResponse"}},
        "text/csv": {"schema": {"type": "string"}},
    }
    return {
        "/predict": {"post": _operation("predict", "predict", "Predictions for rows of columns.", answers, FAILURES,
                                        requestBody=body, parameters=_TIMEOUT)},
        "/invocations": {"post": _operation("invocations", "predict", "The same in the words of MLflow and SageMaker.",
                                            invoked, FAILURES, requestBody=asked, parameters=_TIMEOUT)},
    }  # fmt: skip


_TIMEOUT = [{
    "name": "X-Request-Timeout-Ms", "in": "header", "required": False,
    "description": "For how many milliseconds an answer is of use.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
}]  # fmt: skip


def _of_the_model(provenance: Provenance, signature: Signature, record: Plain) -> Plain:
    model = f"/v2/models/{provenance.model}"
    asked = {"required": True, "content": media(
        "InferRequest", example={"inputs": tensor_example(signature, record)})}  # fmt: skip
    get, few = "ModelMetadata", (404, 503)
    made: Plain = {}
    for path, one in ((model, ""), (f"{model}/versions/{provenance.version}", "Version")):
        made[path] = {"get": _operation(f"modelMetadata{one}", "protocol", "The columns as tensors.", media(get), few,
                                        protocol=True)}  # fmt: skip
        ready = _operation(f"modelReady{one}", "protocol", "Whether the model answers.", media("Ready"), (404,),
                           protocol=True)  # fmt: skip
        ready["responses"]["503"] = {"description": "It does not.", "content": media("Ready")}
        made[f"{path}/ready"] = {"get": ready}
        made[f"{path}/infer"] = {"post": _operation(
            f"modelInfer{one}", "protocol", "Predictions for tensors.", media("InferResponse"), PROTOCOL_FAILURES,
            protocol=True, requestBody=asked, parameters=_TIMEOUT)}  # fmt: skip
    return made


def _always(service: Service) -> Plain:
    made: Plain = {"/v2": {"get": _operation("serverMetadata", "protocol", "What this server is.",
                                             media("ServerMetadata"), (), protocol=True)}}  # fmt: skip
    for path, identity, summary in (
        ("/v2/health/live", "serverLive", "Whether the process answers."),
        ("/v2/health/ready", "serverReady", "Whether a model answers."),
        ("/ping", "ping", "Whether a model answers."),
    ):
        one = _operation(identity, "protocol" if path != "/ping" else "about", summary, media("Ready"), (), security=[])
        if path != "/v2/health/live":
            one["responses"]["503"] = {"description": "None does now.", "content": media("Ready")}
        made[path] = {"get": one}
    for path, summary, answers, failing in (
        ("/provenance", "Where the model in force comes from.", media("Provenance"), (503,)),
        ("/prototype", "One valid record.", media("Prototype"), (503,)),
        ("/card", "The model card.", {"text/markdown": _TEXT, "text/html": _TEXT}, (503,)),
        ("/openapi.json", "This document.", {"application/json": {"schema": {"type": "object"}}}, ()),
        ("/docs", "This document as a page.", {"text/html": _TEXT}, ()),
        ("/", "A form to try the model with.", {"text/html": _TEXT}, ()),
    ):
        identity = path.strip("/").removesuffix(".json") or "tryIt"
        made[path] = {"get": _operation(identity, "about", summary, answers, failing)}
    if service.api.metrics:
        answers = {"text/plain": _TEXT, "application/openmetrics-text": _TEXT}
        made["/metrics"] = {"get": _operation("metrics", "about", "Figures for Prometheus.", answers, ())}
    made["/"]["get"]["security"] = []
    return made


_TEXT = {"schema": {"type": "string"}}
