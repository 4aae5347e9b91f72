"""GPG keys: made once per test session, copied into each test that asks.

`alice` and `bob` are there from the start. The odd ones (expired, with a passphrase, a stranger) are made
when first asked for, in whatever worker asks first.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.environment import remove_home, short_directory, stop_agents
from tests.support.process import Completed, run

PASSPHRASE = "correct horse"
LONG_AGO = "20200101T000000"
"""When the expired key was made; it was good for a day."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a key is made: who, and what differs from an ed25519 signing key that never expires."""

    user: str
    expires: str = "never"
    passphrase: str = ""
    at: str = ""


RECIPES = {
    "alice": Recipe("Alice Tester <alice@example.org>"),
    "bob": Recipe("Bob Tester <bob@example.org>"),
    "mallory": Recipe("Mallory Tester <mallory@example.org>"),
    "expired": Recipe("Erin Expired <erin@example.org>", expires="1d", at=LONG_AGO),
    "locked": Recipe("Lou Locked <lou@example.org>", passphrase=PASSPHRASE),
}


@dataclass(frozen=True, slots=True)
class KeyStore:
    """Keys of the whole test session, shared by its workers: one directory a key, made under a lock."""

    root: Path
    environ: Mapping[str, str]

    def folder(self, who: str) -> Path:
        """Directory of a key: public.asc, revocation.asc, fingerprint, private/*.key."""
        with _locked(self.root / f"{who}.lock"):
            if not (self.root / who).exists():
                self._make(who, RECIPES[who])
        return self.root / who

    def ring(self, *people: str) -> Path:
        """A ready GNUPGHOME with these keys, to be copied."""
        ready = self.root / "-".join(("ring", *people))
        with _locked(ready.with_suffix(".lock")):
            if not ready.exists():
                home = short_directory()
                Keys(home, self).add(*people)
                stop_agents(home)
                shutil.copytree(home, ready, ignore=shutil.ignore_patterns("S.*", "*~", ".#*"))
                remove_home(home)
        return ready

    def _make(self, who: str, recipe: Recipe) -> None:
        home = short_directory()
        try:
            gpg = Gpg(home, self.environ)
            when = (f"--faked-system-time={recipe.at}!",) if recipe.at else ()
            secret = ("--pinentry-mode", "loopback", "--passphrase", recipe.passphrase)
            gpg(*when, *secret, "--quick-generate-key", recipe.user, "ed25519", "sign", recipe.expires)
            fresh = self.root / f"{who}.new"
            shutil.copytree(home / "private-keys-v1.d", fresh / "private")
            (fresh / "public.asc").write_text(gpg("--armor", "--export").out)
            (certificate,) = (home / "openpgp-revocs.d").iterdir()
            (fresh / "fingerprint").write_text(certificate.stem)
            (fresh / "revocation.asc").write_text(certificate.read_text().replace("\n:-----", "\n-----"))
            fresh.rename(self.root / who)
        finally:
            remove_home(home)


@dataclass(frozen=True, slots=True)
class Gpg:
    """Stock gpg on one home; call it with its options."""

    home: Path
    environ: Mapping[str, str]

    def __call__(self, *words: str, stdin: bytes | None = None) -> Completed:
        environ = {**self.environ, "GNUPGHOME": str(self.home)}
        return run("gpg", "--batch", "--quiet", *words, cwd=self.home, environ=environ, stdin=stdin).expect(0)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keyring of one test (GNUPGHOME is `home`). Names are the keys of `RECIPES`.

    >>> signature = keys.sign(b"text", "alice", "bob")
    >>> keys.revoke("bob")
    """

    home: Path
    store: KeyStore

    @property
    def gpg(self) -> Gpg:
        return Gpg(self.home, self.store.environ)

    @property
    def alice(self) -> str:
        """Alice's fingerprint."""
        return self.fingerprint("alice")

    @property
    def bob(self) -> str:
        """Bob's fingerprint."""
        return self.fingerprint("bob")

    def fingerprint(self, who: str) -> str:
        return (self.store.folder(who) / "fingerprint").read_text()

    def public(self, who: str) -> bytes:
        """The armored public key."""
        return (self.store.folder(who) / "public.asc").read_bytes()

    def add(self, *people: str, secret: bool = True) -> str:
        """Put keys into this keyring, fully trusted; the fingerprint of the last one."""
        for who in people:
            self.gpg("--import", str(self.store.folder(who) / "public.asc"))
            self.gpg("--import-ownertrust", stdin=f"{self.fingerprint(who)}:6:\n".encode())
            private = self.home / "private-keys-v1.d"
            private.mkdir(mode=0o700, exist_ok=True)
            for key in (self.store.folder(who) / "private").iterdir() if secret else ():
                shutil.copy(key, private)
        return self.fingerprint(people[-1])

    def expired(self) -> str:
        """Add a key that expired years ago; sign with it by `sign(..., "expired", at=LONG_AGO)`."""
        return self.add("expired")

    def locked(self) -> str:
        """Add a key that asks for `PASSPHRASE`."""
        return self.add("locked")

    def sign(self, data: bytes, *people: str, at: str = "") -> bytes:
        """Armored detached signatures by stock gpg, one block for each of `people`."""
        when = (f"--faked-system-time={at}!",) if at else ()
        secret = ("--pinentry-mode", "loopback", "--passphrase", PASSPHRASE) if "locked" in people else ()
        blocks = [
            self.gpg(*when, *secret, "--local-user", self.fingerprint(who), "--armor", "--detach-sign", stdin=data).out
            for who in people
        ]
        return "".join(blocks).encode()

    def revoke(self, who: str) -> str:
        """Import the revocation of a key; what it signed before is on record as signed by a revoked key."""
        self.gpg("--import", str(self.store.folder(who) / "revocation.asc"))
        return self.fingerprint(who)

    def forget_secret(self, who: str) -> str:
        """Keep only the public half of a key."""
        for key in (self.store.folder(who) / "private").iterdir():
            (self.home / "private-keys-v1.d" / key.name).unlink()
        return self.fingerprint(who)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
