"""Answers about the ledger that were given before, for as long as nothing they follow from has changed.

An answer follows from the references, the keys, the settings, the pin and the high-water mark; all of them are in its
key, and so is the hour, because keys and approvals expire without anything changing. Forgetting one costs time only.
Nothing heavy is imported here: recalling an answer is to take little more than asking git for its references.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from strata_git import __version__
from strata_git.contracts.layout import SETTINGS
from strata_git.integrity.keyring import keyring_state
from strata_git.ledger.pins import VARIABLE, pins_file
from strata_git.repo.command import Repository

REVISION = 2
"""Raised when the same inputs give another answer."""
KEPT = 4
"""Answers that are kept, the latest ones."""
_PLACE = "answers.json"
_LIMIT = 32 << 20
_FILES = ("gpg.ssh.allowedsignersfile", "gpg.ssh.revocationfile")


@dataclass(frozen=True, slots=True)
class Standing:
    """What there is now: every reference (lines of object id and name), and one text for all that lies around them.

    `around` is the program, the hour, the keys, the settings, the pin and what a shallow clone lacks.
    """

    references: bytes
    around: str

    def key(self, repo: Repository, question: Sequence[str]) -> str:
        """What the answer to `question` depends on, as one short text. Raises StrataError where git cannot be asked."""
        asked = json.dumps(list(question)).encode()
        seen = _state(repo.common_dir / "strata" / "seen.json")
        return _hashed([self.around.encode(), asked, self.references, _head(repo), seen])


def standing(repo: Repository, *, now: datetime | None = None) -> Standing:
    """What answers follow from. Raises StrataError where git cannot be asked."""
    settings = repo.try_user_git("config", "--get-regexp", r"^(gpg|strata)\.").out
    named = [line.split(" ", 1)[1] for line in os.fsdecode(settings).splitlines() if line.lower().startswith(_FILES)]
    pins = pins_file(repo.environ)
    parts = [
        f"{__version__} {REVISION} {now or datetime.now(UTC):%Y-%m-%dT%H}".encode(),
        _bytes(repo.worktree / SETTINGS) if repo.worktree else b"",
        settings,
        keyring_state(repo.environ, [_expanded(path, repo.environ) for path in named]).encode(),
        *(_state(path) for path in (repo.common_dir / "shallow", *([pins] if pins else []))),
        os.fsencode(repo.environ.get(VARIABLE, "")),
    ]
    return Standing(repo.git("for-each-ref", "--format=%(objectname) %(refname)"), _hashed(parts))


def answer_key(repo: Repository, question: Sequence[str], *, now: datetime | None = None) -> str:
    """What the answer to `question` depends on, as one short text. Raises StrataError where git cannot be asked."""
    return standing(repo, now=now).key(repo, question)


def _head(repo: Repository) -> bytes:
    """What tells, with the references, where HEAD stands; git is asked only where its file does not say (reftable)."""
    said = _bytes(repo.git_dir / "HEAD")
    return said if said and b"refs/heads/.invalid" not in said else said + (repo.head() or "").encode()


def _hashed(parts: Sequence[bytes]) -> str:
    sha = hashlib.sha256()
    for part in parts:
        sha.update(b"%d:" % len(part) + part)
    return sha.hexdigest()


def recall(repo: Repository, key: str) -> dict[str, Any] | None:
    """The answer that was given to `key`; None where it is not remembered."""
    for known, answer in _load(repo):
        if known == key:
            return answer
    return None


def remember(repo: Repository, key: str, answer: Mapping[str, object]) -> None:
    """Keep an answer (JSON values). Where the repository cannot be written to, nothing happens."""
    from contextlib import suppress

    from strata_git.errors import StrataError
    from strata_git.repo.files import write_file

    rest = [(known, each) for known, each in _load(repo) if known != key]
    value = [[key, dict(answer)], *([known, each] for known, each in rest[: KEPT - 1])]
    with suppress(OSError, StrataError):
        repo.cache_dir.mkdir(parents=True, exist_ok=True)
        write_file(repo.cache_dir / _PLACE, json.dumps(value).encode())


def _load(repo: Repository) -> list[tuple[str, dict[str, Any]]]:
    try:
        value = json.loads(_bytes(repo.cache_dir / _PLACE))
        return [(str(key), answer) for key, answer in value if isinstance(answer, dict)]
    except (ValueError, TypeError, RecursionError):
        return []


def _bytes(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as stream:
            return stream.read(_LIMIT)
    except OSError:
        return b""


def _state(path: Path) -> bytes:
    try:
        status = os.lstat(path)
    except OSError:
        return b"-"
    return f"{status.st_mtime_ns}:{status.st_size}:{status.st_ino}".encode()


def _expanded(path: str, environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME", "/"), path[2:]) if path.startswith("~/") else Path(path)
