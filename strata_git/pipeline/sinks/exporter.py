"""What every sink offers, and what it says of its work.

Rows come from one part of one run (`outputs`, or the name that a chain gives its output). A sink remembers, in its own
terms, which parts it has and by which digest: the same rows once more change nothing, other rows for a part that it has
are refused, because what a run gave never changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from strata_git.errors import printable
from strata_git.pipeline.errors import ExportError
from strata_git.pipeline.rows import Row

PART = "outputs"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of an export.

    `rows` were given, `written` of them changed the sink, `dropped` were others' doubles (of rows with equal keys the
    last counts); `files` are the names of what was put there now; `digest` is that of the rows, `sha256:` and hex.
    """

    sink: str
    uri: str
    run: str
    part: str
    digest: str
    rows: int
    written: int
    dropped: int = 0
    files: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the sink is now another than before."""
        return bool(self.written or self.files)


@runtime_checkable
class Exporter(Protocol):
    """A sink."""

    def write(self, rows: Iterable[Row], *, run_id: str, part: str = PART) -> Receipt:
        """Give the rows of one part of a run to the sink, once.

        Rows are read one after the other and never held all at once. Raises ExportError; what was written before it is
        completed by the next call with the same rows, or was never visible.
        """


def already_other(sink: str, uri: str, run_id: str, part: str) -> ExportError:
    """The refusal of other rows for what is there already."""
    return ExportError(
        f"{sink}: {printable(uri)} already holds other rows of {printable(run_id)}, part {printable(part)}.",
        kind="conflict",
        hint="What a run gave never changes: give these rows another run, or another part.",
    )


def require_names(sink: str, run_id: str, part: str) -> None:
    """Raise ExportError for a run or a part that cannot be the name of a file."""
    for what, name in (("run", run_id), ("part", part)):
        if not _NAME.fullmatch(name):
            raise ExportError(
                f"{sink}: '{printable(name)}' cannot name a {what}.",
                hint="Letters, digits, '.', '_' and '-', at most a hundred, beginning with a letter or digit.",
            )


def keys_held(sink: str, row: Row, key_fields: Iterable[str]) -> tuple[object, ...]:
    """The values of a row's key. Raises ExportError when one is missing, null, or no plain value."""
    key = tuple(row.get(name) for name in key_fields)
    for name, value in zip(key_fields, key, strict=True):
        if value is None or isinstance(value, dict | list | float):
            raise ExportError(
                f"{sink}: a row has no usable value for its key '{printable(name)}'.",
                hint="Keys are texts, whole numbers or truth values, and every row has them: see key_fields.",
            )
    return key
