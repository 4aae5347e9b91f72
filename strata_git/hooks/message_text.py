"""The text of a commit message while git makes it: what people wrote, comments, scissors, and trailers of ours. Pure.

Where a message is still to be written in an editor, trailers wait in a comment: put into the text at once they would
turn "quit without a word", by which people give a commit up, into a commit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from strata_git.contracts.layout import Artifact
from strata_git.contracts.trailers import MORE, claims

_SCISSORS = re.compile(r"\S+ -{24} >8 -{24}\r?")
_WAITING = re.compile(r"(\S{1,20}) git-strata ([0-9a-f]{8}): .*")
_WORDS = "added to your message (take out a line to leave it out):"
_SIGNED = "signed-off-by:"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Trailers that wait in a comment: the text without it, git's comment string, the lines, and what was said then."""

    text: str
    comment: str
    lines: tuple[str, ...]
    digest: str


def split(text: str, comment: str) -> tuple[str, str]:
    """What becomes the message, and comments, scissors and diff at its end. `comment` `""`: nothing is a comment."""
    if not comment:
        return text, ""
    lines = text.split("\n")
    end = next((at for at, line in enumerate(lines) if _SCISSORS.fullmatch(line)), len(lines))
    while end and (not lines[end - 1].strip() or lines[end - 1].startswith(comment)):
        end -= 1
    while end < len(lines) and not lines[end].strip():
        end += 1
    return "\n".join(lines[:end]), "\n".join(lines[end:])


def spoken(text: str, comment: str) -> list[str]:
    """The lines of the message proper: no comment, nothing empty, no sign-off and no trailer of ours."""
    body, _ = split(text, comment)
    lines = [line.strip() for line in body.split("\n") if not (comment and line.startswith(comment))]
    return [line for line in lines if line and not line.lower().startswith(_SIGNED) and not claims(line)]


def without(text: str, artifacts: Collection[Artifact], *, counted: bool = True) -> str:
    """The text without trailers that name one of `artifacts`; `counted`: nor those that count the rest."""
    lines = text.split("\n")
    gone = {
        claim.line
        for claim in claims(text)
        if claim.artifact in artifacts or (counted and claim.name.lower() == MORE.lower())
    }
    return "\n".join(line for at, line in enumerate(lines, 1) if at not in gone)


def unused_mark(text: str) -> str:
    """A character that begins no line, for git to take as that of comments where nothing is one."""
    firsts = {line[:1] for line in text.split("\n")}
    return next((mark for mark in "#;%@!$^&|:~+=<>*?" if mark not in firsts), "#")


def defer(text: str, comment: str, lines: Sequence[str]) -> str:
    """The text with `lines` waiting in a comment at its end, below the scissors where there are any."""
    block = [f"{comment} git-strata {_digest(text, comment)}: {_WORDS}", *(f"{comment}\t{line}" for line in lines)]
    rows = text.split("\n")
    at = next((at for at, row in enumerate(rows) if _SCISSORS.fullmatch(row)), None)
    if at is None:
        while rows and not rows[-1].strip():
            rows.pop()
        return "\n".join(rows + ([""] if not rows else []) + [*block, ""])
    at += 1
    while at < len(rows) and rows[at].startswith(comment):
        at += 1
    return "\n".join([*rows[:at], *block, *rows[at:]])


def take_waiting(text: str) -> Waiting | None:
    """The trailers that wait in a comment, None where none do."""
    rows = text.split("\n")
    for at, row in enumerate(rows):
        match = _WAITING.fullmatch(row)
        if match is None:
            continue
        comment, digest = match.groups()
        end = at + 1
        while end < len(rows) and rows[end].startswith(f"{comment}\t"):
            end += 1
        lines = [line[len(comment) + 1 :] for line in rows[at + 1 : end]]
        sound = tuple(line for line in lines if claims(line))
        return Waiting("\n".join(rows[:at] + rows[end:]), comment, sound, digest)
    return None


def is_written(waiting: Waiting) -> bool:
    """Whether somebody has written a message since the trailers were made to wait."""
    return bool(spoken(waiting.text, waiting.comment)) and _digest(waiting.text, waiting.comment) != waiting.digest


def _digest(text: str, comment: str) -> str:
    said = "\n".join(spoken(text, comment)).encode("utf-8", "surrogateescape")
    return hashlib.sha256(said).hexdigest()[:8]
