"""Models that do as they are told, tables in few words, and where they say they come from."""

from __future__ import annotations

from threading import Event
from typing import Any

import numpy as np

from strata_git.errors import StrataError
from strata_git.serving.columns import Signature, Table
from strata_git.serving.errors import PredictionError
from strata_git.serving.provenance import Provenance
from tests.serving.models import LINEAR


def provenance(version: str = "v1") -> Provenance:
    return Provenance(
        model="forest", version=version, stage="production", commit="c" * 40, run="run-2026-01-05-001",
        digest=f"sha256:{version.encode().hex():0>64}", signer="Alice Tester <alice@example.org>", format="onnx",
        datasets=(("datasets/iris@v1", "sha256:" + "a" * 64),),
    )  # fmt: skip


def rows(*sepals: float) -> Table:
    """Rows of the linear model with petal 0."""
    matrix = np.array([[one, 0.0] for one in sepals])
    return Table(LINEAR.inputs, len(sepals), matrix=matrix)


class Fake:
    """score = factor x sepal. Each call is noted with its number of rows; while `hold` is not set it waits there.

    A sepal of -1 is a row that it fails at, -2 one that it raises something of its own for."""

    format = "fake"
    signature: Signature = LINEAR

    def __init__(self, factor: float = 2.0, *, held: bool = False, slow: float = 0.0) -> None:
        self.factor = factor
        self.calls: list[int] = []
        self.entered = Event()
        self.hold = Event()
        self.slow = slow
        if not held:
            self.hold.set()

    def predict(self, table: Table) -> dict[str, Any]:
        self.calls.append(table.rows)
        self.entered.set()
        if not self.hold.wait(20):
            raise StrataError("held for too long")
        if self.slow:
            Event().wait(self.slow)
        sepal = table.matrix("float64")[:, 0]
        if (sepal == -1).any():
            raise PredictionError("The model could not answer (ValueError).")
        if (sepal == -2).any():
            raise ZeroDivisionError("secret")
        return {"score": sepal * self.factor}


def scores(outputs: Any) -> list[float]:
    found: list[float] = outputs["score"].tolist()
    return found
