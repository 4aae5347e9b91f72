"""What is pure of models in R: rows as R is asked for them, its answers, what is said where something is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strata_git.errors import StrataError
from strata_git.serving.columns import Signature, Table, signature_of
from strata_git.serving.errors import PredictionError, RequestError, Unanswered
from strata_git.serving.r.interpreter import find_rscript, missing_packages, not_loaded, surroundings
from strata_git.serving.r.packages import debian_packages
from strata_git.serving.r.wire import field_facts, r_type, read_answer, write_request
from strata_git.serving.tables import read_table
from tests.serving.models import MIXED


def signature(**types: str) -> Signature:
    inputs = [{"name": name, "type": type_} for name, type_ in types.items()]
    return signature_of({"signature": {"inputs": inputs, "outputs": [{"name": "y", "type": "float64"}]}})


def test_rows_become_tensors_and_missing_floats_null() -> None:
    row = {"age": 41, "weight": None, "plan": "NA", "active": True, "trace": [1.5, 2.0]}
    said = json.loads(write_request(read_table({"records": [row]}, MIXED, nan="pass")))
    assert said == {"inputs": [
        {"name": "age", "datatype": "INT32", "shape": [1], "data": [41]},
        {"name": "weight", "datatype": "FP32", "shape": [1], "data": [None]},
        {"name": "plan", "datatype": "BYTES", "shape": [1], "data": ["NA"]},
        {"name": "active", "datatype": "BOOL", "shape": [1], "data": [True]},
        {"name": "trace", "datatype": "FP64", "shape": [1, 2], "data": [1.5, 2.0]},
    ]}  # fmt: skip
    assert [r_type(field) for field in MIXED.inputs] == ["integer", "numeric", "character", "logical", "numeric"]
    assert field_facts(MIXED.inputs[4]) == {"name": "trace", "kind": "numeric", "datatype": "FP64", "inner": [2]}


@pytest.mark.parametrize(
    ("type_", "value", "words"),
    [
        ("string", "a\0b", "NUL"), ("float64", float("inf"), "infinite"), ("int64", 2**53 + 1, "2^53"),
        ("int64", -(2**53) - 1, "2^53"), ("uint64", 2**63, "2^53"), ("int32", -(2**31), "missing value"),
    ],
)  # fmt: skip
def test_what_r_cannot_hold_is_refused_by_column(type_: str, value: Any, words: str) -> None:
    one = signature(x=type_)
    array = np.array([value], dtype=object if type_ == "string" else type_)
    with pytest.raises(RequestError) as told:
        write_request(Table(one.inputs, 1, [array]))
    assert (told.value.field, words in told.value.message) == ("x", True)
    assert not any(digits in told.value.message for digits in ("9007", "9223", "2147"))


def test_what_r_can_just_hold_passes() -> None:
    one = signature(a="int64", b="int32", c="uint64")
    arrays = [np.array([2**53], dtype="i8"), np.array([1 - 2**31], dtype="i4"), np.array([2**53], dtype="u8")]
    assert len(write_request(Table(one.inputs, 1, arrays))) > 50


def test_answers_become_arrays_in_the_types_of_the_signature() -> None:
    said = {"outputs": [{"name": "more", "data": ["x"]}, {"name": "y", "shape": [2], "data": [0.1, None]}]}
    found = read_answer(200, json.dumps(said).encode(), signature(x="float64"), 2)
    assert list(found) == ["y"]
    assert found["y"][0] == 0.1
    assert np.isnan(found["y"][1])


@pytest.mark.parametrize(
    ("status", "said", "error"),
    [
        (422, {"error": "must be 4, 6 or 8", "field": "x"}, RequestError), (504, {"error": "late"}, Unanswered),
        (500, {"error": "broken"}, PredictionError), (403, {}, PredictionError),
        (200, {"outputs": [{"name": "y", "data": [1.0]}]}, PredictionError),
        (200, {"outputs": [{"name": "y", "data": ["a", "b"]}]}, PredictionError),
    ],
)  # fmt: skip
def test_other_answers_are_errors_of_their_kind(status: int, said: Any, error: type[StrataError]) -> None:
    with pytest.raises(error) as told:
        read_answer(status, json.dumps(said).encode(), signature(x="float64"), 2)
    assert getattr(told.value, "field", "x") == "x"
    with pytest.raises(PredictionError):
        read_answer(status, b"no json", signature(x="float64"), 2)


def test_whoever_lacks_something_is_told_the_command() -> None:
    with pytest.raises(StrataError, match="R is not installed") as told:
        find_rscript({"PATH": "/nowhere"})
    assert {"apt-get install", "brew install r", "https://cloud.r-project.org"} <= {
        words for words in ("apt-get install", "brew install r", "https://cloud.r-project.org")
        if words in told.value.hint
    }  # fmt: skip
    assert "apt-get install --no-install-recommends r-cran-httpuv" in missing_packages(["httpuv"]).hint
    error = not_loaded("there is no package called 'randomForest' (in library(randomForest))")
    assert "r-cran-randomforest" in error.hint
    assert "install.packages(c('randomForest'))" in error.hint
    assert not_loaded("unknown input format").hint == ""


def test_the_environment_has_no_secrets_one_locale_and_the_threads(tmp_path: Path) -> None:
    given = {"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "x", "R_LIBS": "/r", "LANG": "de_DE", "R_PROFILE": "/evil"}
    found = surroundings(given, tmp_path, 3)
    assert found.keys() & given.keys() == {"PATH", "R_LIBS"}
    assert (found["LC_ALL"], found["TMPDIR"], found["OMP_NUM_THREADS"]) == ("C.UTF-8", str(tmp_path), "3")
    assert surroundings({"LANG": "en_GB.UTF-8"}, tmp_path, 1)["LC_ALL"] == "en_GB.UTF-8"


def test_packages_are_debians_and_each_is_named_once() -> None:
    text = "# what model.R loads\nr-cran-randomforest  # forests\n\nr-cran-mgcv\nr-cran-mgcv\n"
    assert debian_packages(text) == ("r-cran-randomforest", "r-cran-mgcv")
    for wrong in ("randomForest", "r-cran-x; rm -rf /", "--allow-unauthenticated", "$(id)"):
        with pytest.raises(StrataError, match=r"packages\.txt:2: .* is no name of a Debian package"):
            debian_packages(f"\n{wrong}\n")
