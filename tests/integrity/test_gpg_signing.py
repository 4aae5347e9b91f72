"""Signing without a person, keys, and tags: what stock gpg and git accept."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.integrity.armor import append_block, packets
from strata_git.integrity.gpg import PASSPHRASE_FILE, Gpg, GpgSigner
from strata_git.integrity.signer import is_signed
from tests.integrity.conftest import DATA, Signatures, statuses
from tests.support.builder import RepositoryBuilder
from tests.support.environment import short_directory, stop_agents
from tests.support.fixtures import Builder
from tests.support.keys import PASSPHRASE, Keys


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
