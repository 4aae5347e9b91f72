"""The text of a message: what of it is said, and trailers that wait in a comment."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strata_git.contracts.layout import Artifact
from strata_git.hooks.message_text import defer, is_written, split, spoken, take_waiting, unused_mark, without

HELP = "\n# Please enter the commit message\n#\n# On branch main\n"
SCISSORS = "# ------------------------ >8 ------------------------\n"
CUT = f"{SCISSORS}# Do not modify\n# Everything below\ndiff --git a b\n+Strata-Run: x\n"
LINES = ("Strata-Dataset: datasets/iris@v1", "Strata-Model: models/x@v2")


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("Words\n", "Words\n"),
        (f"Words\n{HELP}", "Words\n"),
        (f"Words\n\n# kept inside\nMore\n{HELP}", "Words\n\n# kept inside\nMore\n"),
        (f"Words\n{HELP}{CUT}", "Words\n"),
        (HELP, ""),
    ],
)
def test_what_becomes_the_message(text: str, body: str) -> None:
    first, rest = split(text, "#")
    assert first.rstrip("\n") == body.rstrip("\n")
    assert (f"{first}\n{rest}" if rest else first) == text
    assert split(text, "") == (text, "")


def test_signing_off_is_no_word() -> None:
    assert spoken(f"\nSigned-off-by: A\n{LINES[0]}\n{HELP}", "#") == []
    assert spoken(f"Words\n\nSigned-off-by: A\n{HELP}", "#") == ["Words"]


@pytest.mark.parametrize("text", [HELP, f"{HELP}{CUT}", "", "\n", f"Template\n{HELP}"])
@pytest.mark.parametrize("comment", ["#", ";", "//"])
def test_waiting_and_back(text: str, comment: str) -> None:
    text = text.replace("#", comment)
    waiting = take_waiting(defer(text, comment, LINES))
    assert waiting is not None
    assert waiting.text.rstrip("\n") == text.rstrip("\n")
    assert (waiting.comment, waiting.lines) == (comment, LINES)
    assert not is_written(waiting)
    written = take_waiting("Written\n" + defer(text, comment, LINES))
    assert written is not None
    assert is_written(written)


def test_what_waits_lies_below_the_scissors() -> None:
    """Where the cleanup keeps comments, all that is below the scissors still goes."""
    assert "git-strata" in defer(f"\n{CUT}", "#", LINES).partition(">8")[2]


def test_a_forged_block_brings_nothing_that_is_no_trailer() -> None:
    waiting = take_waiting("x\n# git-strata 12345678: y\n#\tEvil: z\n#\tStrata-Run: run-2026-01-05-001\n")
    assert waiting is not None
    assert waiting.lines == ("Strata-Run: run-2026-01-05-001",)
    assert take_waiting("x\n# git-strata: 12345678\n") is None


def test_stale_ones_go() -> None:
    text = "x\n\n" + "\n".join(LINES) + "\nStrata-More: 2 artifacts\nStrata-Odd: y\n"
    left = without(text, [Artifact("dataset", "iris", "v1")])
    assert left == f"x\n\n{LINES[1]}\nStrata-Odd: y\n"


@settings(max_examples=30)
@given(st.text("#;%@ab\n", max_size=30))
def test_an_unused_mark_begins_no_line(text: str) -> None:
    assert not any(line.startswith(unused_mark(text)) for line in text.split("\n"))


def test_git_takes_such_a_mark() -> None:
    """A message all of whose lines look like comments keeps its place before the trailers."""
    words = ["git", "-c", f"core.commentChar={unused_mark('#1')}", "interpret-trailers", "--trailer", LINES[0]]
    done = subprocess.run(words, input="Fix\n\n#1\n", capture_output=True, text=True, check=True)
    assert done.stdout == f"Fix\n\n#1\n\n{LINES[0]}\n"
