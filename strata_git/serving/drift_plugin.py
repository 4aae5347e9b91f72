"""The plugin `drift`: what a service was asked, beside what its model learned from, as a run (TFC-0012 7).

The record has shares of rows in bins and no row: neither a value that was asked nor who asked.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError, UsageError, printable
from strata_git.runs.plugin import Metric, RunContext, RunResult
from strata_git.serving.columns import Field, Signature, Table

if TYPE_CHECKING:
    from strata_git.runs.spec import RunSpec
    from strata_git.serving.drift import Column

SCHEMA = "strata/drift/v1"
REPORT, PAGE = "report.json", "report.md"
PARAMS = frozenset({"service", "model", "split", "statistic", "threshold", "since", "file"})
ROWS = 5_000_000
_LINE = 1 << 20


class DriftPlugin:
    """Requests beside the data that a model was made from."""

    name = "drift"
    requires: Mapping[str, Sequence[str]] = {"serve": ("numpy", "orjson")}

    def check(self, spec: RunSpec) -> None:
        """Raise UsageError for parameters that nobody knows, or that are missing."""
        if unknown := sorted(set(spec.params) - PARAMS):
            known = ", ".join(sorted(PARAMS))
            raise UsageError(f"params.{printable(unknown[0])}: the plugin drift has no such parameter.", hint=known)
        for name in ("service", "model"):
            if not isinstance(spec.params.get(name), str):
                raise UsageError(f"params.{name} is missing.", hint="git strata service drift NAME")
        if spec.params.get("statistic", "psi") not in ("psi", "ks"):
            raise UsageError("params.statistic must be psi or ks.")

    def run(self, spec: RunSpec, context: RunContext) -> RunResult:
        """Compare."""
        from strata_git.repo.command import Repository
        from strata_git.serving.drift import compare_columns

        root, params = context.workspace or Path.cwd(), spec.params
        repo = Repository.discover(root, context.environ)
        try:
            source, signature, reference = _reference(repo, str(params["model"]), str(params.get("split", "train")))
        finally:
            repo.close()
        asked = _asked(root, params, signature)
        if not asked.rows:
            raise StrataError(f"Nothing was asked of {params['service']} that could be compared.", hint=_why(params))
        context.log(f"{asked.rows} rows beside {reference.rows} of {source}")
        known = {field.name: array for field, array in zip(reference.fields, reference.arrays, strict=True)}
        plain = {field.name: known[field.name] for field in reference.fields if not field.inner}
        statistic, threshold = params.get("statistic", "psi"), float(params.get("threshold", 0.2))
        found = compare_columns(plain, asked.columns, statistic=statistic, threshold=threshold)
        report = {
            "schema": SCHEMA, "service": params["service"], "model": params["model"], "reference": source,
            "split": params.get("split", "train"), "statistic": statistic, "threshold": threshold,
            "rows": {"reference": reference.rows, "requests": asked.rows, "left_out": asked.left_out},
            "since": params.get("since"), "first": asked.first, "last": asked.last,
            "drifted": [one.name for one in found if one.drifted], "columns": [one.as_json() for one in found],
            "absent": sorted(set(plain) - set(asked.columns)),
        }  # fmt: skip
        _write(context.artifact_dir, report, found)
        used = {"uri": f"strata-service:{params['service']}", "sha256": asked.sha256, "bytes": asked.bytes}
        return RunResult(_metrics(found, asked.rows), inputs=[{**used, "name": "requests"}])


@dataclass(frozen=True, slots=True)
class Asked:
    """Rows that were asked, column by column; how many, how many were not taken, and the digest of their bytes."""

    columns: Mapping[str, Any]
    rows: int
    left_out: int
    first: str | None
    last: str | None
    sha256: str
    bytes: int


def _reference(repo: Any, model: str, split: str) -> tuple[str, Signature, Table]:
    """The data a model version was made from; columns and citations as HEAD has them."""
    from strata_git.contracts.layout import parse_reference
    from strata_git.serving.columns import signature_of
    from strata_git.serving.provenance import Provenance
    from strata_git.serving.released import open_model_version
    from strata_git.serving.splits import split_table

    parsed = parse_reference(model, kind="model")
    metadata = open_model_version(repo, parsed.artifact("model")).model_metadata()
    signature = signature_of(metadata)
    cited = tuple((one["ref"], one["content_hash"]) for one in metadata["datasets"])
    about = Provenance(
        model=parsed.name, version=parsed.version or "", stage="", commit="", run=str(metadata.get("run") or ""),
        digest="", signer="", format="", datasets=cited,
    )  # fmt: skip
    source, table = split_table(repo, about, signature, split)
    return source, signature, table


def _asked(root: Path, params: Mapping[str, Any], signature: Signature) -> Asked:
    import numpy as np

    fields = [field for field in signature.inputs if not field.inner]
    kept: dict[str, list[Any]] = {field.name: [] for field in fields}
    digest, size, left_out = hashlib.sha256(), 0, 0
    times: list[str] = []
    for time, row in _rows(root, params):
        values = [_value(row[field.name], field) for field in fields if field.name in row]
        if not values or any(one is _ODD for one in values):
            left_out += 1
            continue
        line = json.dumps(row, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        digest.update(line)
        size += len(line)
        times += [time] if time else []
        for field in fields:
            kept[field.name].append(_value(row.get(field.name), field))
        if len(kept[fields[0].name]) >= ROWS:
            break
    seen = {name: values for name, values in kept.items() if any(one is not None for one in values)}
    columns = {
        field.name: np.array(seen[field.name], dtype=float if field.is_number else object)
        for field in fields if field.name in seen
    }  # fmt: skip
    rows = max(map(len, kept.values()), default=0)
    return Asked(columns, rows, left_out, min(times, default=None), max(times, default=None), digest.hexdigest(), size)


def _rows(root: Path, params: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Time ("" where it is not known) and columns of each row, from a file of rows or from the service's own log."""
    since = datetime.fromisoformat(str(params["since"])) if params.get("since") else None
    if not params.get("file"):
        from strata_git.serving.prediction_log import read_log
        from strata_git.serving.project.project import log_directory

        for entry in read_log(log_directory(root, str(params["service"])), since=since):
            if entry.model == params["model"]:
                yield entry.time.isoformat(), entry.inputs
        return
    try:
        with open(root / str(params["file"]), "rb") as file:
            while line := file.readline(_LINE):
                yield from _of_line(line, since)
    except OSError as error:
        raise StrataError(f"{printable(str(params['file']))} cannot be read: {error.strerror}.") from None


