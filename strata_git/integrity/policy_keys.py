"""The keys of one version of a trust policy, and nobody else's: what they signed is verified with these alone.

Public keys lie beside the policy, `keys/<principal>.asc` (OpenPGP), `keys/<principal>.pub` (SSH) and
`keys/<principal>.pem` (for model.sig, see `oms_people`). The first two are put into a keyring and an allowed-signers
file of their own, which are gone with the object. A key that the policy does not name is an unknown key, whoever
brought its file.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from threading import Lock

from strata_git.integrity.armor import ArmorError, split_blocks
from strata_git.integrity.gpg import Gpg
from strata_git.integrity.oms_keys import PublicKey
from strata_git.integrity.oms_people import PREFIX, keys_of_people
from strata_git.integrity.policy import key_id, key_of
from strata_git.integrity.principals import Policy
from strata_git.integrity.signer import SignatureVerdict
from strata_git.integrity.ssh import BEGIN, Ssh

FOLDER = "keys"
POLICY_NAMESPACE = "strata-policy"
"""The namespace in which SSH keys of roots sign a policy."""
FILE_LIMIT = 256 << 10
"""Most bytes of one key file that are read."""


class PolicyKeys:
    """Verifies signatures with the keys of `policy`; `files` are (name, bytes): `ada.asc` or `ada.pub`.

    With `as_signed` a key may have expired since, if it was valid when it signed.
    """

    def __init__(
        self, policy: Policy, files: Iterable[tuple[str, bytes]], *, environ: Mapping[str, str], as_signed: bool = False
    ) -> None:
        self._policy = policy
        self._files = sorted(files)
        self._environ = environ
        self._as_signed = as_signed
        self._owners = policy.keys()
        self._lock = Lock()

    def verify_detached(
        self, data: bytes, signature: bytes, *, at: datetime | None = None, namespace: str = "git"
    ) -> list[SignatureVerdict]:
        """Verdicts on OpenPGP and SSH signatures (those made `at`, in `namespace`); never empty."""
        try:
            blocks = split_blocks(signature)
        except ArmorError:
            blocks = [signature]
        verdicts = [v for block in blocks for v in self._verify_block(data, block, at, namespace)]
        return [self._enrolled(verdict) for verdict in verdicts]

    def _verify_block(
        self, data: bytes, signature: bytes, at: datetime | None, namespace: str
    ) -> list[SignatureVerdict]:
        if signature.startswith(BEGIN):
            with self._lock:  # the files are written once, whoever comes first
                allowed = self._allowed
            ssh = Ssh(environ=self._environ, allowed_signers=allowed, namespace=namespace)
            return ssh.verify_detached(data, signature, at=at)
        with self._lock:
            gpg = self._ring[0]
        since = int(at.timestamp()) if at is not None and namespace == "git" else 0  # a tag is not signed before it is
        return gpg.verify_detached(data, signature, as_signed=self._as_signed, since=since)

    def unreadable(self) -> dict[str, str]:
        """Which keys of the policy have no readable file here: key -> whose."""
        known = {key_id(fingerprint) for fingerprint in (*self._ring[1], *self._lines)}
        known |= {PREFIX + key.hint for key in self.model_keys}
        return {key: name for key, name in self._owners.items() if key not in known}

    @property
    def policy(self) -> Policy:
        """The version whose keys these are."""
        return self._policy

    @cached_property
    def model_keys(self) -> tuple[PublicKey, ...]:
        """The keys for model.sig, with their owners."""
        return keys_of_people(self._policy, self._files)

    def _enrolled(self, verdict: SignatureVerdict) -> SignatureVerdict:
        if not (verdict.primary or verdict.fingerprint):
            return verdict
        owner = self._owners.get(key_of(verdict))
        if owner is None:
            return replace(verdict, status="unknown-key") if verdict.good else verdict
        return replace(verdict, user=owner, enrolled=True)

    @cached_property
    def _home(self) -> Path:
        import shutil
        import tempfile
        import weakref

        home = tempfile.mkdtemp(prefix="strata-")
        weakref.finalize(self, shutil.rmtree, home, ignore_errors=True)
        return Path(home)

    @cached_property
    def _ring(self) -> tuple[Gpg, list[str]]:
        """A keyring of the policy's OpenPGP keys; each file is imported alone, so that none can spoil another."""
        gpg = Gpg(self._home, environ=self._environ)
        fingerprints: list[str] = []
        for name, data in self._files:
            if name.endswith(".asc") and self._wants(name):
                fingerprints += gpg.import_keys(data)
        return gpg, fingerprints

    @cached_property
    def _allowed(self) -> Path:
        """The allowed-signers file: whole names, never a pattern, and no more namespaces than we sign in."""
        path = self._home / "allowed_signers"
        spaces = f'namespaces="git,{POLICY_NAMESPACE},strata-checksums"'
        owned = ((self._owners.get(f"ssh:{fingerprint}"), line) for fingerprint, line in self._lines.items())
        lines = [f"{owner} {spaces} {line}\n" for owner, line in owned if owner]
        path.write_text("".join(lines))
        return path

    @cached_property
    def _lines(self) -> dict[str, str]:
        """SSH fingerprint -> `type base64` of every public key in the files."""
        found: dict[str, str] = {}
        for name, data in self._files:
            for line in data.splitlines() if name.endswith(".pub") and self._wants(name) else ():
                if read := ssh_public_key(line):
                    found[read[0]] = read[1]
        return found

    def _wants(self, name: str) -> bool:
        return os.path.splitext(name)[0] in self._policy.principals


def ssh_public_key(line: bytes) -> tuple[str, str] | None:
    """(`SHA256:...`, `type base64`) of one line of a .pub file; None where it is none."""
    words = line.split()
    if len(words) < 2 or not words[0].startswith((b"ssh-", b"ecdsa-", b"sk-")):
        return None
    try:
        blob = b64decode(words[1], validate=True)
        kind = words[0].decode("ascii")
        length = int.from_bytes(blob[:4], "big")
        if blob[4 : 4 + length] != words[0]:
            return None
        return fingerprint_of(blob), f"{kind} {words[1].decode('ascii')}"
    except ValueError:
        return None


def fingerprint_of(blob: bytes) -> str:
    """`SHA256:...` of an SSH public key's bytes."""
    return "SHA256:" + b64encode(sha256(blob).digest()).decode().rstrip("=")
