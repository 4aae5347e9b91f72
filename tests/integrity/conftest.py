"""Keys and signatures for the tests of this room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from strata_git.integrity.gpg import Gpg
from strata_git.integrity.signer import SignatureVerdict
from tests.support.keys import LONG_AGO, Keys

DATA = b"aa  metadata.yaml\nbb  model.skops\n"


@dataclass(frozen=True, slots=True)
class Signatures:
    """Signatures over `DATA` by stock gpg, one named kind each."""

    keys: Keys
    environ: Mapping[str, str]

    def gpg(self, *words: str, stdin: bytes = b"", home: Path | None = None) -> bytes:
        """Stock gpg's output."""
        environ = {**self.environ, "GNUPGHOME": str(home or self.keys.home)}
        command = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", *words]
        return subprocess.run(command, env=environ, input=stdin, capture_output=True, check=True, timeout=60).stdout

    def detached(self, who: str, *options: str, data: bytes = DATA) -> bytes:
        """An armored detached signature by one of the shared keys."""
        return self.gpg("-u", self.keys.fingerprint(who), *options, "--armor", "--detach-sign", stdin=data)

    def kind(self, kind: str) -> bytes:
        """`good` (alice), `bad` (bob), `unknown`, `revoked`, `expired`, `expired-signature`, `sha1`, `text`."""
        match kind:
            case "good":
                return self.detached("alice")
            case "bad":
                return self.detached("bob", data=b"something else")
            case "unknown":
                return self._foreign()
            case "revoked":
                self.keys.add("mallory")
                block = self.detached("mallory")
                self.keys.revoke("mallory")
                return block
            case "expired":
                self.keys.add("expired")
                return self.detached("expired", f"--faked-system-time={LONG_AGO}!")
            case "expired-signature":
                old = self.generate("Olga Old", f"--faked-system-time={LONG_AGO}!")
                options = (f"--faked-system-time={LONG_AGO}!", "--default-sig-expire", "1d")
                return self.gpg("-u", old, *options, "--armor", "--detach-sign", stdin=DATA)
            case "sha1":
                return self.detached("bob", "--digest-algo", "SHA1")
            case "text":
                return self.detached("bob", "--textmode")
        raise AssertionError(kind)

    def _foreign(self) -> bytes:
        """By a key whose public half is not in the keyring."""
        self.keys.add("mallory")
        block = self.detached("mallory")
        self.gpg("--yes", "--delete-secret-and-public-key", self.keys.fingerprint("mallory"))
        return block

    def generate(self, user: str, *options: str, algorithm: str = "ed25519", home: Path | None = None) -> str:
        """A new key without a passphrase in this keyring; its fingerprint."""
        before = self.fingerprints(home)
        self.gpg(*options, "--quick-generate-key", user, algorithm, "sign", "never", home=home)
        (made,) = self.fingerprints(home) - before
        return made

    def fingerprints(self, home: Path | None = None) -> set[str]:
        listed = self.gpg("--list-keys", "--with-colons", home=home).decode(errors="replace")
        return {line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:")}


@pytest.fixture
def signatures(keys: Keys, hermetic: dict[str, str]) -> Signatures:
    return Signatures(keys, hermetic)


@pytest.fixture
def gpg(keys: Keys, hermetic: dict[str, str]) -> Gpg:
    """Our gpg on the test's keyring."""
    return Gpg(keys.home, environ={**hermetic, "PATH": os.environ["PATH"]})


def statuses(verdicts: list[SignatureVerdict]) -> list[str]:
    return [verdict.status for verdict in verdicts]
