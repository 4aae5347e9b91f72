"""What is nearest is found exactly, and the same whoever adds the numbers up in whatever order."""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np
import pytest

from strata_git.pipeline.errors import InferenceError
from strata_git.pipeline.retrieval import nearest
from strata_git.pipeline.retrieval.nearest import SCALE, Near, Vectors, append, scaled


def packed(*numbers: float) -> bytes:
    return array("f", numbers).tobytes()


def placed(path: Path, vectors: list[bytes]) -> Vectors:
    with open(path, "wb") as out:
        return Vectors(path, append(out, vectors))


def test_the_likest_come_first_and_equals_by_their_place(tmp_path: Path) -> None:
    rows = placed(tmp_path / "v", [packed(1, 0), packed(0, 3), packed(-2, 0), packed(9, 0), packed(0, 0), packed(1, 1)])
    assert rows.nearest(packed(5, 0), 2) == [Near(0, 1.0), Near(3, 1.0)]
    assert [one.row for one in rows.nearest(packed(5, 0), 9)] == [0, 3, 5, 1, 4, 2]
    assert rows.nearest(packed(1, 1e-3), 1) == [Near(0, 1.0)]
    assert rows.nearest(packed(0, 0), 2) == [Near(0, 0.0), Near(1, 0.0)]
    assert rows.nearest(packed(1e38, 0), 1) == [Near(0, 1.0)]  # whose square is infinite


def test_an_empty_file_has_nothing_and_other_lengths_are_told(tmp_path: Path) -> None:
    (tmp_path / "none").touch()
    assert Vectors(tmp_path / "none", 4).nearest(packed(1, 2, 3, 4), 3) == []
    with pytest.raises(InferenceError, match="has 1 dimensions, the index 2"):
        placed(tmp_path / "v", [packed(1, 0)]).nearest(packed(1), 1)
    with pytest.raises(InferenceError, match="different lengths"):
        scaled([packed(1), packed(1, 2)])


@pytest.mark.parametrize("dimensions", [3, 384, 3072])
def test_scores_are_whole_numbers_and_do_not_depend_on_the_order_of_sums(
    tmp_path: Path, dimensions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = np.random.default_rng(7)
    made = chance.standard_normal((301, dimensions)).astype("<f4")
    made[1] = made[0]
    rows, asked = placed(tmp_path / "v", [one.tobytes() for one in made]), made[0].tobytes()
    exact = scaled([one.tobytes() for one in made]).astype(np.int64)
    sums = exact @ exact[0]
    assert sums.max() < 1 << 24
    found = rows.nearest(asked, 301)
    assert [one.row for one in found] == sorted(range(301), key=lambda row: (-sums[row], row))
    assert [one.score for one in found] == [round(float(sums[one.row]) / SCALE**2, 6) for one in found]
    monkeypatch.setattr(nearest, "_BLOCK", dimensions * 7)
    assert rows.nearest(asked, 301) == found
    true = made.astype(np.float64)
    true /= np.linalg.norm(true, axis=1, keepdims=True)
    assert max(abs(one.score - float(true[one.row] @ true[0])) for one in found) < 0.005
