"""The Git LFS pointer grammar (git-lfs specification v1), strict. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

POINTER_LIMIT = 1024
"""No pointer is longer (the specification's own bound), so no larger blob is looked at."""

_STRICT = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize ([1-9][0-9]{0,18})\n"
)
_LARGEST = (1 << 63) - 1
_FAMILIAR = (b"version https://git-lfs", b"version https://hawser", b"version http://git-media")


@dataclass(frozen=True, slots=True)
class Pointer:
    """What a pointer stands for: SHA-256 (64 hex) and size in bytes of the object."""

    oid: str
    size: int


def parse_pointer(data: bytes) -> Pointer | None:
    """The pointer that `data` is, or None. Accepted is what git-lfs itself writes, which is none for an empty file."""
    if len(data) > POINTER_LIMIT:
        return None
    match = _STRICT.fullmatch(data)
    if match is None or int(match[2]) > _LARGEST:
        return None
    return Pointer(match[1].decode(), int(match[2]))


def format_pointer(oid: str, size: int) -> bytes:
    """The pointer text that git-lfs writes for an object."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n".encode()


def looks_like_pointer(data: bytes) -> bool:
    """Whether `data` is text meant as a pointer, well formed or not."""
    return len(data) <= POINTER_LIMIT and data.startswith(_FAMILIAR)
