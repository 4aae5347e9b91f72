"""`fmf` is the commands of pipelines, and no others."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from strata_git.cli.fmf import Framework, fmf, main
from strata_git.cli.main import cli
from tests.support.fixtures import Builder

PLAN = (
    "keys test", "connect ls", "process", "infer", "run --chain", "prompt register", "export --sink", "export --input",
)  # fmt: skip
"""Every command of the build plan."""


@pytest.mark.parametrize("words", PLAN)
def test_every_command_of_the_plan_is_the_one_of_git_strata(words: str) -> None:
    context = click.Context(fmf)
    name, _, rest = words.partition(" ")
    command, ours = Framework().get_command(context, name), cli.get_command(context, name)
    assert command is not None
    assert command is ours
    below = command.commands if isinstance(command, click.Group) else {}
    options = {option for parameter in command.params for option in parameter.opts}
    assert not rest or rest in below or rest in options


def test_help_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Usage: fmf ")
    assert [word for word in Framework.words if f"\n  {word} " not in told] == []
    assert "promote" not in told


@pytest.mark.parametrize(("word", "hint"), [("doctor", "git strata doctor"), ("frobnicate", "git strata --help")])
def test_another_word_is_told_where_it_may_be(word: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 64
    told = capsys.readouterr().err
    assert f"fmf has no command '{word}'" in told
    assert hint in told


def test_it_works_and_answers_as_git_strata(
    builder: Builder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = builder().workspace()
    said = repo.read("strata.yaml").decode() + "connectors:\n  docs: {type: local, root: ./docs}\n"
    repo.write({"strata.yaml": said, "docs/a.md": "# A\n", "docs/b.txt": "b\n"})
    assert main(["-C", str(repo.path), "connect", "ls", "docs", "--select", "*.md"]) == 0
    assert "a.md" in capsys.readouterr().out
    assert main(["-C", str(repo.path), "keys", "test"]) == 0
    capsys.readouterr()
    monkeypatch.setenv("FMF_LOG_FORMAT", "json")
    assert main(["-C", str(repo.path), "connect", "ls", "nothing"]) == 3
    assert "strata.yaml has no connector" in json.loads(capsys.readouterr().err.splitlines()[-1])["message"]


def test_the_program_is_there(hermetic: dict[str, str]) -> None:
    program = Path(sys.executable).with_name("fmf")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, env=hermetic)
    assert done.stdout.startswith("fmf (git-strata), version "), done.stderr
