"""Inputs for a grammar, made of its seeds and its words: what hypothesis draws where no coverage guides."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from hypothesis import strategies as st

from tests.fuzz.grammars import Target

Edit = Callable[[bytes], bytes]


@cache
def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Bytes of at most `target.longest`: some of them nonsense, most of them nearly right."""
    seeds, words = list(target.seeds().values()), target.tokens()
    made_of_words = st.lists(st.sampled_from(words) | st.binary(max_size=3), max_size=8).map(b"".join)
    pieces = st.sampled_from(words) | st.binary(max_size=2) | st.sampled_from(seeds)
    edits = st.lists(st.one_of(_cuts(), _copies(), _inserts(pieces), _flips()), max_size=5)
    edited = st.builds(_edited, st.sampled_from(seeds), edits)
    return st.one_of(edited, edited, made_of_words, st.binary(max_size=40)).map(lambda data: data[: target.longest])


def _edited(seed: bytes, edits: list[Edit]) -> bytes:
    for edit in edits:
        seed = edit(seed)
    return seed


_places = st.integers(0, 1 << 16)
_lengths = st.integers(1, 40)


def _cuts() -> st.SearchStrategy[Edit]:
    """A piece less."""

    def cut(place: int, length: int) -> Edit:
        return lambda data: data[: _at(place, data)] + data[_at(place, data) + length :]

    return st.builds(cut, _places, _lengths)


def _copies() -> st.SearchStrategy[Edit]:
    """A piece once more, somewhere else."""

    def copy(place: int, length: int, target: int) -> Edit:
        def edit(data: bytes) -> bytes:
            piece = data[_at(place, data) :][:length]
            return data[: _at(target, data)] + piece + data[_at(target, data) :]

        return edit

    return st.builds(copy, _places, _lengths, _places)


def _inserts(pieces: st.SearchStrategy[bytes]) -> st.SearchStrategy[Edit]:
    """Something in between."""

    def insert(place: int, piece: bytes) -> Edit:
        return lambda data: data[: _at(place, data)] + piece + data[_at(place, data) :]

    return st.builds(insert, _places, pieces)


def _flips() -> st.SearchStrategy[Edit]:
    """Another byte in the place of one."""

    def flip(place: int, byte: int) -> Edit:
        return lambda data: data[: _at(place, data)] + bytes([byte]) + data[_at(place, data) + 1 :]

    return st.builds(flip, _places, st.integers(0, 255))


def _at(place: int, data: bytes) -> int:
    return place % (len(data) + 1)
