"""Models in this process, loaded from bytes that were verified and from nothing else.

Neither opens a file: what was hashed is what is loaded. ONNX runs with the runtime's telemetry off and as many threads
as are asked for; skops files load with the types that are handed over, which the gate has judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from strata_git.errors import MissingExtra, StrataError, printable
from strata_git.serving.columns import Field, Signature, Table
from strata_git.serving.errors import PredictionError

PROBABILITIES = "probabilities"
"""The further answer of a classifier: one row of shares a row, in the order of its classes."""
_FLOATS = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}


class Model(Protocol):
    """What predicts."""

    @property
    def signature(self) -> Signature:
        """Its columns."""

    @property
    def format(self) -> str:
        """`onnx`, `skops`, ..."""

    def predict(self, table: Table) -> dict[str, Any]:
        """Output -> array (rows, ...): those of the signature in their order, then further ones.

        Raises PredictionError where the model fails or answers something else than its signature says.
        """


class OnnxModel:
    """An ONNX model: one matrix of all columns, or one input a column."""

    format = "onnx"

    def __init__(self, data: bytes, signature: Signature, *, threads: int = 1) -> None:
        """Raises MissingExtra, and StrataError for what is no ONNX model or takes other columns."""
        self.signature = signature
        self._session = _session(data, threads)
        self._inputs = [(one.name, one.type, list(one.shape)) for one in self._session.get_inputs()]
        self._dtype = self._matrix_type()
        self._outputs = self._wanted({one.name: one for one in self._session.get_outputs()})

    @property
    def native(self) -> Any:
        """The runtime's session."""
        return self._session

    def predict(self, table: Table) -> dict[str, Any]:
        """See `Model`."""
        if self._dtype:
            feed = {self._inputs[0][0]: table.matrix(self._dtype)}
        else:
            columns = table.columns
            feed = {name: _fed(columns[name], kind, shape) for name, kind, shape in self._inputs}
        try:
            answers = self._session.run(list(self._outputs.values()), feed)
        except Exception as error:  # the runtime's own kinds
            raise _failed(error) from error
        return settled(dict(zip(self._outputs, answers, strict=True)), self.signature, table.rows)

    def _matrix_type(self) -> str:
        """NumPy's name of the one matrix's type; `""` where every column is an input of its own."""
        names = {name for name, _, _ in self._inputs}
        if len(self._inputs) == 1 and (len(self.signature.inputs) > 1 or not names <= set(self.signature.names)):
            _, kind, shape = self._inputs[0]
            wide = len(shape) == 2 and (not isinstance(shape[1], int) or shape[1] == self.signature.width)
            if self.signature.is_matrix and kind in _FLOATS and wide:
                return _FLOATS[kind]
            raise StrataError(
                f"The model takes one {kind} of shape {shape}, its signature names {self.signature.width} values."
            )
        if names != set(self.signature.names):
            raise StrataError("The model's inputs are not those of its signature.")
        return ""

    def _wanted(self, offered: Mapping[str, Any]) -> dict[str, str]:
        """Name of an answer -> the model's own name for it."""
        tensors = [name for name, one in offered.items() if one.type.startswith("tensor(")]
        named = {field.name: field.name for field in self.signature.outputs if field.name in tensors}
        if len(named) < len(self.signature.outputs):
            first = next((name for name in tensors if name != PROBABILITIES), "")
            if len(self.signature.outputs) != 1 or not first:
                raise StrataError("The model's outputs are not those of its signature.")
            named = {self.signature.outputs[0].name: first}
        if PROBABILITIES in tensors and PROBABILITIES not in {*named, *named.values()}:
            named[PROBABILITIES] = PROBABILITIES
        return named


class EstimatorModel:
    """An estimator of scikit-learn, or what looks like one: `predict` of a matrix or a data frame, `predict_proba`."""

    def __init__(self, estimator: Any, signature: Signature, *, format: str, threads: int = 1) -> None:  # noqa: A002
        """Raises StrataError where its answers cannot be those of the signature."""
        self.signature = signature
        self.format = format
        self._estimator = estimator
        _set_threads(self._estimator, threads)
        self._named = getattr(self._estimator, "feature_names_in_", None) is not None or not signature.is_matrix
        self._columns: Any = None
        self._classes = _forest_classes(estimator)
        if len(signature.outputs) != 1 or not hasattr(self._estimator, "predict"):
            raise StrataError("The model's outputs are not those of its signature.")

    @property
    def native(self) -> Any:
        """The estimator."""
        return self._estimator

    def predict(self, table: Table) -> dict[str, Any]:
        """See `Model`."""
        rows = self._frame(table) if self._named else table.matrix("float64")
        answers = {}
        try:
            name = self.signature.outputs[0].name
            if self._classes is not None and name != PROBABILITIES:
                shares = self._estimator.predict_proba(rows)
                answers = {name: self._classes.take(shares.argmax(axis=1), axis=0), PROBABILITIES: shares}
            else:
                answers[name] = self._estimator.predict(rows)
                if hasattr(self._estimator, "predict_proba") and PROBABILITIES not in answers:
                    answers[PROBABILITIES] = self._estimator.predict_proba(rows)
        except Exception as error:  # an estimator's own kinds
            raise _failed(error) from error
        return settled(answers, self.signature, table.rows)

    def _frame(self, table: Table) -> Any:
        try:
            import pandas as pd
        except ImportError:
            raise MissingExtra("sklearn", "A model of named columns") from None
        if self.signature.is_float64:  # one block: many times quicker than column by column
            return pd.DataFrame(table.matrix("float64"), columns=self._index(pd), copy=False)
        return pd.DataFrame(table.columns)

    def _index(self, pd: Any) -> Any:
        if self._columns is None:
            self._columns = pd.Index(self.signature.names)
        return self._columns


