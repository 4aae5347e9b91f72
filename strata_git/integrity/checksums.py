"""CHECKSUMS.txt: the list of an artifact's files, its strict grammar and what follows from it (TFC-0001).

A line is 64 lower-case hex digits, two spaces, a relative path and LF: a canonical subset of what `sha256sum`
writes and checks. There is one way to write a list, so equal content has equal bytes, and the SHA-256 of those
bytes is the artifact's identity. What `sha256sum` would take beyond that (absolute paths, `..`, escapes,
comments) is refused before any file is opened. Pure text: no file is touched here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING
from unicodedata import is_normalized, normalize

from strata_git.contracts.layout import METADATA, RUN_RECORD, UNSUMMED
from strata_git.errors import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

EXCLUDED = UNSUMMED
"""Files at the top of an artifact that are never listed: the list itself and what signs it."""
SIZE_LIMIT = 64 << 20
"""Bytes a list may have."""

_LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)\n")
_HEX = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_NO_PART = frozenset({"", ".", ".."})
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$"]
    + [f"{port}{number}" for port in ("com", "lpt") for number in range(10)]
)
_UNLISTED = frozenset(name.casefold() for name in EXCLUDED)


class ChecksumError(ValueError):
    """A list that is not in canonical form. `line` is 1-based; 0 where the file as a whole is meant."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


@dataclass(frozen=True, slots=True)
class ChecksumList:
    """A list with its identity: `sums` maps path to hex, sorted bytewise; `digest` as `digest()` says."""

    sums: Mapping[str, str]
    digest: str

    @classmethod
    def read(cls, data: bytes) -> ChecksumList:
        """The list written in `data`; raises ChecksumError."""
        return cls(parse(data), digest(data))


def parse(data: bytes) -> dict[str, str]:
    """Path → SHA-256 (64 hex), in bytewise order; raises ChecksumError for all but the canonical form."""
    if len(data) > SIZE_LIMIT:
        raise ChecksumError(f"the list has {len(data)} bytes; at most {SIZE_LIMIT} are read")
    if not data:
        raise ChecksumError("the list is empty; an artifact has at least one file")
    text = _decoded(data)
    found = _LINE.findall(text)
    if 67 * len(found) + sum(len(name) for _, name in found) != len(text):
        raise _malformed(text)
    names = [name for _, name in found]
    _judge(names)
    return {name: hex_ for hex_, name in found}


def render(sums: Mapping[str, str]) -> bytes:
    """The canonical bytes for `sums` (path → 64 hex); ChecksumError where the grammar cannot hold them."""
    if not sums:
        raise ChecksumError("the list would be empty; an artifact has at least one file")
    names = sorted(sums)
    for name in names:
        if "\n" in name or not name:
            raise ChecksumError(f"'{printable(name)}' {name_problem(name)}")
        if not _HEX.fullmatch(sums[name]):
            raise ChecksumError(f"the digest of '{printable(name)}' is not 64 lower-case hex digits")
    text = "".join([f"{sums[name]}  {name}\n" for name in names])
    _judge(names)
    data = text.encode()
    if len(data) > SIZE_LIMIT:
        raise ChecksumError(f"the list would have {len(data)} bytes; at most {SIZE_LIMIT} are allowed")
    return data


def digest(data: bytes) -> str:
    """`sha256:<hex>` of a CHECKSUMS.txt's bytes: the identity of the artifact it lists."""
    return f"sha256:{sha256(data).hexdigest()}"


def content_hash(sums: Mapping[str, str], *, kind: str) -> str:
    """`sha256:<hex>` over the lines of the payload alone, each with its LF, in bytewise order.

    Payload is everything but metadata.yaml (of a run: run.yaml too) and the files no list holds, at the top of the
    artifact. Two versions with equal payload have the same content hash whatever is said about them.
    """
    about = EXCLUDED | {METADATA} | ({RUN_RECORD} if kind == "run" else set())
    lines = [f"{sums[name]}  {name}\n" for name in sorted(sums) if name not in about]
    return digest("".join(lines).encode())


