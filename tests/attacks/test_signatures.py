"""Signatures that are there and do not count, on an artifact and on an event; real ones, by stock gpg."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.attacks.stand import placed, unsigned
from tests.flows.kinds import strata
from tests.ledger.lab import NOW, Lab, lab_in
from tests.support.fixtures import Builder
from tests.support.keys import LONG_AGO, Keys

MODEL = "models/forest/v1"
Sign = Callable[[bytes], bytes]
KINDS = {
    "bad": ("STR-S002", "does not fit the content"),
    "unknown": ("STR-S004", "the key is unknown here"),
    "revoked": ("STR-S005", "the key was revoked"),
    "expired key": ("STR-S005", "the key has expired"),
    "expired signature": ("STR-S005", "the signature has expired"),
    "SHA-1": ("STR-S006", "a hash or key too weak"),
    "text": ("STR-S006", "a text signature"),
    "inline": ("STR-S001", ""),
}
OFTEN = {"artifact": ("bad", "revoked", "text"), "event": ("bad", "unknown", "expired signature")}
"""The others are for the long round: every status is met at the verifier each time (tests/integrity)."""
heavy = partial(pytest.param, marks=pytest.mark.heavy)


def each(place: str) -> list[object]:
    return [kind if kind in OFTEN[place] else heavy(kind) for kind in KINDS]


@pytest.fixture
def lab(builder: Builder, keys: Keys) -> Lab:
    return lab_in(builder(), keys)


def kinds(keys: Keys) -> dict[str, Sign]:
    """What signs as each kind is named; in the end keys are as they have to be for it. Bob's is the odd key."""
    keys.add("mallory", "expired")

    def gpg(*words: str, data: bytes, who: str = "bob") -> bytes:
        return keys.gpg("--local-user", keys.fingerprint(who), *words, "--armor", stdin=data).out.encode()

    def revoked(data: bytes) -> bytes:
        block = gpg("--detach-sign", data=data, who="mallory")
        keys.revoke("mallory")
        return block

    def unknown(data: bytes) -> bytes:
        block = gpg("--detach-sign", data=data)
        keys.gpg("--yes", "--delete-secret-and-public-key", keys.bob)
        return block

    def expired(data: bytes) -> bytes:
        then = (f"--faked-system-time={LONG_AGO}!", "--pinentry-mode", "loopback", "--passphrase", "")
        keys.gpg(*then, "--quick-generate-key", "Olga Old", "ed25519", "sign", "never")
        words = (*then, "--local-user", "Olga Old", "--default-sig-expire", "1d", "--armor", "--detach-sign")
        return keys.gpg(*words, stdin=data).out.encode()

    return {
        "bad": lambda data: gpg("--detach-sign", data=data + b"x"),
        "unknown": unknown,
        "revoked": revoked,
        "expired key": lambda data: keys.sign(data, "expired", at=LONG_AGO),
        "expired signature": expired,
        "SHA-1": lambda data: gpg("--digest-algo", "SHA1", "--detach-sign", data=data),
        "text": lambda data: gpg("--textmode", "--detach-sign", data=data),
        "inline": lambda data: gpg("--sign", data=data),
    }


@pytest.mark.parametrize("kind", each("artifact"))
def test_on_an_artifact(lab: Lab, kind: str) -> None:
    """Alone it is no signature where one is asked for; beside a good one a bad one spoils it and no other does."""
    rule, said = KINDS[kind]
    sums = lab.repo.read(f"{MODEL}/CHECKSUMS.txt")
    good, odd = lab.keys.sign(sums, "alice"), kinds(lab.keys)[kind](sums)
    lab.repo.workspace(settings={"signing": {"required": True}})
    for blocks in (odd, odd + good, good + odd):
        lab.repo.write({f"{MODEL}/SIGNATURE.asc": blocks})
        answer = strata(lab.repo, "doctor", MODEL).expect(2)
        about = [line for line in answer.out.splitlines() if f"{MODEL}/SIGNATURE.asc: " in line]
        assert any(rule in line and said in line for line in about), str(answer)
        lacking = kind != "inline" and (kind == "bad" or blocks == odd)
        assert any("error STR-S003" in line for line in about) == lacking, str(answer)
    assert (strata(lab.repo, "verify", "forest@v1").code == 2) == (kind in ("bad", "inline"))


@pytest.mark.parametrize("kind", each("event"))
def test_on_an_event(lab: Lab, kind: str) -> None:
    """It keeps its place in the line and moves nothing."""
    lab.promote("v1")
    tag = "forest#staging!#2"
    payload = unsigned(tag, lab.record(), int(NOW.timestamp()) + 600)
    placed(lab, tag, payload + kinds(lab.keys)[kind](payload))
    state = lab.state()
    (told,) = [each for each in state.complaints if each.tag == tag]
    assert told.rule == "STR-P004"
    assert KINDS[kind][1] in told.message
    assert state.versions["v1"].stage == "staging"
    assert "STR-P004" in strata(lab.repo, "verify").expect(2).out
