"""SSH signatures of tags: good only by an allowed signer, and as git judges them."""

from __future__ import annotations

import base64
import subprocess
import time
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.integrity.gpg import Gpg
from strata_git.integrity.ssh import BEGIN, Ssh, read_signature, weak
from tests.support.fixtures import Builder

DATA = b"object x\ntype commit\n"


def keygen(place: Path, *options: str, passphrase: str = "") -> Path:
    command = ["ssh-keygen", "-q", "-N", passphrase, "-C", "ada", "-f", str(place), *(options or ("-t", "ed25519"))]
    subprocess.run(command, check=True, capture_output=True)
    return place


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return keygen(tmp_path / "key")


@pytest.fixture
def allowed(tmp_path: Path, key: Path) -> Path:
    place = tmp_path / "allowed"
    place.write_text(f'ada@example.org namespaces="git" {key.with_suffix(".pub").read_text()}')
    return place


def status(ssh: Ssh, signature: bytes, data: bytes = DATA, at: datetime | None = None) -> str:
    (verdict,) = ssh.verify_detached(data, signature, at=at)
    return verdict.status


def test_good_only_with_an_allowed_signer(hermetic: dict[str, str], key: Path, allowed: Path, tmp_path: Path) -> None:
    signature = Ssh(environ=hermetic).sign(DATA, key)
    with_file = Ssh(environ=hermetic, allowed_signers=allowed)
    (verdict,) = with_file.verify_detached(DATA, signature)
    blob = base64.b64decode(key.with_suffix(".pub").read_text().split()[1])
    fingerprint = "SHA256:" + base64.b64encode(sha256(blob).digest()).decode().rstrip("=")
    assert (verdict.status, verdict.user) == ("good", "ada@example.org")
    assert verdict.fingerprint == verdict.primary == fingerprint
    assert status(with_file, signature, b"other") == "bad"
    assert status(Ssh(environ=hermetic), signature) == "unknown-key"
    assert status(Ssh(environ=hermetic, allowed_signers=tmp_path / "absent"), signature) == "unknown-key"
    stranger = Ssh(environ=hermetic).sign(DATA, keygen(tmp_path / "stranger"))
    assert status(with_file, stranger) == "unknown-key"
    assert status(with_file, stranger, b"other") == "bad"


def test_dates_of_an_allowed_signer_are_judged_when_it_signed(
    hermetic: dict[str, str], key: Path, allowed: Path
) -> None:
    allowed.write_text(allowed.read_text().replace("namespaces", 'valid-before="20200101",namespaces'))
    signature = Ssh(environ=hermetic).sign(DATA, key)
    ssh = Ssh(environ=hermetic, allowed_signers=allowed)
    assert status(ssh, signature) == "unknown-key"
    assert status(ssh, signature, at=datetime(2019, 6, 1, tzinfo=UTC)) == "good"
    (verdict,) = ssh.verify_detached(DATA, signature, at=datetime(2019, 6, 1, tzinfo=UTC))
    assert verdict.created == 1559347200


def test_a_namespace_the_signer_is_not_allowed_in(hermetic: dict[str, str], key: Path, allowed: Path) -> None:
    allowed.write_text(allowed.read_text().replace('"git"', '"file"'))
    signature = Ssh(environ=hermetic).sign(DATA, key)
    assert status(Ssh(environ=hermetic, allowed_signers=allowed), signature) == "unknown-key"


def test_a_signature_for_another_purpose_is_none(hermetic: dict[str, str], key: Path, allowed: Path) -> None:
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", str(key)]
    signature = subprocess.run(command, input=DATA, capture_output=True, check=True).stdout
    assert read_signature(signature)[1] == b"file"
    assert status(Ssh(environ=hermetic, allowed_signers=allowed), signature) == "malformed"


def wrapped(blob: bytes) -> bytes:
    return BEGIN + base64.encodebytes(blob) + b"-----END SSH SIGNATURE-----\n"


MAGIC = b"SSHSIG\0\0\0\1"


