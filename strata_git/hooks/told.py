"""What a hook says, on standard error and safe for any terminal: findings, and errors of ours."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from strata_git.checks.finding import Finding
from strata_git.errors import StrataError, printable

TOLD = 20
"""Findings shown before the rest is only counted."""


def say(line: str) -> None:
    """One line for the user."""
    print(printable(line), file=sys.stderr)


def tell(findings: Sequence[Finding], refused: str, outcome: str, *, more: str = "") -> int:
    """Show what is worth showing; 1 when there is an error among it.

    `refused` names what is then refused (`commit`, `push`), `outcome` what that means; `more` where the rest is told.
    """
    worth = [finding for finding in findings if finding.severity != "info"]
    if worth:
        from strata_git.checks.formats import to_text

        print(to_text(worth[:TOLD]), file=sys.stderr)
    if len(worth) > TOLD:
        say(f"... and {len(worth) - TOLD} more" + (f": {more}" if more else ""))
    errors = sum(finding.severity == "error" for finding in worth)
    if errors:
        say(f"git-strata refuses this {refused}: {errors} error(s). {outcome}")
    return 1 if errors else 0


def tell_inability(name: str, error: StrataError) -> int:
    """Say what the hook `name` could not do, and the hint; the exit code."""
    say(f"git-strata ({name}): {error.message}")
    for line in error.hint.splitlines():
        say(f"  {line}")
    return error.exit_code
