"""The table of docs/threat-model.md is whole: every attack is there, every test exists and is about the rules named."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from strata_git.checks.catalog import RULES
from tests.support.fixtures import ROOT

LINES = re.findall(
    r"^\| (\d+) \| (.+?) \| (.+?) \| (.+?) \|$", (ROOT / "docs/threat-model.md").read_text("utf-8"), re.M
)
TABLE = {int(number): (what, tests) for number, _, what, tests in LINES}
OURS = ("ledger_edges", "looking", "promotions", "signatures")
NAMED = re.compile(r"`(tests/\S+\.py)::(test_\w+)`")
OUT = re.compile(r"out of scope: .{20,}")


@cache
def text(path: Path) -> str:
    return path.read_text("utf-8")


@cache
def functions(path: Path) -> set[str]:
    return {node.name for node in ast.parse(text(path)).body if isinstance(node, ast.FunctionDef)}


def test_every_attack_is_there_once() -> None:
    assert [int(line[0]) for line in LINES] == list(range(1, 69))


def test_every_attack_has_a_test_or_a_reason() -> None:
    for number, (what, tests) in TABLE.items():
        named = NAMED.findall(tests)
        assert bool(named) != bool(OUT.search(what)), number
        for path, name in named:
            assert name in functions(ROOT / path), (number, path, name)


def test_every_rule_named_stands_in_a_test_named() -> None:
    for number, (what, tests) in TABLE.items():
        told = set(re.findall(r"STR-[A-Z]\d{3}", what))
        files = "".join(text(ROOT / path) for path, _ in NAMED.findall(tests))
        assert told <= RULES.keys(), number
        assert {rule for rule in told if rule not in files} == set(), number


def test_every_test_of_an_attack_is_named() -> None:
    named = {pair for _, tests in TABLE.values() for pair in NAMED.findall(tests)}
    made = {
        (path, name)
        for path in (f"tests/attacks/test_{subject}.py" for subject in OURS)
        for name in functions(ROOT / path)
        if name.startswith("test_")
    }
    assert made - named == {("tests/attacks/test_promotions.py", "test_whom_the_policy_asks_for_is_let_in")}
