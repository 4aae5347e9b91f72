"""What a chain gives: a line a chunk in outputs.jsonl, the answers of steps that gather, files, rows for sinks.

Nothing in these files depends on the run's number or the time, so that the same answers are the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from strata_git.contracts.chain import Output
from strata_git.errors import StrataError, printable
from strata_git.pipeline.chain.plan import Plan
from strata_git.pipeline.chain.scope import value_of
from strata_git.pipeline.chain.units import Unit, units
from strata_git.pipeline.errors import ExportError
from strata_git.pipeline.sinks.exporter import PART, Receipt

OUTPUTS, GATHERED = "outputs.jsonl", "answers.json"


def row_of(unit: Unit) -> dict[str, Any]:
    """A line of outputs.jsonl: where the chunk is, and an answer a step."""
    document, chunk = unit.document, unit.chunk
    return {
        "id": chunk["id"],
        "document": document["name"],
        "document_sha256": document["sha256"],
        "uri": document["uri"],
        "chunk": chunk["index"],
        "start": chunk["start"],
        "end": chunk["end"],
        **unit.answers,
    }


def write(directory: Path, last: Path, gathered: Mapping[str, Any]) -> int:
    """Write outputs.jsonl from the units in `last`, and answers.json where a step gathered; how many lines."""
    count = 0
    with open(directory / OUTPUTS, "wb") as out:
        for unit in units(last):
            out.write(_line(row_of(unit)))
            count += 1
    if gathered:
        text = json.dumps(dict(gathered), ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        (directory / GATHERED).write_text(text, encoding="utf-8")
    return count


def deliver(plan: Plan, directory: Path, gathered: Mapping[str, Any], run: Mapping[str, Any]) -> list[Receipt]:
    """Write the files that the chain's outputs name, then give sinks their rows; what these said.

    Raises ExportError that says how to give the rows once more: they are in the record by then.
    """
    for output in plan.chain.outputs:
        if output.save is not None:
            _save(output, directory, gathered, run)
    receipts = []
    for output in plan.chain.outputs:
        if output.export is None:
            continue
        part = output.source or PART
        try:
            rows = _rows(output, directory, gathered)
            receipts.append(plan.sinks[output.export].write(rows, run_id=str(run["id"]), part=part))
        except ExportError as error:
            again = f"git strata export --sink {output.export} --input runs/{run['id']}/artifacts/{OUTPUTS}"
            raise ExportError(
                f"All answers are in the record; {error.message}", kind=error.kind, status=error.status,
                hint=f"{error.hint}\nThen: {again}",
            ) from None  # fmt: skip
    return receipts


def cited(receipt: Receipt, root: Path) -> dict[str, object]:
    """What run.yaml says of an export. What is below the workspace at `root` is named by its path there."""
    from strata_git.pipeline.process import shown

    uri = shown(receipt.uri, root).removeprefix(f"{root.resolve()}/").removeprefix(f"{root}/")
    return {"sink": receipt.sink, "uri": uri, "part": receipt.part, "rows": receipt.rows, "digest": receipt.digest}


def _rows(output: Output, directory: Path, gathered: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All rows, or those of one step: one alone where it gathered."""
    if output.source is not None and output.source in gathered:
        yield {"step": output.source, output.source: gathered[output.source]}
        return
    for row in _lines(directory / OUTPUTS):
        if output.source is None:
            yield row
        else:
            yield {key: row[key] for key in ("id", "document", "chunk", output.source)}


def _save(output: Output, directory: Path, gathered: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    from strata_git.pipeline.rows import columns_of, plain_row, written

    name = str(value_of(output.save, {"run": run}))
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    form = output.form or {"json": "json", "csv": "csv", "parquet": "parquet", "jsonl": "jsonl"}.get(
        path.suffix.lstrip("."), "text"
    )
    if path.name in (OUTPUTS, GATHERED) and path.parent == directory:
        raise StrataError(f"outputs: '{printable(name)}' is a file of the record's own.")
    rows = _rows(output, directory, gathered)
    if form in ("text", "json"):
        path.write_text(_text(output, rows, form), encoding="utf-8")
    elif form == "jsonl":
        with open(path, "wb") as out:
            out.writelines(_line(row) for row in rows)
    else:
        plain = [plain_row(row) for row in rows]
        path.write_bytes(written(plain, columns_of(plain), form))


def _text(output: Output, rows: Iterator[dict[str, Any]], form: str) -> str:
    said = [row.get(output.source) if output.source else row for row in rows]
    if form == "json":
        return json.dumps(said[0] if len(said) == 1 else said, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    texts = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False, sort_keys=True) for one in said]
    return "\n".join(texts) + "\n"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, "rb") as lines:
        for line in lines:
            yield json.loads(line)


def _line(row: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(row), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"
