"""Parquet files, batch by batch."""

from __future__ import annotations

from itertools import repeat
from typing import Any

from strata_git.pipeline.documents.blob import Blob
from strata_git.pipeline.documents.document import Loaded
from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.refusal import Refused
from strata_git.pipeline.documents.tables import Rows, value

_BATCH = 4096


def load(blob: Blob, limits: Limits) -> Loaded:
    """The table as markdown: one row a record, nested values as JSON."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    with blob.open() as stream:
        try:
            file = ParquetFile(stream, memory_map=False, pre_buffer=False)
            facts = _facts(file, limits)
            rows = Rows(limits)
            for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
                columns = [_texts(column) for column in batch.columns]
                for row in zip(*columns, strict=True) if columns else repeat((), batch.num_rows):
                    rows.add(row)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            encrypted = "encrypt" in str(error).lower() or "decrypt" in str(error).lower()
            raise Refused("encrypted" if encrypted else "malformed", str(error).splitlines()[0]) from None
        except MemoryError:
            raise Refused("memory", "its pages unpack to more memory than it may take") from None
    names = [str(name) for name in file.schema_arrow.names]
    text = "\n".join(rows.markdown(names)) + "\n" if names else ""
    return Loaded(text, True, facts, () if len(rows) else ("it has no rows",))


def _facts(file: Any, limits: Limits) -> dict[str, object]:
    """Rows and columns, judged by what the footer claims before any page is read."""
    about = file.metadata
    names = [str(field.name) for field in file.schema_arrow]
    if len(names) > limits.columns:
        raise Refused("too_large", f"it has {len(names)} columns, more than {limits.columns}")
    if about.num_rows * max(len(names), 1) > limits.cells:
        raise Refused("too_large", f"it has {about.num_rows} rows, more than {limits.cells} cells")
    claimed = sum(max(0, about.row_group(group).total_byte_size) for group in range(about.num_row_groups))
    if claimed > limits.expanded:
        raise Refused("expands", f"it unpacks to {claimed} bytes, more than {limits.expanded}")
    types = {str(field.name): str(field.type) for field in file.schema_arrow}
    return {"rows": about.num_rows, "columns": len(names), "schema": types}


def _texts(column: Any) -> list[str]:
    """A column's values as cells' text; what needs no conversion is not touched one by one."""
    from pyarrow import types as kinds

    kind = column.type
    if kinds.is_string(kind) or kinds.is_large_string(kind):
        return ["" if one is None else one for one in column.to_pylist()]
    if kinds.is_timestamp(kind) and kind.unit == "ns":
        return [_nanoseconds(one) for one in column.cast("int64").to_pylist()]
    return [value(one) for one in column.to_pylist()]


def _nanoseconds(count: int | None) -> str:
    """ISO 8601 with as many digits as there are."""
    if count is None:
        return ""
    from datetime import UTC, datetime, timedelta

    seconds, rest = divmod(count, 1_000_000_000)
    base = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{base}.{rest:09d}".rstrip("0") if rest else base
