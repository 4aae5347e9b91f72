"""SSH signatures as git makes them for tags: `ssh-keygen -Y` with the namespace `git`.

A signature is good only by a key that an allowed-signers file names; without one it is at best by an unknown key.
"""

from __future__ import annotations

import os
import re
import time
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from strata_git.errors import StrataError, printable
from strata_git.integrity.gpg_process import TIMEOUT, kept
from strata_git.integrity.signer import SignatureVerdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from strata_git.integrity.signer import Status

BEGIN = b"-----BEGIN SSH SIGNATURE-----\n"
NAMESPACE = "git"

_ARMOR = re.compile(BEGIN + rb"((?:[A-Za-z0-9+/=]{1,76}\n){1,2000})-----END SSH SIGNATURE-----\n")
_CANDIDATES = ("/usr/bin/ssh-keygen", "/usr/local/bin/ssh-keygen", "/opt/homebrew/bin/ssh-keygen")
_MALFORMED = SignatureVerdict("", "", "malformed")


class Ssh:
    """ssh-keygen with the keys that `allowed_signers` names (see ssh-keygen(1), ALLOWED SIGNERS)."""

    def __init__(self, *, environ: Mapping[str, str], allowed_signers: Path | None = None) -> None:
        agent = {name: environ[name] for name in ("SSH_AUTH_SOCK",) if name in environ}
        self._environ = kept(environ) | agent
        self._allowed = allowed_signers

    def sign(self, data: bytes, key: Path) -> bytes:
        """The armored signature over `data` by the private key file `key` (or a public one the agent serves).

        Raises StrataError when the key cannot be used without asking.
        """
        code, out = self._run(["-Y", "sign", "-n", NAMESPACE, "-f", os.fspath(key)], data)
        if code != 0 or not _ARMOR.fullmatch(out):
            raise StrataError(
                f"ssh-keygen cannot sign with the key '{printable(os.fspath(key))}'.",
                hint=f"Does it need a passphrase? Unlock it once: ssh-add '{printable(os.fspath(key))}'",
            )
        return out

    def verify_detached(self, data: bytes, signature: bytes, *, at: datetime | None = None) -> list[SignatureVerdict]:
        """The one verdict on `signature`; `at` is when it was made, for keys allowed only between two dates."""
        try:
            public_key, namespace = read_signature(signature)
            feeble = weak(public_key)
        except ValueError:
            return [_MALFORMED]
        fingerprint = "SHA256:" + b64encode(sha256(public_key).digest()).decode().rstrip("=")
        if namespace != NAMESPACE.encode():
            return [SignatureVerdict(fingerprint, fingerprint, "malformed")]
        created = int(at.timestamp()) if at else 0
        if feeble:
            return [SignatureVerdict(fingerprint, fingerprint, "weak-hash", "", created)]
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="strata-") as folder:
            place = Path(folder, "signature")
            place.write_bytes(signature)
            if self._run(["-Y", "check-novalidate", "-n", NAMESPACE, "-s", str(place)], data)[0] != 0:
                return [SignatureVerdict(fingerprint, fingerprint, "bad", "", created)]
            user = self._principal(data, place, at)
        status: Status = "unknown-key" if user is None else "good"
        return [SignatureVerdict(fingerprint, fingerprint, status, printable(user or ""), created)]

    def _principal(self, data: bytes, signature: Path, at: datetime | None) -> str | None:
        """Under which name the allowed-signers file admits the signature; None when it does not."""
        if self._allowed is None or not self._allowed.is_file():
            return None
        moment = time.strftime("%Y%m%d%H%M%S", time.localtime(at.timestamp())) if at else ""
        when = [f"-Overify-time={moment}"] if moment else []
        shared = ["-f", os.fspath(self._allowed), "-s", os.fspath(signature), *when]
        code, out = self._run(["-Y", "find-principals", *shared], b"")
        for name in out.decode("utf-8", "replace").splitlines() if code == 0 else []:
            verify = ["-Y", "verify", "-n", NAMESPACE, "-I", name, *shared]
            if self._run(verify, data)[0] == 0:
                return name
        return None

    def _run(self, arguments: list[str], data: bytes) -> tuple[int, bytes]:
        from subprocess import DEVNULL, PIPE, TimeoutExpired, run

        program = next((place for place in self._places() if os.access(place, os.X_OK)), None)
        if program is None:
            raise StrataError(
                "ssh-keygen is not installed.", hint="Install OpenSSH (Debian: apt install openssh-client)."
            )
        # No terminal and a program that says no: a key with a passphrase fails instead of asking.
        environ = self._environ | {"SSH_ASKPASS": "/bin/false", "SSH_ASKPASS_REQUIRE": "force"}
        try:
            done = run(
                [program, *arguments], input=data, stdout=PIPE, stderr=DEVNULL, env=environ,
                timeout=TIMEOUT, check=False,
            )  # fmt: skip
        except TimeoutExpired:
            raise StrataError("ssh-keygen did not finish in time and was stopped.") from None
        return done.returncode, done.stdout

    def _places(self) -> list[str]:
        folders = [folder for folder in self._environ.get("PATH", "").split(os.pathsep) if os.path.isabs(folder)]
        return [os.path.join(folder, "ssh-keygen") for folder in folders] + list(_CANDIDATES)


def read_signature(signature: bytes) -> tuple[bytes, bytes]:
    """(public key, namespace) that an armored SSH signature claims; ValueError when it is not one."""
    match = _ARMOR.fullmatch(signature)
    if match is None:
        raise ValueError("not one armored SSH signature")
    blob = b64decode(match[1].replace(b"\n", b""), validate=True)
    if blob[:10] != b"SSHSIG\x00\x00\x00\x01":
        raise ValueError("not an SSH signature of version 1")
    public_key, rest = _string(blob[10:])
    namespace, _ = _string(rest)
    return public_key, namespace


def weak(public_key: bytes) -> bool:
    """Whether a public key is DSA, or RSA of less than 3072 bits; raises ValueError when it is cut short."""
    kind, rest = _string(public_key)
    if kind != b"ssh-rsa":
        return kind == b"ssh-dss"
    _, rest = _string(rest)
    modulus, _ = _string(rest)
    return int.from_bytes(modulus, "big").bit_length() < 3072


def _string(data: bytes) -> tuple[bytes, bytes]:
    """The first length-prefixed string of `data`, and what follows it."""
    length = int.from_bytes(data[:4], "big")
    if len(data) < 4 + length or len(data) < 4:
        raise ValueError("cut short")
    return data[4 : 4 + length], data[4 + length :]
