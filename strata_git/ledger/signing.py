"""Who signs events and who verifies them: the user's own keys and programs, never a repository's.

Verdicts are remembered by tag object for one state of the keyring. Forgetting them costs time only.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Protocol

from strata_git.errors import StrataError, printable
from strata_git.integrity.armor import ArmorError, packets, split_blocks
from strata_git.integrity.gpg import Gpg
from strata_git.integrity.keyring import keyring_state
from strata_git.integrity.signer import SignatureVerdict, Signer
from strata_git.integrity.ssh import ARTIFACTS, BEGIN, NAMESPACE, Ssh
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
        self._allowed, self._revoked = ssh_files(repo)

    def verify_tag_payload(self, payload: bytes, signature: bytes, /) -> Sequence[SignatureVerdict]:
        """One verdict for each signature; an SSH key must have been allowed at the tagger's date."""
        try:
            at = datetime.fromtimestamp(parse_tag(payload).when, UTC)
        except (TagError, ValueError, OverflowError, OSError):
            return [SignatureVerdict("", "", "malformed")]
        if signature.startswith(BEGIN):
            ssh = Ssh(environ=self._environ, allowed_signers=self._allowed, revoked=self._revoked)
            return ssh.verify_detached(payload, signature, at=at)
        return self._gpg.verify_detached(payload, signature)

    @property
    def state(self) -> str:
        """Changes whenever the keys do, and every day: keys and signatures expire without a file changing."""
        also = [path for path in (self._allowed, self._revoked) if path]
        files = f"{self._allowed}:{self._revoked}"
        return f"{datetime.now(UTC):%Y-%m-%d}:{files}:{keyring_state(self._environ, also)}"


def ssh_files(repo: Repository) -> tuple[Path | None, Path | None]:
    """The user's own allowed-signers and revocation files, as git names them; a repository's settings are not asked."""
    named = (repo.own_config("gpg.ssh.allowedSignersFile"), repo.own_config("gpg.ssh.revocationFile"))
    allowed, revoked = (_expanded(path, repo.environ) if path else None for path in named)
    return allowed, revoked


def artifact_gpg(repo: Repository, program: str | None = None) -> Gpg:
    """gpg on the user's keyring, for signatures over artifacts; SSH ones are judged by the user's allowed signers."""
    allowed, revoked = ssh_files(repo)
    ssh = Ssh(environ=repo.environ, allowed_signers=allowed, revoked=revoked, namespace=ARTIFACTS)
    return Gpg(None, program, environ=repo.environ, ssh=ssh)


def names_ssh_key(repo: Repository, wanted: str) -> bool:
    """Whether a key is named as SSH keys are, or git signs with SSH here."""
    style = repo.user_config("gpg.format") or "openpgp"
    return bool(_SSH_KEY.fullmatch(wanted) or (style == "ssh" and not _GPG_KEY.fullmatch(wanted)))


def verify_tags(
    repo: Repository,
    tags: Mapping[str, TagObject],
    verifier: Verifier,
    progress: Callable[[int], None] | None = None,
) -> dict[str, tuple[SignatureVerdict, ...]]:
    """Verdicts on signed tags, by object id (unsigned ones have none). Raises StrataError where gpg cannot be run."""
    signed = {oid: tag for oid, tag in tags.items() if tag.signature}
    state = str(getattr(verifier, "state", ""))
    place = repo.cache_dir / CACHE

    def verify(oid: str) -> tuple[SignatureVerdict, ...]:
        verdicts = tuple(verifier.verify_tag_payload(signed[oid].payload, signed[oid].signature))
        if progress is not None:
            progress(1)
        return verdicts

    kept = _remembered(place, state) if state and signed else _Kept()
    known = kept.verdicts if kept.state == state else _lasting(kept, signed, verify)
    missing = [oid for oid in signed if oid not in known]

    if len(missing) > _WORKERS:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(_WORKERS) as pool:
            fresh = dict(zip(missing, pool.map(verify, missing), strict=True))
    else:
        fresh = {oid: verify(oid) for oid in missing}
    if state and (fresh or kept.state != state):
        ending = kept.ending | {oid for oid in fresh if _ends(signed[oid].signature)}
        _remember(place, _Kept(state, {**known, **fresh}, ending))
    return {oid: fresh[oid] if oid in fresh else known[oid] for oid in signed}


