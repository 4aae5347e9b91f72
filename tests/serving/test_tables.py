"""Tables in JSON: what is taken, what is refused and in which words."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata_git.errors import StrataError
from strata_git.serving.columns import Bounds, blank_table, signature_of
from strata_git.serving.errors import RequestError
from strata_git.serving.tables import parse_body, prediction_columns, prediction_records, read_table
from tests.serving.models import COLUMNS, LINEAR, MIXED

ROW: dict[str, Any] = {"age": 41, "weight": 70.5, "plan": "bäsic", "active": True, "trace": [1.0, 2]}


def forms(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows in every way that is taken."""
    names = list(reversed(rows[0]))
    split = {"columns": names, "data": [[row[name] for name in names] for row in rows]}
    columns = {name: [row[name] for row in rows] for name in names}
    return [
        {"records": rows}, {"dataframe_records": rows}, {"instances": rows}, {"columns": columns}, {"inputs": columns},
        {"split": split}, {"dataframe_split": {**split, "index": [0]}},
    ]  # fmt: skip


def test_every_form_gives_the_same_arrays() -> None:
    for value in forms([ROW, {**ROW, "age": 42.0, "plan": ""}]):
        table = read_table(parse_body(json.dumps(value).encode()), MIXED)
        assert table.rows == 2
        columns = table.columns
        assert columns["age"].tolist() == [41, 42]
        assert [columns[name].dtype.str for name in ROW] == ["<i4", "<f4", "|O", "|b1", "<f8"]
        assert columns["plan"].tolist() == ["bäsic", ""]
        assert columns["trace"].tolist() == [[1.0, 2.0], [1.0, 2.0]]


def refused(value: Any, signature: Any = MIXED, **options: Any) -> RequestError:
    with pytest.raises(RequestError) as error:
        read_table(value, signature, **options)
    return error.value


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"age": "SECRET"}, "age", "row 1: must be a whole number"),
        ({"age": 41.5}, "age", "row 1: must be a whole number"),
        ({"age": True}, "age", "row 1: must be a whole number"),
        ({"age": 1 << 31}, "age", "row 1: out of the range of int32"),
        ({"age": 1e300}, "age", "row 1: must be a whole number"),
        ({"age": None}, "age", "row 1: is missing, and must be a whole number"),
        ({"weight": "70.5"}, "weight", "row 1: must be a number"),
        ({"weight": False}, "weight", "row 1: must be a number"),
        ({"weight": None}, "weight", "row 1: missing, NaN or out of range"),
        ({"weight": 1e300}, "weight", "row 1: missing, NaN or out of range"),
        ({"plan": 7}, "plan", "row 1: must be text"),
        ({"plan": None}, "plan", "row 1: is missing, and must be text"),
        ({"active": 1}, "active", "row 1: must be true or false"),
        ({"trace": [1.0]}, "trace", "row 1: must be of shape [2]"),
        ({"trace": 1.0}, "trace", "row 1: must be of shape [2]"),
        ({"trace": [[1.0], 2]}, "trace", "is nested unevenly"),
        ({"trace": [1.0, "SECRET"]}, "trace", "row 1: must be a number"),
    ],
)
def test_wrong_values_name_the_column_and_the_row(change: dict[str, Any], field: str, words: str) -> None:
    for value in forms([ROW, {**ROW, **change}]):
        told = refused(value)
        assert (told.field, told.status) == (field, 422)
        assert told.message == f"{field}: {words}"
        assert "SECRET" not in told.message