@pytest.mark.parametrize(
    "text",
    [b"", b"junk", wrapped(b"x"), wrapped(MAGIC), wrapped(MAGIC + b"\0\0\0\x09x"), wrapped(MAGIC + b"\0\0\0\0"),
     wrapped(MAGIC + b"\0\0\0\0\0\0\0\3git"), wrapped(MAGIC)[:-1], wrapped(b"SSHSIG\0\0\0\2" + b"\0" * 8),
     BEGIN + b"=a=\n-----END SSH SIGNATURE-----\n"],
    ids=range(10),
)  # fmt: skip
def test_garbage_is_malformed(hermetic: dict[str, str], text: bytes) -> None:
    assert status(Ssh(environ=hermetic), text) == "malformed"


def test_text_around_a_signature_is_malformed(hermetic: dict[str, str], key: Path) -> None:
    signature = Ssh(environ=hermetic).sign(DATA, key)
    for text in (b"\n" + signature, signature + b"\n", signature * 2):
        assert status(Ssh(environ=hermetic), text) == "malformed"


def test_short_rsa_is_weak(hermetic: dict[str, str], tmp_path: Path) -> None:
    signature = Ssh(environ=hermetic).sign(DATA, keygen(tmp_path / "short", "-t", "rsa", "-b", "1024"))
    assert status(Ssh(environ=hermetic), signature) == "weak-hash"


def test_weakness_is_of_the_key() -> None:
    def text(*values: bytes) -> bytes:
        return b"".join(len(value).to_bytes(4, "big") + value for value in values)

    assert weak(text(b"ssh-dss"))
    assert not weak(text(b"ssh-ed25519", b"k"))
    assert not weak(text(b"ssh-rsa", b"\1\0\1", b"\0" + b"\xff" * 384))
    assert weak(text(b"ssh-rsa", b"\1\0\1", b"\x7f" + b"\xff" * 383))


def test_a_locked_key_fails_without_asking(hermetic: dict[str, str], tmp_path: Path) -> None:
    locked = keygen(tmp_path / "locked", passphrase="secret words")
    started = time.monotonic()
    with pytest.raises(StrataError, match="cannot sign") as refused:
        Ssh(environ=hermetic | {"DISPLAY": ":9"}).sign(DATA, locked)
    assert time.monotonic() - started < 10
    assert f"ssh-add '{locked}'" in refused.value.hint


def test_without_ssh_keygen_it_says_so(monkeypatch: pytest.MonkeyPatch, key: Path) -> None:
    monkeypatch.setattr("strata_git.integrity.ssh._CANDIDATES", ())
    with pytest.raises(StrataError, match="not installed"):
        Ssh(environ={"PATH": ".:relative"}).sign(DATA, key)


def test_ssh_keygen_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: Path) -> None:
    monkeypatch.setattr("strata_git.integrity.ssh.TIMEOUT", 0.2)
    (fake := tmp_path / "bin" / "ssh-keygen").parent.mkdir()
    fake.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    fake.chmod(0o755)
    with pytest.raises(StrataError, match="did not finish"):
        Ssh(environ={"PATH": str(fake.parent)}).sign(DATA, key)


def test_git_and_we_agree_about_a_tag(hermetic: dict[str, str], builder: Builder, key: Path, allowed: Path) -> None:
    repo = builder()
    repo.write({"a": b"x"})
    repo.git("add", "-A")
    repo.commit("first")
    for name, value in (
        ("gpg.format", "ssh"),
        ("user.signingkey", str(key)),
        ("gpg.ssh.allowedSignersFile", str(allowed)),
    ):
        repo.git("config", name, value)
    repo.git("tag", "-s", "-m", "by git", "v1")
    raw = stock(repo.path, "cat-file", "tag", "v1")
    payload, signature = raw[: raw.index(BEGIN)], raw[raw.index(BEGIN) :]
    gpg = Gpg(None, environ=hermetic)
    (verdict,) = gpg.verify_tag_payload(payload, signature, allowed_signers=allowed, at=datetime.now(UTC))
    assert verdict.status == "good"
    assert [each.status for each in gpg.verify_tag_payload(payload, signature)] == ["unknown-key"]

    ours = payload.replace(b"by git", b"by us").replace(b"tag v1", b"tag v2")
    made = stock(repo.path, "mktag", stdin=ours + Ssh(environ=hermetic).sign(ours, key)).decode().strip()
    repo.git("update-ref", "refs/tags/v2", made)
    repo.git("verify-tag", "v2")


def stock(where: Path, *words: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(["git", *words], cwd=where, input=stdin, capture_output=True, check=True).stdout
