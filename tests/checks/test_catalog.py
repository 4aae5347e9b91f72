"""The table of rules is whole, and its fingerprint notices every change."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from strata_git.checks import catalog, promotion
from strata_git.checks.catalog import RULES, RULESET, Rule
from strata_git.checks.finding import Finding, Severity, found

TABLE = tuple(RULES.values())
TESTS = Path(__file__).parent
PACKAGE = TESTS.parents[1] / "strata_git" / "checks"


@pytest.mark.parametrize("rule", TABLE, ids=lambda rule: rule.id)
def test_every_rule_is_well_formed(rule: Rule) -> None:
    assert re.fullmatch(r"STR-[LYDRMTNEUVCSGFIXKPH]\d{3}", rule.id)
    assert re.fullmatch(r"tfc/\d{4}-[a-z-]+\.md#\d+\.\d+", rule.anchor)
    assert rule.severity in set(Severity)
    assert rule.summary.endswith(".")
    assert rule.fix
    assert not rule.fix.endswith(".")


def test_ids_are_unique_and_in_order() -> None:
    assert len(RULES) == len(catalog._TABLE)
    for family in "LYDRMTNEUVCSGFIXKPH":
        ids = [rule for rule in RULES if rule[4] == family]
        assert ids == sorted(ids)


def test_every_rule_is_used_and_those_judged_here_are_tested_here() -> None:
    """A rule nobody reports is a promise nobody keeps. Ledger and hooks test the rules that they judge by."""
    ledger = {rule.id for rule in promotion.RULES}
    here = "".join(path.read_text() for path in PACKAGE.glob("*.py") if path.name not in ("catalog.py", "promotion.py"))
    hooks = "".join(path.read_text() for path in (PACKAGE.parent / "hooks").glob("*.py"))
    tests = "".join(path.read_text() for path in TESTS.glob("test_*.py") if path.name != "test_catalog.py")
    assert [rule for rule in RULES if rule not in ledger and rule not in here + hooks] == []
    assert [rule for rule in RULES if rule in here and rule not in tests] == []


@pytest.mark.parametrize("rule", TABLE, ids=lambda rule: rule.id)
def test_every_rule_stands_in_its_contract(rule: Rule) -> None:
    file, _, section = rule.anchor.partition("#")
    assert f'<a id="{section}"></a>' in (PACKAGE.parents[1] / file).read_text()


def test_the_fingerprint_changes_with_any_rule_and_with_the_revision() -> None:
    assert catalog._fingerprint(TABLE, catalog.ENGINE_REVISION) == RULESET
    milder = (replace(TABLE[0], severity="info"), *TABLE[1:])
    assert len({RULESET, catalog._fingerprint(milder, 1), catalog._fingerprint(TABLE, 99)}) == 3


def test_a_finding_takes_its_words_from_the_catalog() -> None:
    finding = found("STR-C001", "datasets/iris/v1/CHECKSUMS.txt", "is missing", line=3)
    assert finding.severity == Severity.ERROR == "error"
    assert finding.fix == "`git strata checksum datasets/iris/v1`"
    assert finding.anchor == RULES["STR-C001"].anchor


def test_paths_in_a_fix_are_quoted_for_the_shell() -> None:
    finding = found("STR-C004", "datasets/iris/v1/a b;rm.csv", "x")
    assert "'datasets/iris/v1/a b;rm.csv'" in finding.fix
    assert "`git strata checksum 'src/a b'`" in found("STR-C001", "src/a b", "x").fix


def test_severity_and_fix_can_be_given() -> None:
    finding = found("STR-L007", "x", "m", severity="error", fix="do {path}", commit="c" * 40)
    assert (finding.severity, finding.fix, finding.commit) == ("error", "do {path}", "c" * 40)


def test_a_rule_that_is_not_listed_cannot_be_reported() -> None:
    with pytest.raises(KeyError):
        found("STR-Z999", "x", "m")


def test_findings_are_values() -> None:
    one, other = found("STR-L003", "a", "m"), found("STR-L003", "b", "m")
    assert one < other
    assert {one, found("STR-L003", "a", "m")} == {one}
    assert isinstance(one, Finding)