def signer_for(
    repo: Repository, *, key: str = "", configured: str = "", terminal: str | None = None, namespace: str = NAMESPACE
) -> Signer:
    """Who signs: `key`, else `configured` (strata.yaml), else git's user.signingkey, else the committer's GPG key.

    `terminal` is where a passphrase may be asked for, `namespace` what an SSH signature is for (default: for git).
    Raises StrataError when there is no such key.
    """
    wanted = key or configured or repo.user_config("user.signingkey") or ""
    style = repo.user_config("gpg.format") or "openpgp"
    if names_ssh_key(repo, wanted):
        if not wanted:
            raise StrataError(
                "git signs with SSH keys here (gpg.format), and no key is named.",
                hint="git config --global user.signingkey ~/.ssh/id_ed25519.pub",
            )
        return _SshSigner(Ssh(environ=repo.environ, namespace=namespace), wanted, repo.environ)
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


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is remembered: for which state of the keys, and which signatures end by themselves."""

    state: str = ""
    verdicts: Mapping[str, tuple[SignatureVerdict, ...]] = field(default_factory=dict)
    ending: frozenset[str] = frozenset()


def _lasting(
    kept: _Kept, tags: Mapping[str, TagObject], verify: Callable[[str], tuple[SignatureVerdict, ...]]
) -> dict[str, tuple[SignatureVerdict, ...]]:
    """What still holds on another day, when the keys are the same: only time can have made a difference.

    It makes none to SSH signatures, which are judged as of their tag's date, nor to what was not good. A GPG key is
    asked about once, by its latest signature here: when that one holds, so do all that do not end by themselves.
    """
    held: dict[str, tuple[SignatureVerdict, ...]] = {}
    by_key: defaultdict[str, list[str]] = defaultdict(list)
    for oid, verdicts in kept.verdicts.items():
        if not any(verdict.good and not verdict.fingerprint.startswith("SHA256:") for verdict in verdicts):
            held[oid] = verdicts
        elif len(verdicts) == 1 and oid not in kept.ending:
            by_key[verdicts[0].fingerprint].append(oid)
    for oids in by_key.values():
        sample = max((oid for oid in oids if oid in tags), key=lambda oid: tags[oid].when, default=None)
        if sample is not None and verify(sample) == kept.verdicts[sample]:
            held |= {oid: kept.verdicts[oid] for oid in oids}
    return held


def _ends(signature: bytes) -> bool:
    """Whether a signature expires by itself; one that cannot be read is taken to."""
    try:
        return any(packet.ends for block in split_blocks(signature) for packet in packets(block))
    except ArmorError:
        return True


def _remembered(place: Path, state: str) -> _Kept:
    """What was remembered for these keys, of whatever day."""
    import json

    try:
        value = json.loads(place.read_bytes())
        if value["state"].partition(":")[2] != state.partition(":")[2]:
            return _Kept()
        verdicts = {oid: tuple(SignatureVerdict(*row) for row in rows) for oid, rows in value["verdicts"].items()}
        return _Kept(value["state"], verdicts, frozenset(value["ending"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _Kept()


def _remember(place: Path, kept: _Kept) -> None:
    import contextlib
    import json

    from strata_git.repo.files import write_file

    columns = attrgetter(*(column.name for column in fields(SignatureVerdict)))  # astuple would copy deeply
    rows = {oid: [columns(verdict) for verdict in each] for oid, each in sorted(kept.verdicts.items())}
    value = {"state": kept.state, "verdicts": rows, "ending": sorted(kept.ending & rows.keys())}
    with contextlib.suppress(OSError, StrataError):  # a repository that cannot be written is still read
        place.parent.mkdir(parents=True, exist_ok=True)
        write_file(place, json.dumps(value).encode())
