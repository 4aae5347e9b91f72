"""How much one document may take: every loader reads within these, and stops when they are passed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from strata_git.pipeline.documents.refusal import Refused


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may cost. What is more is refused, not cut.

    `bytes`: of the file itself; `expanded`: of what unpacks from it, all members together; `text`: characters of the
    text; `pixels` of an image; `columns` and `cells` of its tables; `pages`; `seconds` and `memory` (bytes above what
    the reading process takes when idle).
    """

    bytes: int = 64 << 20
    expanded: int = 512 << 20
    text: int = 128 << 20
    pixels: int = 64_000_000
    columns: int = 16_384
    cells: int = 20_000_000
    pages: int = 20_000
    seconds: float = 120
    memory: int = 1 << 30

    @classmethod
    def of(cls, bytes: int, seconds: float = 120, memory: int = 1 << 30) -> Limits:  # noqa: A002
        """The limits that follow from the three that settings name."""
        return cls(bytes=bytes, expanded=8 * bytes, text=2 * bytes, seconds=seconds, memory=memory)

    def plain(self) -> dict[str, float]:
        """As JSON-able data; `Limits(**data)` reads it."""
        return asdict(self)


def within(parts: Iterable[str], limit: int) -> Iterator[str]:
    """`parts` as they come, until together they have more than `limit` characters. Raises Refused then."""
    total = 0
    for part in parts:
        total += len(part)
        if total > limit:
            raise Refused("too_large", f"its text has more than {limit} characters")
        yield part
