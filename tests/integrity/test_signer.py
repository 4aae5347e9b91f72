"""What counts as signed, and how it is told."""

from __future__ import annotations

from typing import get_args

import pytest

from strata_git.integrity.signer import SignatureVerdict, Status, is_signed

ALL = get_args(Status)


def verdicts(*statuses: Status) -> list[SignatureVerdict]:
    return [SignatureVerdict("", "", status) for status in statuses]


@pytest.mark.parametrize("status", ALL)
def test_every_status_has_its_own_sentence(status: Status) -> None:
    (verdict,) = verdicts(status)
    sentences = {each.sentence for each in verdicts(*ALL)}
    assert len(sentences) == len(ALL)
    assert verdict.good == (status == "good")


def test_an_enrolled_signer_is_told_apart() -> None:
    assert SignatureVerdict("", "", "good").sentence == "valid, signer not enrolled"
    assert SignatureVerdict("", "", "good", enrolled=True).sentence == "valid"
    assert SignatureVerdict("", "", "revoked", enrolled=True).sentence == "the key was revoked"


def test_signed_is_one_good_and_none_bad() -> None:
    assert is_signed(verdicts("good"))
    assert not is_signed([])
    for status in ALL:
        assert is_signed(verdicts("good", status)) == (status not in {"bad", "malformed"})
        assert is_signed(verdicts(status)) == (status == "good")
