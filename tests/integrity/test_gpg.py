"""Who signed: every kind of signature, in every order, against stock gpg; and signing without a person."""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.integrity.armor import append_block, packets
from strata_git.integrity.gpg import PASSPHRASE_FILE, Gpg, GpgSigner
from strata_git.integrity.signer import SignatureVerdict, is_signed
from tests.integrity.conftest import DATA, Signatures
from tests.support.builder import RepositoryBuilder
from tests.support.environment import short_directory, stop_agents
from tests.support.fixtures import Builder
from tests.support.keys import PASSPHRASE, Keys

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


def statuses(verdicts: list[SignatureVerdict]) -> list[str]:
    return [verdict.status for verdict in verdicts]


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


# --- signing


def test_what_we_sign_stock_gpg_accepts(gpg: Gpg, keys: Keys, signatures: Signatures, tmp_path: Path) -> None:
    whole: bytes | None = None
    for key in (keys.bob, keys.alice):
        whole = append_block(whole, GpgSigner(gpg, key).sign(DATA))
    assert whole is not None
    (tmp_path / "CHECKSUMS.txt").write_bytes(DATA)
    (tmp_path / "SIGNATURE.asc").write_bytes(whole)
    names = [str(tmp_path / "SIGNATURE.asc"), str(tmp_path / "CHECKSUMS.txt")]
    told = signatures.gpg("--status-fd", "1", "--verify", *names).decode()
    assert told.count("] GOODSIG ") == told.count("] VALIDSIG ") == 2
    found = gpg.verify_detached(DATA, whole)
    assert [verdict.primary for verdict in found] == sorted([keys.alice, keys.bob])
    assert is_signed(found)


def test_a_block_of_ours_is_binary_with_a_strong_hash(gpg: Gpg, keys: Keys) -> None:
    (packet,) = packets(gpg.sign_detached(DATA, keys.alice))
    assert (packet.signature_class, packet.hash, packet.issuer) == (0, 10, keys.alice)


def test_the_persons_gpg_conf_does_not_change_what_is_signed(gpg: Gpg, keys: Keys) -> None:
    conf = "textmode\ndigest-algo SHA1\nlocal-user bob@example.org\ncomment hello\nemit-version\n"
    (keys.home / "gpg.conf").write_text(conf)
    (packet,) = packets(gpg.sign_detached(DATA, keys.alice))
    assert (packet.signature_class, packet.hash, packet.issuer) == (0, 10, keys.alice)


@pytest.mark.parametrize("query", ["alice@example.org", "<alice@example.org>", "Alice", "", "id", "0xid!"])
def test_a_key_is_found_by_what_people_write(gpg: Gpg, keys: Keys, query: str) -> None:
    keys.forget_secret("bob")
    wanted = query.replace("id", keys.alice[-16:].lower())
    assert gpg.find_key(wanted).fingerprint == keys.alice
    assert packets(gpg.sign_detached(DATA, wanted))[0].issuer == keys.alice


def test_more_than_one_key_or_none_is_told(gpg: Gpg, keys: Keys) -> None:
    with pytest.raises(StrataError, match="More than one") as several:
        gpg.find_key("example.org")
    assert keys.alice in several.value.message
    assert keys.bob in several.value.message
    with pytest.raises(StrataError, match=r"no secret key for 'nobody'") as none:
        gpg.find_key("nobody")
    assert "git config user.signingkey" in none.value.hint
    with pytest.raises(StrataError, match="no usable secret key"):
        gpg.sign_detached(DATA, "0" * 40)


def test_expired_and_revoked_keys_do_not_sign(gpg: Gpg, keys: Keys) -> None:
    gone = {keys.expired(), keys.revoke("bob")}
    assert {key.fingerprint for key in gpg.secret_keys()}.isdisjoint(gone)
    for key in gone:
        with pytest.raises(StrataError):
            gpg.sign_detached(DATA, key)


def test_a_locked_key_without_a_terminal_fails_at_once(gpg: Gpg, keys: Keys) -> None:
    key = keys.locked()
    started = time.monotonic()
    with pytest.raises(StrataError, match="no terminal") as refused:
        gpg.sign_detached(DATA, key)
    assert time.monotonic() - started < 10
    assert key in refused.value.message
    assert "--local-user" in refused.value.hint
    assert PASSPHRASE_FILE in refused.value.hint


def test_a_locked_key_opens_by_passphrase_file(keys: Keys, hermetic: dict[str, str], tmp_path: Path) -> None:
    key = keys.locked()
    (right := tmp_path / "right").write_text(PASSPHRASE)
    (wrong := tmp_path / "wrong").write_text("wrong")
    with pytest.raises(StrataError, match="does not open the key"):
        Gpg(keys.home, environ=hermetic).sign_detached(DATA, key, passphrase_file=wrong)
    with pytest.raises(StrataError, match="does not exist"):
        Gpg(keys.home, environ=hermetic).sign_detached(DATA, key, passphrase_file=tmp_path / "absent")
    block = Gpg(keys.home, environ={**hermetic, PASSPHRASE_FILE: str(right)}).sign_detached(DATA, key)
    assert packets(block)[0].issuer == key


def test_an_unlocked_agent_needs_nobody(gpg: Gpg, keys: Keys, tmp_path: Path) -> None:
    key = keys.locked()
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    gpg.sign_detached(DATA, key, passphrase_file=tmp_path / "passphrase")
    assert gpg.sign_detached(DATA, key)


