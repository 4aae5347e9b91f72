"""How things are shown: JSON and lists on standard output, prose and progress on standard error.

Prose is for people, or one line of JSON each where STRATA_LOG_FORMAT asks for that; STRATA_LOG_LEVEL says how much of
it. What a command's mask knows to be a secret is shown on neither stream.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import click

from strata_git.errors import printable

format_option = click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True, help="How to print."
)
LEVELS = ("debug", "info", "warning", "error")


@dataclass(slots=True)
class _Voice:
    """How this process speaks."""

    form: str = "human"
    least: str = "info"
    masks: list[Callable[[str], str]] = field(default_factory=list)

    def masked(self, text: str) -> str:
        for mask in self.masks:
            text = mask(text)
        return text


_voice = _Voice()


def speak(environ: Mapping[str, str]) -> None:
    """Take form and level of prose from the environment, and forget all masks; what is no form or level is ignored."""
    level = environ.get("STRATA_LOG_LEVEL", "")
    _voice.form = "json" if environ.get("STRATA_LOG_FORMAT") == "json" else "human"
    _voice.least = level if level in LEVELS else "info"
    _voice.masks = []


def speak_as(form: str, level: str) -> None:
    """Take form and level of prose as settings give them; the environment has spoken in those, too."""
    _voice.form, _voice.least = form, level


def speaks_json() -> bool:
    """Whether prose is lines of JSON."""
    return _voice.form == "json"


def least_level() -> str:
    """The level from which on prose is shown."""
    return _voice.least


def mask_with(mask: Callable[[str], str]) -> None:
    """From now on whatever is shown passes `mask`, which takes secrets out."""
    _voice.masks.append(mask)


def out(text: str) -> None:
    """Print to standard output; whatever a terminal would obey is escaped."""
    click.echo("\n".join(_line(line) for line in _voice.masked(text).split("\n")))


def note(text: str, level: str = "info") -> None:
    """Print prose to standard error."""
    if LEVELS.index(level) < LEVELS.index(_voice.least):
        return
    if _voice.form == "json":
        tell(level, text)
    else:
        click.echo("\n".join(_line(line) for line in _voice.masked(text).split("\n")), err=True)


def complain(message: str, hint: str = "", *, exit_code: int, level: str = "error") -> None:
    """Say on standard error why a command ends, and what to do."""
    if _voice.form == "json":
        tell(level, message, hint=hint, exit_code=exit_code)
        return
    click.echo(f"git strata: {printable(_voice.masked(message))}", err=True)
    for line in _voice.masked(hint).splitlines():
        click.echo(f"  {printable(line)}", err=True)


def tell(level: str, message: str, **fields: object) -> None:
    """One line of JSON on standard error, in the form of a pipeline's log."""
    import json
    from datetime import UTC, datetime

    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event = {"time": time, "level": level, "logger": "strata.cli", "message": message, **fields}
    told = {key: _voice.masked(value) if isinstance(value, str) else value for key, value in event.items()}
    click.echo(json.dumps({key: value for key, value in told.items() if value != ""}), err=True)


def traceback_of(error: BaseException) -> str:
    """The traceback as text, without secrets."""
    import traceback

    return _voice.masked("".join(traceback.format_exception(error)))


def out_json(value: object) -> None:
    """Print one JSON document to standard output."""
    from strata_git.load import dump_json

    data = dump_json(value)
    if _voice.masks:
        data = _voice.masked(data.decode()).encode()
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def table(rows: Sequence[Sequence[str]], head: Sequence[str]) -> str:
    """Rows as aligned text under a heading."""
    lines = [[printable(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _line(line: str) -> str:
    return printable(line.replace("\t", "    "))
