"""Code of a service's own: read once, run from what was read, and told by its own lines where it fails."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strata_git.errors import StrataError
from strata_git.serving.answers import answers_of
from strata_git.serving.backends.local import OnnxModel
from strata_git.serving.columns import Signature, signature_of
from strata_git.serving.errors import PredictionError
from strata_git.serving.own_code import OwnCode, OwnModel, check_code, read_code
from strata_git.serving.tables import read_table
from tests.serving.models import COLUMNS, LINEAR, linear

PLACE = "services/forest/model-service"
ROWS = read_table({"records": [{"sepal": 1, "petal": 1}, {"sepal": 2, "petal": None}]}, LINEAR, nan="pass")
TWO: Signature = signature_of({
    "signature": {**COLUMNS, "outputs": [{"name": "label", "type": "string"}, {"name": "score", "type": "float64"}]}
})  # fmt: skip


def own(text: str, signature: Signature = LINEAR, **files: str) -> OwnModel:
    beside = {f"{name}.py": data.encode() for name, data in files.items()}
    code = OwnCode("python", {"predict.py": text.encode(), **beside}, PLACE)
    return OwnModel(
        code, signature, {"model.bin": b"\x07", "deep/er.txt": b"x"}, format="onnx",
        default=None if code.loads else lambda: OnnxModel(linear(), LINEAR),
    )  # fmt: skip


def test_both_functions() -> None:
    model = own(
        """
import os, stat
from pathlib import Path
from beside import PLUS

def load(path):
    place = Path(path)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    load.place = place
    assert sorted(one.name for one in place.rglob("*")) == ["deep", "er.txt", "model.bin"]
    return place.joinpath("model.bin").read_bytes()[0]

def predict(model, rows):
    assert not load.place.exists()
    return [model + PLUS if row["petal"] is None else row["sepal"] for row in rows]
""",
        beside="PLUS = 1",
    )
    assert model.predict(ROWS)["score"].tolist() == [1.0, 8.0]
    assert not model.rowwise
    place = Path(sys.path[-1])
    assert place.name == "code"
    assert place.is_dir()
    own("def predict(model, rows):\n    import beside\n    return [beside.PLUS] * len(rows)", beside="PLUS = 5")
    assert str(place) not in sys.path
    model.close()
    model.close()
    assert not place.exists()


def test_either_may_be_missing() -> None:
    alone = own("def predict(model, rows):\n    return [{'score': 1 + (one['score'] or 8)} for one in model(rows)]")
    assert alone.predict(ROWS)["score"].tolist() == [6.0, 9.0]
    loaded = own(
        """
class Estimator:
    def predict(self, rows):
        return rows[:, 0] * 3

def load(path):
    return Estimator()
"""
    )
    assert loaded.predict(ROWS)["score"].tolist() == [3.0, 6.0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def load(path):\n    return 1", "load() in {}/predict.py returns int, which has no predict(rows)."),
        ("def load(path):\n    return 1 / 0", "load() in {}/predict.py:2 fails: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)\ndef load(path): ...", "{}/predict.py:2 fails: SystemExit: 3"),
        ("import no_such_thing\ndef load(path): ...", "{}/predict.py:1 fails: ModuleNotFoundError"),
        ("def load(path):\n  return 1\n }", "{}/predict.py:3: is not Python"),
        ("def nothing(): ...", "{}/predict.py defines neither load() nor predict()"),
    ],
)  # fmt: skip
def test_what_cannot_be_loaded_is_told_in_one_line(text: str, words: str) -> None:
    with pytest.raises(StrataError) as error:
        own(text)
    assert words.format(PLACE) in error.value.message
    assert "\n" not in error.value.message
    assert "Traceback" not in error.value.message


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("[one['secret-column'] for one in rows]", "predict() in {}/predict.py:2 fails: KeyError"),
        ("int('secret-value')", "predict() in {}/predict.py:2 fails: ValueError"),
        ("[1]", "predict() in {}/predict.py: answers 1 rows for 2"),
        ("3", "answers with int, not with one value or dict a row"),
        ("[{'x': 1}, {'x': 2}]", "answers without 'score'"),
        ("[{'score': 1}, {'x': 2}]", "dicts of different keys"),
        ("['secret', 'text']", "where 'score' is float64"),
        ("'ab'", "answers with str"),
    ],
)
def test_what_cannot_be_answered_never_repeats_what_was_asked(body: str, words: str) -> None:
    model = own(f"def predict(model, rows):\n    return {body}")
    with pytest.raises(PredictionError) as error:
        model.predict(ROWS)
    assert words.format(PLACE) in error.value.message
    assert "secret" not in error.value.message


@pytest.mark.parametrize(
    "answer",
    [
        [{"label": "a", "score": 1}, {"label": "b", "score": None}],
        {"label": ["a", "b"], "score": [1.0, None]},
        [("a", 1.0), ("b", float("nan"))],
        np.array([["a", 1.0], ["b", None]], dtype=object),
    ],
    ids=["dicts", "columns", "pairs", "array"],
)
def test_manners_of_answering(answer: Any) -> None:
    made = answers_of(answer, TWO, 2)
    assert made["label"].tolist() == ["a", "b"]
    assert made["score"][0] == 1
    assert np.isnan(made["score"][1])


def test_a_frame_and_a_column_of_one() -> None:
    class Frame(dict[str, Any]):
        columns = ("score",)
        to_dict = dict.copy

    assert answers_of(Frame(score=[1, 2]), LINEAR, 2)["score"].tolist() == [1.0, 2.0]
    assert answers_of(np.array([[1], [2]]), LINEAR, 2)["score"].tolist() == [1.0, 2.0]
    with pytest.raises(PredictionError, match="one value a row where there are 2 outputs"):
        answers_of([1, 2], TWO, 2)


def test_what_counts_as_code(tmp_path: Path) -> None:
    assert read_code(tmp_path, lang="python", place=PLACE) is None
    (tmp_path / "predict.py").write_text("def predict(model, rows): ...")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner/words.txt").write_text("x")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/predict.pyc").write_text("x")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    code = read_code(tmp_path, lang="python", place=PLACE)
    assert code is not None
    assert sorted(code.files) == ["inner/words.txt", "predict.py"]
    assert (code.loads, code.defines) == (False, {"predict"})
    (tmp_path / "inner/words.txt").write_text("y")
    again = read_code(tmp_path, lang="python", place=PLACE)
    assert again is not None
    assert again.digest != code.digest
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def load(): ...", ":1: load() takes 0 arguments, it is called with 1"),
        ("def predict(model): ...", "predict() takes 1 arguments, it is called with 2"),
        ("async def predict(model, rows): ...", "predict() is async"),
        ("def predict(", "is not Python"),
        ("x = 1", "neither load() nor predict()"),
    ],
)
def test_what_is_seen_before_it_runs(text: str, words: str) -> None:
    with pytest.raises(StrataError) as error:
        check_code(OwnCode("python", {"predict.py": text.encode()}, PLACE))
    assert words in error.value.message
    check_code(OwnCode("python", {"predict.py": b"def load(path): ...\ndef predict(*rows): ..."}, PLACE))
