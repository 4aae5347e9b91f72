"""Golden predictions (TFC-0012 5): rows that the model has not learned from, with what came out, held to again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from math import isclose, isnan
from typing import TYPE_CHECKING, Any

from strata_git.contracts.layout import parse_reference
from strata_git.errors import MissingExtra, StrataError, printable
from strata_git.serving.columns import Bounds, Field, Signature, Table
from strata_git.serving.released import Release, open_dataset, open_run
from strata_git.serving.tables import plain, read_table

if TYPE_CHECKING:
    from strata_git.repo.command import Repository
    from strata_git.serving.backends.local import Model
    from strata_git.serving.provenance import Provenance

SCHEMA = "strata/golden/v1"
UNSEEN = ("val", "validation", "test")
"""Splits that no model learns from, the best first."""
ROWS = 20
LIMIT = 16 << 20
_NO_CONTEXT: Any = None
"""What is drawn or comes with scikit-learn is read through no run's context."""
_MISSING = ("", "NA", "NaN", "nan", "null")


@dataclass(frozen=True, slots=True)
class Golden:
    """Golden predictions: the version that gave them, what went in, what came out (row by row)."""

    model: str
    inputs: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    outputs: tuple[str, ...]
    answers: tuple[tuple[Any, ...], ...]

    def is_for(self, name: str, version: str) -> bool:
        """Whether this version gave them."""
        parsed = parse_reference(self.model, kind="model")
        return (parsed.name, parsed.version) == (name, version)

    @property
    def text(self) -> bytes:
        """The file's bytes, as `parse_golden` reads them."""
        from strata_git.load import dump_json

        inputs = {"columns": list(self.inputs), "rows": [list(row) for row in self.rows]}
        outputs = {"columns": list(self.outputs), "rows": [list(row) for row in self.answers]}
        return dump_json({"schema": SCHEMA, "model": self.model, "inputs": inputs, "outputs": outputs})


def parse_golden(data: bytes) -> Golden:
    """golden.json, by its contract. Raises StrataError with what is wrong."""
    from strata_git.contracts.base import ContractError, parse
    from strata_git.contracts.service import GoldenPredictions
    from strata_git.load import Unloadable, load_json

    if len(data) > LIMIT:
        raise StrataError(f"The golden predictions have more than {LIMIT >> 20} MiB.")
    try:
        said = parse(GoldenPredictions, load_json(data))
    except (ContractError, Unloadable) as error:
        raise StrataError(f"The golden predictions: {error}.") from None
    return Golden(said.model, said.inputs.columns, said.inputs.rows, said.outputs.columns, said.outputs.rows)


def make_golden(model: Model, reference: str, table: Table) -> Golden:
    """The answers of `model` (the version `reference`) to `table`, to be frozen."""
    outputs = model.predict(table)
    names = tuple(field.name for field in model.signature.outputs)
    inputs = tuple(field.name for field in table.fields)
    given = zip(*(plain(array) for array in table.arrays), strict=True)
    answers = zip(*(plain(outputs[name]) for name in names), strict=True)
    return Golden(reference, inputs, tuple(given), names, tuple(answers))


def compare_golden(golden: Golden, model: Model, *, absolute: float = 1e-6, relative: float = 1e-5) -> Iterator[str]:
    """Where the answers differ now, as sentences without values; numbers may differ by absolute + relative x recorded.

    Raises StrataError where the rows are none of the model's columns, or the model cannot answer them.
    """
    names = {field.name for field in model.signature.outputs}
    if strange := next((name for name in golden.outputs if name not in names), None):
        raise StrataError(f"The golden predictions name the output '{printable(strange)}', the model has none such.")
    split = {"columns": list(golden.inputs), "data": [list(row) for row in golden.rows]}
    bounds = Bounds(rows=len(golden.rows), elements=LIMIT)
    outputs = model.predict(read_table({"split": split}, model.signature, nan="pass", bounds=bounds))
    now = zip(*(plain(outputs[name]) for name in golden.outputs), strict=True)
    for place, (row, answers) in enumerate(zip(now, golden.answers, strict=True)):
        for name, found, recorded in zip(golden.outputs, row, answers, strict=True):
            if not _agree(found, recorded, absolute, relative):
                yield f"row {place}: '{printable(name)}' is not what it was"


