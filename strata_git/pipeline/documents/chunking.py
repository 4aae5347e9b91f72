"""Cutting documents: pieces of at most so many tokens (or characters, sentences, lines), each an exact slice.

The longest piece that fits is found first; then it is shortened to the best place near its end where a reader would
pause: between sections or blocks of markdown, paragraphs, lines, sentences, words. What no piece holds is white space
between two of them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from strata_git.contracts.chain import Chunking
from strata_git.pipeline.documents.breaks import Breaks, breaks_of, lines_of, sentences_of
from strata_git.pipeline.documents.document import Chunk, Document, chunk_id
from strata_git.pipeline.documents.tokens import Tokenizer, tokenizer

_ALGORITHM = 1
"""Part of every chunk's id: raised when the same chunking cuts otherwise."""


def cut(document: Document, chunking: Chunking) -> Iterator[Chunk]:
    """The document's chunks, in order; none for one without text."""
    counter = tokenizer(chunking.tokenizer)
    how = described(chunking)
    for index, (start, end) in enumerate(spans(document.text, chunking, counter, markdown=document.type != "text")):
        text = document.text[start:end]
        name = chunk_id(document.id, start, end, how)
        yield Chunk(name, document.id, index, start, end, counter.count(text), counter.exact, text)


def described(chunking: Chunking) -> str:
    """The chunking in one line, as chunks' ids depend on it."""
    counted = tokenizer(chunking.tokenizer)
    return f"{_ALGORITHM} {chunking.by} {chunking.max} {chunking.overlap} {counted.name} {counted.encoding}"


def spans(text: str, chunking: Chunking, counter: Tokenizer, *, markdown: bool = True) -> Iterator[tuple[int, int]]:
    """Where chunks begin and end, in characters."""
    whole = _trimmed(text, 0, len(text))
    if whole is None:
        return
    if chunking.by == "document":
        yield whole
    elif chunking.by in ("sentences", "lines"):
        yield from _windows(text, chunking)
    else:
        measure = _Measure(text, counter if chunking.by != "characters" else None, chunking.max, chunking.overlap)
        yield from _pieces(text, measure, breaks_of(text, markdown=markdown, sections=chunking.by == "markdown"))


# -- so many sentences or lines ----------------------------------------------------------------------------------------


def _windows(text: str, chunking: Chunking) -> Iterator[tuple[int, int]]:
    units = list((sentences_of if chunking.by == "sentences" else lines_of)(text))
    step = chunking.max - chunking.overlap
    for first in range(0, len(units), step):
        last = min(first + chunking.max, len(units)) - 1
        yield units[first][0], units[last][1]
        if last == len(units) - 1:
            return


# -- so many tokens or characters --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Measure:
    """How long a piece may be. `per_token` is the number of characters a token had lately: what is looked at next
    follows from it, so that each character is counted about once."""

    text: str
    counter: Tokenizer | None
    max: int
    overlap: int
    per_token: float = 5.0

    def furthest(self, start: int) -> int:
        """The last place where a piece that begins at `start` may end."""
        if self.counter is None:
            return min(start + self.max, len(self.text))
        window = int(self.max * self.per_token * 1.3) + 16
        while True:
            looked = self.text[start : start + window]
            length = self.counter.longest(looked, self.max)
            if length < len(looked) or start + window >= len(self.text):
                self.per_token = 0.7 * self.per_token + 0.3 * max(1.0, length / self.max)
                return min(start + length, len(self.text))
            window *= 2

    def fits(self, start: int, end: int, most: int) -> bool:
        """Whether a piece has at most so many units."""
        if self.counter is None:
            return end - start <= most
        return self.counter.count(self.text[start:end]) <= most


def _pieces(text: str, measure: _Measure, breaks: Breaks) -> Iterator[tuple[int, int]]:
    total = len(text)
    place, reached = 0, 0
    while (begun := _first(text, place, total)) is not None:
        begun = _unindented(text, begun, measure)
        end = _end(text, begun, reached, measure, breaks)
        if end <= reached:  # the overlap left no room for anything new
            begun = _first(text, reached, total)
            if begun is None:
                return
            begun = _unindented(text, begun, measure)
            end = _end(text, begun, begun, measure, breaks)
        yield begun, end
        reached = end
        if _first(text, end, total) is None:
            return
        place = _overlapped(begun, end, measure, breaks) if measure.overlap else end


def _end(text: str, start: int, after: int, measure: _Measure, breaks: Breaks) -> int:
    """Where the piece that begins at `start` ends: beyond `after`, or at `after` when that cannot be."""
    furthest = measure.furthest(start)
    fresh = _content(text, max(start, after), len(text))
    if fresh is None or (furthest <= fresh and after > start):
        return after
    while True:
        if _first(text, furthest, len(text)) is None:
            end = len(text)
        else:
            end = breaks.best(start, max(fresh, start), furthest)
        end = _trimmed_end(text, start, end)
        if end <= start:
            return start + 1  # one character is longer than a piece may be: it is one nevertheless
        if measure.fits(start, end, measure.max):  # a beginning's tokens may be others than the whole's
            return end if end > after else after
        furthest = max(start, min(furthest, end) - 1 - (end - start) // 50)
        if furthest <= fresh:
            return after if after > start else fresh + 1


def _overlapped(start: int, end: int, measure: _Measure, breaks: Breaks) -> int:
    """Where the next piece begins: as far before `end` as the overlap allows, at a line, sentence or word if it can."""
    span = measure.overlap if measure.counter is None else int(measure.overlap * measure.per_token * 2) + 16
    lowest = max(start + 1, end - span)
    places = breaks.starts(lowest, end)
    first = bisect_left(places, True, key=lambda place: measure.fits(place, end, measure.overlap))
    return places[first] if first < len(places) else end


# -- white space -------------------------------------------------------------------------------------------------------


def _content(text: str, start: int, end: int) -> int | None:
    """The first character that is not white space."""
    place = start
    while place < end and text[place].isspace():
        place += 1
    return place if place < end else None


def _unindented(text: str, begun: int, measure: _Measure) -> int:
    """Where a piece begins: without the blanks of its first line where these alone would fill it."""
    content = _content(text, begun, len(text)) or begun
    return content if content > begun and measure.furthest(begun) <= content else begun


def _first(text: str, start: int, end: int) -> int | None:
    """Where content begins: the start of its line when only blanks are before it there, None when there is none."""
    place = _content(text, start, end)
    if place is None:
        return None
    line = text.rfind("\n", start, place) + 1
    if line > start or start == 0 or text[start - 1] == "\n":
        return max(line, start)
    return place


def _trimmed_end(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1].isspace():
        end -= 1
    return end


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    begun = _first(text, start, end)
    return None if begun is None else (begun, _trimmed_end(text, begun, end))
