"""GPG: who signed, and signing.

Verification runs gpg once for each signature packet and believes nothing but the status lines gpg writes to a
pipe of its own: neither exit code, nor output, nor order decides. gpg comes by an absolute path and never from a
repository's configuration. python-gnupg lists, makes and exports keys; it has no part in any verdict.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError, printable
from strata_git.integrity import gpg_process
from strata_git.integrity.armor import BLOCK_LIMIT, ArmorError, Packet, is_ssh, packets, split_blocks
from strata_git.integrity.gpg_process import TIMEOUT
from strata_git.integrity.gpg_status import judge
from strata_git.integrity.signer import SignatureVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from subprocess import Popen

    from strata_git.integrity.gpg_process import StatusLine
    from strata_git.integrity.ssh import Ssh

ASKING_TIMEOUT = 300.0
"""Seconds for one gpg call in which a person may type a passphrase."""
PASSPHRASE_FILE = "STRATA_GPG_PASSPHRASE_FILE"  # noqa: S105 - a variable's name

_QUIET = ("--no-options", "--batch", "--no-tty", "--disable-dirmngr", "--no-auto-key-retrieve")
_VERIFY = (*_QUIET, "--no-autostart", "--trust-model=always", "--no-auto-check-trustdb")
_SIGN = (*_QUIET, "--armor", "--no-textmode", "--no-comments", "--no-emit-version", "--digest-algo=SHA512")
_NO_PINENTRY, _BAD_PASSPHRASE, _NO_AGENT = 85, 11, frozenset([77, 78])  # libgpg-error's codes
_HOME_LIMIT = 85
_FINGERPRINT = re.compile(r"[0-9A-Fa-f]{40}(?:[0-9A-Fa-f]{24})?!?")


@dataclass(frozen=True, slots=True)
class Key:
    """A key that can sign. `users` are safe to print; `expires` is Unix time, 0 for never."""

    fingerprint: str
    users: tuple[str, ...]
    created: int
    expires: int
    subkeys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GpgSigner:
    """The `Signer` for one key of one keyring."""

    gpg: Gpg
    key: str

    def sign(self, data: bytes) -> bytes:
        """See `Gpg.sign_detached`."""
        return self.gpg.sign_detached(data, self.key)


class Gpg:
    """gpg on one keyring: `home`, or where `environ` (a snapshot) leads gpg itself."""

    def __init__(
        self, home: Path | None, program: str | None = None, *, environ: Mapping[str, str], ssh: Ssh | None = None
    ) -> None:
        """`ssh` judges the SSH signatures among those of an artifact (default: it knows no key)."""
        self._ssh = ssh
        self._environ = gpg_process.kept(environ)
        if home is not None:
            self._environ["GNUPGHOME"] = os.fspath(home.absolute())
        self._wanted = program
        self._found = ""
        self._passphrase_file = environ.get(PASSPHRASE_FILE, "")

    @classmethod
    @contextmanager
    def throwaway(
        cls, keys: Iterable[bytes], *, environ: Mapping[str, str], program: str | None = None
    ) -> Iterator[Gpg]:
        """A keyring that holds just these public keys (armored or not) and is gone afterwards.

        Raises StrataError when one of `keys` is no public key.
        """
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="strata-") as home:
            gpg = cls(Path(home), program, environ=environ)
            for number, key in enumerate(keys, 1):
                if not gpg.import_keys(key):
                    raise StrataError(f"Public key number {number} cannot be read.")
            yield gpg

    def import_keys(self, data: bytes) -> list[str]:
        """Add public keys (armored or not) to the keyring; their primary fingerprints, none where nothing was read."""
        status, _ = self._run([*_VERIFY, "--import"], {"key": data})
        told = (words[2].decode("ascii", "replace") for words in status if words[0] == b"IMPORT_OK" and len(words) > 2)
        return list(dict.fromkeys(told))

    @property
    def program(self) -> str:
        """Absolute path of gpg; StrataError when there is none."""
        if not self._found:
            self._found = gpg_process.locate(self._wanted, self._environ.get("PATH", ""))
        return self._found

    def verify_detached(
        self, data: bytes, armored: bytes, *, as_signed: bool = False, since: int = 0
    ) -> list[SignatureVerdict]:
        """One verdict for each signature in `armored`, in order; never empty.

        What is not a plain sequence of armored signatures is one `malformed` verdict. With `as_signed` a key may have
        expired since, if it had not when it signed by the signature's own account, nor at `since` (Unix time), before
        which it cannot have signed. StrataError when gpg is not installed or hangs.
        """
        malformed = SignatureVerdict("", "", "malformed")
        try:
            blocks = split_blocks(armored)
        except ArmorError:
            return [malformed]
        verdicts: list[SignatureVerdict] = []
        for block in blocks:
            if is_ssh(block):
                verdicts.extend(self._verify_ssh(data, block))
                continue
            try:
                found = packets(block)
            except ArmorError:
                verdicts.append(malformed)
                continue
            if len(verdicts) + len(found) > BLOCK_LIMIT:
                return [*verdicts, malformed]
            verdicts.extend(self._verify_packet(data, packet, as_signed, since) for packet in found)
        return verdicts

    def verify_tag_payload(
        self,
        payload: bytes,
        signature: bytes,
        *,
        allowed_signers: Path | None = None,
        at: datetime | None = None,
    ) -> list[SignatureVerdict]:
        """Verdicts on a git tag's signature over its payload, be it GPG's or SSH's.

        `allowed_signers` and `at` (the tagger's date) serve SSH alone: see `ssh.Ssh.verify_detached`.
        """
        from strata_git.integrity import ssh

        if signature.startswith(ssh.BEGIN):
            return ssh.Ssh(environ=self._environ, allowed_signers=allowed_signers).verify_detached(
                payload, signature, at=at
            )
        return self.verify_detached(payload, signature)

    def sign_detached(
        self, data: bytes, key: str, *, passphrase_file: Path | None = None, terminal: str | None = None
    ) -> bytes:
        """One armored block: a binary signature (class 00, SHA-512) over `data`, verified before it is returned.

        `key` is a fingerprint, or what `find_key` takes. Nobody is asked unless `terminal` names one (`/dev/pts/3`):
        a key that needs a passphrase then serves only if the agent has it or `passphrase_file` (else the file
        STRATA_GPG_PASSPHRASE_FILE names) holds it. Raises StrataError when the key cannot be used.
        """
        if not _FINGERPRINT.fullmatch(key):
            key = self.find_key(key).fingerprint
        secret = os.fspath(passphrase_file) if passphrase_file else self._passphrase_file
        if secret and not os.path.isfile(secret):
            raise StrataError(f"The passphrase file '{printable(secret)}' does not exist.")
        asking, extra = self._asking(secret, terminal)
        command = [*_SIGN, *asking, f"--local-user={key}", "--detach-sign"]
        timeout = ASKING_TIMEOUT if terminal else TIMEOUT
        status, block = self._run(command, {"data": data}, timeout=timeout, environ=extra, output=True)
        if block is None or not any(words[0] == b"SIG_CREATED" for words in status):
            raise self._unsigned(key, status, secret)
        for verdict in self.verify_detached(data, block):
            if not verdict.good:
                raise StrataError(
                    f"The key {printable(key)} made a signature that would not count: {verdict.sentence}.",
                    hint="Use an ed25519 key, or RSA of 3072 bits or more: gpg --quick-generate-key",
                )
        return block

    def secret_keys(self) -> list[Key]:
        """Keys of this keyring that can sign now: secret half present, neither expired nor revoked."""
        with self._python_gnupg() as gnupg:
            return [_key(entry) for entry in gnupg.list_keys(True) if _usable(entry)]

    def find_key(self, query: str = "") -> Key:
        """The signing key meant by `query`: fingerprint, key id, `<mail>` or part of a user id; `""`: the only one.

        Raises StrataError when there is none, or more than one.
        """
        keys = self.secret_keys()
        found = [key for key in keys if _matches(key, query)]
        if len(found) == 1:
            return found[0]
        if found:
            told = ", ".join(f"{key.fingerprint} ({', '.join(key.users)})" for key in found)
            raise StrataError(
                f"More than one secret key fits '{printable(query)}': {told}.",
                hint="git config user.signingkey FINGERPRINT",
            )
        wanted = f" for '{printable(query)}'" if query else ""
        raise StrataError(
            f"There is no secret key{wanted} that can sign now in {self._place()}.",
            hint=self._long_home()
            or "git config user.signingkey KEY, or make one: gpg --quick-generate-key 'NAME <MAIL>'",
        )

    def generate_key(self, name: str, email: str, *, passphrase: str = "", expires: str = "0") -> Key:
        """A new ed25519 signing key (`expires`: `0` never, `2y`, a date); StrataError when gpg makes none."""
        if any("\n" in text or printable(text) != text for text in (name, email, expires, passphrase)):
            raise StrataError("A key's name, address, expiry and passphrase are single lines of plain text.")
        about = {"name_real": name, "name_email": email, "expire_date": expires, "passphrase": passphrase}
        with self._python_gnupg() as gnupg:
            order = gnupg.gen_key_input(
                key_type="EDDSA", key_curve="ed25519", key_usage="sign", no_protection=not passphrase, **about
            )
            made = str(gnupg.gen_key(order).fingerprint or "")
        if not made:
            raise StrataError(f"gpg made no key in {self._place()}.", hint=self._long_home())
        return self.find_key(made)

    def end_agent(self) -> None:
        """End the agent of this keyring, where a keyring was made that nobody will use soon. Nothing is told."""
        from contextlib import suppress
        from subprocess import DEVNULL, SubprocessError, run

        control = os.path.join(os.path.dirname(self.program), "gpgconf")
        with suppress(OSError, SubprocessError):
            command = [control, "--kill", "gpg-agent"]
            run(command, env=self._environ, stdout=DEVNULL, stderr=DEVNULL, timeout=TIMEOUT, check=False)

    def public_key(self, fingerprint: str) -> bytes:
        """The armored public key; StrataError when the keyring lacks it."""
        with self._python_gnupg() as gnupg:
            text = str(gnupg.export_keys(fingerprint))
        if not text:
            raise StrataError(f"The key {printable(fingerprint)} is not in {self._place()}.")
        return text.encode()

    def _verify_ssh(self, data: bytes, block: bytes) -> list[SignatureVerdict]:
        from strata_git.integrity.ssh import ARTIFACTS, Ssh

        return (self._ssh or Ssh(environ=self._environ, namespace=ARTIFACTS)).verify_detached(data, block)

    def _verify_packet(self, data: bytes, packet: Packet, as_signed: bool, since: int) -> SignatureVerdict:
        files = {"signature": packet.data, "data": data}
        verdict = judge(self._run([*_VERIFY, "--verify"], files)[0], packet)
        if not (as_signed and verdict.status == "expired-key" and verdict.created):
            return verdict
        then = f"--faked-system-time={max(verdict.created, since)}!"
        return judge(self._run([*_VERIFY, then, "--verify"], files)[0], packet)

    def _asking(self, secret: str, terminal: str | None) -> tuple[list[str], dict[str, str]]:
        if secret:
            return ["--pinentry-mode", "loopback", "--passphrase-file", os.path.abspath(secret)], {}
        if terminal:
            return ["--pinentry-mode", "ask"], {"GPG_TTY": terminal}
        return ["--pinentry-mode", "error"], {}

    def _unsigned(self, key: str, status: list[StatusLine], secret: str) -> StrataError:
        shown = printable(key)
        codes = {int(words[2]) & 0xFFFF for words in status if words[0] == b"FAILURE" and len(words) > 2}
        if _NO_PINENTRY in codes:
            return StrataError(
                f"The key {shown} needs its passphrase, and there is no terminal to ask on.",
                hint=f"Unlock it once (echo | gpg --local-user {shown} --sign >/dev/null), "
                f"or put the passphrase in a file and set {PASSPHRASE_FILE} to its path.",
            )
        if _BAD_PASSPHRASE in codes:
            told = f" in '{printable(secret)}'" if secret else ""
            return StrataError(f"The passphrase{told} does not open the key {shown}.")
        if not codes.isdisjoint(_NO_AGENT):
            return StrataError(
                f"gpg found no agent, so it cannot sign with {shown}.",
                hint=self._long_home() or "gpgconf --launch gpg-agent",
            )
        if any(words[0] == b"INV_SGNR" for words in status):
            return StrataError(
                f"There is no usable secret key {shown} in {self._place()}.",
                hint="gpg --list-secret-keys, then: git config user.signingkey KEY",
            )
        return StrataError(
            f"gpg did not sign with the key {shown}.", hint=f"See why: echo | gpg --local-user {shown} --sign"
        )

    def _place(self) -> str:
        home = self._environ.get("GNUPGHOME")
        return f"'{printable(home)}'" if home else "your keyring"

    def _long_home(self) -> str:
        home = self._environ.get("GNUPGHOME", "")
        if len(os.fsencode(home)) <= _HOME_LIMIT:
            return ""
        return f"GNUPGHOME is too long a path for gpg's agent ({len(home)} characters): use a shorter one."

    def _run(
        self,
        arguments: list[str],
        files: Mapping[str, bytes],
        *,
        timeout: float = TIMEOUT,
        environ: Mapping[str, str] | None = None,
        output: bool = False,
    ) -> tuple[list[StatusLine], bytes | None]:
        whole = {**self._environ, **(environ or {})}
        return gpg_process.run(self.program, arguments, files, environ=whole, timeout=timeout, output=output)

    @contextmanager
    def _python_gnupg(self) -> Iterator[Any]:
        """python-gnupg on this keyring; every process it starts ends after TIMEOUT."""
        from threading import Timer

        import gnupg

        timers: list[Timer] = []

        class Bounded(gnupg.GPG):  # type: ignore[misc]
            def _open_subprocess(self, args: list[str], passphrase: bool = False) -> Popen[bytes]:
                process: Popen[bytes] = super()._open_subprocess(args, passphrase)
                timers.append(Timer(TIMEOUT, process.kill))
                timers[-1].daemon = True
                timers[-1].start()
                return process

        try:
            wrapper = Bounded(gpgbinary=self.program, env=self._environ, options=["--no-options"])
            wrapper.encoding = "utf-8"
            yield wrapper
        except (OSError, ValueError) as error:
            raise StrataError(f"gpg does not work with {self._place()}: {printable(str(error))}.") from error
        finally:
            for timer in timers:
                timer.cancel()


def _key(entry: Mapping[str, Any]) -> Key:
    return Key(
        fingerprint=str(entry["fingerprint"]),
        users=tuple(printable(str(user)) for user in entry["uids"]),
        created=int(entry["date"] or 0),
        expires=int(entry["expires"] or 0),
        subkeys=tuple(str(subkey[2]) for subkey in entry["subkeys"]),
    )


def _usable(entry: Mapping[str, Any]) -> bool:
    """Upper-case letters tell what the key can do with all its subkeys; D is a disabled key."""
    return "S" in entry["cap"] and "D" not in entry["cap"] and entry["trust"] not in {"r", "e", "i", "d", "n"}


def _matches(key: Key, query: str) -> bool:
    wanted = query.removesuffix("!").removeprefix("0x").lower()
    if len(wanted) >= 8 and set(wanted) <= set("0123456789abcdef"):
        return any(each.lower().endswith(wanted) for each in (key.fingerprint, *key.subkeys))
    return any(query.lower() in user.lower() for user in key.users)
