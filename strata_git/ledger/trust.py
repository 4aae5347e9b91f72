"""Which policy is in force here: its versions as history holds them, and the pin that stands outside (TFC-0009 6).

The newest version that descends from the pin and carries enough signatures is in force, on whatever branch it is seen
first: setting a branch back cannot lower it. What an unpinned policy says is read by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import POLICY, TRUST
from strata_git.errors import StrataError
from strata_git.integrity.armor import ArmorError, split_blocks
from strata_git.integrity.policy import Policy, PolicyError, Shortfall, Vouch, parse_policy, policy_digest, vouches_of
from strata_git.integrity.policy_chain import Chain, walk
from strata_git.integrity.policy_keys import FILE_LIMIT, FOLDER, POLICY_NAMESPACE, PolicyKeys
from strata_git.ledger.pins import Pin, find_pin
from strata_git.repo.command import Repository
from strata_git.repo.tree import ListedTree, commit_tree

State = Literal["unprotected", "unpinned", "trusted", "broken"]

BLOCKS = "policy.yaml.asc"
"""OpenPGP signatures over policy.yaml, one armored block a root: `gpg --verify policy.yaml.asc policy.yaml`."""
SIGNATURES = "signatures"
"""The folder of SSH signatures over policy.yaml, `<principal>.sig`, in the namespace `strata-policy`."""
HERE = ("--branches", "--remotes")
LIMIT = 1 << 20
_ALL = 400
"""Most files of a trust directory that are read."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A version of the policy as files: its bytes, (name, bytes) of public keys, and every signature block over it.

    A name may come more than once: what different commits hold under it is read each for itself.
    """

    policy: Policy
    data: bytes
    keys: tuple[tuple[str, bytes], ...]
    signatures: tuple[bytes, ...]

    def keyring(self, environ: Mapping[str, str], *, as_signed: bool = True) -> PolicyKeys:
        """Verifies with the keys of this version alone."""
        return PolicyKeys(self.policy, self.keys, environ=environ, as_signed=as_signed)


@dataclass(frozen=True, slots=True)
class Trust:
    """What is trusted here.

    `unprotected`: there is no policy. `unpinned`: there is one, and nobody here said that it is the right one.
    `trusted`: `versions` are the line of the pin, oldest first, the last one in force. `broken`: what is pinned cannot
    be followed; nothing may be built on it. `findings` tell what there is to tell in each case.
    """

    state: State = "unprotected"
    versions: tuple[Signed, ...] = ()
    pin: Pin | None = None
    findings: tuple[Finding, ...] = ()
    found: Mapping[str, Signed] = field(default_factory=dict)

    @property
    def current(self) -> Signed | None:
        """The version in force; None where none is."""
        return self.versions[-1] if self.state == "trusted" else None

    @property
    def policy(self) -> Policy | None:
        """The policy in force; None where none is."""
        return self.versions[-1].policy if self.state == "trusted" else None

    @property
    def chain(self) -> tuple[Policy, ...]:
        """The versions' contents, oldest first."""
        return tuple(signed.policy for signed in self.versions)


def read_trust(repo: Repository, repository: str, *, head: str | None = None, revisions: Sequence[str] = HERE) -> Trust:
    """What is trusted in this repository, whose UUID is `repository`.

    `head` is the commit whose tree says that there is a policy (default: HEAD), `revisions` where its versions are
    looked for. Raises StrataError for a pin that cannot be read, and where gpg is missing.
    """
    commit = head or repo.head()
    pin = find_pin(repo, repository)
    present = commit is not None and dict(repo.objects.lookup([f"{commit}:{POLICY}"]))[f"{commit}:{POLICY}"] is not None
    if not present and pin is None:
        return Trust(findings=(_unprotected(),))
    versions = collect(repo, [*revisions, *([commit] if commit else [])])
    if pin is None:
        return Trust("unpinned", findings=(_unpinned(repo, commit, versions),), found=versions)
    chain = judge_chain(versions, repo.environ, pin, repository)
    told = tuple(_finding(short) for short in chain.told)
    if chain.current is None or told:
        return Trust("broken", tuple(versions[each.digest] for each in chain.versions), pin, told, versions)
    return Trust("trusted", tuple(versions[each.digest] for each in chain.versions), pin, (), versions)


def judge_chain(versions: Mapping[str, Signed], environ: Mapping[str, str], pin: Pin, repository: str) -> Chain:
    """The line of versions that a pin leads to, every signature verified."""
    remembered: dict[tuple[str, str], tuple[Vouch, ...]] = {}
    rings: dict[str, PolicyKeys] = {}

    def vouches(policy: Policy, before: Policy | None) -> tuple[Vouch, ...]:
        known: tuple[Vouch, ...] = ()
        for ring in (policy, *([before] if before else [])):
            key = (policy.digest, ring.digest)
            if ring.digest not in rings:
                rings[ring.digest] = versions[ring.digest].keyring(environ)
            if key not in remembered:
                remembered[key] = vouches_by(versions[policy.digest], rings[ring.digest])
            known += remembered[key]
        return known

    policies = {digest: signed.policy for digest, signed in versions.items()}
    return walk(policies, vouches, digest=pin.digest, keys=pin.keys, repository=repository)


