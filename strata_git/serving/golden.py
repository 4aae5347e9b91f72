"""Golden predictions (TFC-0012 5): rows that the model has not learned from, with what came out, held to again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isclose
from typing import TYPE_CHECKING, Any

from strata_git.contracts.layout import parse_reference
from strata_git.errors import StrataError, printable
from strata_git.serving.columns import Bounds, Signature, Table
from strata_git.serving.released import Release, open_dataset
from strata_git.serving.splits import committed_table, drawn_table, split_names
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
    source, split, table = drawn_table(repo, provenance, model.signature, UNSEEN, rows=rows)
    return make_golden(model, f"models/{provenance.reference}", table), f"{source}, {split}"


def unseen_table(dataset: Release, signature: Signature, *, rows: int = ROWS) -> tuple[str, Table]:
    """Rows of a dataset's validation split, else of its test split, spread over it; and that split's name.

    The split is CSV with the signature's inputs among its columns; other columns are left out. Raises StrataError where
    there is no such split.
    """
    named = split_names(dataset)
    name = next((one for one in UNSEEN if one in named), None)
    if name is None:
        raise StrataError(
            f"{dataset.artifact.reference} has no split that a model does not learn from ({', '.join(UNSEEN)}).",
            hint="Name the rows yourself.",
        )
    return name, committed_table(dataset, name, signature, rows=rows)


def _agree(found: Any, recorded: Any, absolute: float, relative: float) -> bool:
    if isinstance(found, list) and isinstance(recorded, Sequence) and not isinstance(recorded, str):
        same = len(found) == len(recorded)
        return same and all(_agree(*pair, absolute, relative) for pair in zip(found, recorded, strict=True))
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (found, recorded))
    if not numbers:
        return type(found) is type(recorded) and bool(found == recorded)
    return isclose(found, recorded, rel_tol=0, abs_tol=absolute + relative * abs(recorded))