class SkopsModel(EstimatorModel):
    """A scikit-learn estimator from a skops file; `trusted` are the types that may be in it beside skops' own."""

    def __init__(self, data: bytes, signature: Signature, *, trusted: Sequence[str] = (), threads: int = 1) -> None:
        """Raises MissingExtra, and StrataError where the file needs types that are not trusted."""
        super().__init__(_estimator(data, trusted), signature, format="skops", threads=threads)


def _session(data: bytes, threads: int) -> Any:
    from strata_git.runs.plugins.sklearn_onnx import opened

    try:
        return opened(data, threads=threads)
    except ImportError:
        raise MissingExtra("onnx", "Serving an ONNX model") from None
    except Exception as error:  # the runtime's own kinds
        raise StrataError(f"ONNX Runtime cannot load the model: {_reason(error)}") from error


def _estimator(data: bytes, trusted: Sequence[str]) -> Any:
    try:
        import skops.io
    except ImportError:
        raise MissingExtra("sklearn", "Serving a skops model") from None
    try:
        return skops.io.loads(data, trusted=list(trusted))
    except Exception as error:  # what a forged archive raises is anybody's guess
        raise StrataError(f"skops cannot load the model: {_reason(error)}") from error


def _set_threads(estimator: Any, threads: int) -> None:
    """Estimators that would start threads of their own take as many as are asked for, those inside pipelines too."""
    if not hasattr(estimator, "get_params"):
        return
    names = [name for name in estimator.get_params() if name == "n_jobs" or name.endswith("__n_jobs")]
    if names:
        estimator.set_params(**dict.fromkeys(names, threads))


def _forest_classes(estimator: Any) -> Any:
    """The classes of a forest, maybe at the end of a pipeline; None for all else.

    What a forest predicts is by definition the class with the largest share, and the shares are what takes its time:
    they are computed once for both. Source: scikit-learn, ForestClassifier.predict.
    """
    last = estimator.steps[-1][1] if type(estimator).__name__ == "Pipeline" else estimator
    forest = next((one for one in type(last).__mro__ if one.__name__ == "ForestClassifier"), None)
    if forest is None or forest.__module__ != "sklearn.ensemble._forest" or last.n_outputs_ != 1:
        return None
    own = type(last).predict is forest.predict  # type: ignore[attr-defined]
    return last.classes_ if own else None


def _fed(array: Any, kind: str, shape: Sequence[Any]) -> Any:
    """A column in the type and with the dimensions that the model wants."""
    if kind in _FLOATS:
        array = array.astype(_FLOATS[kind], copy=False)
    return array.reshape(-1, 1) if array.ndim == 1 and len(shape) == 2 else array


def settled(answers: dict[str, Any], signature: Signature, rows: int) -> dict[str, Any]:
    """The answers in the types of the signature, one a row. Raises PredictionError where they cannot be."""
    import numpy as np

    for name, answer in answers.items():
        if not isinstance(answer, np.ndarray) or answer.shape[:1] != (rows,):
            raise PredictionError(f"The model's answer '{printable(name)}' is not one value a row.")
    for field in signature.outputs:
        answers[field.name] = _typed(answers[field.name], field, rows)
    return answers


def _typed(answer: Any, field: Field, rows: int) -> Any:
    if field.type == "string":
        if answer.dtype.kind not in "OU":
            raise PredictionError(f"The model answers with {answer.dtype} where '{field.name}' is text.")
        made = answer.astype(object)
    elif answer.dtype.kind in "OUS" or (answer.dtype.kind == "f" and not field.is_float):
        raise PredictionError(f"The model answers with {answer.dtype} where '{field.name}' is {field.type}.")
    else:
        made = answer.astype(field.type, copy=False)
    if made.size != rows * field.width:
        raise PredictionError(f"The model's answer '{field.name}' has not the shape that its signature says.")
    return made.reshape((rows, *field.inner))


def _failed(error: Exception) -> PredictionError:
    """The model's own words may repeat what was sent: they stay in the cause, for the log alone."""
    return PredictionError(f"The model could not answer ({type(error).__name__}).")


def _reason(error: Exception) -> str:
    return printable(str(error).strip().partition("\n")[0][:200])
