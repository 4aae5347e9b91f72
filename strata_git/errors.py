"""What went wrong, told so that a person knows what to do next; never how it is printed.

A `Finding` (see `strata_git.checks.finding`) is a fact about the user's repository. A `StrataError` is our
inability to do what was asked. Anything else that escapes is a bug of ours.
"""

from __future__ import annotations

import re

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


class StrataError(Exception):
    """Something asked of us could not be done.

    `message` says what and where in one sentence, `hint` what to do next (a command, when there is one),
    `exit_code` what the process answers: 3, unless a subclass says otherwise.
    """

    exit_code = 3

    def __init__(self, message: str, *, hint: str = "", exit_code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if exit_code is not None:
            self.exit_code = exit_code


class UsageError(StrataError):
    """The command line cannot be understood (exit code 64, `EX_USAGE` of sysexits)."""

    exit_code = 64


class MissingExtra(StrataError):
    """A capability needs packages that the light core leaves out."""

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(
            f"{what} needs the optional extra '{extra}', which is not installed.",
            hint=f"pip install 'git-strata[{extra}]'",
        )


def printable(text: str) -> str:
    """`text` with control, bidirectional-override and undecodable characters escaped, safe for a terminal.

    Undecodable bytes (surrogates of `os.fsdecode`) come out as `\\xNN`, everything else as `\\uNNNN` or `\\xNN`.
    """
    if text.isascii() and text.isprintable():  # nearly always, and quicker to find out
        return text
    return _UNPRINTABLE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    point = ord(match.group())
    if 0xDC80 <= point <= 0xDCFF:
        return f"\\x{point - 0xDC00:02x}"
    named = {9: "\\t", 10: "\\n", 13: "\\r"}.get(point)
    return named or (f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}")