def _of_line(line: bytes, since: datetime | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        yield "", {}
        return
    time = said.get("time") if isinstance(said.get("inputs"), dict) else None
    row = said["inputs"] if isinstance(said.get("inputs"), dict) else said
    if since is not None and isinstance(time, str) and not _is_since(time, since):
        return
    yield (time if isinstance(time, str) else ""), row


def _is_since(time: str, since: datetime) -> bool:
    """Whether that was not before; what is no time, or says of no zone, is not known to be."""
    try:
        return datetime.fromisoformat(time) >= since
    except (ValueError, TypeError):
        return False


class _Odd:
    """No value of the column's type."""


_ODD = _Odd()


def _value(value: Any, field: Field) -> Any:
    if value is None:
        return None
    if field.is_number:
        if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > sys.float_info.max:
            return _ODD
        return float(value)
    return value if isinstance(value, bool | str) else _ODD


def _metrics(found: Sequence[Column], rows: int) -> dict[str, Metric]:
    drifted = sum(one.drifted for one in found)
    told = {
        "requests_psi": max((one.psi for one in found), default=0.0),
        "requests_ks": max((one.ks for one in found), default=0.0),
        "requests_drifted": float(drifted),
    }
    return {name: Metric(value, direction="lower", split="requests", n=rows) for name, value in told.items()}


def _write(directory: Path, report: Mapping[str, Any], found: Sequence[Column]) -> None:
    from strata_git.load import dump_json

    (directory / REPORT).write_bytes(dump_json(report))
    rows = report["rows"]
    said = (
        f"{rows['requests']} rows that {report['model']} was asked, beside {rows['reference']} of "
        f"{report['reference']} ({report['split']}). A column has drifted where {report['statistic']} exceeds "
        f"{report['threshold']} and what chance alone would make of it (noise)."
    )
    lines = [
        f"# Drift of {report['service']}", "", said, "",
        "| column | psi | ks | noise | missing before | missing now | drifted |", "|---|---|---|---|---|---|---|",
        *(
            f"| {_cell(one.name)} | {one.psi:.4f} | {one.ks:.4f} | {one.noise:.4f} | {one.missing[0]:.1%} "
            f"| {one.missing[1]:.1%} | {'**yes**' if one.drifted else 'no'} |" for one in found
        ),
    ]  # fmt: skip
    (directory / PAGE).write_text("\n".join(lines) + "\n")


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")


def _why(params: Mapping[str, Any]) -> str:
    if params.get("file"):
        return "Every line is a JSON object: a row, or an entry of the prediction log."
    return "Keep requests with log: {enabled: true} in service.yaml, or hand rows over with --file"
