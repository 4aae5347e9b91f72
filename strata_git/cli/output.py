"""How things are shown: JSON and lists on standard output, prose and progress on standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from strata_git.errors import printable

format_option = click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print."
)


def out(text: str) -> None:
    """Print to standard output; whatever a terminal would obey is escaped."""
    click.echo("\n".join(_line(line) for line in text.split("\n")))


def note(text: str) -> None:
    """Print prose to standard error."""
    click.echo("\n".join(_line(line) for line in text.split("\n")), err=True)


def out_json(value: object) -> None:
    """Print one JSON document to standard output."""
    from strata_git.load import dump_json

    sys.stdout.flush()
    sys.stdout.buffer.write(dump_json(value))
    sys.stdout.buffer.flush()


def table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Rows as aligned text under a heading."""
    lines = [[printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _line(line: str) -> str:
    return printable(line.replace("\t", "    "))
