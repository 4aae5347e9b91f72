"""Which rules are told, and what no settings can silence."""

from __future__ import annotations

import re

import pytest

from strata_git.checks.catalog import RULES
from strata_git.checks.engine import judge_workspace
from strata_git.checks.finding import Finding, found
from strata_git.checks.selection import Selection, is_protected, rule_words
from strata_git.repo.tree import MemoryTree

ALL = [found(rule, "x", "m") for rule in RULES]


def told(selection: Selection, *, guarded: bool = False) -> set[str]:
    kept, left = selection.divide(ALL, guarded=guarded)
    assert len(kept) + len(left) == len(ALL)
    return {finding.rule for finding in kept}


def test_ids_and_beginnings() -> None:
    assert told(Selection()) == set(RULES)
    assert told(Selection(select=("STR-D003",))) == {"STR-D003"}
    assert told(Selection(select=("STR-D",))) == {rule for rule in RULES if rule.startswith("STR-D")}
    assert told(Selection(ignore=("STR-D", "STR-L01"))) == {
        rule for rule in RULES if not rule.startswith(("STR-D", "STR-L01"))
    }
    assert told(Selection(select=("STR-D",), ignore=("STR-D003",))) == told(Selection(select=("STR-D",))) - {"STR-D003"}


def test_settings_cannot_silence_errors_of_what_was_released_or_signed() -> None:
    everything = Selection(ignore=tuple(f"STR-{letter}" for letter in {rule[4] for rule in RULES}))
    assert told(everything) == set()
    kept = told(everything, guarded=True)
    assert kept >= {"STR-C005", "STR-I001", "STR-I006", "STR-S002", "STR-P004", "STR-L016", "STR-L021"}
    assert kept.isdisjoint({"STR-S004", "STR-I005", "STR-D002", "STR-X001", "STR-L022", "STR-L001"})
    assert told(Selection(select=("STR-D003",)), guarded=True) == kept | {"STR-D003"}
    assert all(is_protected(finding) == (finding.rule in kept) for finding in ALL)
    assert not is_protected(Finding("STR-C005", "warning", "x", 0, "m", "f"))


@pytest.mark.parametrize(("words", "meant"), [
    (("STR-D003",), ("STR-D003",)), (("d003",), ("STR-D003",)),
    (("STR-D,STR-X", "c005"), ("STR-D", "STR-X", "STR-C005")),
    (("str-d", "STR-D"), ("STR-D",)), ((" STR-D , ",), ("STR-D",)), ((), ()), (("STR-D00",), ("STR-D00",)),
])  # fmt: skip
def test_words_people_write(words: tuple[str, ...], meant: tuple[str, ...]) -> None:
    assert rule_words(words) == meant


@pytest.mark.parametrize("word", ["STR-D999", "STR-Z", "E501", "STR-", "STR", "*", "STR-D0033", "STR-D003\x1b"])
def test_rules_that_are_none(word: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(word)}$"):
        rule_words((f"STR-D,{word}",))


def test_settings_that_name_no_rule() -> None:
    tree = MemoryTree({"strata.yaml": b"doctor:\n  ignore: [STR-D003, STR-D999, STR-Z]\n"})
    complaints = [finding for finding in judge_workspace(tree) if finding.rule == "STR-L016"]
    assert len(complaints) == 2
    assert all(any(word in f.message for f in complaints) for word in ("STR-D999", "STR-Z"))