def freeze_golden(repo: Repository, model: Model, provenance: Provenance, *, rows: int = ROWS) -> tuple[Golden, str]:
    """Golden predictions of a model that passed the gate, and where their rows are from (`datasets/iris@v1, val`).

    The rows are of the first dataset it cites that has a split with all its inputs; where it cites none, of the data
    that its run drew or that came with scikit-learn, cut as the run cut it. Raises StrataError where there are none, or
    where their bytes are not here.
    """
    told: StrataError | None = None
    for reference, content_hash in provenance.datasets:
        try:
            split, table = unseen_table(open_dataset(repo, reference, content_hash), model.signature, rows=rows)
        except StrataError as error:
            told = told or error
            continue
        return make_golden(model, f"models/{provenance.reference}", table), f"{reference}, {split}"
    if told is not None:
        raise told
    source, table = _drawn_table(repo, provenance, model.signature, rows)
    return make_golden(model, f"models/{provenance.reference}", table), source


def _drawn_table(repo: Repository, provenance: Provenance, signature: Signature, rows: int) -> tuple[str, Table]:
    """Rows of a run of the plugin `sklearn` whose data is no committed version: made again from its seed."""
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
    from strata_git.runs.plugins import sklearn_data, sklearn_model
    from strata_git.runs.spec import RunSpec

    wanted = {field.name for field in fields(RunSpec)}
    spec = RunSpec(**{name: value for name, value in said.items() if name in wanted})
    sklearn_model.check(spec.params)
    sklearn_data.check(spec.data_spec, dataset_id=spec.dataset_id, task=sklearn_model.task(spec.params))
    try:
        made = sklearn_data.load(spec, _NO_CONTEXT, sklearn_model.task(spec.params))
    except ImportError:
        raise MissingExtra("sklearn", "Drawing a run's data again") from None
    split = next(name for name in UNSEEN if name in made.parts)
    matrix = made.parts[split].features
    step = max(len(matrix) // rows, 1)
    value = {"split": {"columns": list(made.columns), "data": matrix[::step][:rows].tolist()}}
    return f"{made.source}, {split}", read_table(value, signature, nan="pass")


def unseen_table(dataset: Release, signature: Signature, *, rows: int = ROWS) -> tuple[str, Table]:
    """Rows of a dataset's validation split, else of its test split, spread over it; and that split's name.

    The split is CSV with the signature's inputs among its columns; other columns are left out. Raises StrataError where
    there is no such split.
    """
    splits = dataset.document().get("splits")
    named = splits if isinstance(splits, Mapping) else {}
    name = next((one for one in UNSEEN if one in named), None)
    if name is None:
        raise StrataError(
            f"{dataset.artifact.reference} has no split that a model does not learn from ({', '.join(UNSEEN)}).",
            hint="Name the rows yourself.",
        )
    found = [row for file in _files(dataset, named[name]) for row in _csv(dataset, file, signature)]
    if not found:
        raise StrataError(f"The split '{name}' of {dataset.artifact.reference} has no rows.")
    step = max(len(found) // rows, 1)
    value = {"split": {"columns": list(signature.names), "data": found[::step][:rows]}}
    return name, read_table(value, signature, nan="pass")


def _files(dataset: Release, split: object) -> list[str]:
    base = str(split.get("path", "")) if isinstance(split, Mapping) else ""
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
        return None if text in _MISSING or isnan(float(text)) else float(text)
    if field.type == "string":
        return text
    if field.type == "bool":
        return {"true": True, "false": False, "1": True, "0": False}[text.casefold()]
    return int(text)


def _agree(found: Any, recorded: Any, absolute: float, relative: float) -> bool:
    if isinstance(found, list) and isinstance(recorded, Sequence) and not isinstance(recorded, str):
        same = len(found) == len(recorded)
        return same and all(_agree(*pair, absolute, relative) for pair in zip(found, recorded, strict=True))
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (found, recorded))
    if not numbers:
        return type(found) is type(recorded) and bool(found == recorded)
    return isclose(found, recorded, rel_tol=0, abs_tol=absolute + relative * abs(recorded))
