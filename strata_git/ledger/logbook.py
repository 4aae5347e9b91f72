"""The signed log as it lies in a repository: read and verified, and written (TFC-0009 section 9)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from strata_git.errors import StrataError, printable
from strata_git.integrity.policy import Vouch, principal_of, revoked_since, vouches_of
from strata_git.integrity.signer import Signer
from strata_git.ledger.event import LedgerComplaint
from strata_git.ledger.governed import ChainKeys
from strata_git.ledger.line import order
from strata_git.ledger.log import (
    LIMIT,
    LOG,
    LOGGED,
    POLICY,
    Change,
    Entry,
    EntryError,
    Log,
    fold_log,
    format_entry,
    parse_entry,
)
from strata_git.ledger.names import TAGS, parse_name
from strata_git.ledger.signing import committer
from strata_git.ledger.state import LedgerState
from strata_git.ledger.trust import Signed, Trust
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file
from strata_git.repo.history import is_ancestor, split_signature
from strata_git.repo.refs import list_refs, read_ref

HEADS = "refs/strata/ledger/"
REMOTES = "refs/strata/remotes/"
CACHE = "log.json"


def keeps_log(trust: Trust) -> bool:
    """Whether the policy in force asks for a signed log."""
    return trust.policy is not None and trust.policy.log


def log_of(remote: str) -> str:
    """The reference that holds how far the log of a remote was seen to go."""
    return f"{REMOTES}{remote}/log"


def read_log(repo: Repository, trust: Trust, *, tip: str | None = None) -> Log:
    """The log that ends in `tip` (default: the one that is here), every entry verified by the policy that it names.

    What is no log ends in one complaint and no state. Raises StrataError where gpg is missing.
    """
    end = tip or read_ref(repo, LOG)
    if end is None or trust.policy is None:
        return Log()
    try:
        listed = _chain(repo, end)
    except EntryError as error:
        return Log((), (LedgerComplaint("STR-P041", "", f"{LOG}: {error}"),))
    signers = _signers(repo, trust, listed)
    entries = [replace(entry, who=signers[entry.oid][0], revoked=signers[entry.oid][1]) for entry, _, _ in listed]
    versions = {policy.digest: policy.version for policy in trust.chain}
    return fold_log(entries, repository=trust.policy.repository, versions=versions)


def references(repo: Repository, trust: Trust, overlay: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the log is about as it is now: event tags, heads of lines, approvals, and the policy in force."""
    found = {ref.name: ref.oid for ref in list_refs(repo, *LOGGED)} | dict(overlay or {})
    kept = {ref: oid for ref, oid in found.items() if is_logged(ref)}
    return kept | ({POLICY: trust.policy.digest} if trust.policy else {})


def is_logged(ref: str) -> bool:
    """Whether a reference is one that the log is about."""
    if ref.startswith(TAGS):
        return parse_name(ref.removeprefix(TAGS)) is not None
    return ref.startswith(LOGGED)


def is_onward(state: LedgerState, trust: Trust, ref: str, old: str, new: str) -> bool:
    """Whether the head of a line, or the policy, went on from `old` to `new`; nothing else ever moves."""
    if ref == POLICY:
        versions = [policy.digest for policy in trust.chain]
        return old in versions and new in versions and versions.index(old) < versions.index(new)
    model = state.models.get(ref.removeprefix(HEADS)) if ref.startswith(HEADS) else None
    return model is not None and old in order(model.events).ancestry(new)


def unfollowed(repo: Repository) -> list[LedgerComplaint]:
    """Logs of remotes that were seen to go further than the one that is here, which was set back then."""
    here = read_ref(repo, LOG)
    told = []
    for ref in list_refs(repo, REMOTES):
        if not ref.name.endswith("/log") or ref.kind != "commit":
            continue
        if here is None or not is_ancestor(repo, ref.oid, here):
            remote = ref.name.removeprefix(REMOTES).removesuffix("/log")
            told.append(LedgerComplaint("STR-P041", "", f"the signed log lacks entries that {printable(remote)} had"))
    return told


