"""The public keys of those who signed, as files that stock gpg and ssh-keygen take.

GPG keys come from the user's keyring (those of a trust policy lie beside it); an SSH signature carries its key. A key
is taken only where its signature was found good here: whether it is the right one, the reader has to know.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from strata_git.errors import StrataError
from strata_git.integrity.gpg import Gpg
from strata_git.integrity.ssh_armor import BEGIN, fingerprint_of, read_signature

_HEX = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
NAMESPACES = "git,strata-checksums,strata-policy"


@dataclass(slots=True)
class PublicKeys:
    """Keys as they are found: `gpg` fingerprint → armor, `ssh` fingerprint → `type base64`; `absent` are not here."""

    ring: Gpg
    gpg: dict[str, bytes] = field(default_factory=dict)
    ssh: dict[str, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)

    def add_signed(self, signature: bytes, fingerprints: Iterable[str]) -> None:
        """The keys behind a signature, of which `fingerprints` were found good."""
        good = {fingerprint.removeprefix("ssh:") for fingerprint in fingerprints}
        for block in _ssh_blocks(signature):
            try:
                blob, _ = read_signature(block)
            except ValueError:
                continue
            if fingerprint_of(blob) not in good:
                continue
            kind = blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode("ascii", "replace")
            self.ssh.setdefault(fingerprint_of(blob), f"{kind} {base64.b64encode(blob).decode()}")
        for fingerprint in sorted(good):
            if _HEX.fullmatch(fingerprint) and fingerprint not in self.gpg:
                self._export(fingerprint)

    def _export(self, fingerprint: str) -> None:
        try:
            self.gpg[fingerprint] = self.ring.public_key(fingerprint)
        except StrataError:
            self.absent.add(fingerprint)

    def files(self) -> dict[str, bytes]:
        """The files of the folder keys/: one .asc a GPG key, and allowed_signers for SSH."""
        found = {f"gpg/{fingerprint}.asc": armor for fingerprint, armor in sorted(self.gpg.items())}
        if self.ssh:
            lines = [f'{name} namespaces="{NAMESPACES}" {key}\n' for name, key in sorted(self.ssh.items())]
            found["allowed_signers"] = "".join(lines).encode()
        return found


def _ssh_blocks(armored: bytes) -> list[bytes]:
    end = b"-----END SSH SIGNATURE-----\n"
    parts = armored.split(BEGIN)[1:]
    return [BEGIN + part.partition(end)[0] + end for part in parts]
