"""A model of R as every other model: rows in, arrays out. It lives in processes of R, and runs nowhere else.

What they load lies in a private directory, written from bytes that the gate has verified, and goes with the model.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from strata_git.errors import StrataError, printable
from strata_git.serving.columns import Signature, Table, blank_table
from strata_git.serving.r.interpreter import find_rscript, surroundings
from strata_git.serving.r.process import RProcess, Setting, least_loaded
from strata_git.serving.r.wire import field_facts, read_answer, write_request

CODE = "model.R"
_ROOM = 80
"""Most characters of a directory's name that leave room for a socket's (108 in all)."""


class RModel:
    """See `backends.local.Model`. `predict` may be called from several threads; as many as there are processes work."""

    format = "rds"
    elsewhere = True
    """It answers in another process, which may hang: no event loop may wait for it."""

    def __init__(
        self, files: Mapping[str, bytes], code: Mapping[str, bytes], signature: Signature, *, artifact: str,
        environ: Mapping[str, str], workers: int = 1, threads: int = 1, seconds: float = 10.0,
        log: Callable[[int, str], None] | None = None,
    ) -> None:  # fmt: skip
        """`files` are the version's files and `code` those beside model.R (which may be missing), by their paths; all
        of them verified. `artifact` is the model's file. `seconds` bound one prediction; `log` see `process.Setting`.

        Raises StrataError where R or a package is missing, and where the model cannot be loaded.
        """
        self.signature = signature
        self.seconds = seconds
        rscript = find_rscript(environ)
        directory = _private_directory()
        self._processes: list[RProcess] = []
        self._finalizer = weakref.finalize(self, _end, self._processes, directory)
        try:
            _write(directory / "files", files)
            _write(directory / "code", code)
            told = {
                "name": "model", "files": str(directory / "files"), "artifact": artifact,
                "code": str(directory / "code" / CODE) if CODE in code else None,
                "inputs": [field_facts(field) for field in signature.inputs],
                "outputs": [field_facts(field) for field in signature.outputs],
            }  # fmt: skip
            environ = surroundings(environ, directory, threads)
            log = log or logging.getLogger("strata.r").log
            self._setting = Setting(rscript, directory, environ, told, log)
            self.grow(workers)
        except BaseException:
            self.close()
            raise

    @property
    def processes(self) -> tuple[RProcess, ...]:
        """The processes of R."""
        return tuple(self._processes)

    @property
    def versions(self) -> Mapping[str, Any]:
        """`R`: its version; `packages`: those that the model has loaded, with theirs."""
        return self._processes[0].versions

    def grow(self, workers: int) -> None:
        """Have as many processes as this, all of them ready. StrataError as when it was made."""
        new = [RProcess(self._setting, number) for number in range(len(self._processes), workers)]
        self._processes += new
        for process in new:
            process.wait_ready()
            with suppress(StrataError):  # a first answer takes R some 50 ms; a row of zeros is not for every model
                predict_by(process, self.signature, blank_table(self.signature), self.seconds)

    def predict(self, table: Table) -> dict[str, Any]:
        """See `backends.local.Model`; RequestError for rows that the model refuses, Unanswered while R is started
        again (503) and where it takes too long (504)."""
        return predict_by(least_loaded(self._processes), self.signature, table, self.seconds)

    def close(self) -> None:
        """End the processes, remove the files. A second time does nothing."""
        self._finalizer()


class RWorker:
    """The same model, answered by one of its processes."""

    format = "rds"
    elsewhere = True

    def __init__(self, model: RModel, process: RProcess) -> None:
        self.signature = model.signature
        self.process = process
        self._model = model  # as long as one of its processes is used, it stays

    def predict(self, table: Table) -> dict[str, Any]:
        """See `RModel.predict`."""
        return predict_by(self.process, self.signature, table, self._model.seconds)


def predict_by(process: RProcess, signature: Signature, table: Table, seconds: float) -> dict[str, Any]:
    """One process's answer to these rows; see `RModel.predict`."""
    status, data = process.ask("/v2/models/model/infer", write_request(table), seconds=seconds)
    return read_answer(status, data, signature, table.rows)


def _private_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="strata-r-"))
    if len(str(directory)) > _ROOM:
        directory.rmdir()
        directory = Path(tempfile.mkdtemp(prefix="strata-r-", dir="/tmp"))
    return directory


def _write(directory: Path, files: Mapping[str, bytes]) -> None:
    directory.mkdir(mode=0o700)
    for name, data in files.items():
        parts = PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts:
            raise StrataError(f"'{printable(name)}' is no file inside a version.")
        place = directory.joinpath(*parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


def _end(processes: list[RProcess], directory: Path) -> None:
    for process in processes:
        process.close()
    shutil.rmtree(directory, ignore_errors=True)
