"""What docs/reports.md and docs/federation.md say is so: commands are taken, gates are read."""

from __future__ import annotations

import re
import shlex

import click
import pytest

from strata_git.cli.main import cli
from strata_git.report.gates import read_gates
from tests.support.fixtures import ROOT

TEXTS = {name: (ROOT / f"docs/{name}.md").read_text() for name in ("reports", "federation")}
LINES = [
    line
    for text in TEXTS.values()
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("git strata ")
]


@pytest.mark.parametrize("line", LINES)
def test_each_command_is_taken(line: str) -> None:
    words = shlex.split(line)[2:]
    context = click.Context(cli)
    command: click.Command | None = cli.get_command(context, words.pop(0))
    if isinstance(command, click.Group):
        command = command.commands[words.pop(0)]
    assert command is not None
    command.make_context("git strata", words)  # refuses options that are none, and words too many


def test_the_gates_shown_are_gates() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXTS["reports"], re.DOTALL)
    assert [rule.models for rule in read_gates(block.encode(), "docs")] == ["*", "fraud-*"]
