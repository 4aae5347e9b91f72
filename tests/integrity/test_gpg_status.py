"""From status lines to a verdict: good is one exact shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.integrity.armor import Packet
from strata_git.integrity.gpg_status import judge

KEY, OWNER = "A" * 40, "B" * 40


def packet(algorithm: int = 22, hash_: int = 10, issuer: str = KEY, strength: int = 0) -> Packet:
    return Packet(b"", 0, algorithm, hash_, issuer, strength)


def valid(algorithm: int = 22, hash_: object = 10, class_: str = "00") -> str:
    return f"VALIDSIG {KEY} 2026-01-01 1767225600 0 4 0 {algorithm} {hash_} {class_} {OWNER}"


def status(*lines: str) -> list[list[bytes]]:
    return [line.encode().split(b" ") for line in lines]


def verdict(*lines: str, of: Packet | None = None) -> str:
    return judge(status(*lines), of or packet()).status


GOOD = f"GOODSIG {KEY[-16:]} Alice%0A%25 <a@b>"


def test_good_says_everything() -> None:
    found = judge(status("NEWSIG", "KEY_CONSIDERED x 0", GOOD, valid(), "TRUST_ULTIMATE 0 pgp"), packet())
    assert (found.status, found.fingerprint, found.primary, found.created) == ("good", KEY, OWNER, 1767225600)
    assert (found.user, found.key_id) == ("Alice\\n% <a@b>", KEY[-16:])


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "malformed"),
        (["NODATA 4"], "malformed"),
        (["NEWSIG"], "malformed"),
        (["NEWSIG", GOOD], "malformed"),
        (["NEWSIG", valid()], "malformed"),
        ([GOOD, valid()], "malformed"),
        (["NEWSIG", "NEWSIG", GOOD, valid()], "malformed"),
        (["NEWSIG", GOOD, GOOD, valid()], "malformed"),
        (["NEWSIG", GOOD, valid(), valid()], "malformed"),
        (["NEWSIG", GOOD, "VALIDSIG " + KEY], "malformed"),
        (["NEWSIG", GOOD, "BADSIG A Alice", valid()], "bad"),
        (["NEWSIG", "BADSIG A Alice", valid()], "bad"),
        (["NEWSIG", "BADSIG A Alice"], "bad"),
        (["NEWSIG", "REVKEYSIG A Alice", valid()], "revoked"),
        (["NEWSIG", "REVKEYSIG A Alice", valid(class_="01")], "revoked"),
        (["NEWSIG", "EXPKEYSIG A Alice", valid()], "expired-key"),
        (["NEWSIG", "EXPKEYSIG A Alice", valid(hash_=2)], "weak-hash"),
        (["NEWSIG", "EXPKEYSIG A Alice", valid(class_="01")], "text-mode"),
        (["NEWSIG", "EXPSIG A Alice", valid()], "expired-signature"),
        (["NEWSIG", "ERRSIG A 22 10 00 1 9 -", valid()], "malformed"),
        (["NEWSIG", "ERRSIG A 22 10 00 1 9 -"], "unknown-key"),
        (["NEWSIG", "ERRSIG A 22 10 00 1 5 -"], "weak-hash"),
        (["NEWSIG", "ERRSIG A 99 10 00 1 4 -"], "malformed"),
        (["NEWSIG", "ERRSIG A"], "malformed"),
        (["NEWSIG", GOOD, valid(hash_=1)], "weak-hash"),
        (["NEWSIG", GOOD, valid(hash_=2)], "weak-hash"),
        (["NEWSIG", GOOD, valid(hash_=3)], "weak-hash"),
        (["NEWSIG", GOOD, valid(hash_=11)], "weak-hash"),
        (["NEWSIG", GOOD, valid(hash_="x")], "weak-hash"),
        (["NEWSIG", GOOD, valid(hash_=8)], "good"),
        (["NEWSIG", GOOD, valid(hash_=9)], "good"),
        (["NEWSIG", GOOD, valid(class_="01")], "text-mode"),
        (["NEWSIG", GOOD, valid(class_="10")], "malformed"),
        (["NEWSIG", GOOD, valid(algorithm=17)], "weak-hash"),
        (["NEWSIG", GOOD, valid(algorithm=19)], "good"),
    ],
)
def test_every_other_shape_has_its_name(lines: list[str], expected: str) -> None:
    assert verdict(*lines) == expected


@pytest.mark.parametrize(
    ("bits", "expected"), [(1024, "weak-hash"), (2048, "weak-hash"), (3060, "good"), (4093, "good")]
)
def test_rsa_counts_from_3072_bits(bits: int, expected: str) -> None:
    assert verdict("NEWSIG", GOOD, valid(algorithm=1), of=packet(algorithm=1, strength=bits)) == expected


def test_a_weak_unknown_signature_is_weak() -> None:
    assert verdict("NEWSIG", "ERRSIG A 22 2 00 1 9 -", of=packet(hash_=2)) == "weak-hash"


def test_an_unverified_signer_is_named_only_by_a_whole_fingerprint() -> None:
    line = "ERRSIG A 22 10 00 1 9 -"
    assert judge(status("NEWSIG", line), packet()).fingerprint == KEY
    assert judge(status("NEWSIG", line), packet(issuer=KEY[-16:])).fingerprint == ""


words = st.sampled_from(["GOODSIG", "BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "NEWSIG", "NODATA"])


@given(st.lists(words.map(lambda word: f"{word} A x") | st.just(valid())))
def test_nothing_but_one_good_and_one_valid_is_good(lines: list[str]) -> None:
    flags = sorted(line.split()[0] for line in lines if not line.startswith("NODATA"))
    assert (verdict(*lines) == "good") == (flags == ["GOODSIG", "NEWSIG", "VALIDSIG"])


def test_a_second_word_of_validity_is_told_even_where_it_is_cut_short() -> None:
    key = b"A" * 40
    whole = b"VALIDSIG " + key + b" 2026-01-05 1767614400 0 4 0 22 10 00 " + key
    lines = [b"NEWSIG", b"GOODSIG AAAA Alice", whole, b"VALIDSIG " + key]
    packet = Packet(b"", 0, 22, 10, "A" * 40, 0)
    assert judge([line.split(b" ") for line in lines[:3]], packet).status == "good"
    assert judge([line.split(b" ") for line in lines], packet).status == "malformed"
    assert judge([line.split(b" ") for line in [*lines[:2], lines[3]]], packet).status == "malformed"
