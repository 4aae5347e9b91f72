"""Who signed: every kind of signature, in every order, against stock gpg."""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
import time
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.integrity.armor import packets
from strata_git.integrity.gpg import Gpg
from strata_git.integrity.signer import is_signed
from tests.integrity.conftest import DATA, Signatures, statuses
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

STATUS = {
    "good": "good",
    "bad": "bad",
    "unknown": "unknown-key",
    "revoked": "revoked",
    "expired": "expired-key",
    "expired-signature": "expired-signature",
    "sha1": "weak-hash",
    "text": "text-mode",
}


@pytest.mark.parametrize("kind", STATUS)
def test_each_kind_alone_and_beside_a_good_one(gpg: Gpg, signatures: Signatures, kind: str) -> None:
    odd = signatures.kind(kind)
    good = signatures.detached("alice")
    assert statuses(gpg.verify_detached(DATA, odd)) == [STATUS[kind]]
    assert is_signed(gpg.verify_detached(DATA, odd)) == (kind == "good")
    for blocks in ((good, odd), (odd, good)):
        verdicts = gpg.verify_detached(DATA, b"".join(blocks))
        assert sorted(statuses(verdicts)) == sorted(["good", STATUS[kind]])
        assert is_signed(verdicts) == (kind != "bad")


def test_order_of_three_never_matters(gpg: Gpg, signatures: Signatures) -> None:
    blocks = {kind: signatures.kind(kind) for kind in ("good", "bad", "revoked")}
    for order in itertools.permutations(blocks):
        found = gpg.verify_detached(DATA, b"".join(blocks[kind] for kind in order))
        assert statuses(found) == [STATUS[kind] for kind in order]
        assert not is_signed(found)


def test_a_good_verdict_says_who_and_when(gpg: Gpg, keys: Keys, signatures: Signatures) -> None:
    before = int(time.time())
    (verdict,) = gpg.verify_detached(DATA, signatures.detached("alice"))
    assert verdict.fingerprint == verdict.primary == keys.alice
    assert verdict.user == "Alice Tester <alice@example.org>"
    assert verdict.key_id == keys.alice[-16:]
    assert before <= verdict.created <= time.time()
    assert not verdict.enrolled
    assert verdict.sentence == "valid, signer not enrolled"


def test_an_unknown_signer_is_told_by_fingerprint(gpg: Gpg, keys: Keys, signatures: Signatures) -> None:
    (verdict,) = gpg.verify_detached(DATA, signatures.kind("unknown"))
    assert (verdict.fingerprint, verdict.user) == (keys.fingerprint("mallory"), "")


def test_a_subkeys_signature_belongs_to_its_owner(gpg: Gpg, signatures: Signatures, keys: Keys) -> None:
    signatures.gpg("--quick-add-key", keys.alice, "ed25519", "sign", "never")
    (verdict,) = gpg.verify_detached(DATA, signatures.detached("alice"))
    assert verdict.status == "good"
    assert verdict.primary == keys.alice != verdict.fingerprint
    assert gpg.find_key(verdict.fingerprint).fingerprint == keys.alice


def test_two_signatures_in_one_block(gpg: Gpg, keys: Keys, signatures: Signatures) -> None:
    both = signatures.gpg("-u", keys.alice, "-u", keys.bob, "--armor", "--detach-sign", stdin=DATA)
    found = gpg.verify_detached(DATA, both)
    assert {verdict.fingerprint for verdict in found} == {keys.alice, keys.bob}
    assert is_signed(found)
    assert statuses(gpg.verify_detached(b"other", both)) == ["bad", "bad"]


def test_a_bad_packet_does_not_hide_the_next_in_its_block(gpg: Gpg, signatures: Signatures) -> None:
    for order in itertools.permutations(("good", "bad")):
        joined = b"".join(packet.data for kind in order for packet in packets(signatures.kind(kind)))
        block = armored(joined)
        assert statuses(gpg.verify_detached(DATA, block)) == list(order)


def test_a_packet_given_twice_is_one_signer(gpg: Gpg, keys: Keys, signatures: Signatures) -> None:
    block = signatures.detached("alice")
    found = gpg.verify_detached(DATA, block + block + signatures.detached("bob"))
    assert statuses(found) == ["good"] * 3
    assert {verdict.primary for verdict in found} == {keys.alice, keys.bob}


@pytest.mark.parametrize("options", [("--sign",), ("--clearsign",), ("--textmode", "--sign")], ids=" ".join)
def test_an_inline_signed_message_is_no_signature(
    gpg: Gpg, keys: Keys, signatures: Signatures, options: tuple[str]
) -> None:
    message = signatures.gpg("-u", keys.alice, "--armor", *options, stdin=DATA)
    assert statuses(gpg.verify_detached(DATA, message)) == ["malformed"]
    disguised = message.replace(b"PGP MESSAGE", b"PGP SIGNATURE")
    assert not is_signed(gpg.verify_detached(DATA, disguised))


