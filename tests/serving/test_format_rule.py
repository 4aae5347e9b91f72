"""Which file of a version is loaded, and what its bytes may be; no repository is needed to say no."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from strata_git.contracts.layout import Artifact
from strata_git.errors import StrataError
from strata_git.serving.format_rule import choose_file, judge_content
from strata_git.serving.released import Release
from tests.serving.models import linear

SKOPS = {"format": "skops", "artifact": "model.skops"}
BOTH = ("model.skops", "model.onnx")


class Harm:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("exit 1",)


def release(*names: str) -> Release:
    """A version that lists these files and holds none of them."""
    tree: Any = None
    return Release(Artifact("model", "forest", "v1"), b"", dict.fromkeys(names, "0" * 64), tree)


@pytest.mark.parametrize(
    ("names", "said", "wanted", "chosen"),
    [
        (BOTH, SKOPS, "auto", ("onnx", "model.onnx")),
        (BOTH, SKOPS, "skops", ("skops", "model.skops")),
        (BOTH[:1], SKOPS, "auto", ("skops", "model.skops")),
        (("net.onnx",), {"format": "onnx", "artifact": "net.onnx"}, "auto", ("onnx", "net.onnx")),
        (("model.pkl", "model.onnx"), {"format": "pickle", "artifact": "model.pkl"}, "auto", ("onnx", "model.onnx")),
    ],
)
def test_onnx_comes_first(names: tuple[str, ...], said: dict[str, str], wanted: str, chosen: tuple[str, str]) -> None:
    assert choose_file(release(*names), said, wanted) == chosen


@pytest.mark.parametrize(
    ("said", "wanted", "words"),
    [
        ({"format": "pickle", "artifact": "model.pkl"}, "auto", "nothing that can run code"),
        ({"format": "pickle", "artifact": "model.pkl"}, "pickle", "no form that is served as pickle"),
        (SKOPS, "onnx", "no form that is served as onnx"),
        (SKOPS, "mlflow", "no form that is served as mlflow"),
    ],
)
def test_other_formats_are_not_served(said: dict[str, str], wanted: str, words: str) -> None:
    with pytest.raises(StrataError, match=words):
        choose_file(release(said["artifact"]), said, wanted)


def archive(schema: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("schema.json", schema)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("format_", "said", "name", "data", "words"),
    [
        ("onnx", SKOPS, "model.onnx", pickle.dumps(Harm()), "calls posix.system"),
        ("skops", SKOPS, "model.skops", pickle.dumps(Harm()), "calls posix.system"),
        ("onnx", {"format": "onnx"}, "model.onnx", b"nothing", "model.onnx"),
        ("skops", SKOPS, "model.skops", linear(), "model.skops"),
        ("onnx", SKOPS, "model.onnx", linear(), "nothing shows that model.onnx answers as the model does"),
        ("skops", {**SKOPS, "trusted_types": ["posix.system"]}, "model.skops", archive("{}"), "posix.system"),
    ],
    ids=["pickle-as-onnx", "pickle-as-skops", "nothing", "onnx-as-skops", "no-parity", "harmful-type"],
)
def test_content_that_is_not_what_it_says(
    format_: str, said: dict[str, Any], name: str, data: bytes, words: str
) -> None:
    with pytest.raises(StrataError, match=words):
        judge_content(release(name), said, format_, name, data)


def test_content_that_is() -> None:
    judge_content(release("model.onnx"), {"format": "onnx"}, "onnx", "model.onnx", linear())
    judge_content(release("model.skops"), SKOPS, "skops", "model.skops", archive("{}"))
