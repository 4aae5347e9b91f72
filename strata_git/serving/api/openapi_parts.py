"""Parts of the OpenAPI document: what is the same for every model, and the schemas made of one's columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from strata_git.serving.api.schemas import record_schema
from strata_git.serving.columns import DATATYPES

if TYPE_CHECKING:
    from strata_git.contracts.service import Service
    from strata_git.serving.columns import Signature

Plain = dict[str, Any]
ALWAYS = (400, 401, 403, 404, 405, 421, 500)
"""What any route may say."""
FAILURES = (406, 408, 413, 415, 422, 429, 503, 504)
PROTOCOL_FAILURES = (408, 413, 415, 422, 429, 503, 504)
_WORDS = {
    400: "The request is malformed.", 401: "Nobody we know asks.", 403: "Who asks may not.",
    404: "There is no such thing.", 405: "Not with this method.", 406: "No format that is accepted can be had.",
    408: "The body did not come in time.",
    413: "Too many bytes or rows.", 415: "The body is of a format that is not taken.",
    421: "This is not the host that was asked for.", 422: "A column or a value is not as it must be.",
    429: "Too many wait already.", 500: "The model failed.", 503: "No model answers now.",
    504: "No answer within the deadline.",
}  # fmt: skip
_RETRY = {
    "Retry-After": {"description": "Seconds after which to ask again.", "schema": {"type": "integer", "minimum": 1}}
}
ANSWER_HEADERS: Plain = {
    name: {"description": words, "schema": {"type": "string"}}
    for name, words in (
        ("strata-model", "The version that answered."), ("strata-stage", "Its stage."),
        ("strata-commit", "The commit that introduced it."), ("strata-run", "The run that made it."),
        ("strata-digest", "The digest of its CHECKSUMS.txt."), ("strata-signer", "Who signed its promotion."),
        ("strata-code", "The digest of the service's own code, where it has some."),
        ("x-request-id", "This request."), ("traceparent", "Its place in a trace (W3C Trace Context)."),
    )
}  # fmt: skip
EXPECTED_HEADERS: Plain = {name: {"$ref": f"#/components/headers/{name}"} for name in ANSWER_HEADERS}


def media(schema: str, **more: Any) -> Plain:
    """JSON of a named schema."""
    return {"application/json": {"schema": _ref(schema), **more}}


def failures(statuses: tuple[int, ...], *, protocol: bool) -> Plain:
    """What an operation says when it cannot answer."""
    made: Plain = {}
    for status in sorted({*ALWAYS, *statuses}):
        made[str(status)] = {"description": _WORDS[status], "content": media("ProtocolError" if protocol else "Error")}
        if status in (429, 503):
            made[str(status)]["headers"] = _RETRY
    return made


def component_schemas(service: Service, signature: Signature | None, record: Plain) -> Plain:
    """All named schemas; those of predictions where there is a model."""
    return {**_FIXED, **(_of_columns(service, signature, record) if signature is not None else {})}


def _of_columns(service: Service, signature: Signature, record: Plain) -> Plain:
    nan, most = service.runtime.nan, service.api.limits.rows
    row = {**record_schema(signature.inputs, nan=nan), "examples": [record]}
    columns = {
        "type": "object", "required": row["required"], "additionalProperties": False,
        "properties": {name: {"type": "array", "minItems": 1, "maxItems": most, "items": one}
                       for name, one in row["properties"].items()},
    }  # fmt: skip
    split = {
        "type": "object", "required": ["columns", "data"], "additionalProperties": False,
        "properties": {
            "columns": {"type": "array", "items": {"type": "string", "enum": list(signature.names)},
                        "uniqueItems": True, "minItems": len(signature.inputs), "maxItems": len(signature.inputs)},
            "data": {"type": "array", "minItems": 1, "maxItems": most, "items": {"type": "array", "items": {}}},
            "index": {"type": "array", "items": {}},
        },
    }  # fmt: skip
    records = {"type": "array", "items": _ref("Record"), "minItems": 1, "maxItems": most}
    return {
        "Record": row,
        "Prototype": _ref("Record"),
        "Columns": columns,
        "Split": split,
        "Prediction": record_schema(signature.outputs, output=True),
        "PredictRequest": _one_of("Records", "ByColumns", "BySplit"),
        "Records": _alone("records", records),
        "ByColumns": _alone("columns", _ref("Columns")),
        "BySplit": _alone("split", _ref("Split")),
        "PredictResponse": _alone("predictions", {"type": "array", "items": _ref("Prediction")}),
        "InvocationsRequest": _one_of("DataframeRecords", "DataframeSplit", "Instances", "Inputs"),
        "DataframeRecords": _alone("dataframe_records", records),
        "DataframeSplit": _alone("dataframe_split", _ref("Split")),
        "Instances": _alone("instances", {"type": "array", "items": {}, "minItems": 1}),
        "Inputs": _alone("inputs", {}),
        "InvocationsResponse": _alone("predictions", {"type": "array", "items": {}}),
    }


def _ref(name: str) -> Plain:
    return {"$ref": f"#/components/schemas/{name}"}


def _one_of(*names: str) -> Plain:
    return {"oneOf": [_ref(name) for name in names]}


def _alone(name: str, schema: Plain) -> Plain:
    return {"type": "object", "required": [name], "properties": {name: schema}, "additionalProperties": False}


_STRING, _LIST = {"type": "string"}, {"type": "array", "items": {}}
_TENSOR: Plain = {
    "type": "object",
    "required": ["name", "datatype", "shape"],
    "properties": {
        "name": _STRING, "datatype": {"type": "string", "enum": sorted(DATATYPES.values())},
        "shape": {"type": "array", "items": {"type": "integer"}}, "data": _LIST, "parameters": {"type": "object"},
    },
}  # fmt: skip
_COLUMN = {"type": "object", "required": ["name", "datatype", "shape"], "properties": _TENSOR["properties"]}
_FIXED: Plain = {
    "Error": _alone("error", _ref("Fault")),
    "Fault": {"type": "object", "required": ["field", "message"], "additionalProperties": False,
              "properties": {"field": {"type": ["string", "null"], "description": "Where; null: the whole request."},
                             "message": _STRING}},
    "ProtocolError": _alone("error", _STRING),
    "Tensor": _TENSOR,
    "TensorColumn": _COLUMN,
    "RequestedOutput": {"type": "object", "required": ["name"],
                        "properties": {"name": _STRING, "parameters": {"type": "object"}}},
    "Ready": {"type": "object"},
    "Prototype": {"type": "object"},
    "ServerMetadata": {"type": "object", "required": ["name", "version", "extensions"],
                       "properties": {"name": _STRING, "version": _STRING, "extensions": _LIST}},
    "ModelMetadata": {"type": "object", "required": ["name", "versions", "platform", "inputs", "outputs"],
                      "properties": {"name": _STRING, "versions": _LIST, "platform": _STRING,
                                     "inputs": {"type": "array", "items": _ref("TensorColumn")},
                                     "outputs": {"type": "array", "items": _ref("TensorColumn")}}},
    "InferRequest": {"type": "object", "required": ["inputs"],
                     "properties": {"id": _STRING, "parameters": {"type": "object"},
                                    "inputs": {"type": "array", "items": _ref("Tensor"), "minItems": 1},
                                    "outputs": {"type": "array", "items": _ref("RequestedOutput")}}},
    "InferResponse": {"type": "object", "required": ["model_name", "model_version", "outputs"],
                      "properties": {"model_name": _STRING, "model_version": _STRING, "id": _STRING,
                                     "parameters": {"type": "object"},
                                     "outputs": {"type": "array", "items": _ref("Tensor")}}},
    "Provenance": {"type": "object", "required": ["schema", "model", "version", "stage", "commit", "digest", "signer"],
                   "properties": dict.fromkeys(("schema", "model", "version", "stage", "commit", "run", "digest",
                                                "signer", "format", "file", "sha256", "event", "trust", "service"),
                                               _STRING)},
}  # fmt: skip
