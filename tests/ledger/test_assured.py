"""When a statement of freshness vouches for the ledger: pure values, moments and what is here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strata_git.integrity.signer import SignatureVerdict
from strata_git.ledger.freshness import AHEAD, DAY, Freshness, FreshnessRecord, judge_age, unassured
from tests.ledger.book import UUID

ISSUED = 1_769_947_200  # 2026-02-01T12:00:00Z
RECORD = FreshnessRecord(UUID, {"forest": "1" * 40}, "2026-02-01T12:00:00Z", "2026-03-01T12:00:00Z")
GOOD = (SignatureVerdict("F", "F", "good"),)
ONE = Freshness("refs/strata/freshness/latest", "2" * 40, "", RECORD, GOOD)
HERE = {"1" * 40}


def reason(
    *statements: Freshness, now: int = ISSUED, days: int | None = 7, here: frozenset[str] | set[str] = HERE
) -> str:
    return unassured(statements, here, repository=UUID, days=days, now=now)


def test_a_statement_in_force_vouches() -> None:
    assert reason(ONE) == ""
    assert reason(ONE, now=ISSUED + 7 * DAY) == ""
    assert reason(ONE, now=ISSUED + 27 * DAY, days=None) == ""
    assert reason(Freshness("x", "3" * 40, "no tag"), ONE) == "", "one that is none takes nothing from another"


@pytest.mark.parametrize(
    ("statement", "now", "told"),
    [
        (None, ISSUED, "is in force"),
        (replace(ONE, signatures=()), ISSUED, "is in force"),
        (replace(ONE, signatures=(SignatureVerdict("F", "F", "unknown-key"),)), ISSUED, "is in force"),
        (replace(ONE, signatures=(*GOOD, SignatureVerdict("F", "F", "bad"))), ISSUED, "is in force"),
        (replace(ONE, record=replace(RECORD, repo=UUID.replace("0", "1"))), ISSUED, "is in force"),
        (ONE, ISSUED + 29 * DAY, "is in force"),
        (ONE, ISSUED - AHEAD - 1, "is in force"),
        (ONE, ISSUED + 7 * DAY + 1, "of the last 7 days"),
    ],
)
def test_what_vouches_for_nothing(statement: Freshness | None, now: int, told: str) -> None:
    assert told in reason(*([statement] if statement else []), now=now)


def test_what_it_names_has_to_be_here() -> None:
    assert reason(ONE, here=frozenset()) == "the statement of freshness knows events of forest that are not here"


def test_the_age_that_a_policy_asks_for() -> None:
    assert judge_age([ONE], 7, ISSUED + 7 * DAY) == []
    (late,) = judge_age([ONE], 7, ISSUED + 7 * DAY + 1)
    assert (late.rule, late.message.endswith("there is none since 2026-02-01T12:00:00Z")) == ("STR-P027", True)
    (never,) = judge_age([replace(ONE, signatures=())], 7, ISSUED)
    assert never.message.endswith("and there is none")
