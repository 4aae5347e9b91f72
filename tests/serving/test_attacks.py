"""What strangers, a clone of theirs, or bad luck might do to services, each in a few lines."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from strata_git.cli.service.drift import _moment
from strata_git.cli.service.eject import _tried_code
from strata_git.contracts.layers import ConfigurationError
from strata_git.errors import StrataError, UsageError
from strata_git.serving.api.access import access_line
from strata_git.serving.api.trace import continued
from strata_git.serving.backends import in_process
from strata_git.serving.backends.local import OnnxModel
from strata_git.serving.check.code import _ruff
from strata_git.serving.image.context import _locks, _own
from strata_git.serving.image.making import Wanted, make
from strata_git.serving.logs import service_log
from strata_git.serving.own_code import OwnCode, OwnModel, read_code
from strata_git.serving.prediction_log import FILE, PredictionLog, read_log
from strata_git.serving.project.settings import resolve
from strata_git.serving.router import Router
from strata_git.serving.supervision.asking import ask
from strata_git.serving.supervision.children import identity
from strata_git.serving.supervision.decision import Standing
from strata_git.serving.supervision.life import Life
from strata_git.serving.supervision.opening import Opened
from strata_git.serving.supervision.places import service_directory
from strata_git.serving.supervision.state import State, born, read_state, write_state
from tests.serving.models import LINEAR, linear
from tests.serving.stand_ins import provenance, rows
from tests.serving.supervision.answering import backed
from tests.serving.test_prediction_log import ASKED, SCORES


def test_checking_a_clone_runs_no_module_of_it(tmp_path: Path) -> None:
    (tmp_path / "model-service").mkdir()
    (tmp_path / "model-service/predict.py").write_text("import os\n")
    (tmp_path / "ruff.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nprint('[]')\n")
    found = list(_ruff(SimpleNamespace(environ=dict(os.environ), project=SimpleNamespace(path="services/x")), tmp_path))  # type: ignore[arg-type]
    assert "F401" in found[0].message
    assert not (tmp_path / "ran").exists()


def test_code_behind_a_link_or_unreadable_is_not_silently_left_out(tmp_path: Path) -> None:
    inside = tmp_path / "model-service"
    inside.mkdir()
    (inside / "real.py").write_text("def predict(model, rows): ...")
    (inside / "predict.py").symlink_to("real.py")
    with pytest.raises(StrataError, match="behind a link, which is not followed"):
        read_code(inside, lang="python", place="services/x/model-service")
    (tmp_path / "link").symlink_to("model-service")
    with pytest.raises(StrataError, match="behind a link, which is not followed"):
        read_code(tmp_path / "link", lang="python", place="services/x/model-service")


def test_code_of_ones_own_never_runs_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_process, "_seconds", lambda *_: 1e-6)  # it is quick as long as it is tried
    code = OwnCode("python", {"predict.py": b"def predict(model, rows):\n    return [1.0 for row in rows]\n"}, "x")
    model = OnnxModel(linear(), LINEAR)
    assert in_process.quick_rows(model) > 0
    own = OwnModel(code, LINEAR, {}, format="onnx", default=lambda: model)
    assert in_process.quick_rows(own) == 0
    own.close()


def test_a_state_of_another_start_of_the_system_or_behind_a_link_is_none(tmp_path: Path) -> None:
    here = State("bar", os.getpid(), born(os.getpid()), "", "local", "http://127.0.0.1:1")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    write_state(service_directory(theirs, "bar"), here)
    assert read_state(theirs, "bar") == here
    if sys.platform == "linux":  # what a repository could bring along: the moment alone can be guessed
        write_state(service_directory(theirs, "bar"), replace(here, born=here.born.rpartition(" ")[2]))
        assert read_state(theirs, "bar") is None
        write_state(service_directory(theirs, "bar"), here)
    place = service_directory(ours, "bar")
    place.rmdir()
    place.symlink_to(theirs / ".strata/local/services/bar")
    assert read_state(ours, "bar") is None
    place.unlink()
    place.parent.rmdir()
    place.parent.symlink_to(theirs / ".strata/local/services")
    assert read_state(ours, "bar") is None


def test_nothing_that_was_asked_goes_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "log").symlink_to("elsewhere")
    log = PredictionLog(ASKED, tmp_path / "log")
    log.offer("a", provenance(), rows(1.0, 2.0), SCORES)
    log.close()
    assert (log.counts()["failed"], os.listdir(tmp_path / "elsewhere")) == (1, [])
    (tmp_path / "elsewhere" / "predictions-²³.jsonl").write_text("")
    (tmp_path / "elsewhere" / FILE).write_text("[" * 100_000 + '\n{"time":"2026-01-01T00:00:00Z","request":"a","model":'
                                               '"m","inputs":{},"outputs":{},"row":1e999}\n')  # fmt: skip
    assert list(read_log(tmp_path / "elsewhere")) == []


def test_a_process_begun_again_with_other_code_is_another_one(tmp_path: Path) -> None:
    said = {"provenance": {"version": "v1", "digest": "d", "code": "sha256:a"}}
    assert identity(said) != identity({"provenance": {**said["provenance"], "code": "sha256:b"}})
    assert identity({"provenance": "v1"}) == identity({})
    (tmp_path / "predict.py").write_text("x = 1")
    looked: list[bool] = []
    tried: list[bool] = []

    class Told:
        async def ask(self, *, again: bool, also: object) -> dict[str, Standing] | None:
            looked.append(again)
            return {"forest@production": Standing("one", "v1", stages=(("v1", "production"),))} if again else None

        async def open(self, _reference: str, *, tried: bool, made: list[bool] = tried) -> Opened:
            made.append(tried)
            if len(made) == 2:
                raise OSError("the disk is full")
            return Opened(backed("v1"), "one", ())

    async def main() -> None:
        told: Any = Told()
        service = SimpleNamespace(model="forest@production", routes=())
        wish = SimpleNamespace(every=0.01, reload=False, wait=False)
        project: Any = SimpleNamespace(code=tmp_path, service=service)
        router = Router()
        life = Life(project, wish, router, told, told, lambda *_: None)
        running = asyncio.ensure_future(life.run())

        async def until(number: int) -> None:
            while len(tried) < number and not running.done():
                await asyncio.sleep(0.005)

        await until(1)
        (tmp_path / "predict.py").write_text("x = 2, longer")
        for number in (2, 3):  # the first time something breaks: what answers goes on, and so does the service
            await asyncio.sleep(0.03)
            assert len(tried) == number - 1
            (tmp_path / "predict.py").write_text("x" * number * 20)
            life.wake("another code is in its place")
            await until(number)
            assert router.current is not None
        assert not running.done()
        assert True in looked
        life.stop()
        await running
        await router.close()

    asyncio.run(asyncio.wait_for(main(), 20))
    assert tried == [False, True, True]


def test_code_that_changed_meanwhile_and_lists_that_are_no_text(tmp_path: Path) -> None:
    inside = tmp_path / "model-service"
    inside.mkdir()
    (inside / "predict.py").write_text("def predict(model, rows): ...")
    (inside / "requirements.txt").write_bytes(b"\xff\xfe==1\n")
    project: Any = SimpleNamespace(
        path="services/x", directory=tmp_path, code=inside, service=SimpleNamespace(lang="python")
    )
    with pytest.raises(StrataError, match="not any more what the model was tried with"):
        _tried_code(project, SimpleNamespace(provenance=provenance()))  # type: ignore[arg-type]
    for read in (_own, _locks):
        with pytest.raises(StrataError, match="cannot be read as text"):
            read(project)


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:99999", "file:///etc/passwd", "http://"])
def test_what_is_no_address_is_said_so(url: str) -> None:
    with pytest.raises(StrataError, match="is no address of a service"):
        ask(url, "/")


def test_a_name_that_begins_like_this_machine_is_not_this_machine() -> None:
    text = b"schema: strata/service/v1\nname: bar\nmodel: forest@production\napi: {host: %s}\n"
    for host in (b"127.9.9.9", b"localhost", b'"::1"'):
        assert resolve(text % host, file="service.yaml", name="bar").service.api.host
    for host in (b"127.evil.example", b"127.0.0.1.evil.example", b"0.0.0.0"):
        with pytest.raises(ConfigurationError, match="can be reached from other machines"):
            resolve(text % host, file="service.yaml", name="bar")


def test_an_address_that_a_proxy_names_is_no_longer_than_one() -> None:
    told = io.StringIO()
    asked: Any = SimpleNamespace(
        trace=continued(""), id="a", method="POST", route="/predict", rows=0, caller="", provenance=None, path="/",
        scope={"client": ("x" * 5000, 1)},
    )  # fmt: skip
    with service_log("json", "info", told):
        access_line(asked, 200, 0.1)
    assert json.loads(told.getvalue())["client"] == "x" * 64


def test_words_that_cannot_be_meant() -> None:
    with pytest.raises(UsageError, match="is no time"):
        _moment("99999999999d")
    nothing: Any = None
    with pytest.raises(UsageError, match=r"'x\\nRUN id' is not the name of an image"):
        make(nothing, nothing, nothing, nothing, Wanted(base="x\nRUN id"), environ={}, tell=print)


def test_a_file_of_keys_that_never_ends_is_not_read(tmp_path: Path) -> None:
    from strata_git.contracts.service import Oidc
    from strata_git.serving.api.oidc import open_provider

    (tmp_path / "keys.json").symlink_to("/dev/zero")
    with pytest.raises(StrataError, match="cannot be read as JSON"):
        open_provider(Oidc(issuer="https://a.example", audience="b", jwks="keys.json"), tmp_path)
    (tmp_path / "other.json").write_text(json.dumps({"keys": []}))
    with pytest.raises(StrataError, match="no public key"):
        open_provider(Oidc(issuer="https://a.example", audience="b", jwks="other.json"), tmp_path)
