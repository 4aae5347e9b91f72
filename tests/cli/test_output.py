"""How the command line speaks: for people, or one line of JSON each; as much as is asked for; never a secret."""

from __future__ import annotations

import json

import click
import pytest

from strata_git.cli import main as module
from strata_git.cli.main import main
from strata_git.cli.output import mask_with, note, out, out_json
from strata_git.errors import StrataError

SECRET = "canary-31"


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What the next command says and does: a text is a note, an error is raised."""
    doing: list[object] = []

    @click.command()
    def command() -> None:
        mask_with(lambda text: text.replace(SECRET, "***"))
        for what in doing:
            if isinstance(what, BaseException):
                raise what
            note(str(what))

    monkeypatch.setattr(module.LazyGroup, "get_command", lambda *_: command)
    return doing


def errors(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines() if line]


def test_errors_and_prose_as_json(
    answer: list[object], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATA_LOG_FORMAT", "json")
    answer += ["one\ntwo", StrataError(f"No {SECRET}.", hint=f"Make it:\n{SECRET}")]
    assert main(["x"]) == 3
    said, error = errors(capsys)
    assert (said["level"], said["logger"], said["message"]) == ("info", "strata.cli", "one\ntwo")
    assert (error["level"], error["message"], error["hint"], error["exit_code"]) == (
        "error", "No ***.", "Make it:\n***", 3
    )  # fmt: skip


@pytest.mark.parametrize(("what", "code", "level"), [
    (click.UsageError("m"), 64, "error"), (ZeroDivisionError(f"oops {SECRET}"), 70, "critical"),
    (KeyboardInterrupt(), 130, "error"),
])  # fmt: skip
def test_every_end_is_a_line(
    answer: list[object], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    what: BaseException, code: int, level: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("STRATA_LOG_FORMAT", "json")
    answer.append(what)
    assert main(["x"]) == code
    (line,) = errors(capsys)
    assert line["level"] == level
    assert SECRET not in str(line)


def test_a_traceback_holds_no_secret(
    answer: list[object], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATA_DEBUG", "1")
    answer.append(ZeroDivisionError(f"oops {SECRET}"))
    assert main(["x"]) == 70
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert SECRET not in told


def test_the_level_says_how_much(
    answer: list[object], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATA_LOG_LEVEL", "error")
    answer += ["prose", StrataError("It failed.")]
    assert main(["x"]) == 3
    assert capsys.readouterr().err == "git strata: It failed.\n"
    monkeypatch.setenv("STRATA_LOG_LEVEL", "loud")  # nobody's level: as if it were not said
    assert main(["x"]) == 3
    assert capsys.readouterr().err == "prose\ngit strata: It failed.\n"


def test_masks_hold_for_both_streams_and_one_command(
    answer: list[object], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["x"]) == 0
    out(f"a {SECRET}")
    out_json({"a": SECRET})
    assert SECRET.encode() not in capsysbinary.readouterr().out
    answer.append(SECRET)
    assert main(["x"]) == 0
    assert capsysbinary.readouterr().err == b"***\n"
