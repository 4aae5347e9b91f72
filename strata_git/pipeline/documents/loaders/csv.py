"""Tables as text: comma, semicolon, tab or bar between values; a first row that looks like names names columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import islice
from statistics import mode

from strata_git.pipeline.documents.blob import Blob
from strata_git.pipeline.documents.document import Loaded
from strata_git.pipeline.documents.encoding import decoded
from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.refusal import Refused
from strata_git.pipeline.documents.tables import Rows

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 100
_SAMPLE = 1 << 16


def load(blob: Blob, limits: Limits) -> Loaded:
    """The table as markdown. Values stay text, as they are written."""
    found = decoded(blob.content(limits))
    text = found.text.replace("\0", "")
    delimiter = ("\t" if blob.name.lower().endswith(".tsv") else "") or dialect(text[:_SAMPLE])
    rows = Rows(limits)
    csv.field_size_limit(limits.bytes)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    del text
    first: list[str] | None = None
    header: list[str] | None = None
    widths: dict[int, int] = {}
    try:
        for row in reader:
            if not row:
                continue
            if first is None:
                first = row
                if names_columns(row):
                    header = row
                    Rows(limits).add(row)  # a header has the limits of any row
                    continue
            widths[len(row)] = widths.get(len(row), 0) + 1
            rows.add(row)
    except csv.Error as error:
        raise Refused("malformed", f"line {reader.line_num}: {error}") from None
    if first is None:
        return Loaded("", True, {"encoding": found.encoding, "rows": 0}, (*found.notes, "it has no rows"))
    width = max([*widths, len(header or ())])
    notes = [*found.notes, *_notes(header, widths)]
    titles = _titles(header or [], width)
    text = "\n".join(rows.markdown(titles)) + "\n"
    facts = {"encoding": found.encoding, "delimiter": delimiter, "rows": len(rows), "columns": width}
    return Loaded(text, True, facts, tuple(notes))


def dialect(sample: str) -> str:
    """The sign between values: that which gives most rows the same number of more than one value; else a comma."""
    best, reached = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        if delimiter not in sample:
            continue
        try:
            counts = [
                len(row) for row in islice(csv.reader(io.StringIO(sample), delimiter=delimiter), _SAMPLE_ROWS) if row
            ]
        except csv.Error:
            continue
        counts = counts[:-1] if len(counts) > 2 else counts  # the sample may end within a row
        usual = mode(counts) if counts else 1
        if usual > 1:
            score = (round(counts.count(usual) / len(counts), 2), usual)
            best, reached = (delimiter, score) if score > reached else (best, reached)
    return best


def names_columns(row: Sequence[str]) -> bool:
    """Whether a first row looks like names: all different, none empty, none a number."""
    names = [one.strip() for one in row]
    return all(names) and len(set(names)) == len(names) and not any(map(_is_number, names))


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _titles(header: list[str], width: int) -> list[str]:
    return [*header, *(f"column {place}" for place in range(len(header) + 1, width + 1))]


def _notes(header: list[str] | None, widths: dict[int, int]) -> list[str]:
    notes = [] if header else ["its first row does not name columns: they are numbered"]
    usual = len(header) if header else max(widths, key=lambda width: widths[width], default=0)
    odd = sum(count for width, count in widths.items() if width != usual)
    return [*notes, f"{odd} rows have more or fewer values than {usual}"] if odd else notes
