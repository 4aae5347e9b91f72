"""The trust policy as it lies in the work tree, between two versions: what it starts from, and what it still lacks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from strata_git.config import Settings
from strata_git.contracts.layout import NAME, POLICY, TRUST
from strata_git.errors import StrataError, printable
from strata_git.integrity.armor import split_blocks
from strata_git.integrity.policy import (
    AHEAD,
    Policy,
    PolicyError,
    Shortfall,
    enough_roots,
    follows,
    parse_policy,
    people,
    policy_digest,
)
from strata_git.integrity.policy_keys import FOLDER, POLICY_NAMESPACE, PolicyKeys
from strata_git.ledger.trust import (
    BLOCKS,
    HERE,
    SIGNATURES,
    Signed,
    Trust,
    collect,
    read_trust,
    read_version,
    root_vouches,
)
from strata_git.load import Unloadable, dump_yaml, load_yaml
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file
from strata_git.repo.tree import commit_tree
from strata_git.repo.worktree import WorkTree, read_plain

Plain = dict[str, Any]
LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Edited:
    """The policy as it now lies in the work tree: who of its roots signed it, and what it lacks to come into force."""

    policy: Policy
    message: str
    signed_by: tuple[str, ...]
    lacking: tuple[Shortfall, ...]
    paths: tuple[str, ...] = (TRUST,)


@dataclass(frozen=True, slots=True)
class Base:
    """What a change starts from: the version in force (None: there is none yet), and the file in the work tree."""

    before: Signed | None
    data: bytes | None

    @property
    def plain(self) -> Plain:
        """The file in the work tree as plain data; StrataError when there is none, or it cannot be read."""
        if self.data is None:
            raise StrataError("There is no trust policy here.", hint="git strata trust init")
        try:
            value = load_yaml(self.data).value
            parse_policy(self.data)
        except (Unloadable, PolicyError) as error:
            raise StrataError(f"{POLICY}:{error.line}: {printable(error.message)}", hint="Mend the file.") from None
        assert isinstance(value, dict)  # noqa: S101 - the contract has just seen it
        return value


def pending(repo: Repository, settings: Settings) -> Edited | None:
    """The policy in the work tree where it is another than that in force; None where it is not."""
    base = base_of(repo, settings)
    if base.data is None or (base.before is not None and base.before.data == base.data):
        return None
    base.plain  # noqa: B018 - raises when it cannot be read
    return told(repo, base.before, "")


def base_of(repo: Repository, settings: Settings) -> Base:
    """The version in force where one is pinned, else the last signed one before HEAD; and the file in the work tree."""
    repo.require_worktree()
    trust = read_trust(repo, settings.repository)
    data = read_plain(repo, POLICY, LIMIT)
    return Base(trust.current or _at_head(repo, trust), data)


def _at_head(repo: Repository, trust: Trust) -> Signed | None:
    head = repo.head()
    if head is None:
        return None
    signed = read_version(commit_tree(repo, head, [TRUST]), f"{TRUST}/")
    signed = trust.found.get(signed.policy.digest, signed) if signed is not None else None
    while signed is not None and not _is_signed(repo, signed):
        signed = trust.found.get(signed.policy.previous or "")
    return signed


def _is_signed(repo: Repository, signed: Signed) -> bool:
    """Whether enough of its own roots signed a version; one that nobody signed is still being written."""
    vouches = root_vouches(signed, signed, repo.environ)
    return enough_roots(signed.policy, vouches, since=signed.policy.issued - AHEAD) is None


def write(repo: Repository, base: Base, value: Plain, message: str, keys: Mapping[str, bytes], now: datetime) -> Edited:
    """Put `value` into the work tree as the version after that in force, with key files by name. StrataError where it
    would be no policy; nothing is written then."""
    before = base.before.policy if base.before else None
    value["version"] = before.version + 1 if before else 1
    value["previous"] = before.digest if before else None
    value["issued"] = stamp(max(now, datetime.fromtimestamp(before.issued, UTC)) if before else now)
    data = dump_yaml(value)
    try:
        parse_policy(data)
    except PolicyError as error:
        raise StrataError(
            f"That would be no policy: {printable(error.message)}.", hint="git strata trust show"
        ) from None
    store(repo, data, {f"{FOLDER}/{name}": content for name, content in keys.items()}, unsigned=True)
    return told(repo, base.before, message)


def numbered(base: Base, now: datetime) -> bytes:
    """The file as somebody edited it, with the next number; everything else stays as it is written."""
    assert base.before is not None and base.data is not None  # noqa: S101, PT018 - the caller compared them
    before = base.before.policy
    issued = stamp(max(now, datetime.fromtimestamp(before.issued, UTC)))
    keys = {b"version": str(before.version + 1), b"previous": before.digest, b"issued": issued}
    lines = base.data.split(b"\n")
    for at, line in enumerate(lines):
        word, colon, _ = line.partition(b":")
        if colon and word in keys:
            lines[at] = word + b": " + keys.pop(word).encode()
    data = b"\n".join(lines)
    try:
        policy = parse_policy(data)
    except PolicyError:
        policy = None
    if keys or policy is None or (policy.version, policy.previous) != (before.version + 1, before.digest):
        raise StrataError(
            f"{POLICY} was edited, and its number could not be raised.",
            hint=f"Set 'version: {before.version + 1}' and 'previous: {before.digest}', then sign again.",
        )
    return data


def store(repo: Repository, data: bytes, files: Mapping[str, bytes], *, unsigned: bool = False) -> None:
    """Write keys and signatures, the policy last; `unsigned` takes away the signatures over the bytes before."""
    root = repo.require_worktree() / TRUST
    for place in (root.parent, root, root / FOLDER, root / SIGNATURES):
        if place.is_symlink():
            raise StrataError(f"{printable(str(place))} is a link; a trust policy is not written through one.")
    if unsigned:
        for path in (root / BLOCKS, *sorted((root / SIGNATURES).glob("*.sig"))):
            path.unlink(missing_ok=True)
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write_file(root / name, content)
    if read_plain(repo, POLICY, LIMIT) != data:
        root.mkdir(parents=True, exist_ok=True)
        write_file(root / "policy.yaml", data)


def told(repo: Repository, before: Signed | None, message: str) -> Edited:
    """What lies in the work tree now, and what it lacks to follow `before`."""
    signed = read_version(WorkTree(repo, [TRUST]), f"{TRUST}/")
    if signed is None:
        raise StrataError(f"{POLICY} cannot be read back.", hint="git strata trust show")
    vouches = root_vouches(signed, signed, repo.environ)
    if before is not None:
        vouches += root_vouches(signed, before, repo.environ)
        lacking = follows(before.policy, signed.policy, vouches)
    else:
        short = enough_roots(signed.policy, vouches, since=signed.policy.issued - AHEAD)
        lacking = (short,) if short else ()
    names = people(signed.policy, vouches) | (people(before.policy, vouches) if before else frozenset())
    return Edited(signed.policy, message, tuple(sorted(names)), lacking)


def standing_blocks(repo: Repository, base: Base) -> bytes | None:
    """The OpenPGP signatures that lie there without those over other bytes; None where none is left."""
    data = read_plain(repo, f"{TRUST}/{BLOCKS}", LIMIT)
    signed = read_version(WorkTree(repo, [TRUST]), f"{TRUST}/")
    if not data or signed is None:
        return data or None
    rings = [each.keyring(repo.environ) for each in (signed, base.before) if each is not None]
    kept = [block for block in split_blocks(data) if not any(_is_bad(ring, signed, block) for ring in rings)]
    return b"".join(kept) or None


def drop_stale(repo: Repository, base: Base) -> None:
    """Take away SSH signatures over other bytes than those in the work tree."""
    signed = read_version(WorkTree(repo, [TRUST]), f"{TRUST}/")
    folder = repo.require_worktree() / TRUST / SIGNATURES
    if signed is None or folder.is_symlink():
        return
    rings = [each.keyring(repo.environ) for each in (signed, base.before) if each is not None]
    for path in sorted(folder.glob("*.sig")):
        block = read_plain(repo, f"{TRUST}/{SIGNATURES}/{path.name}", LIMIT)
        if block is not None and any(_is_bad(ring, signed, block) for ring in rings):
            path.unlink()


def _is_bad(ring: PolicyKeys, signed: Signed, block: bytes) -> bool:
    verdicts = ring.verify_detached(signed.data, block, namespace=POLICY_NAMESPACE)
    return any(verdict.status in ("bad", "malformed") for verdict in verdicts)


def root_behind(repo: Repository, base: Base, block: bytes) -> str:
    """Which root a signature is by; StrataError where it is none's."""
    signed = read_version(WorkTree(repo, [TRUST]), f"{TRUST}/")
    assert signed is not None  # noqa: S101 - it was parsed just now
    trial = Signed(signed.policy, signed.data, signed.keys, (block,))
    for ring in (signed, *([base.before] if base.before else [])):
        names = people(ring.policy, root_vouches(trial, ring, repo.environ)) & set(ring.policy.roots)
        if names:
            return min(names)
    roots = sorted({*signed.policy.roots, *(base.before.policy.roots if base.before else ())})
    raise StrataError(
        "That key is no valid root's, so its signature would not count.",
        hint=f"The roots are {', '.join(roots)}; name the key with --key.",
    )


