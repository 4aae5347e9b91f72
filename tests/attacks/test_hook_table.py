"""The table of docs/threat-model-hooks.md is whole: every case is there, and every test it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.fixtures import ROOT

TABLE = (ROOT / "docs/threat-model-hooks.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/\S+\.py)::(test_\w+)`", TABLE)))


def functions(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text("utf-8")).body if isinstance(node, ast.FunctionDef)}


def test_every_case_is_there_once() -> None:
    rows = re.findall(r"^\| (\d+) \|.*`tests/", TABLE, re.MULTILINE)
    assert [int(row) for row in rows] == list(range(1, 26))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_every_test_named_exists(path: str, name: str) -> None:
    assert name in functions(ROOT / path)


def test_every_test_of_a_case_is_named() -> None:
    made = {
        (f"tests/attacks/{path.name}", name)
        for path in (ROOT / "tests/attacks").glob("test_hook_cases_*.py")
        for name in functions(path)
        if name.startswith("test_")
    }
    assert made <= set(NAMED)
    assert all(re.match(r"test_case_\d\d_", name) for _, name in made)
