"""A service's own code: `load(path)` and `predict(model, rows)` in model-service/predict.py (TFC-0012 6).

The code is read once, and what was read is what runs: its files are laid beside the version's verified files in a
directory that nobody else may look into. Either function may be missing; then the model's own format stands in for it.
What goes wrong in them is told by function and line of that code, and never with the rows it was asked.
"""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import stat
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, TracebackType
from typing import Any, Literal

from strata_git.errors import StrataError, printable
from strata_git.serving.answers import answers_of, records_of
from strata_git.serving.backends.local import EstimatorModel, Model, OnnxModel
from strata_git.serving.columns import Bounds, Signature, Table
from strata_git.serving.errors import PredictionError
from strata_git.serving.tables import prediction_records, read_table

PREDICT, MODEL_R = "predict.py", "model.R"
FILES, BYTES = 1000, 64 << 20
"""Most files, and bytes in all, that are taken for code."""
_UNBOUNDED = Bounds(rows=1 << 40, elements=1 << 40)
"""Requests were bounded before."""
_SKIPPED = ("__pycache__", "node_modules")


@dataclass(frozen=True, slots=True)
class OwnCode:
    """Code as it was read: `files` by their paths in it, `place` as a person calls the directory."""

    lang: Literal["python", "r"]
    files: Mapping[str, bytes]
    place: str

    @property
    def digest(self) -> str:
        """`sha256:` of the lines `sha256sum` prints of the files, in the order of their names."""
        lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(self.files.items())]
        return f"sha256:{hashlib.sha256(''.join(lines).encode(errors='surrogateescape')).hexdigest()}"

    @property
    def defines(self) -> frozenset[str]:
        """Which of `load` and `predict` it has; R has both. Raises StrataError for what is no Python."""
        if self.lang == "r":
            return frozenset({"load", "predict"})
        return frozenset(_functions(self)) & {"load", "predict"}

    @property
    def loads(self) -> bool:
        """Whether it loads the model itself, from whatever files the version has."""
        return "load" in self.defines


def read_code(directory: Path, *, lang: Literal["python", "r"], place: str) -> OwnCode | None:
    """The code in a directory; None where there is neither predict.py nor (for R) model.R.

    Links are not followed; hidden files and caches are left out. Raises StrataError for too many or too large files,
    for one that cannot be read, and where the main file or the directory is a link.
    """
    main = MODEL_R if lang == "r" else PREDICT
    files: dict[str, bytes] = {}
    if directory.is_symlink() or (directory / main).is_symlink():
        raise StrataError(f"{printable(place)}/{main} lies behind a link, which is not followed: nothing would run it.")
    if not (directory / main).is_file():
        return None
    left = BYTES
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        for name in sorted(names):
            path = Path(folder, name)
            if name.startswith(".") or name.endswith(".pyc"):
                continue
            data = _regular(path, left)
            if data is None:
                continue
            left -= len(data)
            files[path.relative_to(directory).as_posix()] = data
            if left < 0 or len(files) > FILES:
                raise StrataError(f"{printable(place)} holds more than {FILES} files or {BYTES >> 20} MiB.")
    return OwnCode(lang, files, place) if main in files else None


