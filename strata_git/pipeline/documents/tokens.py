"""Counting tokens without a network: exactly for the public encodings, else as an estimate that says so.

The tables come inside the package `toktok` (byte-identical to tiktoken, whose own tables are downloaded). No public
tokenizer exists for many models; for those the count of `o200k_base` stands in, and without the package a quarter of
the characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

DEFAULT = "o200k_base"
ENCODINGS = ("cl100k_base", "o200k_base", "o200k_harmony")
_MODELS = (
    # longest beginning first
    ("gpt-oss", "o200k_harmony"), ("gpt-4o", "o200k_base"), ("gpt-4.1", "o200k_base"), ("gpt-4.5", "o200k_base"),
    ("gpt-5", "o200k_base"), ("chatgpt-4o", "o200k_base"), ("o1", "o200k_base"), ("o3", "o200k_base"),
    ("o4", "o200k_base"), ("gpt-4", "cl100k_base"), ("gpt-3.5", "cl100k_base"), ("gpt-35", "cl100k_base"),
    ("text-embedding-3", "cl100k_base"), ("text-embedding-ada-002", "cl100k_base"),
)  # fmt: skip
CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """How tokens are counted: `name` as asked for, `encoding` the one that counts (empty: characters do), `exact`
    whether that is the one asked for."""

    name: str
    encoding: str
    exact: bool

    def count(self, text: str) -> int:
        """How many tokens the text has."""
        if not self.encoding:
            return -(-len(text) // CHARACTERS_PER_TOKEN)
        return _truncated(text, 1 << 62, self.encoding)[1]

    def longest(self, text: str, most: int) -> int:
        """How many characters from the beginning of `text` make at most `most` tokens."""
        if not self.encoding:
            return most * CHARACTERS_PER_TOKEN
        return len(_truncated(text, most, self.encoding)[0])


def tokenizer(name: str | None = None) -> Tokenizer:
    """The tokenizer of an encoding or a model; the default one when none is named."""
    name = name or DEFAULT
    encoding = _encoding(name)
    there = _present()
    if encoding is None:
        return Tokenizer(name, DEFAULT if there else "", False)
    return Tokenizer(name, encoding if there else "", there)


def _encoding(name: str) -> str | None:
    if name in ENCODINGS:
        return name
    found: Sequence[str] = [encoding for beginning, encoding in _MODELS if name.startswith(beginning)]
    return found[0] if found else None


@cache
def _present() -> bool:
    from importlib.util import find_spec

    return find_spec("toktok") is not None


def _truncated(text: str, most: int, encoding: str) -> tuple[str, int]:
    """The longest beginning of at most `most` tokens, and the tokens of the whole; one pass, no thread started."""
    from toktok import truncate

    kept, total = truncate(text, most, encoding)
    return kept, total
