"""Where a text may be cut: the places where a reader would pause, the better ones first."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from unicodedata import category

from strata_git.pipeline.documents.normalise import fenced

_HEADING = re.compile(r"^ {0,3}(#{1,6})(?=[ \t\n])", re.M)
_SENTENCE = re.compile(
    "(?:[.!?\u2026][\"'\u201d\u2019)\\]]*(?=\\s)|[\u3002\uff01\uff1f][\u300d\u300f\u201d\u2019\uff09]*)"
)
_LOWER_NEXT = re.compile(r"\s+[a-z]")
_ABBREVIATED = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|etc|approx|no|nos|fig|figs|eq|vol|pp|p|dr|mr|mrs|ms|prof|st|sr|jr|inc|ltd|co|al)|\b[A-Z])\.$",
    re.I,
)
_LINE = re.compile(r"[^\n]*\S[^\n]*")
_JOINING = frozenset({"Mn", "Mc", "Me", "Cf"})
_NEAR = 200


@dataclass(frozen=True, slots=True)
class Breaks:
    """What is known of a text once for all its pieces: where headings are (place, level) and code fences."""

    text: str
    headings: tuple[int, ...]
    levels: tuple[int, ...]
    fences: tuple[tuple[int, int], ...]
    sections: bool

    def best(self, start: int, least: int, furthest: int) -> int:
        """The best place to end a piece that began at `start`: beyond `least`, at most `furthest`.

        A heading is worth a piece a quarter as long as it might be (only where sections are wanted, the highest one),
        and so is the beginning of code; a paragraph half, a line or sentence two thirds; a word any.
        """
        length = furthest - start
        if self.sections and (found := self._heading(max(least, start + length // 4), furthest)):
            return found
        fence = self._fence(furthest)
        if fence is not None and fence > max(least, start + length // 4):
            return fence  # code stays together where it can
        for sign, share in (("\n\n", 0.5), ("\n", 0.66)):
            found = self.text.rfind(sign, max(least, start + int(length * share)), furthest + 1)
            while found > least and self._in_fence(found) and sign == "\n\n":
                found = self.text.rfind(sign, max(least, start + int(length * share)), found)
            if found > least:
                return found
        return self._sentence(max(least, start + int(length * 0.66)), furthest) or self._word(least, furthest)

    def starts(self, lowest: int, end: int) -> list[int]:
        """Where an overlap may begin between two places, in order: at words."""
        text, places = self.text, []
        for place in range(max(lowest, 1), end):
            if text[place - 1].isspace() and not text[place].isspace():
                places.append(place)
        return places or [place for place in range(lowest, end) if not self._joined(place)]

    def _heading(self, least: int, furthest: int) -> int | None:
        first, last = bisect_right(self.headings, least), bisect_right(self.headings, furthest)
        if first >= last:
            return None
        highest = min(self.levels[first:last])
        place = max(place for place in range(first, last) if self.levels[place] == highest)
        return self.headings[place]

    def _fence(self, place: int) -> int | None:
        """Where the code fence begins that a place is within."""
        at = bisect_right(self.fences, (place, len(self.text) + 1)) - 1
        return self.fences[at][0] if at >= 0 and self.fences[at][0] < place < self.fences[at][1] else None

    def _in_fence(self, place: int) -> bool:
        return self._fence(place) is not None

    def _sentence(self, least: int, furthest: int) -> int | None:
        found = None
        for match in _SENTENCE.finditer(self.text, least, min(furthest + 1, len(self.text))):
            if match.end() <= furthest and _ends(self.text, match.end()):
                found = match.end()
        return found

    def _word(self, least: int, furthest: int) -> int:
        text = self.text
        if furthest < len(text) and text[furthest].isspace():
            return furthest
        for place in range(furthest - 1, max(least, furthest - _NEAR * 5), -1):
            if text[place].isspace():
                return place
        place = furthest
        while place > least + 1 and self._joined(place):
            place -= 1
        return place if not self._joined(place) else furthest

    def _joined(self, place: int) -> bool:
        """Whether a cut there would part what people see as one character."""
        text = self.text
        if not 0 < place < len(text):
            return False
        return (
            category(text[place]) in _JOINING
            or text[place - 1] == "\u200d"
            or "\U0001f3fb" <= text[place] <= "\U0001f3ff"
        )


def breaks_of(text: str, *, markdown: bool, sections: bool) -> Breaks:
    """Look a text through. `sections`: headings count before anything else."""
    fences = tuple(fenced(text)) if markdown else ()
    found = [(match.start(), len(match[1])) for match in _HEADING.finditer(text)] if sections else []
    begins = [begin for begin, _ in fences]
    kept = []
    for place, level in found:
        at = bisect_left(begins, place) - 1
        if at < 0 or place >= fences[at][1]:
            kept.append((place, level))
    return Breaks(text, tuple(one for one, _ in kept), tuple(level for _, level in kept), fences, sections)


def sentences_of(text: str) -> Iterator[tuple[int, int]]:
    """Sentences as slices without the blanks around them. An empty line, a heading or a table's line ends one too."""
    for block in re.finditer(r"(?:[^\n]*\S[^\n]*\n?)+", text):
        start = block.start()
        for match in _SENTENCE.finditer(text, block.start(), block.end()):
            if _ends(text, match.end()):
                yield from _slice(text, start, match.end())
                start = match.end()
        yield from _slice(text, start, block.end())


def lines_of(text: str) -> Iterator[tuple[int, int]]:
    """Lines that are not empty, as slices with the blanks they begin with."""
    for match in _LINE.finditer(text):
        yield match.start(), match.start() + len(match[0].rstrip())


def _ends(text: str, place: int) -> bool:
    """Whether a full stop there ends a sentence: not after an abbreviation, nor before a small letter."""
    if _LOWER_NEXT.match(text, place):
        return False
    return not _ABBREVIATED.search(text[max(0, place - 12) : place])


def _slice(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end
