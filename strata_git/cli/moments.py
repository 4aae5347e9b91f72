"""Moments as arguments name them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click


class Moment(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.2
    """A moment as `unix_time` reads it."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The moment; a usage error for what is none."""
        if isinstance(value, int):
            return value
        try:
            return unix_time(str(value))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


def unix_time(text: str) -> int:
    """A date or a time by ISO 8601 as Unix time; without an offset it is UTC, a date alone its last second.

    Raises ValueError, with a sentence.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"'{text}' is no moment; write 2026-11-21 or 2026-11-21T17:00:00Z") from None
    if len(text) <= len("2026-11-21"):
        moment += timedelta(days=1, seconds=-1)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
