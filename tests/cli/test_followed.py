"""A run that is followed where it was started: its log as lines of JSON, and each line in the record once."""

from __future__ import annotations

import json

import pytest

from strata_git.cli.main import main
from tests.support.fixtures import Builder

PLUGIN = """\
import logging
import sys

from strata_git.runs.plugin import RunResult


class TalkerPlugin:
    \"\"\"Says things.\"\"\"

    name = "talker"
    requires = {}

    def run(self, spec, context):
        context.mask.add("canary-known-value")
        context.log("said canary-known-value")
        context.logger.warning("logged Y2FuYXJ5LWtub3duLXZhbHVl")
        logging.getLogger("botocore.auth").warning("sent Authorization: canary-header")
        print("printed", flush=True)
        print("to the other one", file=sys.stderr, flush=True)
        return RunResult()
"""


def test_a_run_as_json(builder: Builder, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    repo = builder().workspace()
    (repo.path / "plugins").mkdir(exist_ok=True)
    (repo.path / "plugins/talker.py").write_text(PLUGIN)
    (repo.path / "experiments").mkdir(exist_ok=True)
    (repo.path / "experiments/talk.yaml").write_text("plugin: talker\nexperiment: talk\n")
    repo.commit("Begin")
    monkeypatch.chdir(repo.path)
    monkeypatch.setenv("STRATA_LOG_FORMAT", "json")
    assert main(["run", "experiments/talk.yaml", "--tracking", "none", "--format", "json"]) == 0
    said = capfd.readouterr()
    lines = [json.loads(line) for line in said.err.splitlines()]
    run = json.loads(said.out)["id"]
    own = [line["message"] for line in lines if line["logger"] == "strata.run"]
    assert any(message.startswith(f"{run}: talk with plugin talker") for message in own)
    assert {"said ***", "warning: logged ***", "succeeded"} <= set(own)
    assert [line["message"] for line in lines if line["logger"] == "botocore.auth"] == ["sent Authorization: ***"]
    assert not any("printed" in str(line) or "to the other one" in str(line) for line in lines)
    assert "canary" not in said.out + said.err
    record = (repo.path / "runs" / run / "logs.txt").read_text()
    for text in ("said ***", "logged ***", "botocore.auth: sent", "printed", "to the other one", "succeeded"):
        assert record.count(text) == 1, record
    assert "canary" not in record