@pytest.mark.parametrize(
    ("value", "words", "status"),
    [
        ([], "must be an object", 400),
        ({}, "exactly one of: records, columns, split", 422),
        ({"records": [ROW], "columns": {}}, "exactly one of", 422),
        ({"records": [ROW], "x\x1b": 1}, "x\\x1b: is not known here", 422),
        ({"records": {}}, "records: must be a list", 422),
        ({"records": []}, "records: has no rows", 422),
        ({"records": [[1]]}, "records.0: must be an object", 422),
        ({"records": [{k: v for k, v in ROW.items() if k != "plan"}]}, "records.0.plan: is missing", 422),
        ({"records": [{**ROW, "colour": 1}]}, "records.0.colour: is not a column of this model", 422),
        ({"columns": {name: [one] for name, one in ROW.items()} | {"age": [1, 2]}}, "of different lengths", 422),
        ({"split": {"columns": list(ROW)}}, "split: must hold columns and data", 422),
        ({"split": {"columns": [*ROW, "age"], "data": [[1]]}}, "names a column twice", 422),
        ({"split": {"columns": list(ROW), "data": [[1]]}}, "split.data.0: must be a list of 5 values", 422),
    ],
)
def test_wrong_requests(value: Any, words: str, status: int) -> None:
    told = refused(value)
    assert words in told.message
    assert told.status == status


def test_limits() -> None:
    assert refused({"records": [ROW] * 3}, bounds=Bounds(rows=2)).status == 413
    deep: Any = 1.0
    for _ in range(500):
        deep = [deep]
    assert "levels deep" in refused({"records": [{**ROW, "trace": deep}]}).message
    with pytest.raises(RequestError, match="more than 10 bytes") as error:
        parse_body(b" " * 11, Bounds(body_bytes=10))
    assert error.value.status == 413
    for body in (b"", b"{", b'{"a": NaN}', b"\xff", b"[" * 100_000):
        with pytest.raises(RequestError, match="is no JSON") as error:
            parse_body(body)
        assert error.value.status == 400


def test_what_is_not_finite_passes_only_where_it_may() -> None:
    value = {"records": [{"sepal": None, "petal": 1}]}
    assert refused(value, LINEAR).message == "sepal: row 0: missing, NaN or out of range"
    table = read_table(value, LINEAR, nan="pass")
    assert np.isnan(table.columns["sepal"][0])
    single = {**ROW, "weight": 1e300}  # no float32: not handed on as infinity
    assert "out of the range of float32" in refused({"records": [single]}, nan="pass").message
    answers = {"score": np.array([1.5, math.nan, math.inf]), "label": np.array(["a", "b", "c"], dtype=object)}
    assert prediction_records(answers)[1] == {"score": None, "label": "b"}
    assert prediction_columns(answers)["score"] == [1.5, None, None]


def test_signatures_that_cannot_be_served() -> None:
    for inputs, words in (
        ([], "names no inputs"),
        ([{"name": "a", "type": "complex"}], "cannot be served"),
        ([{"name": "a", "type": "float64"}] * 2, "names the column 'a' twice"),
        ([{"name": "a", "type": "float64", "shape": [None, None]}], "only the first dimension"),
        (["a"], "no name or no type"),
    ):
        with pytest.raises(StrataError, match=words):
            signature_of({"signature": {**COLUMNS, "inputs": inputs}})
    assert blank_table(MIXED).columns["trace"].shape == (1, 2)


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.integers(-(2**31), 2**31 - 1), st.floats(width=32, allow_nan=False, allow_infinity=False), st.text(),
            st.booleans(), st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2),
        ),
        min_size=1, max_size=4,
    )
)  # fmt: skip
def test_what_goes_in_comes_out(rows: list[tuple[Any, ...]]) -> None:
    records = [dict(zip(ROW, row, strict=True)) for row in rows]
    for value in forms(records):
        assert prediction_records(read_table(value, MIXED).columns) == records


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ROW, "x"]), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=25)
@given(st.sampled_from(["records", "columns", "split"]), _JSON)
def test_nothing_else_than_a_request_error_comes_of_any_value(key: str, value: Any) -> None:
    for signature in (MIXED, LINEAR):
        try:
            read_table({key: value}, signature)
        except RequestError as error:
            if error.status not in (400, 413, 422):
                raise
