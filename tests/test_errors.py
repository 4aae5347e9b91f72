"""What people read when something cannot be done."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.errors import MissingExtra, StrataError, UsageError, printable


def test_exit_codes() -> None:
    assert StrataError("m").exit_code == 3
    assert UsageError("m").exit_code == 64
    assert StrataError("m", exit_code=5).exit_code == 5
    assert StrataError.exit_code == 3
    assert (str(StrataError("m", hint="h")), StrataError("m", hint="h").hint) == ("m", "h")


def test_a_missing_extra_names_the_command() -> None:
    error = MissingExtra("runs", "MLflow tracking")
    assert error.hint == "pip install 'git-strata[runs]'"
    assert "MLflow tracking" in error.message


@pytest.mark.parametrize(("text", "shown"), [
    ("plain é 漢 🙂", "plain é 漢 🙂"),
    ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
    ("\x1b[2J", "\\x1b[2J"),
    ("\x9b2J\x7f", "\\x9b2J\\x7f"),
    ("\u202egpj.exe", "\\u202egpj.exe"),
    ("\u2066\u200b\ufeff\u061c", "\\u2066\\u200b\\ufeff\\u061c"),
    (os.fsdecode(b"bytes-\xff"), "bytes-\\xff"),
    ("\ud800", "\\ud800"),
])  # fmt: skip
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(st.characters(exclude_categories=[])))
def test_whatever_comes_can_be_printed(text: str) -> None:
    shown = printable(text)
    shown.encode()
    assert all(character >= " " and not "\x7f" <= character <= "\x9f" for character in shown)
    assert printable(shown) == shown
