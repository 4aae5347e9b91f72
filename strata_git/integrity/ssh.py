"""SSH signatures: `ssh-keygen -Y`, with the namespace `git` as git makes them for tags, or one of our own.

A signature is good only by a key that an allowed-signers file names; without one it is at best by an unknown key.
"""

from __future__ import annotations

import os
import time
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING

from strata_git.errors import StrataError, printable
from strata_git.integrity.gpg_process import TIMEOUT, kept
from strata_git.integrity.signer import SignatureVerdict
from strata_git.integrity.ssh_armor import ARMOR, BEGIN, fingerprint_of, read_signature, weak

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from strata_git.integrity.signer import Status

__all__ = ["ARTIFACTS", "BEGIN", "NAMESPACE", "Ssh", "read_signature", "weak"]

NAMESPACE = "git"
ARTIFACTS = "strata-checksums"
"""The namespace of signatures over an artifact's CHECKSUMS.txt."""

_CANDIDATES = ("/usr/bin/ssh-keygen", "/usr/local/bin/ssh-keygen", "/opt/homebrew/bin/ssh-keygen")
_MALFORMED = SignatureVerdict("", "", "malformed")


class Ssh:
    """ssh-keygen with the keys that `allowed_signers` names (see ssh-keygen(1), ALLOWED SIGNERS)."""

    def __init__(
        self, *, environ: Mapping[str, str], allowed_signers: Path | None = None, namespace: str = NAMESPACE,
        revoked: Path | None = None,
    ) -> None:  # fmt: skip
        agent = {name: environ[name] for name in ("SSH_AUTH_SOCK",) if name in environ}
        self._environ = kept(environ) | agent
        self._allowed = allowed_signers
        self._namespace = namespace
        self._revoked = revoked

    def sign(self, data: bytes, key: Path) -> bytes:
        """The armored signature over `data` by the private key file `key` (or a public one the agent serves).

        Raises StrataError when the key cannot be used without asking.
        """
        code, out = self._run(["-Y", "sign", "-n", self._namespace, "-f", os.fspath(key)], data)
        if code != 0 or not ARMOR.fullmatch(out):
            raise StrataError(
                f"ssh-keygen cannot sign with the key '{printable(os.fspath(key))}'.",
                hint=f"Does it need a passphrase? Unlock it once: ssh-add '{printable(os.fspath(key))}'",
            )
        return out

    def generate_key(self, place: Path, comment: str, *, passphrase: str = "") -> tuple[str, str]:
        """A new ed25519 key in the file `place` and `place`.pub; its fingerprint (`SHA256:...`) and public line.

        Nothing is overwritten. The passphrase goes through a pipe, so that no list of processes shows it. Raises
        StrataError where a file is there already, and where ssh-keygen makes none.
        """
        public = place.with_name(f"{place.name}.pub")
        for file in (place, public):
            if os.path.lexists(file):
                raise StrataError(f"{printable(os.fspath(file))} is there already; nothing is overwritten.")
        order = ["-q", "-t", "ed25519", "-C", comment, "-f", os.fspath(place)]
        code, _ = self._run(order, f"{passphrase}\n{passphrase}\n".encode(), by_pipe=True)
        if code != 0 or not public.is_file():
            raise StrataError(f"ssh-keygen made no key in {printable(os.fspath(place.parent))}.", hint="ssh-keygen -V")
        line = public.read_text("utf-8", "replace").strip()
        return fingerprint_of(b64decode(line.split()[1])), line

    def verify_detached(self, data: bytes, signature: bytes, *, at: datetime | None = None) -> list[SignatureVerdict]:
        """The one verdict on `signature`; `at` is when it was made, for keys allowed only between two dates."""
        try:
            public_key, namespace = read_signature(signature)
            feeble = weak(public_key)
        except ValueError:
            return [_MALFORMED]
        fingerprint = fingerprint_of(public_key)
        if namespace != self._namespace.encode():
            return [SignatureVerdict(fingerprint, fingerprint, "malformed")]
        created = int(at.timestamp()) if at else 0
        if feeble:
            return [SignatureVerdict(fingerprint, fingerprint, "weak-hash", "", created)]
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="strata-") as folder:
            place = Path(folder, "signature")
            place.write_bytes(signature)
            user = self._principal(data, place, at)
            status: Status = "unknown-key" if user is None else "good"
            if user is None and not self._fits(data, place):
                status = "bad"
            elif user is not None and self._is_revoked(data, place, user, at):
                status = "revoked"
        return [SignatureVerdict(fingerprint, fingerprint, status, printable(user or ""), created)]

    def _fits(self, data: bytes, signature: Path) -> bool:
        """Whether the signature is over `data`, by whatever key."""
        check = ["-Y", "check-novalidate", "-n", self._namespace, "-s", os.fspath(signature)]
        return self._run(check, data)[0] == 0

    def _is_revoked(self, data: bytes, signature: Path, user: str, at: datetime | None) -> bool:
        """Whether a revocation list (KRL, or public keys) holds the key of a signature that is good otherwise.

        A list that is named and cannot be read revokes everything: ssh-keygen then refuses.
        """
        if self._revoked is None:
            return False
        verify = ["-Y", "verify", "-n", self._namespace, "-I", user, "-r", os.fspath(self._revoked)]
        return self._run([*verify, *self._shared(signature, at)], data)[0] != 0

    def _principal(self, data: bytes, signature: Path, at: datetime | None) -> str | None:
        """Under which name the allowed-signers file admits the signature; None when it does not."""
        if self._allowed is None or not self._allowed.is_file():
            return None
        shared = self._shared(signature, at)
        code, out = self._run(["-Y", "find-principals", *shared], b"")
        for name in out.decode("utf-8", "replace").splitlines() if code == 0 else []:
            verify = ["-Y", "verify", "-n", self._namespace, "-I", name, *shared]
            if self._run(verify, data)[0] == 0:
                return name
        return None

    def _shared(self, signature: Path, at: datetime | None) -> list[str]:
        moment = time.strftime("%Y%m%d%H%M%S", time.localtime(at.timestamp())) if at else ""
        when = [f"-Overify-time={moment}"] if moment else []
        return ["-f", os.fspath(self._allowed or "/dev/null"), "-s", os.fspath(signature), *when]

    def _run(self, arguments: list[str], data: bytes, *, by_pipe: bool = False) -> tuple[int, bytes]:
        from subprocess import DEVNULL, PIPE, TimeoutExpired, run

        program = next((place for place in self._places() if os.access(place, os.X_OK)), None)
        if program is None:
            raise StrataError(
                "ssh-keygen is not installed.", hint="Install OpenSSH (Debian: apt install openssh-client)."
            )
        # No terminal and a program that says no: a key with a passphrase fails instead of asking.
        # With `by_pipe` the answers come on standard input, and there is no terminal in the session to prefer to it.
        asking = {"SSH_ASKPASS_REQUIRE": "never"} if by_pipe else {"SSH_ASKPASS_REQUIRE": "force"}
        environ = self._environ | {"SSH_ASKPASS": "/bin/false"} | asking
        try:
            done = run(
                [program, *arguments], input=data, stdout=PIPE, stderr=DEVNULL, env=environ,
                timeout=TIMEOUT, check=False, start_new_session=by_pipe,
            )  # fmt: skip
        except TimeoutExpired:
            raise StrataError("ssh-keygen did not finish in time and was stopped.") from None
        return done.returncode, done.stdout

    def _places(self) -> list[str]:
        folders = [folder for folder in self._environ.get("PATH", "").split(os.pathsep) if os.path.isabs(folder)]
        return [os.path.join(folder, "ssh-keygen") for folder in folders] + list(_CANDIDATES)
