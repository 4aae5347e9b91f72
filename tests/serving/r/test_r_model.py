"""Models in R: real processes of R, asked as the gate and the api-service ask them."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from strata_git.errors import StrataError
from strata_git.serving.columns import Signature, Table, blank_table, signature_of
from strata_git.serving.errors import PredictionError, RequestError, Unanswered
from strata_git.serving.provenance import Provenance
from strata_git.serving.r import process as r_process
from strata_git.serving.r.model import RModel
from strata_git.serving.r.processes import RProcesses
from strata_git.serving.tables import read_table

pytestmark = pytest.mark.heavy

CARS = {"weight": "float64", "power": "int32", "gears": "string", "manual": "bool"}
FIT = """
cars <- with(mtcars, data.frame(mpg = mpg, weight = wt, power = as.integer(hp), manual = am == 1))
cars$gears <- paste0("G", mtcars$gear)
linear <- lm(mpg ~ weight * power + factor(gears) + manual, cars)
logistic <- glm(manual ~ weight + power + gears, binomial, cars)
saveRDS(linear, "linear.rds"); saveRDS(logistic, "logistic.rds")
digits <- function(values) cat(sprintf("%.17g", values), sep = "\\n")
digits(predict(linear, cars)); digits(predict(logistic, cars, type = "response"))
cat(sprintf("%.17g %d %s %s\\n", cars$weight, cars$power, cars$gears, cars$manual), sep = "")
"""
ODD = """
source("more.R")
load <- function(path) readRDS(file.path(path, "linear.rds"))
predict <- function(model, rows) {
  cat("asked for", nrow(rows), "rows\\n")
  what <- rows$what[[1]]
  if (what == "types") return(data.frame(
    number = rows$x, text = factor(paste(class(rows$x), class(rows$n), class(rows$flag), sep = "/")),
    flag = is.na(rows$x), whole = rows$n + 1L, code = own_words, left = "out"))
  if (what == "refuse") refuse("n", "must be more")
  if (what == "stop") stop("secret ", rows$what)
  if (what == "forever") while (TRUE) NULL
  if (what == "stuck") system("sleep 20")
  if (what == "die") tools::pskill(Sys.getpid(), 9)
  if (what == "short") return(list(number = 1:2, text = "a", flag = TRUE, whole = 1L, code = "b"))
  if (what == "plot") plot(1)
  if (what == "where") return(data.frame(
    number = 1, text = paste(Sys.getenv("TOKEN"), exists("from_profile"), "utils" %in% loadedNamespaces()),
    flag = interactive(), whole = 1L, code = getwd()))
  "neither columns nor a table"
}
"""
SIGNATURE = signature_of({"signature": {
    "inputs": [{"name": "what", "type": "string"}, {"name": "x", "type": "float64"}, {"name": "n", "type": "int32"},
               {"name": "flag", "type": "bool"}],
    "outputs": [{"name": "number", "type": "float64"}, {"name": "text", "type": "string"},
                {"name": "flag", "type": "bool"}, {"name": "whole", "type": "int64"},
                {"name": "code", "type": "string"}],
}})  # fmt: skip
WHOSE = Provenance("cars", "v1", "production", "", "", "", "", "rds")


def columns(output: str, **inputs: str) -> Signature:
    named = [{"name": name, "type": type_} for name, type_ in inputs.items()]
    return signature_of({"signature": {"inputs": named, "outputs": [{"name": output, "type": "float64"}]}})


@dataclass
class Fitted:
    """What one Rscript fitted: the files of two models, all cars, and its own predictions of them."""

    files: Mapping[str, bytes]
    rows: list[dict[str, Any]]
    linear: list[float]
    logistic: list[float]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    place = tmp_path_factory.mktemp("fit")
    command = ["Rscript", "--vanilla", "-e", FIT]
    lines = subprocess.run(command, cwd=place, capture_output=True, check=True, text=True).stdout.splitlines()
    rows = []
    for line in lines[64:]:
        weight, power, gears, manual = line.split()
        rows.append({"weight": float(weight), "power": int(power), "gears": gears, "manual": manual == "TRUE"})
    files = {name: (place / name).read_bytes() for name in ("linear.rds", "logistic.rds")}
    return Fitted(files, rows, [float(one) for one in lines[:32]], [float(one) for one in lines[32:64]])


@dataclass
class Odd:
    """A model whose own code does as it is told, what it logged, and where it ran."""

    model: RModel
    said: list[tuple[int, str]] = field(default_factory=list)

    def ask(self, what: str, **values: Any) -> dict[str, Any]:
        row = {"what": what, "x": 1.5, "n": 2, "flag": True, **values}
        return self.model.predict(read_table({"records": [row]}, SIGNATURE, nan="pass"))


@pytest.fixture(scope="module")
def odd(fitted: Fitted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Odd]:
    home = tmp_path_factory.mktemp("home")
    (home / ".Rprofile").write_text("from_profile <- TRUE\n")
    said: list[tuple[int, str]] = []
    code = {"model.R": ODD.encode(), "more.R": b'own_words <- "\xc3\xa9t\xc3\xa9"\n'}
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "TOKEN": "open sesame"}
    model = RModel(fitted.files, code, SIGNATURE, artifact="linear.rds", environ=environ, seconds=1.5,
                   log=lambda level, line: said.append((level, line)))  # fmt: skip
    yield Odd(model, said)
    model.close()


def until(condition: Callable[[], bool], seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_predictions_are_those_of_r_to_the_last_digit(fitted: Fitted) -> None:
    told = columns("mpg", **CARS)
    model = RModel(fitted.files, {}, told, artifact="linear.rds", environ=os.environ)
    code = b'predict <- function(model, rows) predict(model, rows, type = "response")'  # R's own predict is meant
    other_columns = columns("p", **{name: CARS[name] for name in ("weight", "power", "gears")})
    other = RModel(fitted.files, {"model.R": code}, other_columns, artifact="logistic.rds", environ=os.environ)
    table = read_table({"records": fitted.rows}, told)
    assert model.predict(table)["mpg"].tolist() == fitted.linear
    rows = [{name: row[name] for name in other_columns.names} for row in fitted.rows]
    assert other.predict(read_table({"records": rows}, other_columns))["p"].tolist() == fitted.logistic
    assert model.versions["R"].count(".") == 2
    # a level that was never seen, in a factor made by the formula; a missing value
    strange = {**fitted.rows[0], "gears": "G9 secret"}
    with pytest.raises(RequestError, match=r"gears: row 1: a level that the model has not seen") as error:
        model.predict(read_table({"records": [fitted.rows[0], strange]}, told))
    assert "secret" not in str(error.value)
    with pytest.raises(RequestError):
        model.predict(blank_table(told))
    missing = model.predict(read_table({"records": [{**fitted.rows[0], "weight": None}]}, told, nan="pass"))
    assert np.isnan(missing["mpg"]).all()
    home = Path(model.processes[0]._setting.directory)
    for one in (model, other):
        one.close()
        one.close()
    assert not home.exists()


def test_types_on_the_way_in_and_out(odd: Odd) -> None:
    found = odd.ask("types", x=None)
    assert {name: array.tolist() for name, array in found.items()} == {
        "number": [pytest.approx(float("nan"), nan_ok=True)], "text": ["numeric/integer/logical"], "flag": [True],
        "whole": [3], "code": ["été"],
    }  # fmt: skip
    assert [array.dtype.str for array in found.values()] == ["<f8", "|O", "|b1", "<i8", "|O"]
    assert odd.ask("types", x=0.1 + 0.2)["number"].tolist() == [0.1 + 0.2]


def test_own_code_runs_in_its_directory_without_profile_or_secrets(odd: Odd) -> None:
    found = odd.ask("where")
    assert found["text"].tolist() == [" FALSE TRUE"]
    place = Path(found["code"][0])
    directory = place.parent
    assert sorted(one.name for one in place.iterdir()) == ["linear.rds", "logistic.rds"]
    assert directory.stat().st_mode & 0o777 == 0o700
    assert not list(directory.glob("*.json"))  # what it was told, the token with it, is gone


def test_errors_name_columns_and_never_values(odd: Odd) -> None:
    with pytest.raises(RequestError, match=r"^n: must be more$"):
        odd.ask("refuse")
    for what in ("stop", "short", "neither", "plot"):
        with pytest.raises(PredictionError, match=r"^The model could not answer\.$"):
            odd.ask(what)
    assert until(lambda: any("a service draws nothing" in line for _, line in odd.said))
    told = [line for level, line in odd.said if level > logging.DEBUG]
    assert any("predict: simpleError at model.R:11" in line for line in told)
    assert not any("secret" in line for line in told)
    assert any("secret" in line for _, line in odd.said)
    assert any("asked for 1 rows" in line for line in told)


def test_what_takes_too_long_is_ended(odd: Odd, monkeypatch: pytest.MonkeyPatch) -> None:
    before = odd.model.processes[0].pid
    with pytest.raises(Unanswered) as late:
        odd.ask("forever")
    assert (late.value.status, odd.model.processes[0].pid) == (504, before)  # R's own code ends at its limit
    monkeypatch.setattr(r_process, "GRACE", 0.2)
    with pytest.raises(Unanswered) as late:
        odd.ask("stuck")
    assert late.value.status == 504
    monkeypatch.undo()
    assert until(lambda: odd.model.processes[0].ready and odd.model.processes[0].pid != before)
    assert odd.ask("types")["whole"].tolist() == [3]


def test_a_process_that_dies_is_started_again(odd: Odd) -> None:
    for what, death in (("die", "itself"), ("types", "from outside")):
        if death == "from outside":
            os.kill(odd.model.processes[0].pid or 0, signal.SIGKILL)
            assert until(lambda: not odd.model.processes[0].ready)
        with pytest.raises(Unanswered) as gone:
            odd.ask(what)
        assert (gone.value.status, gone.value.retry_after) == (503, 1)
        assert until(lambda: odd.model.processes[0].ready)
        assert odd.ask("types")["whole"].tolist() == [3]


class Front(http.client.HTTPConnection):
    """A stranger at the socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)

    def status(self, method: str, path: str, body: bytes | None = None, token: str = "") -> tuple[int, Any]:
        with closing(self):
            with suppress(BrokenPipeError):  # who is refused by the head alone need not be listened to
                self.request(method, path, body, {"strata-token": token, "strata-seconds": "1"} if token else {})
            answer = self.getresponse()
            return answer.status, json.loads(answer.read())