def test_with_a_terminal_the_person_is_asked(gpg: Gpg, keys: Keys, tmp_path: Path) -> None:
    key = keys.locked()
    pinentry = tmp_path / "pinentry"
    asked = tmp_path / "asked"
    pinentry.write_text(
        f"#!/bin/sh\necho OK ready\nwhile read -r word rest; do\n  echo \"$word $rest\" >> '{asked}'\n"
        f"  case $word in GETPIN) echo 'D {PASSPHRASE}'; echo OK ;; BYE) echo OK; exit ;; *) echo OK ;; esac\ndone\n"
    )
    pinentry.chmod(0o755)
    (keys.home / "gpg-agent.conf").write_text(f"pinentry-program {pinentry}\n")
    stop_agents(keys.home)
    assert gpg.sign_detached(DATA, key, terminal="/dev/pts/77")
    assert "OPTION ttyname=/dev/pts/77" in asked.read_text()


@pytest.fixture
def long_home() -> Iterator[Path]:
    base = short_directory()
    home = base / ("x" * 120)
    home.mkdir(mode=0o700)
    yield home
    stop_agents(home)
    subprocess.run(["rm", "-rf", str(base)], check=True)


def test_a_home_too_long_for_the_agent(
    long_home: Path, keys: Keys, hermetic: dict[str, str], signatures: Signatures
) -> None:
    block = signatures.detached("alice")
    (long_home / "pubring.kbx").write_bytes((keys.home / "pubring.kbx").read_bytes())
    gpg = Gpg(long_home, environ=hermetic)
    assert statuses(gpg.verify_detached(DATA, block)) == ["good"]
    for action in (lambda: gpg.sign_detached(DATA, keys.alice), lambda: gpg.find_key("alice")):
        with pytest.raises(StrataError) as refused:
            action()
        assert "too long" in refused.value.hint


def test_without_gpg_everything_says_so(hermetic: dict[str, str], keys: Keys, signatures: Signatures) -> None:
    block = signatures.detached("alice")
    gpg = Gpg(None, "gpg-of-nowhere", environ=hermetic)
    for action in (
        lambda: gpg.verify_detached(DATA, block),
        lambda: gpg.sign_detached(DATA, keys.alice),
        gpg.secret_keys,
    ):
        with pytest.raises(StrataError, match="not installed") as refused:
            action()
        assert "apt install gnupg" in refused.value.hint


def test_a_gpg_that_python_gnupg_cannot_use(hermetic: dict[str, str], tmp_path: Path) -> None:
    (fake := tmp_path / "gpg").write_text("#!/bin/sh\nexit 2\n")
    fake.chmod(0o755)
    with pytest.raises(StrataError, match="gpg does not work"):
        Gpg(None, str(fake), environ=hermetic).secret_keys()
    with pytest.raises(StrataError, match="gpg did not sign"):
        Gpg(None, str(fake), environ=hermetic).sign_detached(DATA, "0" * 40)


# --- keys


def test_a_key_is_made_and_exported(gpg: Gpg) -> None:
    key = gpg.generate_key("Nina New", "nina@example.org", expires="2y")
    assert key.users == ("Nina New <nina@example.org>",)
    assert key.expires > key.created > 0
    assert len(key.fingerprint) == 40
    assert gpg.sign_detached(DATA, key.fingerprint)
    assert gpg.public_key(key.fingerprint).startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----")
    with pytest.raises(StrataError, match="is not in"):
        gpg.public_key("0" * 40)


def test_a_key_with_a_passphrase_is_made(gpg: Gpg, tmp_path: Path, keys: Keys) -> None:
    key = gpg.generate_key("Nina New", "nina@example.org", passphrase="open")
    stop_agents(keys.home)
    with pytest.raises(StrataError, match="no terminal"):
        gpg.sign_detached(DATA, key.fingerprint)
    (tmp_path / "passphrase").write_text("open\n")
    assert gpg.sign_detached(DATA, key.fingerprint, passphrase_file=tmp_path / "passphrase")


def test_a_key_order_cannot_be_injected(gpg: Gpg) -> None:
    with pytest.raises(StrataError, match="single lines"):
        gpg.generate_key("Nina\n%no-protection", "nina@example.org")
    with pytest.raises(StrataError, match="made no key"):
        gpg.generate_key("Nina", "nina@example.org", expires="never ever")


def test_a_throwaway_keyring_knows_only_what_it_was_given(
    gpg: Gpg, keys: Keys, hermetic: dict[str, str], signatures: Signatures
) -> None:
    both = signatures.detached("alice") + signatures.detached("bob")
    with Gpg.throwaway([keys.public("alice")], environ=hermetic) as small:
        assert statuses(small.verify_detached(DATA, both)) == ["good", "unknown-key"]
        home = Path(small._environ["GNUPGHOME"])
        assert not list(home.glob("S.gpg-agent*"))
    assert not home.exists()
    with pytest.raises(StrataError, match="number 2"), Gpg.throwaway([keys.public("bob"), b"junk"], environ=hermetic):
        pass


# --- tags


def split_tag(repo: RepositoryBuilder, name: str) -> tuple[bytes, bytes]:
    raw = subprocess.run(["git", "cat-file", "tag", name], cwd=repo.path, capture_output=True, check=True).stdout
    at = raw.index(b"-----BEGIN ")
    return raw[:at], raw[at:]


def test_a_git_tags_signature(gpg: Gpg, keys: Keys, builder: Builder) -> None:
    repo = builder()
    repo.write({"a": b"x"})
    repo.git("add", "-A")
    repo.commit("first")
    repo.git("tag", "-s", "-u", keys.alice, "-m", "release", "v1")
    payload, signature = split_tag(repo, "v1")
    (verdict,) = gpg.verify_tag_payload(payload, signature)
    assert (verdict.status, verdict.primary) == ("good", keys.alice)
    assert statuses(gpg.verify_tag_payload(payload + b"x", signature)) == ["bad"]