@pytest.mark.parametrize("junk", [b"", b"garbage", b"\n", b"\x88\x00", b"-----BEGIN PGP SIGNATURE-----\n\n"], ids=repr)
def test_garbage_alone_or_around_is_malformed(gpg: Gpg, signatures: Signatures, junk: bytes) -> None:
    good = signatures.detached("alice")
    assert statuses(gpg.verify_detached(DATA, junk)) == ["malformed"]
    for text in (junk + good, good + junk, good + junk + good) if junk else ():
        assert statuses(gpg.verify_detached(DATA, text)) == ["malformed"]


def test_an_unreadable_block_beside_a_good_one_spoils_it(gpg: Gpg, signatures: Signatures) -> None:
    broken = armored(b"\x88\x04\x04\x00\x16\x08")
    for text in (broken + signatures.detached("alice"), signatures.detached("alice") + broken):
        found = gpg.verify_detached(DATA, text)
        assert sorted(statuses(found)) == ["good", "malformed"]
        assert not is_signed(found)


def test_too_many_signatures_in_blocks_are_malformed(
    gpg: Gpg, signatures: Signatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strata_git.integrity.gpg.BLOCK_LIMIT", 2)
    good = signatures.detached("alice")
    assert statuses(gpg.verify_detached(DATA, good * 3)) == ["good", "good", "malformed"]


def test_rsa_below_3072_bits_is_weak(gpg: Gpg, signatures: Signatures) -> None:
    key = signatures.generate("Rita Short", algorithm="rsa1024")
    block = signatures.gpg("-u", key, "--armor", "--detach-sign", stdin=DATA)
    assert statuses(gpg.verify_detached(DATA, block)) == ["weak-hash"]
    with pytest.raises(StrataError, match="would not count"):
        gpg.sign_detached(DATA, key)


SPOOFS = [
    "Eve\n[GNUPG:] GOODSIG AAAAAAAAAAAAAAAA Alice\n[GNUPG:] VALIDSIG {alice} 2026-01-01 1 0 4 0 22 10 00 {alice}",
    "[GNUPG:] GOODSIG {alice} Alice",
    "Eve \x1b[2J\x1b]0;owned\x07 \u202ecilA",
    "Eve%0A[GNUPG:]%20GOODSIG",
]


@pytest.mark.parametrize("user", SPOOFS, ids=range(len(SPOOFS)))
def test_a_user_id_cannot_pretend(gpg: Gpg, keys: Keys, signatures: Signatures, user: str) -> None:
    key = signatures.generate(user.format(alice=keys.alice))
    bad = signatures.gpg("-u", key, "--armor", "--detach-sign", stdin=b"other")
    (verdict,) = gpg.verify_detached(DATA, bad)
    assert verdict.status == "bad"
    assert verdict.user.isprintable()
    good = signatures.gpg("-u", key, "--armor", "--detach-sign", stdin=DATA)
    (verdict,) = gpg.verify_detached(DATA, good)
    assert (verdict.status, verdict.primary) == ("good", key)
    assert verdict.user.isprintable()


def test_a_notation_cannot_pretend(gpg: Gpg, keys: Keys, signatures: Signatures) -> None:
    spoof = f"~[GNUPG:] GOODSIG AAAAAAAA Alice~[GNUPG:] VALIDSIG {keys.alice} 1 1 0 4 0 22 10 00 {keys.alice}~".encode()
    block = signatures.detached("bob", "--set-notation", f"x@example.org={spoof.decode()}")
    assert statuses(gpg.verify_detached(DATA, block)) == ["good"]
    (packet,) = packets(block)
    forged = armored(packet.data.replace(spoof, spoof.replace(b"~", b"\n")))
    assert forged != armored(packet.data)
    assert statuses(gpg.verify_detached(DATA, forged)) == ["bad"]


def test_a_repositorys_configuration_has_no_say(
    builder: Builder, hermetic: dict[str, str], keys: Keys, signatures: Signatures
) -> None:
    repo = builder()
    canary = plant(repo)
    gpg = Gpg(None, environ={**hermetic, "PATH": f".:{os.environ['PATH']}"})
    with contextlib.chdir(repo.path):
        assert statuses(gpg.verify_detached(DATA, signatures.kind("bad"))) == ["bad"]
        assert gpg.sign_detached(DATA, keys.alice)
    assert not canary.exists()


def plant(repo: RepositoryBuilder) -> Path:
    """An evil gpg named by the repository's configuration, and lying in its directory."""
    canary = repo.path / "canary"
    evil = repo.path / "gpg"
    evil.write_text(f"#!/bin/sh\ntouch '{canary}'\necho '[GNUPG:] GOODSIG A Alice'\n")
    evil.chmod(0o755)
    repo.git("config", "gpg.program", str(evil))
    return canary


def armored(data: bytes) -> bytes:
    text = base64.encodebytes(data)
    return b"-----BEGIN PGP SIGNATURE-----\n\n" + text + b"-----END PGP SIGNATURE-----\n"
