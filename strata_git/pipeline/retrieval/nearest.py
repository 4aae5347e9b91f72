"""Vectors in a file, and which of them are nearest to another one: exactly, and the same on every machine.

A vector is scaled to length `SCALE` and rounded to whole numbers (int16, little-endian, one row after the other).
Products of such rows are whole numbers below 2**24, which float32 adds up without error in any order (no partial sum is
longer than both vectors together, by Cauchy and Schwarz). So scores depend neither on the processor nor on how many
threads add, and neither does the order of what is found; what rounding changes is about 0.0001 of a score.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from strata_git.errors import MissingExtra
from strata_git.pipeline.errors import InferenceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCALE = 4000
_BLOCK = 1 << 18
"""Numbers that are looked at at once: a MiB as float32, which stays near the processor."""
_WORD = 2


@dataclass(frozen=True, slots=True)
class Near:
    """A row of the file and how alike it is: the cosine, from -1 to 1, to six digits."""

    row: int
    score: float


def require_numpy() -> None:
    """MissingExtra without the package that compares vectors."""
    from importlib.util import find_spec

    if find_spec("numpy") is None:
        raise MissingExtra("retrieval", "Looking things up in an index")


def scaled(vectors: Sequence[bytes]) -> NDArray[Any]:
    """Vectors (float32, little-endian) as rows of whole numbers; one of nothing but zeros stays so.

    Raises InferenceError where they are not of one length.
    """
    import numpy as np

    if len({len(vector) for vector in vectors}) > 1:
        raise InferenceError(
            "The model gave vectors of different lengths.", hint="Was the deployment changed? Run once with --again."
        )
    rows = np.frombuffer(b"".join(vectors), dtype="<f4").reshape(len(vectors), -1).astype(np.float64)
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    rows /= np.where(largest > 0, largest, 1)  # no square overflows, none vanishes
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    return np.rint(rows / np.where(lengths > 0, lengths, 1) * SCALE).astype("<i2")


def append(out: IO[bytes], vectors: Sequence[bytes]) -> int:
    """Write vectors below the others; how many dimensions they have."""
    rows = scaled(vectors)
    out.write(rows.tobytes())
    return int(rows.shape[1])


@dataclass(frozen=True, slots=True)
class Vectors:
    """A file of vectors. It is read in blocks, so memory does not grow with it; any thread may ask."""

    path: Path
    dimensions: int

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self.path.stat().st_size // (_WORD * self.dimensions) if self.dimensions else 0

    def nearest(self, vector: bytes, top: int) -> list[Near]:
        """The `top` rows most alike to `vector` (float32 numbers), the likest first, of equal ones the first.

        Raises InferenceError for a vector of another length than the rows have.
        """
        if not self.count:
            return []
        import numpy as np

        asked = scaled([vector])[0].astype(np.float32)
        if len(asked) != self.dimensions:
            raise InferenceError(
                f"The question has {len(asked)} dimensions, the index {self.dimensions}.",
                hint="Was the deployment changed? Run once with --again.",
            )
        scores = np.concatenate([block @ asked for block in self._blocks()])
        places = np.arange(len(scores))
        if top < len(scores):  # all that are as good as the last of them, so that equals are told apart by their row
            last = len(scores) - top
            places = np.flatnonzero(scores >= np.partition(scores, last)[last])
        order = places[np.lexsort((places, -scores[places]))][:top]
        return [Near(int(place), round(float(scores[place]) / SCALE**2, 6)) for place in order]

    def _blocks(self) -> Iterator[NDArray[Any]]:
        import numpy as np

        rows = np.memmap(self.path, dtype="<i2", mode="r", shape=(self.count, self.dimensions))
        step = max(1, _BLOCK // self.dimensions)
        for start in range(0, self.count, step):
            yield rows[start : start + step].astype(np.float32)
