"""`ao` is the commands that every service needs, and no others; `service proto` tells the interface."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from strata_git.cli.ao import Operations, ao, main
from strata_git.cli.main import main as strata
from strata_git.cli.service.group import command as service
from strata_git.serving.oip import proto_text


@pytest.mark.parametrize("word", Operations.words)
def test_every_command_of_the_plan_is_the_one_of_git_strata(word: str) -> None:
    context = click.Context(ao)
    command = Operations().get_command(context, word)
    assert command is not None
    assert isinstance(service, click.Group)
    assert command is service.get_command(context, word)


def test_help_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("Usage: ao ")
    assert [word for word in Operations.words if f"\n  {word} " not in told] == []
    assert "eject" not in told


@pytest.mark.parametrize(("word", "hint"), [("eject", "git strata service eject"), ("dance", "git strata --help")])
def test_another_word_is_told_where_it_may_be(word: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 64
    told = capsys.readouterr().err
    assert f"ao has no command '{word}'" in told
    assert hint in told


def test_the_interface_is_printed_or_written_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = ["-C", str(tmp_path), "service", "proto"]
    assert strata(said) == 0
    assert capsys.readouterr().out == proto_text()
    assert strata([*said, "--out", "oip.proto"]) == 0
    assert (tmp_path / "oip.proto").read_text() == proto_text()
    assert strata([*said, "--out", "oip.proto"]) == 3
    assert strata([*said, "--out", "nowhere/oip.proto"]) == 3
    told = capsys.readouterr().err
    assert "is there already" in told
    assert "nowhere." in told
