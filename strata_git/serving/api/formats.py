"""The formats of tables: JSON, CSV, Arrow. What came in is answered in kind unless Accept says otherwise."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

from strata_git.serving.api.answer import JSON
from strata_git.serving.api.arrow_rows import read_arrow, warm_up, write_arrow
from strata_git.serving.columns import Bounds, NanPolicy, Signature, Table
from strata_git.serving.errors import PredictionError, RequestError

Format = Literal["json", "csv", "arrow"]
TYPES: Mapping[Format, str] = {
    "json": JSON, "csv": "text/csv; charset=utf-8", "arrow": "application/vnd.apache.arrow.stream",
}  # fmt: skip
_NAMES: Mapping[str, Format] = {
    "application/json": "json", "text/json": "json", "text/csv": "csv", "application/csv": "csv",
    "application/vnd.apache.arrow.stream": "arrow",
}  # fmt: skip
_WEIGHT = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
"""RFC 9110, section 12.4.2."""
_TEXT = ("utf-8", "utf8", "us-ascii", "ascii")


@lru_cache(256)
def format_of(content_type: str) -> Format:
    """What a body is; without a word it is JSON. Raises RequestError (415)."""
    name, *parameters = [part.strip() for part in content_type[:500].lower().split(";")]
    found = _NAMES.get(name) if name else "json"
    if found is None:
        raise RequestError(
            "must be application/json, text/csv or application/vnd.apache.arrow.stream",
            field="content-type",
            status=415,
        )
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "charset" and found != "arrow" and value.strip('"') not in _TEXT:
            raise RequestError("text must be UTF-8", field="content-type", status=415)
    return found


@lru_cache(256)
def accepted(accept: str, given: Format) -> Format:
    """What to answer in: what Accept weighs most, of equal weights what came in. Raises RequestError (406)."""
    if not accept or accept == "*/*":
        return given
    weights = dict.fromkeys(TYPES, 0.0)
    exact: set[str] = set()
    for part in accept[:1000].lower().split(","):
        name, *parameters = [one.strip() for one in part.split(";")]
        weight = _weight(parameters)
        if (named := _NAMES.get(name)) is not None:
            weights[named] = weight
            exact.add(named)
        for form, media in TYPES.items():
            if form not in exact and name in ("*/*", f"{media.partition('/')[0]}/*"):
                weights[form] = max(weights[form], weight)
    best = max(weights.values())
    if best <= 0:
        raise RequestError(
            "can be application/json, text/csv or application/vnd.apache.arrow.stream", field="accept", status=406
        )
    likely: tuple[Format, ...] = (given, "json", "csv", "arrow")
    return next(form for form in likely if weights[form] == best)


async def prepare(*forms: Format) -> float:
    """Have loaded what the formats need, beside what the loop does: the first request in Arrow waits, and no other.
    How many seconds it took."""
    begun = time.monotonic()
    if "arrow" in forms and not warm_up.cache_info().currsize:
        await asyncio.to_thread(warm_up)
    return time.monotonic() - begun


def read_body(body: bytes, form: Format, signature: Signature, nan: NanPolicy, bounds: Bounds) -> Table:
    """The rows of a body. Raises RequestError."""
    if form == "csv":
        from strata_git.serving.api.csv_rows import read_csv

        return read_csv(body, signature, nan=nan, bounds=bounds)
    if form == "arrow":
        return read_arrow(body, signature, nan=nan, bounds=bounds)
    from strata_git.serving.tables import parse_body, read_table

    return read_table(parse_body(body, bounds), signature, nan=nan, bounds=bounds)


def write_outputs(outputs: Mapping[str, Any], form: Format) -> bytes:
    """The answers as a body: of JSON `{"predictions": [{output: value}]}`. Raises PredictionError."""
    if form == "csv":
        from strata_git.serving.api.csv_rows import write_csv

        return write_csv(outputs)
    if form == "arrow":
        return write_arrow(outputs)
    import orjson

    from strata_git.serving.tables import prediction_records

    try:
        return orjson.dumps({"predictions": prediction_records(outputs)})
    except (TypeError, ValueError):
        raise PredictionError("The model's answer cannot be said in JSON.") from None


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            return float(value) if _WEIGHT.fullmatch(value.strip()) else 0.0
    return 1.0