def root_vouches(signed: Signed, ring: Signed, environ: Mapping[str, str]) -> tuple[Vouch, ...]:
    """The good signatures over the bytes of `signed` by keys of `ring`; an SSH signature tells no time of its own."""
    return vouches_by(signed, ring.keyring(environ))


def vouches_by(signed: Signed, keys: PolicyKeys) -> tuple[Vouch, ...]:
    """The same, with a keyring that is set up already."""
    issued = datetime.fromtimestamp(signed.policy.issued, UTC)
    vouches: list[Vouch] = []
    for block in signed.signatures:
        verdicts = keys.verify_detached(signed.data, block, at=issued, namespace=POLICY_NAMESPACE)
        vouches += vouches_of(verdicts, "policy")
    return tuple(vouches)


# -- what history holds ---------------------------------------------------------------------------------------------


def collect(repo: Repository, revisions: Sequence[str]) -> dict[str, Signed]:
    """Every version of the policy in the history of `revisions`, by digest, with all keys and signatures that ever lay
    beside it. What cannot be read is left out: it is nobody's policy."""
    listed = repo.git("rev-list", "--full-history", *revisions, "--", TRUST).decode().split()
    tips = [revision for revision in revisions if not revision.startswith("-")]
    names = [f"{commit}:{TRUST}" for commit in dict.fromkeys([*tips, *listed])]
    trees = dict.fromkeys(row[0] for _, row in repo.objects.lookup(names) if row is not None and row[1] == "tree")
    versions: dict[str, Signed] = {}
    for tree in trees:
        signed = read_version(commit_tree(repo, tree))
        if signed is None:
            continue
        before = versions.get(signed.policy.digest)
        versions[signed.policy.digest] = _joined(before, signed) if before else signed
    return versions


def read_version(files: ListedTree, prefix: str = "") -> Signed | None:
    """The version that a trust directory (`files` below `prefix`) holds; None where there is none that can be read."""
    data = _read(files, f"{prefix}policy.yaml", LIMIT)
    try:
        policy = parse_policy(data) if data is not None else None
    except PolicyError:
        return None
    if policy is None or data is None:
        return None
    keys = tuple(_below(files, f"{prefix}{FOLDER}"))
    blocks = _blocks(_read(files, f"{prefix}{BLOCKS}", LIMIT))
    blocks += [blob for _, blob in _below(files, f"{prefix}{SIGNATURES}")]
    return Signed(policy, data, keys, tuple(dict.fromkeys(blocks)))


def _joined(one: Signed, other: Signed) -> Signed:
    keys = tuple(dict.fromkeys((*one.keys, *other.keys)))
    return Signed(one.policy, one.data, keys, tuple(dict.fromkeys((*one.signatures, *other.signatures))))


def _below(files: ListedTree, folder: str) -> list[tuple[str, bytes]]:
    entries = [entry for entry in files.under(folder) if "/" not in entry.path[len(folder) + 1 :]][:_ALL]
    read = ((entry.path.rpartition("/")[2], _read(files, entry.path, FILE_LIMIT)) for entry in entries)
    return [(name, data) for name, data in read if data is not None]


def _read(files: ListedTree, path: str, limit: int) -> bytes | None:
    entry = files.get(path)
    if entry is None or entry.mode not in ("100644", "100755"):
        return None
    try:
        return files.read(entry, limit)
    except (KeyError, ValueError):
        return None


def _blocks(data: bytes | None) -> list[bytes]:
    try:
        return split_blocks(data) if data else []
    except ArmorError:
        return []


# -- telling -----------------------------------------------------------------------------------------------------------


def _unpinned(repo: Repository, commit: str | None, versions: Mapping[str, Signed]) -> Finding:
    data = _read(commit_tree(repo, commit, [POLICY]), POLICY, LIMIT) if commit else None
    digest = policy_digest(data) if data is not None else "sha256:..."
    number = f"version {versions[digest].policy.version} of a policy" if digest in versions else "a policy"
    fix = f"after comparing the digest with the people who made it: `git strata trust pin {digest}`"
    return found("STR-P034", POLICY, f"{number} found, not pinned: it is not trusted here", fix=fix)


def _unprotected() -> Finding:
    return found("STR-P019", POLICY, "unprotected: no trust policy says who may promote")


def _finding(short: Shortfall) -> Finding:
    return found(short.rule_id, POLICY, short.message)


def not_lowered(trust: Trust, seen: int) -> Trust:
    """`trust`, broken where an older version is in force than this clone has seen before (`seen`: its number)."""
    if trust.policy is None or trust.policy.version >= seen:
        return trust
    message = f"version {seen} of the policy was in force here before, and now it is version {trust.policy.version}"
    return replace(trust, state="broken", findings=(*trust.findings, found("STR-P031", POLICY, message)))


def unprotected_as_error(trust: Trust) -> tuple[Finding, ...]:
    """The findings of `trust`, as errors where nothing is protected."""
    if trust.state == "trusted":
        return trust.findings
    if not trust.findings:
        trust = replace(trust, findings=(_unprotected(),))
    return tuple(found(each.rule, each.path, each.message, severity="error", fix=each.fix) for each in trust.findings)


def require_policy(trust: Trust) -> Signed:
    """The version in force; StrataError where there is none."""
    if trust.current is None:
        told = trust.findings[0] if trust.findings else None
        raise StrataError(told.message if told else "There is no trust policy.", hint=told.fix if told else "")
    return trust.current
