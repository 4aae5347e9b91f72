"""The verdicts that `doctor` remembers, as an index asks for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from strata_git.doctor.cache import Cache

__all__ = ["Cache", "Unread"]


class Unread(Cache):
    """The verdict cache, written, and believed in nothing but what was written into it by this index."""

    def __init__(self, path: Path, own: set[str]) -> None:
        super().__init__(path)
        self._own = own

    def get(self, keys: Iterable[str]) -> dict[str, object]:
        """What was put since the index was opened."""
        return super().get(key for key in keys if key in self._own)

    def put(self, values: Mapping[str, object]) -> None:
        """Keep values under their keys."""
        super().put(values)
        self._own |= values.keys()
