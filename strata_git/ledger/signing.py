"""Who signs events and who verifies them: the user's own keys and programs, never a repository's.

Verdicts are remembered by tag object for one state of the keyring. Forgetting them costs time only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from strata_git.errors import StrataError, printable
from strata_git.integrity.gpg import Gpg
from strata_git.integrity.keyring import keyring_state
from strata_git.integrity.signer import SignatureVerdict, Signer
from strata_git.integrity.ssh import Ssh
from strata_git.ledger.record import TagError, TagObject, parse_tag
from strata_git.repo.command import Repository

CACHE = "events.json"
_GPG_KEY = re.compile(r"(?:0x)?[0-9A-Fa-f]{8,64}!?")
_FINGERPRINT = re.compile(r"(?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})!?")
_SSH_KEY = re.compile(r"(?:key::|ssh-|ecdsa-|sk-|~?/).*|.*\.pub", re.DOTALL)
_WORKERS = 4


class Verifier(Protocol):
    """Judges the signature git puts at the end of a tag (`integrity.gpg.Gpg` does, for GPG)."""

    def verify_tag_payload(self, payload: bytes, signature: bytes, /) -> Sequence[SignatureVerdict]:
        """One verdict for each signature; never empty."""


class UserKeys:
    """The user's keyring, and for SSH the allowed-signers file of the user's own git configuration."""

    def __init__(self, repo: Repository) -> None:
        self._environ = repo.environ
        self._gpg = Gpg(None, environ=repo.environ)
        allowed = repo.own_config("gpg.ssh.allowedSignersFile")
        self._allowed = _expanded(allowed, repo.environ) if allowed else None

    def verify_tag_payload(self, payload: bytes, signature: bytes, /) -> Sequence[SignatureVerdict]:
        """One verdict for each signature; an SSH key must have been allowed at the tagger's date."""
        try:
            at = datetime.fromtimestamp(parse_tag(payload).when, UTC)
        except (TagError, ValueError, OverflowError, OSError):
            return [SignatureVerdict("", "", "malformed")]
        return self._gpg.verify_tag_payload(payload, signature, allowed_signers=self._allowed, at=at)

    @property
    def state(self) -> str:
        """Changes whenever the keys do, and every day: keys and signatures expire without a file changing."""
        also = [self._allowed] if self._allowed else []
        return f"{datetime.now(UTC):%Y-%m-%d}:{self._allowed}:{keyring_state(self._environ, also)}"


def verify_tags(
    repo: Repository,
    tags: Mapping[str, TagObject],
    verifier: Verifier,
    progress: Callable[[int], None] | None = None,
) -> dict[str, tuple[SignatureVerdict, ...]]:
    """Verdicts on signed tags, by object id (unsigned ones have none). Raises StrataError where gpg cannot be run."""
    signed = {oid: tag for oid, tag in tags.items() if tag.signature}
    state = verifier.state if isinstance(verifier, UserKeys) else ""
    place = repo.cache_dir / CACHE
    known = _remembered(place, state) if state and signed else {}
    missing = [oid for oid in signed if oid not in known]

    def verify(oid: str) -> tuple[SignatureVerdict, ...]:
        verdicts = tuple(verifier.verify_tag_payload(signed[oid].payload, signed[oid].signature))
        if progress is not None:
            progress(1)
        return verdicts

    if len(missing) > _WORKERS:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_WORKERS) as pool:
            fresh = dict(zip(missing, pool.map(verify, missing), strict=True))
    else:
        fresh = {oid: verify(oid) for oid in missing}
    if state and fresh:
        _remember(place, state, known | fresh)
    return {oid: fresh[oid] if oid in fresh else known[oid] for oid in signed}


def signer_for(repo: Repository, *, key: str = "", configured: str = "", terminal: str | None = None) -> Signer:
    """Who signs: `key`, else `configured` (strata.yaml), else git's user.signingkey, else the committer's GPG key.

    `terminal` is where a passphrase may be asked for. Raises StrataError when there is no such key.
    """
    wanted = key or configured or repo.user_config("user.signingkey") or ""
    style = repo.user_config("gpg.format") or "openpgp"
    if _SSH_KEY.fullmatch(wanted) or (style == "ssh" and not _GPG_KEY.fullmatch(wanted)):
        if not wanted:
            raise StrataError(
                "git signs with SSH keys here (gpg.format), and no key is named.",
                hint="git config --global user.signingkey ~/.ssh/id_ed25519.pub",
            )
        return _SshSigner(Ssh(environ=repo.environ), wanted, repo.environ)
    if style == "x509" and not key and not configured:
        raise StrataError(
            "git signs with X.509 here (gpg.format), which events don't use.", hint="Name a GPG or SSH key with --key."
        )
    gpg = Gpg(None, environ=repo.environ)
    if not _FINGERPRINT.fullmatch(wanted):
        wanted = gpg.find_key(wanted or f"<{_mail(repo)}>").fingerprint
    return _GpgSigner(gpg, wanted, terminal)


def committer(repo: Repository) -> str:
    """`name <mail>` of whoever acts here; StrataError when git does not know."""
    result = repo.try_user_git("var", "GIT_COMMITTER_IDENT")
    who = os.fsdecode(result.out).rpartition("> ")[0] + ">"
    if result.code != 0 or not who.partition(" <")[0].strip():
        raise StrataError(
            "git does not know who you are.",
            hint="git config --global user.name NAME && git config --global user.email MAIL",
        )
    return printable(who)


@dataclass(frozen=True, slots=True)
class _GpgSigner:
    gpg: Gpg
    key: str
    terminal: str | None

    def sign(self, data: bytes) -> bytes:
        return self.gpg.sign_detached(data, self.key, terminal=self.terminal)


@dataclass(frozen=True, slots=True)
class _SshSigner:
    ssh: Ssh
    key: str
    environ: Mapping[str, str]

    def sign(self, data: bytes) -> bytes:
        literal = self.key.removeprefix("key::")
        if literal == self.key and not self.key.startswith(("ssh-", "ecdsa-", "sk-")):
            return self.ssh.sign(data, _expanded(self.key, self.environ))
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="strata-") as folder:
            path = Path(folder, "key.pub")
            path.write_text(literal + "\n")
            return self.ssh.sign(data, path)


def _mail(repo: Repository) -> str:
    return committer(repo).rpartition(" <")[2].removesuffix(">")


def _expanded(path: str, environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME", "/"), path[2:]) if path.startswith("~/") else Path(path)


def _remembered(place: Path, state: str) -> dict[str, tuple[SignatureVerdict, ...]]:
    import json

    try:
        value = json.loads(place.read_bytes())
        if value["state"] != state:
            return {}
        return {oid: tuple(SignatureVerdict(*row) for row in rows) for oid, rows in value["verdicts"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _remember(place: Path, state: str, verdicts: Mapping[str, tuple[SignatureVerdict, ...]]) -> None:
    import contextlib
    import json

    from strata_git.repo.files import write_file

    rows = {oid: [astuple(verdict) for verdict in each] for oid, each in sorted(verdicts.items())}
    with contextlib.suppress(OSError, StrataError):  # a repository that cannot be written is still read
        place.parent.mkdir(parents=True, exist_ok=True)
        write_file(place, json.dumps({"state": state, "verdicts": rows}).encode())
