"""The function, called as AWS calls it: buckets behind real HTTP, a repository that is never written to."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from strata_git.pipeline.deploy.aws_lambda import SCHEMA, Unsuccessful
from tests.pipeline.deploy.function import CANARY, Call, Function, deployed
from tests.pipeline.deploy.test_event import bridged, created
from tests.support import s3_server
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

pytestmark = pytest.mark.heavy
ORDER = {"chain": "chains/summarise.yaml"}


@pytest.fixture
def function(builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    with s3_server.serving() as server:
        made = deployed(builder().workspace(), server, tmp_path / "scratch")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):  # the SDK reads its own
            monkeypatch.setenv(name, made.environ[name])
        yield made


def call(number: int, **words: Any) -> Call:
    return Call(f"7d1f6b1e-0000-4000-8000-{number:012}", **words)


def test_an_order(function: Function, capfd: pytest.CaptureFixture[str]) -> None:
    planted = logging.NullHandler()  # as the platform's own, which would tell all lines once more, unredacted
    planted.emit = planted.handle = lambda record: pytest.fail("told")  # type: ignore[method-assign]
    logging.getLogger().addHandler(planted)
    told = function.call({**ORDER, "set": ["concurrency=2"], "tags": {"team": "a"}})
    assert planted in logging.getLogger().handlers
    logging.getLogger().removeHandler(planted)
    run = told["run"]
    assert (told["schema"], told["status"], told["error"]) == (SCHEMA, "succeeded", None)
    assert told["counts"]["documents"] == 2
    assert told["cost"] == {"amount": 0.0, "currency": "USD"}
    assert told["record"] == f"s3://records/runs/{run}/"
    assert f"answers/{run}/manifest.json" in function.keys("answers")
    said = yaml.safe_load(function.read("records", f"runs/{run}/run.yaml"))
    tags = yaml.safe_load(function.read("records", f"runs/{run}/config.yaml"))["tags"]
    assert tags == {"team": "a", "request": call(1).aws_request_id}
    assert said["code"]["dirty"] is False
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert {line["request"] for line in lines} == {call(1).aws_request_id}
    assert any(line["message"] == "answered" and line["status"] == "succeeded" for line in lines)
    assert {line["run"] for line in lines if line["logger"] == "strata.run"} == {run}


def test_numbers_are_taken_once_and_a_request_is_answered_once(function: Function) -> None:
    first, other = (function.call(ORDER, call(number)) for number in (1, 2))
    assert int(other["run"][-3:]) == int(first["run"][-3:]) + 1
    again = function.call(ORDER, call(1))
    assert again == {**first, "repeated": True}
    assert len(function.keys("records", "claims/")) == 2


def test_the_record_is_one_of_a_clone(function: Function, builder: Builder) -> None:
    """What lies in the bucket can be put into the repository, whose doctor finds nothing wrong."""
    run = function.call(ORDER)["run"]
    clone = builder("clone")
    shutil.rmtree(clone.path)
    shutil.copytree(function.baked, clone.path)
    for path in clone.path.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for key in function.keys("records", f"runs/{run}/"):
        clone.write({key: function.read("records", key)})
    RepositoryBuilder(clone.path, clone.environ).commit("Record")
    clone.strata("doctor").expect(0)


@pytest.mark.parametrize("event", [
    {"Records": [created("in/d+1.md", bucket="documents")]},
    bridged("Object Created", "aws.s3", bucket={"name": "documents"}, object={"key": "in/d 1.md"}),
])  # fmt: skip
def test_an_object_that_came_to_be(function: Function, event: dict[str, Any]) -> None:
    told = function.call(event)
    said = yaml.safe_load(function.read("records", f"runs/{told['run']}/run.yaml"))
    assert [one["name"] for one in said["sources"]] == ["d 1.md"]
    assert function.call({"Records": [created("in/d.txt", bucket="documents")]}, call(2))["status"] == "ignored"


def test_a_dry_run_asks_and_writes_nothing(function: Function) -> None:
    told = function.call({**ORDER, "dry_run": True})
    assert (told["status"], told["dry_run"], told["run"]) == ("succeeded", True, None)
    assert told["counts"]["calls"] == told["counts"]["chunks"] > 0
    assert function.keys("records") + function.keys("answers") == []


def test_failures_are_answered_and_repeated_only_by_a_platform(
    function: Function, capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = {**ORDER, "set": ["steps.0.prompt=other#v1"]}
    told = function.call(wrong)
    assert told["status"] == "failed"
    assert "other" in told["error"]["message"]
    with pytest.raises(Unsuccessful, match="other"):
        function.call(bridged("nightly", "our.program", **wrong))
    secret = function.call({**ORDER, "tags": {"note": f"with {CANARY}"}})
    assert secret["status"] == "failed"
    assert function.call(ORDER, call(5, left_s=4))["error"]["message"].startswith("There are 4 s left")
    missing = function.call(ORDER, STRATA_WORKSPACE=str(function.scratch))
    assert missing["status"] == "failed"
    said = capfd.readouterr()
    assert CANARY not in said.out + said.err + json.dumps([told, secret, missing])


def test_what_was_paid_for_is_taken_up_by_the_next_delivery(function: Function) -> None:
    def answers(environ: s3_server.Environ) -> bool:
        return environ["REQUEST_METHOD"] == "PUT" and str(environ["PATH_INFO"]).startswith("/answers/")

    function.server.fail(s3_server.s3_error(403, "AccessDenied"), when=answers)
    failed = function.call(ORDER)
    assert (failed["status"], failed["error"]["kind"]) == ("failed", "run")
    assert "AccessDenied" in failed["error"]["message"]
    told = function.call(ORDER)
    assert (told["status"], told["counts"].get("calls", 0)) == ("succeeded", 0)
    assert told["counts"]["cached"] == told["counts"]["chunks"] > 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_time_runs_out_before_the_platforms_does(function: Function) -> None:
    """The work is ended, its record is kept, and the answer still comes.

    The end may come while Python tidies something away, which swallows it with a warning; it is told again.
    """
    for number in range(200):
        function.server.client().put_object(
            Bucket="documents", Key=f"in/more{number}.md", Body=b"# More\n\n" + b"x " * 9
        )
    told = function.call(ORDER, call(1, left_s=6.3))
    assert told["status"] == "failed"
    assert "time limit" in told["error"]["message"]
    said = yaml.safe_load(function.read("records", f"runs/{told['run']}/run.yaml"))
    assert said["status"] == "failed"
