"""The Git LFS pointer grammar (git-lfs specification v1), strict. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

POINTER_LIMIT = 1024
"""No pointer is longer (the specification's own bound), so no larger blob is looked at."""

_STRICT = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (0|[1-9][0-9]{0,18})\n"
)
_FAMILIAR = (b"version https://git-lfs", b"version https://hawser", b"version http://git-media")


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a pointer stands for: SHA-256 (64 hex) and size in bytes of the object."""

    oid: str
    size: int


def parse_pointer(data: bytes) -> Pointer | None:
    """The pointer that `data` is, or None. Only what git-lfs itself writes is accepted."""
    if len(data) > POINTER_LIMIT:
        return None
    match = _STRICT.fullmatch(data)
    return Pointer(match[1].decode(), int(match[2])) if match else None


def format_pointer(oid: str, size: int) -> bytes:
    """The pointer text that git-lfs writes for an object."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n".encode()


def looks_like_pointer(data: bytes) -> bool:
    """Whether `data` is text meant as a pointer, well formed or not."""
    return len(data) <= POINTER_LIMIT and data.startswith(_FAMILIAR)
