"""docs/questions.md: every example is run on the repository that the page tells of, and answers what it shows.

`python -m tests.docs.test_questions` writes the answers into the page anew.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from strata_git.cli.main import COMMANDS, main
from tests.index.asked import past
from tests.support.builder import create
from tests.support.environment import sealed, short_directory

PAGE = Path(__file__).parent.parent.parent / "docs/questions.md"
BLOCK = re.compile(r"```console\n\$ git strata ([^\n]*)\n(.*?)```\n", re.DOTALL)
EXAMPLES = [(found[1], found[2]) for found in BLOCK.finditer(PAGE.read_text())]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home, base = short_directory(), tmp_path_factory.mktemp("page")
    yield past(create(base / "repo", sealed(base, home, os.environ), "--initial-branch=main")).path
    home.rmdir()


@pytest.mark.parametrize(("words", "shown"), EXAMPLES, ids=[words.split()[0] + words[-9:] for words, _ in EXAMPLES])
def test_an_example_answers_what_the_page_shows(
    place: Path, capfd: pytest.CaptureFixture[str], words: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["-C", str(place), *shlex.split(words)]) in (0, 1, 2)
    out = capfd.readouterr().out
    assert comparable(out) == comparable(shown)


def comparable(text: str) -> list[str]:
    """Lines without what hangs on how git packs, and without digits of ids that change with every change of the past
    told of."""
    text = re.sub(r"takes [0-9,]+ on the disk", "takes N on the disk", text)
    return re.sub(r"\b(?:[0-9a-f]{12}|[0-9a-f]{40}|[0-9a-f]{64})\b", "HEX", text).rstrip("\n").split("\n")


def test_the_page_shows_every_question() -> None:
    asked = {words.split()[0] for words, _ in EXAMPLES}
    questions = {"list", "diff", "compare", "log", "bisect", "lineage", "impact", "whois", "search", "storage"}
    assert questions == asked
    assert questions <= set(COMMANDS)


def rewrite() -> None:
    """Write what the commands answer now into the page."""
    import contextlib
    import io

    base, home = Path(tempfile.mkdtemp()), short_directory()
    environ = sealed(base, home, os.environ)
    os.environ.update(environ, COLUMNS="80")
    repo = past(create(base / "repo", environ, "--initial-branch=main"))

    def answered(found: re.Match[str]) -> str:
        told = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        with contextlib.redirect_stdout(told):
            main(["-C", str(repo.path), *shlex.split(found[1])])
        told.flush()
        text = told.buffer.getvalue().decode()  # type: ignore[attr-defined]
        return f"```console\n$ git strata {found[1]}\n{text.rstrip()}\n```\n"

    PAGE.write_text(BLOCK.sub(answered, PAGE.read_text()))


if __name__ == "__main__":
    sys.exit(rewrite())  # type: ignore[func-returns-value]
