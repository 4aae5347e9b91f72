"""`/predict` and `/invocations`: tables in, predictions out, in JSON, CSV or Arrow."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from strata_git.serving.api.answer import Answer, json_answer
from strata_git.serving.api.formats import TYPES, Format, accepted, format_of, prepare, read_body, write_outputs
from strata_git.serving.errors import RequestError
from strata_git.serving.tables import parse_body, prediction_columns, prediction_records, read_table

if TYPE_CHECKING:
    from strata_git.serving.api.asked import Asked
    from strata_git.serving.api.context import Context
    from strata_git.serving.backends.backend import Backend
    from strata_git.serving.columns import Signature, Table

SHAPES = ("dataframe_records", "dataframe_split", "instances", "inputs", "records", "columns", "split")


async def predict(context: Context, asked: Asked) -> Answer:
    """Answer one request with `{"predictions": [{output: value}]}`, one a row."""
    given = format_of(asked.header(b"content-type"))
    wanted = accepted(asked.header(b"accept"), given)
    asked.until += await prepare(given, wanted)  # loading is no part of answering
    body = await asked.body(context.bounds.body_bytes, context.room)
    outputs, _ = await context.ask(asked, partial(_read, context, body, given))
    return Answer(write_outputs(outputs, wanted), TYPES[wanted])


async def invocations(context: Context, asked: Asked) -> Answer:
    """The same in the words of MLflow and SageMaker: a single output comes as plain values, in CSV without a head."""
    given = format_of(asked.header(b"content-type"))
    wanted = accepted(asked.header(b"accept"), given)
    asked.until += await prepare(given, wanted)  # loading is no part of answering
    body = await asked.body(context.bounds.body_bytes, context.room)
    read = partial(_read_mlflow, context, body) if given == "json" else partial(_read, context, body, given)
    outputs, backend = await context.ask(asked, read)
    if wanted != "json":
        return Answer(write_outputs(outputs, wanted), TYPES[wanted])
    return json_answer({"predictions": _mlflow_predictions(outputs, backend.signature)})


def _read(context: Context, body: bytes, given: Format, backend: Backend) -> Table:
    return read_body(body, given, backend.signature, context.service.runtime.nan, context.bounds)


def _read_mlflow(context: Context, body: bytes, backend: Backend) -> Table:
    value = mlflow_shape(parse_body(body, context.bounds), backend.signature)
    return read_table(value, backend.signature, nan=context.service.runtime.nan, bounds=context.bounds)


def mlflow_shape(value: Any, signature: Signature) -> Any:
    """A body of MLflow's in one of our shapes: `instances` and `inputs` may be rows as lists, as objects, or columns.

    Raises RequestError for `params`, which our models do not take.
    """
    if not isinstance(value, dict):
        return value
    said = {key: one for key, one in value.items() if key != "params"}
    if value.get("params"):
        raise RequestError("are not taken by this model", field="params")
    key = next(iter(said), "")
    if len(said) != 1 or key not in ("instances", "inputs"):
        return said
    rows = said[key]
    if isinstance(rows, dict):
        return {"columns": rows}
    if isinstance(rows, list) and rows and isinstance(rows[0], dict):
        return {"records": rows}
    if isinstance(rows, list) and rows and not isinstance(rows[0], list) and len(signature.inputs) == 1:
        rows = [[one] for one in rows]
    return {"split": {"columns": list(signature.names), "data": rows}}


def _mlflow_predictions(outputs: Any, signature: Signature) -> list[Any]:
    if len(signature.outputs) == 1:
        name = signature.outputs[0].name
        return prediction_columns({name: outputs[name]})[name]
    return prediction_records(outputs)
