"""The service's own code, without the model: `git strata service test cultivar` runs it, and the golden predictions."""

from typing import Any

import predict
import pytest


def model(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Answers with what it is asked."""
    return [{"cultivar": row["alcohol"], "probabilities": [1.0]} for row in rows]


def test_every_row_is_answered_with_number_and_name() -> None:
    assert predict.predict(model, [{"alcohol": 0}, {"alcohol": 2}]) == [
        {"cultivar": 0, "probabilities": [1.0], "grape": "Barolo"},
        {"cultivar": 2, "probabilities": [1.0], "grape": "Barbera"},
    ]


def test_a_cultivar_that_nobody_knows_has_no_name() -> None:
    with pytest.raises(IndexError):
        predict.predict(model, [{"alcohol": 3}])
