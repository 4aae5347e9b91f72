"""The command line as a whole: errors become exit codes and sentences, never tracebacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from strata_git.cli import main as module
from strata_git.cli.main import COMMANDS, main
from strata_git.cli.output import out, out_json, table
from strata_git.cli.session import Session
from strata_git.errors import StrataError, UsageError
from tests.support.fixtures import Builder


class Answer:
    """A command that answers whatever a test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, what: object) -> None:
        @click.command()
        def command() -> object:
            if isinstance(what, BaseException):
                raise what
            return what

        monkeypatch.setattr(module.LazyGroup, "get_command", lambda *_: command)


@pytest.mark.parametrize(("what", "code"), [
    (None, 0), (0, 0), (2, 2), (StrataError("m"), 3), (StrataError("m", exit_code=9), 9), (UsageError("m"), 64),
    (KeyboardInterrupt(), 130), (ZeroDivisionError("oops"), 70),
    (click.UsageError("m"), 64), (click.exceptions.Exit(7), 7),
])  # fmt: skip
def test_exit_codes(monkeypatch: pytest.MonkeyPatch, what: object, code: int) -> None:
    Answer(monkeypatch, what)
    assert main(["doctor"]) == code


def test_an_error_is_a_sentence_and_a_hint(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Answer(monkeypatch, StrataError("It is not there.", hint="Make it:\ngit strata init"))
    assert main(["doctor"]) == 3
    assert capsys.readouterr().err == "git strata: It is not there.\n  Make it:\n  git strata init\n"


def test_a_bug_is_told_as_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Answer(monkeypatch, ZeroDivisionError("bad \x1b[2J\nmore"))
    assert main(["doctor"]) == 70
    told = capsys.readouterr().err
    assert "this is a bug of git-strata" in told
    assert "ZeroDivisionError: bad \\x1b[2J" in told
    assert "\x1b" not in told
    assert "Traceback" not in told
    monkeypatch.setenv("STRATA_DEBUG", "1")
    assert main(["doctor"]) == 70
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", ["no-such-command", "doctor --no-such-option", "doctor --format xml", "-C", "hooks nothing"]
)
def test_what_cannot_be_understood(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words.split()) == 64
    told = capsys.readouterr()
    assert told.err.startswith("git strata: ")
    assert told.out == ""


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    called_by_git = {"merge-driver"}
    assert {name for name in COMMANDS if f"  {name} " not in text} == called_by_git


def test_the_version_and_both_names(builder: Builder) -> None:
    repo = builder()
    for program in ("git-strata", "strataml"):
        path = Path(sys.executable).with_name(program)
        done = subprocess.run([path, "--version"], capture_output=True, text=True, env=repo.environ)
        assert done.stdout.startswith("git-strata, version "), done.stderr
    assert repo.try_git("strata", "--version").expect(0).out.startswith("git-strata, version ")


def test_as_if_started_elsewhere(builder: Builder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repo = builder()
    assert main(["-C", str(repo.path), "hooks", "status"]) == 1
    assert main(["-C", str(tmp_path / "none"), "hooks", "status"]) == 3
    assert "is not a directory" in capsys.readouterr().err


def test_a_directory_that_is_gone(tmp_path: Path, hermetic: dict[str, str]) -> None:
    script = "import os, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n"
    script += "from strata_git.cli.main import main; sys.exit(main(['doctor']))"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, env=hermetic)
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    assert "no longer there" in done.stderr


def test_a_reader_who_leaves(builder: Builder) -> None:
    repo = builder()
    command = f"{sys.executable} -m strata_git --help | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=repo.path, capture_output=True, text=True, env=repo.environ)
    assert done.returncode in (0, 141)
    assert done.stderr == ""


def test_output_is_safe_for_terminals(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    out("one\x1b[2J\ntwo\tthree" + os.fsdecode(b"\xff"))
    assert capsysbinary.readouterr().out == b"one\\x1b[2J\ntwo    three\\xff\n"
    out_json({"a": "é\x1b"})
    assert capsysbinary.readouterr().out == '{\n  "a": "é\\u001b"\n}\n'.encode()
    assert table([("a", "\x1b"), ("long", "")], ("x", "y")).split("\n") == ["x     y", "a     \\x1b", "long"]


def test_the_session_finds_repository_and_settings_once(builder: Builder) -> None:
    repo = builder().workspace()
    (repo.path / "below").mkdir()
    session = Session(repo.environ, repo.path / "below")
    assert session.repository() is session.repository()
    assert session.settings().lfs is False
    repo.commit("One")
    bare = repo.clone("bare", "--bare")
    assert Session(bare.environ, bare.path).settings().lfs is False