def name_problem(name: str) -> str | None:
    """Why a list cannot hold the relative path `name`, as the rest of a sentence; None when it can."""
    parts = name.split("/")
    if _SURROGATE.search(name):
        return "is not UTF-8"
    if _CONTROL.search(name):
        return "has a control character"
    if "\\" in name:
        return "has a backslash"
    if not name or name.startswith("/") or not _NO_PART.isdisjoint(parts):
        return "is not a plain relative path (no leading '/', no empty, '.' or '..' part)"
    if parts[-1] == "-":
        return "is named '-', which sha256sum takes for its standard input"
    if any(part[-1] in ". " for part in parts):
        return "has a part that ends with a dot or a space, which some systems drop"
    if any(part.partition(".")[0].lower() in _DEVICES for part in parts):
        return "has a part that is reserved on some systems (con, aux, nul, ...)"
    if not is_normalized("NFC", name):
        return "is not in Unicode normal form NFC"
    if name.casefold() in _UNLISTED:
        return "is never listed: it holds or signs the list"
    return None


def fold(name: str) -> str:
    """What `name` becomes on a system that ignores case and normal form; equal results collide there."""
    return name.lower() if name.isascii() else normalize("NFC", normalize("NFD", name).casefold())


def collisions(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of paths that cannot live side by side: equal under `fold`, or one a file above the other."""
    files: dict[str, str] = {}
    pairs: list[tuple[str, str]] = []
    for name in names:
        other = files.setdefault(fold(name), name)
        if other is not name:
            pairs.append((other, name))
    judged: set[str] = set()
    for key, name in files.items():
        above = key.rpartition("/")[0]
        while above and above not in judged:
            judged.add(above)
            if above in files:
                pairs.append((files[above], name))
            above = above.rpartition("/")[0]
    return pairs


def _decoded(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ChecksumError("the line is not UTF-8", data.count(b"\n", 0, error.start) + 1) from None
    if text[-1] != "\n":
        raise ChecksumError("the last line does not end with LF", text.count("\n") + 1)
    return text


def _malformed(text: str) -> ChecksumError:
    for number, line in enumerate(text.split("\n"), 1):
        if not _LINE.fullmatch(line + "\n"):
            return ChecksumError("the line is not '<64 lower-case hex digits>  <path>'", number)
    raise AssertionError("every line is well formed")  # pragma: no cover


def _judge(names: list[str]) -> None:
    """Raise for the first name that is ill-formed, out of order, or collides."""
    if not _surely_sound(names):
        for number, name in enumerate(names, 1):
            if problem := name_problem(name):
                raise ChecksumError(f"'{printable(name)}' {problem}", number)
    for number, (before, name) in enumerate(pairwise(names), 2):
        if before >= name:  # by code point, which for UTF-8 is the order of the bytes
            told = "is listed twice" if before == name else "is out of order (sorted bytewise)"
            raise ChecksumError(f"'{printable(name)}' {told}", number)
    if clashes := collisions(names):
        first, second = clashes[0]
        message = f"'{printable(second)}' collides with '{printable(first)}' where case or form is ignored"
        raise ChecksumError(message, names.index(second) + 1)


def _surely_sound(names: list[str]) -> bool:
    """Whether no name can have a problem, decided on all at once; a doubt costs only a look at each name."""
    joined = "/".join(names)
    if not joined.isprintable() or "\\" in joined or not is_normalized("NFC", joined):
        return False
    parts = set(joined.split("/"))
    return (
        "-" not in parts
        and _NO_PART.isdisjoint(parts)
        and not any(part[-1] in ". " for part in parts)
        and _DEVICES.isdisjoint({part.partition(".")[0].lower() for part in parts})
        and _UNLISTED.isdisjoint({part.casefold() for part in parts})
    )