def test_only_who_has_the_token_is_answered(odd: Odd, tmp_path: Path) -> None:
    process = odd.model.processes[0]
    path, token = process._socket, process._token
    assert os.stat(path).st_mode & 0o077 == 0
    words = Path(f"/proc/{process.pid}/cmdline").read_bytes() + Path(f"/proc/{process.pid}/environ").read_bytes()
    assert token.encode() not in words
    assert Front(path).status("GET", "/v2/health/ready")[0] == 403
    assert Front(path).status("GET", "/v2/health/ready", token=token[:-1] + "x")[0] == 403
    assert Front(path).status("POST", "/v2/models/model/infer", b"{}")[0] == 403
    assert Front(path).status("GET", "/v2/health/ready", token=token) == (200, {"ready": True})
    said = Front(path).status("GET", "/v2/models/model", token=token)[1]
    assert [(one["name"], one["datatype"], one["shape"]) for one in said["inputs"]][1:3] == [
        ("x", "FP64", [-1]), ("n", "INT32", [-1]),
    ]  # fmt: skip
    assert Front(path).status("GET", "/etc/passwd", token=token)[0] == 404
    assert Front(path).status("PUT", "/v2", token=token)[0] == 405
    # a body is JSON: no path that is read, no address that is fetched, nothing that R evaluates
    mark = tmp_path / "mark"
    trap = tmp_path / "trap.json"
    trap.write_text('{"inputs": []}')
    for body in (str(trap), f"file://{trap}", f"file.create('{mark}')", "\0", "[[[[", '{"inputs": [{"name": "n"}]}'):
        status, answer = Front(path).status("POST", "/v2/models/model/infer", body.encode(), token)
        assert (status, "error" in answer) in {(500, True), (422, True)}
    assert not mark.exists()