def write_entry(
    repo: Repository, trust: Trust, log: Log, changes: Sequence[Change], deed: str, *, signer: Signer, now: datetime
) -> str:
    """The commit of a new entry behind the last one of `log`; no reference moves. StrataError where it would not count.

    Whoever moves `refs/strata/log` to it does so by compare-and-swap, from `log.tip`.
    """
    assert trust.policy is not None  # noqa: S101 - the caller asked whether a log is kept
    number, when = len(log.entries) + 1, int(now.timestamp())
    payload = format_entry(
        number, printable(deed)[:400], changes, repository=trust.policy.repository, policy=trust.policy.digest,
        tree=repo.empty_tree, parent=log.tip, who=committer(repo), when=when,
    )  # fmt: skip
    signature = signer.sign(payload)
    if _who(ChainKeys(repo, trust, strict=True), trust.versions[-1], payload, signature, when) is None:
        raise StrataError(
            "An entry of the signed log by this key would not count: the policy in force does not name it.",
            hint="git strata trust show   tells whose keys count; name another with --key",
        )
    kind = b"gpgsig-sha256" if repo.object_format == "sha256" else b"gpgsig"
    head, blank, message = payload.partition(b"\n\n")
    armored = signature.rstrip(b"\n").replace(b"\n", b"\n ")
    repo.write_object("tree", b"")
    return repo.write_object("commit", head + b"\n" + kind + b" " + armored + blank + message)


_Found = tuple[Entry, bytes, bytes]
"""An entry, the bytes that were signed, and the signature."""


def _chain(repo: Repository, tip: str) -> list[_Found]:
    """The commits from the first entry to `tip`. Raises EntryError."""
    result = repo.try_git("rev-list", "--topo-order", "--reverse", "--end-of-options", tip, "--")
    oids = result.out.decode().split()
    if result.code != 0:
        raise EntryError("is not all here")
    found: list[_Found] = []
    for oid, kind, data in repo.objects.read_many(oids):
        if kind != "commit" or data is None or len(data) > LIMIT:
            raise EntryError(f"entry {oid[:12]} is not here, or no commit of an entry's size")
        payload, signature = split_signature(data)
        try:
            entry = parse_entry(oid, payload, empty_tree=repo.empty_tree)
        except EntryError as error:
            raise EntryError(f"{oid[:12]} {error}") from None
        if entry.parent != (found[-1][0].oid if found else ""):
            raise EntryError(f"{oid[:12]} does not follow the entry before it")
        found.append((entry, payload, signature))
    return found


def _signers(repo: Repository, trust: Trust, listed: Iterable[_Found]) -> dict[str, tuple[str, bool]]:
    """Commit -> the person who signed, and whether that key was revoked then, as is known now.

    What was verified before with the same keys is remembered.
    """
    assert trust.policy is not None  # noqa: S101 - nothing is verified without a policy
    keys = ChainKeys(repo, trust)
    state = keys.state.partition(":")[2]
    versions = {signed.policy.digest: signed for signed in trust.versions}
    place = repo.cache_dir / CACHE
    known = _remembered(place.read_bytes() if place.is_file() else b"", state)
    fresh: dict[str, list[str]] = {}
    found = {}
    for entry, payload, signature in listed:
        signed = versions.get(entry.policy)
        row = known.get(entry.oid)
        if row is None:
            row = list((_who(keys, signed, payload, signature, entry.when) if signed else None) or ("", ""))
            fresh[entry.oid] = row
        name, key = row
        gone = bool(key) and revoked_since(trust.policy, Vouch(key, "log", entry.when))
        found[entry.oid] = (name, gone)
    if fresh:
        with suppress(OSError, StrataError):  # a repository that cannot be written is still read
            place.parent.mkdir(parents=True, exist_ok=True)
            write_file(place, json.dumps({"state": state, "signers": {**known, **fresh}}).encode())
    return found


def _who(keys: ChainKeys, signed: Signed, payload: bytes, signature: bytes, when: int) -> tuple[str, str] | None:
    """The person who signed an entry, by the policy it names, and the key; None where nobody's signature counts."""
    if not signature:
        return None
    try:
        at = datetime.fromtimestamp(when, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    vouches = vouches_of(keys.ring(signed, True).verify_detached(payload, signature, at=at), "log")
    if len(vouches) != 1:
        return None
    name = principal_of(signed.policy, vouches[0].key, max(vouches[0].at, when))
    return (name, vouches[0].key) if name else None


def _remembered(data: bytes, state: str) -> dict[str, list[str]]:
    """Commit -> (person, key), as verified before with the same keys."""
    try:
        value = json.loads(data)
        rows = value["signers"].items() if value["state"] == state else ()
        return {oid: row for oid, row in rows if len(row) == 2 and all(isinstance(word, str) for word in row)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
