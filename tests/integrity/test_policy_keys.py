"""Signatures judged with the keys of a policy alone, in every order, and with keys that have ended since."""

from __future__ import annotations

from itertools import permutations

import pytest

from strata_git.integrity.policy import Policy, Principal, people, vouches_of
from strata_git.integrity.policy_keys import PolicyKeys, ssh_public_key
from tests.support.keys import LONG_AGO, Keys

DATA = b"what is signed\n"


def policy(keys: Keys, *names: str) -> Policy:
    known = {name: Principal(name, (f"gpg:{keys.fingerprint(name)}",)) for name in names}
    return Policy("r", 1, None, "sha256:1", 0, 1, names[:1], known)


def ring(keys: Keys, *names: str, as_signed: bool = False, extra: str = "") -> PolicyKeys:
    """The keys of a policy that names `names`; `extra` lies in the first one's file without being named."""
    files = [(f"{name}.asc", keys.public(name)) for name in names]
    if extra:
        files[0] = (files[0][0], files[0][1] + keys.public(extra))
    return PolicyKeys(policy(keys, *names), files, environ=keys.store.environ, as_signed=as_signed)


def test_good_bad_and_unknown_in_every_order(keys: Keys) -> None:
    keys.add("mallory")
    blocks = {
        "good": keys.sign(DATA, "alice"),
        "bad": keys.sign(b"something else\n", "bob"),
        "unknown-key": keys.sign(DATA, "mallory"),
    }
    judge = ring(keys, "alice", "bob")
    for order in permutations(blocks):
        verdicts = judge.verify_detached(DATA, b"".join(blocks[name] for name in order))
        assert [verdict.status for verdict in verdicts] == list(order)
        assert vouches_of(verdicts, "tag") == ()
    for order in permutations(("good", "unknown-key")):
        verdicts = judge.verify_detached(DATA, b"".join(blocks[name] for name in order))
        assert people(policy(keys, "alice", "bob"), vouches_of(verdicts, "tag")) == {"alice"}


def test_nobody_comes_in_with_another_s_file(keys: Keys) -> None:
    keys.add("mallory")
    (verdict,) = ring(keys, "alice", extra="mallory").verify_detached(DATA, keys.sign(DATA, "mallory"))
    assert (verdict.status, verdict.enrolled) == ("unknown-key", False)


def test_the_user_s_keyring_has_no_say(keys: Keys) -> None:
    (verdict,) = ring(keys, "alice").verify_detached(DATA, keys.sign(DATA, "bob"))
    assert verdict.status == "unknown-key"


def test_the_same_signature_twice_is_one_person(keys: Keys) -> None:
    verdicts = ring(keys, "alice").verify_detached(DATA, keys.sign(DATA, "alice", "alice"))
    assert len(verdicts) == 2
    assert {verdict.user for verdict in verdicts} == {"alice"}
    assert people(policy(keys, "alice"), vouches_of(verdicts, "tag")) == {"alice"}


@pytest.mark.parametrize(("as_signed", "status"), [(False, "expired-key"), (True, "good")])
def test_a_key_that_expired_since(keys: Keys, as_signed: bool, status: str) -> None:
    keys.expired()
    signature = keys.sign(DATA, "expired", at=LONG_AGO)
    (verdict,) = ring(keys, "expired", as_signed=as_signed).verify_detached(DATA, signature)
    assert verdict.status == status


def test_a_file_that_is_no_key_spoils_no_other(keys: Keys) -> None:
    named = policy(keys, "alice", "bob")
    files = [("alice.asc", b"junk\n"), ("alice.asc", keys.public("alice")), ("kim.asc", keys.public("bob"))]
    judge = PolicyKeys(named, files, environ=keys.store.environ)
    assert judge.verify_detached(DATA, keys.sign(DATA, "alice"))[0].good
    assert judge.unreadable() == {f"gpg:{keys.bob}": "bob"}, "a file of nobody is not read"


@pytest.mark.parametrize(
    "line", [b"", b"ssh-ed25519", b"ssh-ed25519 !!!", b"ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIA==", b"* ssh-ed25519 AAAA"]
)
def test_what_is_no_ssh_key(line: bytes) -> None:
    assert ssh_public_key(line) is None
