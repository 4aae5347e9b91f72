"""Signatures amount to this: a valid one and no bad one; everything else is said, and nothing counts twice."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from strata_git.checks.signatures import SSH_ARMOR, judge_signatures
from strata_git.integrity.signer import SignatureVerdict, Status
from tests.checks.judging import IRIS, only, rules, signature_block

ALICE, BOB = "A" * 40, "B" * 40
SIGNED = signature_block(ALICE) + signature_block(BOB)


def verdict(status: Status, *, user: str = "Alice <a@example.org>", enrolled: bool = False) -> SignatureVerdict:
    return SignatureVerdict(ALICE, ALICE, status, user=user, enrolled=enrolled)


def told(
    verdicts: Sequence[SignatureVerdict] | None, *, signature: bytes | None = SIGNED, required: bool = False
) -> list[str]:
    return rules(judge_signatures(IRIS, signature, verdicts, required))


def test_an_unsigned_version_is_fine_unless_it_must_be_signed() -> None:
    assert told([], signature=None) == []
    assert told([], signature=None, required=True) == ["STR-S003"]


def test_a_signature_by_an_enrolled_signer_is_silent() -> None:
    assert told([verdict("good", enrolled=True)], required=True) == []


def test_without_a_policy_a_valid_signature_says_so() -> None:
    finding = only(judge_signatures(IRIS, SIGNED, [verdict("good")], True))
    assert (finding.rule, finding.severity) == ("STR-S007", "info")
    assert "valid, signer not enrolled" in finding.message
    assert "Alice" in finding.message


@pytest.mark.parametrize(
    ("status", "rule", "severity"),
    [
        ("malformed", "STR-S001", "error"),
        ("bad", "STR-S002", "error"),
        ("unknown-key", "STR-S004", "warning"),
        ("expired-key", "STR-S005", "warning"),
        ("expired-signature", "STR-S005", "warning"),
        ("revoked", "STR-S005", "warning"),
        ("weak-hash", "STR-S006", "warning"),
        ("text-mode", "STR-S006", "warning"),
    ],
)
def test_a_signature_that_does_not_count(status: Status, rule: str, severity: str) -> None:
    finding = only(judge_signatures(IRIS, SIGNED, [verdict(status)]))
    assert (finding.rule, finding.severity, finding.path) == (rule, severity, f"{IRIS.path}/SIGNATURE.asc")
    assert told([verdict(status)], required=True) == sorted([rule, "STR-S003"])


def test_bad_beats_good_in_either_order() -> None:
    good, bad = verdict("good", enrolled=True), verdict("bad")
    assert told([good, bad], required=True) == told([bad, good], required=True) == ["STR-S002", "STR-S003"]


def test_unknown_beside_good_is_only_a_warning() -> None:
    good, unknown = verdict("good", enrolled=True), verdict("unknown-key", user="")
    assert told([good, unknown], required=True) == told([unknown, good], required=True) == ["STR-S004"]


@pytest.mark.parametrize(
    "signature", [b"", b"junk\n", b"text\n" + SIGNED, SIGNED + b"\n", SIGNED.replace(b"\n", b"\r\n")]
)
def test_anything_outside_the_blocks(signature: bytes) -> None:
    assert told([verdict("good", enrolled=True)], signature=signature, required=True) == ["STR-S001"]


def test_ssh_signatures_are_left_to_their_verifier() -> None:
    signature = SSH_ARMOR + b"\nAAAA\n-----END SSH SIGNATURE-----\n"
    assert told([verdict("good", enrolled=True)], signature=signature) == []


def test_without_a_verifier_nothing_passes_silently() -> None:
    finding = only(judge_signatures(IRIS, SIGNED, None))
    assert (finding.rule, finding.severity) == ("STR-S008", "info")
    assert told(None, required=True) == ["STR-S003", "STR-S008"]


@pytest.mark.parametrize(
    ("verdict_", "who"),
    [
        (SignatureVerdict("F" * 40, "", "bad"), "F" * 40),
        (SignatureVerdict("", "", "bad", key_id="DEADBEEF"), "DEADBEEF"),
        (SignatureVerdict("", "", "bad"), "an unnamed key"),
    ],
)
def test_the_signer_is_named_as_well_as_possible(verdict_: SignatureVerdict, who: str) -> None:
    assert who in only(judge_signatures(IRIS, SIGNED, [verdict_])).message