def test_what_cannot_be_loaded_is_told_in_rs_words(fitted: Fitted, tmp_path: Path) -> None:
    told = columns("mpg", **CARS)
    fake = tmp_path / "Rscript"
    fake.write_text("#!/bin/sh\necho strata-r missing httpuv\nexit 3\n")
    fake.chmod(0o755)
    for files, code, path, words in (
        (fitted.files, b"load <- function(path) {", "", "model.R:2:0"),
        (fitted.files, b"library(nowhere)", "", "no package called"),
        ({"linear.rds": b"no rds"}, b"", "", "unknown input format"),
        (fitted.files, b"quit(status = 9)", "", "R ended with 9 before the model was loaded"),
        (fitted.files, b"", f"{tmp_path}:", "R has no package httpuv"),
    ):
        environ = {**os.environ, "PATH": path + os.environ["PATH"]}
        with pytest.raises(StrataError) as error:
            RModel(files, {"model.R": code}, told, artifact="linear.rds", environ=environ)
        assert words in error.value.message, error.value.message
    with pytest.raises(StrataError, match="no file inside"):
        RModel({"../x": b""}, {}, told, artifact="x", environ=os.environ)


def test_several_processes_answer_together(fitted: Fitted) -> None:
    told = columns("mpg", **CARS)
    model = RModel(fitted.files, {}, told, artifact="linear.rds", environ=os.environ)

    def rows(place: int) -> Table:
        return read_table({"records": [fitted.rows[place % 32]]}, told)

    async def main() -> None:
        backend = RProcesses(model, WHOSE, workers=2)
        pids = [process.pid or 0 for process in model.processes]
        found = await asyncio.gather(*(backend.predict(rows(place), timeout=20) for place in range(200)))
        assert [one["mpg"][0] for one in found] == [fitted.linear[place % 32] for place in range(200)]
        # one of a batch is refused, its neighbours are answered
        wrong = read_table({"records": [{**fitted.rows[0], "gears": "G9"}]}, told)
        asked = [backend.predict(wrong if place % 5 == 0 else rows(place)) for place in range(40)]
        mixed = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(one, RequestError) for one in mixed] == [place % 5 == 0 for place in range(40)]
        os.kill(pids[0], signal.SIGKILL)
        assert until(lambda: not model.processes[0].ready)
        assert (await backend.predict(rows(3)))["mpg"][0] == fitted.linear[3]  # the other one is there
        assert await backend.ready()
        assert until(lambda: model.processes[0].ready)
        pids += [process.pid or 0 for process in model.processes]
        await backend.close()
        with pytest.raises(Unanswered):
            await backend.predict(rows(0))
        assert not any(alive(pid) for pid in pids)

    asyncio.run(main())


def test_r_ends_with_who_started_it(fitted: Fitted, tmp_path: Path) -> None:
    (tmp_path / "linear.rds").write_bytes(fitted.files["linear.rds"])
    program = """
import os, pathlib, sys, time
from strata_git.serving.columns import signature_of
from strata_git.serving.r.model import RModel
one = [{"name": "weight", "type": "float64"}]
files = {"linear.rds": pathlib.Path(sys.argv[1]).read_bytes()}
told = signature_of({"signature": {"inputs": one, "outputs": one}})
model = RModel(files, {}, told, artifact="linear.rds", environ=os.environ)
print(model.processes[0].pid, model.processes[0]._setting.directory, flush=True)
time.sleep(60)
"""
    words = [sys.executable, "-c", program, str(tmp_path / "linear.rds")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        pid, directory = started.stdout.readline().split()
        started.kill()
    assert until(lambda: not alive(int(pid)))
    assert not Path(directory).exists()
