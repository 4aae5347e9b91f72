"""May it move? One fact wrong, one finding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strata_git.checks.finding import found
from strata_git.contracts.layout import Artifact
from strata_git.integrity.signer import SignatureVerdict
from strata_git.ledger.event import LedgerComplaint
from strata_git.ledger.gate import MoveFacts, judge_move
from tests.ledger.book import BAD, GOOD, UNKNOWN

FOREST = Artifact("model", "forest", "v1")
DIGEST = "sha256:" + "0" * 64
FINE = MoveFacts(FOREST, "experimental", "staging", digest=DIGEST, released=DIGEST)
MALFORMED = SignatureVerdict("", "", "malformed")
UNPINNED = found("STR-P034", ".strata/trust/policy.yaml", "found, not pinned")
BROKEN = found("STR-C001", "models/forest/v1/CHECKSUMS.txt", "is broken")


def rules(facts: MoveFacts) -> list[str]:
    return [finding.rule for finding in judge_move(facts)]


def test_nothing_stands_against_a_fine_version() -> None:
    assert judge_move(FINE) == ()
    assert judge_move(replace(FINE, signatures=(GOOD,), signing_required=True)) == ()
    assert judge_move(replace(FINE, signatures=(UNKNOWN,))) == ()
    assert judge_move(replace(FINE, ledger=(LedgerComplaint("STR-P021", "x", "shallow"),))) == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"target": "experimental"}, ["STR-P009"]),
        ({"target": "production"}, ["STR-P009"]),
        ({"origin": "archived", "target": "staging"}, ["STR-P009"]),
        ({"differing": ("models/forest/v1/card.md",)}, ["STR-P014"]),
        ({"verdict": (BROKEN,)}, ["STR-P012", "STR-C001"]),
        ({"unjudged": ("an object is absent",)}, ["STR-P012"]),
        ({"signing_required": True}, ["STR-P013"]),
        ({"signing_required": True, "signatures": (UNKNOWN,)}, ["STR-P013"]),
        ({"signatures": (GOOD, BAD)}, ["STR-P013"]),
        ({"signatures": (MALFORMED,)}, ["STR-P013"]),
        ({"digest": "sha256:" + "1" * 64}, ["STR-P011"]),
        ({"digest": None, "released": None}, ["STR-P011"]),
        ({"companions": ("v2",)}, ["STR-I009"]),
        ({"introduced": "a" * 40, "registered": "b" * 40}, ["STR-P010"]),
        ({"introduced": "a" * 40, "registered": "a" * 40}, []),
        ({"trust": (UNPINNED,)}, ["STR-P034"]),
        ({"dangers": ("os.system",)}, ["STR-P039"]),
        ({"transitions": frozenset({("staging", "archived")})}, ["STR-P009"]),
        ({"ledger": (LedgerComplaint("STR-P007", "forest#staging#1", "forks"),)}, ["STR-P007"]),
        ({"ledger": (LedgerComplaint("STR-P017", "", "gone"),)}, ["STR-P017"]),
    ],
)
def test_each_fact_has_its_finding(changes: dict[str, object], told: list[str]) -> None:
    assert rules(replace(FINE, **changes)) == told  # type: ignore[arg-type]


@pytest.mark.parametrize(("origin", "target"), [("production", "staging"), ("production", "archived")])
def test_a_broken_version_can_be_taken_down(origin: str, target: str) -> None:
    broken = replace(
        FINE, origin=origin, target=target, differing=("x",), verdict=(BROKEN,), signatures=(BAD,), digest=None,
        signing_required=True,
    )  # fmt: skip
    assert judge_move(broken) == ()
    assert rules(replace(broken, trust=(UNPINNED,))) == ["STR-P034"]


def test_the_way_out_of_an_illegal_move_is_named() -> None:
    (finding,) = judge_move(replace(FINE, target="production"))
    assert "only to staging or archived" in finding.message
    (finding,) = judge_move(replace(FINE, origin="archived", target="production"))
    assert "only to nowhere" in finding.message
