"""Rows that a model was made from or measured by, as its columns: splits of the datasets that it cites, committed and
verified; or, where its run drew its data or took what scikit-learn brings, the same rows made again from the seed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from math import isnan
from typing import TYPE_CHECKING, Any

from strata_git.contracts.layout import METADATA
from strata_git.errors import MissingExtra, StrataError, printable
from strata_git.serving.columns import Bounds, Field, Signature, Table
from strata_git.serving.released import Release, open_dataset, open_run
from strata_git.serving.tables import read_table

if TYPE_CHECKING:
    from strata_git.repo.command import Repository
    from strata_git.serving.provenance import Provenance

MISSING = ("", "NA", "NaN", "nan", "null")
"""Words for a missing number in CSV."""
ROWS, ELEMENTS = 10_000_000, 1_000_000_000
"""What a split may hold; requests may hold far less."""
_NO_CONTEXT: Any = None
"""What is drawn or comes with scikit-learn is read through no run's context."""


def split_names(dataset: Release) -> tuple[str, ...]:
    """The splits that a dataset version has."""
    splits = dataset.document().get("splits")
    return tuple(splits) if isinstance(splits, Mapping) else ()


def committed_table(dataset: Release, split: str, signature: Signature, *, rows: int = 0) -> Table:
    """The rows of a split; `rows`: only about so many, spread over it.

    The split is CSV with the signature's inputs among its columns; other columns are left out. Raises StrataError where
    it is none.
    """
    splits = dataset.document().get("splits")
    said = splits.get(split) if isinstance(splits, Mapping) else None
    found = [row for file in _files(dataset, said) for row in _csv(dataset, file, signature)]
    if not found:
        raise StrataError(f"The split '{printable(split)}' of {dataset.artifact.reference} has no rows.")
    return _table(list(signature.names), _spread(found, rows), signature)


def drawn_table(
    repo: Repository, provenance: Provenance, signature: Signature, splits: Sequence[str], *, rows: int = 0
) -> tuple[str, str, Table]:
    """Data of a run of the plugin `sklearn` that is no committed version: where it is from, the first of `splits` that
    it has, and its rows. Raises StrataError where there is none of them."""
    from strata_git.contracts.base import ContractError, parse
    from strata_git.contracts.experiment import RunConfig
    from strata_git.load import Unloadable, load_yaml

    try:
        document = load_yaml(open_run(repo, provenance.run).read("config.yaml"))
        parse(RunConfig, document)
    except (ContractError, Unloadable) as error:
        raise StrataError(f"runs/{provenance.run}/config.yaml: {error}.") from None
    said = document.value if isinstance(document.value, dict) else {}
    if said.get("plugin") != "sklearn" or str(said.get("dataset_id") or "sklearn:").partition(":")[0] != "sklearn":
        raise StrataError(f"{provenance.reference} cites no dataset that rows could be taken from.")
    made = _made_again(said)
    split = next((name for name in splits if name in made.parts), None)
    if split is None:
        known = f"It has: {', '.join(made.parts)}"
        raise StrataError(f"{made.source} has no split '{printable(splits[0])}'.", hint=known)
    matrix = made.parts[split].features
    return made.source, split, _table(list(made.columns), _spread(matrix, rows).tolist(), signature)


def split_table(repo: Repository, provenance: Provenance, signature: Signature, split: str) -> tuple[str, Table]:
    """All rows of a split of the data that a model was made from, and where they are (`datasets/iris@v1`).

    Of several datasets the first that has the split and the columns counts. Raises StrataError where none has.
    """
    told: StrataError | None = None
    for reference, content_hash in provenance.datasets:
        try:
            dataset = _having(repo, reference, content_hash, split)
            return reference, committed_table(dataset, split, signature)
        except StrataError as error:
            told = told or error
    if told is not None:
        raise told
    source, _, table = drawn_table(repo, provenance, signature, (split,))
    return source, table


def require_split(repo: Repository, provenance: Provenance, split: str) -> None:
    """StrataError where no dataset that the model cites has the split; no row is read."""
    told: StrataError | None = None
    for reference, content_hash in provenance.datasets:
        try:
            _having(repo, reference, content_hash, split)
            return
        except StrataError as error:
            told = told or error
    if told is not None:
        raise told


def _having(repo: Repository, reference: str, content_hash: str, split: str) -> Release:
    dataset = open_dataset(repo, reference, content_hash)
    known = split_names(dataset)
    if split not in known:
        raise StrataError(f"{reference} has no split '{printable(split)}'.", hint=f"Its splits: {', '.join(known)}")
    return dataset


def _made_again(said: Mapping[str, Any]) -> Any:
    from strata_git.runs.plugins import sklearn_data, sklearn_model
    from strata_git.runs.spec import RunSpec

    wanted = {field.name for field in fields(RunSpec)}
    spec = RunSpec(**{name: value for name, value in said.items() if name in wanted})
    sklearn_model.check(spec.params)
    sklearn_data.check(spec.data_spec, dataset_id=spec.dataset_id, task=sklearn_model.task(spec.params))
    try:
        return sklearn_data.load(spec, _NO_CONTEXT, sklearn_model.task(spec.params))
    except ImportError:
        raise MissingExtra("sklearn", "Drawing a run's data again") from None


def _table(columns: list[str], data: list[Any], signature: Signature) -> Table:
    bounds = Bounds(rows=ROWS, elements=ELEMENTS)
    return read_table({"split": {"columns": columns, "data": data}}, signature, nan="pass", bounds=bounds)


def _spread(found: Any, rows: int) -> Any:
    return found[:: max(len(found) // rows, 1)][:rows] if rows else found


def _files(dataset: Release, split: object) -> list[str]:
    base = str(split.get("path", "")) if isinstance(split, Mapping) else ""
    if base == ".":  # the whole of it
        return [name for name in dataset.sums if name != METADATA]
    return [name for name in dataset.sums if name == base or name.startswith(f"{base.rstrip('/')}/")]


def _csv(dataset: Release, name: str, signature: Signature) -> Iterator[list[Any]]:
    place = f"{dataset.artifact.path}/{printable(name)}"
    if not name.endswith(".csv"):
        raise StrataError(f"{place} is no CSV: rows can be taken from CSV splits only.")
    try:
        reader = csv.DictReader(io.StringIO(dataset.read(name).decode(), newline=""), strict=True)
        for row in reader:
            yield [_cell(row[field.name], field) for field in signature.inputs]
    except KeyError as error:
        raise StrataError(f"{place} has no column '{printable(str(error.args[0]))}'.") from None
    except (UnicodeDecodeError, csv.Error, ValueError, TypeError) as error:
        raise StrataError(f"{place} cannot be read as the model's columns ({type(error).__name__}).") from None


def _cell(text: str, field: Field) -> Any:
    if field.inner:
        raise ValueError("one cell is one value")
    if field.is_float:
        return None if text in MISSING or isnan(float(text)) else float(text)
    if field.type == "string":
        return text
    if field.type == "bool":
        return {"true": True, "false": False, "1": True, "0": False}[text.casefold()]
    return int(text)