def stamp(moment: datetime) -> str:
    """A moment as contracts write it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def own_name(repo: Repository) -> str:
    """A name for the user in a policy, made from git's user.name."""
    name = plain_name(repo.user_config("user.name") or "")
    if not NAME.fullmatch(name):
        raise StrataError("git does not know a name that would do.", hint="Name yourself: --name NAME")
    return name


def plain_name(text: str) -> str:
    """Somebody's name as a policy could call them; `""` where nothing of it would do."""
    words = text.lower().split()
    return "-".join(filter(None, ("".join(c for c in word if c.isascii() and c.isalnum()) for word in words)))


def policy_files(repo: Repository, policy: Policy) -> tuple[str, ...]:
    """The files that make up the policy and differ from HEAD: itself, signatures and the keys of its people. What
    else lies in the directory is not named."""
    root = repo.require_worktree()
    head = repo.head()
    known = {entry.path: entry.oid for entry in commit_tree(repo, head, [TRUST]).under(TRUST)} if head else {}
    here = {entry.path: entry.oid for entry in WorkTree(repo, [TRUST]).under(TRUST)}
    ours = [POLICY, f"{TRUST}/{BLOCKS}"]
    ours += [path for path in {*known, *here} if path.startswith(f"{TRUST}/{SIGNATURES}/") and path.endswith(".sig")]
    for name in policy.principals:
        ours += [f"{TRUST}/{FOLDER}/{name}{suffix}" for suffix in (".asc", ".pub", ".pem")]
    there = [path for path in ours if path in known or (root / path).is_file()]
    return tuple(sorted(path for path in set(there) if known.get(path) != here.get(path)))


def pinnable(repo: Repository, text: str) -> bool:
    """Whether some version of the policy in the history here has the digest `text`."""
    head = repo.head()
    return text in collect(repo, [*HERE, *([head] if head else [])])


def work_digest(repo: Repository) -> str | None:
    """The digest of the policy in the work tree; None where there is none."""
    data = read_plain(repo, POLICY, LIMIT) if repo.worktree is not None else None
    return policy_digest(data) if data is not None else None


def elsewhere(repo: Repository, cwd: Path) -> str:
    """The work tree, where it is not the current directory; `""` where it is."""
    root = repo.require_worktree()
    return "" if os.path.samefile(root, cwd) else str(root)