class AsItIs:
    """What `predict` is handed where there is no `load`: `model(rows)` asks the model as it is.

    `native` is the library's own object: ONNX Runtime's session, the estimator.
    """

    def __init__(self, model: OnnxModel | EstimatorModel) -> None:
        self._model = model
        self.native = model.native

    def __call__(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """One dict of outputs a row. Raises RequestError for rows that are not the model's."""
        table = read_table({"records": rows}, self._model.signature, nan="pass", bounds=_UNBOUNDED)
        return prediction_records(self._model.predict(table))


class OwnModel:
    """A model that answers through code of the service's own. Requests are not put together: the code may mind."""

    rowwise = False

    def __init__(
        self, code: OwnCode, signature: Signature, files: Mapping[str, bytes], *,
        format: str, default: Callable[[], OnnxModel | EstimatorModel] | None = None, threads: int = 1,  # noqa: A002
    ) -> None:  # fmt: skip
        """`files` are the version's, verified; `default` makes the model where the code has no `load`.

        Raises StrataError that names function and line of the code, or what is missing.
        """
        self.signature = signature
        self.format = format
        self._code = code
        self._home = Path(tempfile.mkdtemp(prefix="strata-own-"))  # 0700
        self._clear = weakref.finalize(self, _forget, self._home)
        try:
            functions = self._run()
            self._model, stand_in = self._loaded(functions, files, default, threads)
            self._answer = stand_in.predict if stand_in is not None else self._by_code
            self._functions = functions
        except BaseException:
            self._clear()
            raise

    def predict(self, table: Table) -> dict[str, Any]:
        """See `Model`."""
        return self._answer(table)

    def close(self) -> None:
        """Remove the code's files. A second time does nothing."""
        self._clear()

    def _by_code(self, table: Table) -> dict[str, Any]:
        answer = self._called("predict", self._functions["predict"], self._model, records_of(table))
        try:
            return answers_of(answer, self.signature, table.rows)
        except PredictionError as error:
            raise PredictionError(f"predict() in {self._told(PREDICT)}: {error.message}") from error

    def _run(self) -> Mapping[str, FunctionType]:
        """The functions that the module defines, after it ran once."""
        _laid_out(self._home / "code", self._code.files)
        code = _compiled(self._code, str(self._home / "code" / PREDICT))
        module: dict[str, Any] = {
            "__name__": "predict", "__file__": code.co_filename, "__builtins__": __builtins__, "__package__": "",
        }  # fmt: skip
        _importable(self._home / "code")
        self._called("", exec, code, module)
        found = {name: module[name] for name in ("load", "predict") if callable(module.get(name))}
        if not found:
            raise StrataError(f"{self._told(PREDICT)} defines neither load() nor predict() (STR-V007).")
        return found

    def _loaded(
        self, functions: Mapping[str, FunctionType], files: Mapping[str, bytes],
        default: Callable[[], OnnxModel | EstimatorModel] | None, threads: int,
    ) -> tuple[Any, Model | None]:  # fmt: skip
        """What predict() is handed, and the model that answers where there is no predict()."""
        if default is not None and "load" not in functions:
            made = default()
            return (AsItIs(made), None) if "predict" in functions else (made, made)
        place = self._home / "model"
        _laid_out(place, files)
        try:
            model = self._called("load", functions["load"], str(place))
        finally:
            shutil.rmtree(place, ignore_errors=True)
        if "predict" in functions:
            return model, None
        if not hasattr(model, "predict"):
            raise StrataError(
                f"load() in {self._told(PREDICT)} returns {type(model).__name__}, which has no predict(rows).",
                hint="Write predict(model, rows) beside it: a list of rows (dicts) in, a list of answers out.",
            )
        return model, EstimatorModel(model, self.signature, format=self.format, threads=threads)

    def _called(self, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (Exception, SystemExit) as error:  # their code raises what it likes
            raise self._failed(name, error) from error

    def _failed(self, name: str, error: BaseException) -> StrataError:
        at = _last_line(error.__traceback__, self._home / "code")
        file, line, function = at or (PREDICT, 0, name)
        where = f"{function}() in {self._told(file, line)}" if function else self._told(file, line)
        if name == "predict":  # its words may repeat what was sent: they stay in the cause, for the log
            return PredictionError(f"{where} fails: {type(error).__name__}")
        said = printable(str(error).strip().partition("\n")[0][:300])
        hint = ""
        if isinstance(error, ModuleNotFoundError):
            hint = f"pip install -r {self._code.place}/requirements.txt, or write the package into that file first"
        return StrataError(f"{where} fails: {type(error).__name__}" + (f": {said}" if said else ""), hint=hint)

    def _told(self, file: str, line: int = 0) -> str:
        place = printable(f"{self._code.place}/{file}")
        return f"{place}:{line}" if line else place


def check_code(code: OwnCode) -> None:
    """Raises StrataError where predict.py is no Python, or defines neither function or one with other arguments."""
    if code.lang == "r":
        return
    found = _functions(code)
    place = f"{code.place}/{PREDICT}"
    if not found.keys() & {"load", "predict"}:
        raise StrataError(f"{printable(place)} defines neither load() nor predict() (STR-V007).")
    for name, wanted in (("load", 1), ("predict", 2)):
        arguments = found[name].args if name in found else None
        if arguments is None or arguments.vararg is not None:
            continue
        given = len(arguments.posonlyargs) + len(arguments.args)
        if given != wanted:
            line = found[name].lineno
            raise StrataError(
                f"{printable(place)}:{line}: {name}() takes {given} arguments, it is called with {wanted}."
            )
        if isinstance(found[name], ast.AsyncFunctionDef):
            raise StrataError(f"{printable(place)}:{found[name].lineno}: {name}() is async; write a plain def.")


def _functions(code: OwnCode) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    from strata_git.checks.python_source import Unparsable, functions, parse_source

    try:
        return {one.name: one for one in functions(parse_source(code.files[PREDICT]))}
    except Unparsable as error:
        place = printable(f"{code.place}/{PREDICT}")
        raise StrataError(f"{place}:{error.line}: {error}." if error.line else f"{place}: {error}.") from None


def _compiled(code: OwnCode, filename: str) -> CodeType:
    _functions(code)  # in one sentence what compile() would tell in many lines
    compiled: CodeType = compile(code.files[PREDICT], filename, "exec", dont_inherit=True)
    return compiled


def _regular(path: Path, limit: int) -> bytes | None:
    """A regular file's bytes, one more than `limit` at most; None for links and whatever else is no file.

    Raises StrataError for a file that cannot be read: without it other code would answer.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if path.is_file() and not path.is_symlink():
            raise StrataError(f"{printable(str(path))} cannot be read: {error.strerror}.") from None
        return None
    with open(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            return None
        return stream.read(max(limit, 0) + 1)


def _laid_out(place: Path, files: Mapping[str, bytes]) -> None:
    """The files below a new directory. Their names were judged: they are those of a list (TFC-0004) or of a walk."""
    place.mkdir(mode=0o700)
    for name, data in files.items():
        path = place / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as stream:
            stream.write(data)


def _importable(directory: Path) -> None:
    """Modules beside predict.py are found, after all others; those of a version before this one are forgotten."""
    others = [one for one in sys.path if Path(one).parent.name.startswith("strata-own-")]
    sys.path[:] = [*(one for one in sys.path if one not in others), str(directory)]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if any(file.startswith(f"{other}{os.sep}") for other in others):
            del sys.modules[name]


def _forget(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)


def _last_line(trace: TracebackType | None, home: Path) -> tuple[str, int, str] | None:
    """File (below `home`), line and function of the innermost frame that is their code."""
    found, function = None, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith(f"{home}{os.sep}"):
            function = code.co_name if code.co_name.isidentifier() else function  # of a comprehension, who has it
            found = (code.co_filename[len(str(home)) + 1 :], trace.tb_lineno, function)
        trace = trace.tb_next
    return found
