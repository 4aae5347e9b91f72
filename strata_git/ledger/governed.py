"""What a trust policy needs from a repository to judge events: its keys, adopted events, facts about versions."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import new as new_hash
from threading import Lock
from typing import TYPE_CHECKING

from strata_git.contracts.layout import CHECKSUMS, METADATA, MODEL_SIG, SIGNATURE
from strata_git.errors import StrataError
from strata_git.integrity.policy import Figure, Policy, Rule, Vouch, key_of, vouches_of
from strata_git.integrity.policy_keys import PolicyKeys
from strata_git.integrity.signer import SignatureVerdict
from strata_git.ledger.approval import Approval
from strata_git.ledger.assurances import staleness
from strata_git.ledger.authority import Authority, VersionFacts, govern, judge_authority
from strata_git.ledger.event import Event, LedgerComplaint
from strata_git.ledger.moves import Transitions
from strata_git.ledger.receipts import receipt_vouches, run_behind
from strata_git.ledger.record import RecordError, TagError, parse_message, parse_tag, split_message
from strata_git.ledger.state import LedgerState, ModelState, fold
from strata_git.ledger.trust import Signed, Trust
from strata_git.repo.command import Repository
from strata_git.repo.history import parse_commit, split_signature

if TYPE_CHECKING:
    from strata_git.ledger.signing import Verifier

LIMIT = 16 << 20
METRICS = "metrics.yaml"
_ADOPTED = 100_000
"""Most events that a policy's first version may adopt."""


class ChainKeys:
    """Verifies tags with the keys of the policy version that each names, and with no others.

    `fresh` are tag objects that have to be valid now; for others a key may have expired since, where the policy grants
    it. `adopted` ones were taken over by the first version as they were: it names their ids, which bind their bytes.
    `strict` says that everything is new: for whoever is about to write.
    """

    def __init__(
        self,
        repo: Repository,
        trust: Trust,
        *,
        adopted: Collection[str] = (),
        fresh: Collection[str] = (),
        strict: bool = False,
    ):
        self._strict = strict
        self._trust = trust
        self._environ = repo.environ
        self._format = repo.object_format
        self.adopted = frozenset(adopted)
        self._fresh = frozenset(fresh)
        self._lock = Lock()
        self._rings: dict[tuple[str, bool], PolicyKeys] = {}

    def verify_tag_payload(self, payload: bytes, signature: bytes, /) -> Sequence[SignatureVerdict]:
        """One verdict for each signature; an SSH key is judged as of the tagger's date."""
        try:
            at = datetime.fromtimestamp(parse_tag(payload).when, UTC)
        except (TagError, ValueError, OverflowError, OSError):
            return [SignatureVerdict("", "", "malformed")]
        oid = new_hash(self._format, b"tag %d\0" % len(payload + signature) + payload + signature).hexdigest()
        signed = self._version(payload)
        lenient = signed.policy.grace == "recorded" and not self._strict and oid not in self._fresh
        verdicts = self.ring(signed, lenient).verify_detached(payload, signature, at=at)
        if oid in self.adopted and not any(verdict.good for verdict in verdicts):
            return [SignatureVerdict("", "", "good", "whoever signed before the policy", int(at.timestamp()), "", True)]
        return verdicts

    @property
    def state(self) -> str:
        """Changes with the chain and every day; empty (nothing is remembered) while something new is judged."""
        if self._fresh or self._strict:
            return ""
        digests = "+".join(policy.digest for policy in self._trust.chain)
        return f"{datetime.now(UTC):%Y-%m-%d}:{digests}:{self._keys_digest()}"

    def ring(self, signed: Signed, as_signed: bool) -> PolicyKeys:
        """The keys of one version, set up once."""
        key = (signed.policy.digest, as_signed)
        with self._lock:
            if key not in self._rings:
                self._rings[key] = signed.keyring(self._environ, as_signed=as_signed)
            return self._rings[key]

    def _version(self, payload: bytes) -> Signed:
        """The version that the record names, else the first one: what names none was made before there was any."""
        try:
            record = json.loads(split_message(parse_tag(payload).message)[1])
            named = record.get("policy") if isinstance(record, dict) else None
        except (RecordError, TagError, ValueError, RecursionError):
            named = None
        versions = self._trust.versions
        return next((signed for signed in versions if signed.policy.digest == named), versions[0])

    def _keys_digest(self) -> str:
        sha = new_hash("sha256")
        for signed in self._trust.versions:
            for name, data in sorted(signed.keys):
                sha.update(b"%d %d %s" % (len(name), len(data), name.encode("utf-8", "surrogateescape")) + data)
        return sha.hexdigest()


def adopted_events(repo: Repository, policies: Sequence[Policy]) -> frozenset[str]:
    """The events that the first version took over: the ends it names, and all that they follow."""
    found: set[str] = set()
    open_ = [oid for policy in policies for oid in policy.adopted.values()]
    while open_ and len(found) < _ADOPTED:
        fresh = [oid for oid in dict.fromkeys(open_) if oid not in found]
        found.update(fresh)
        open_ = []
        for _, kind, data in repo.objects.read_many(fresh):
            if kind == "tag" and data is not None:
                open_ += _before(data)
    return frozenset(found)


def _before(data: bytes) -> Iterable[str]:
    try:
        _, record = parse_message(parse_tag(data).message)
    except (TagError, RecordError):
        return ()
    return (*((record.prev,) if record.prev else ()), *record.merges)


class _Facts:
    """Facts about versions, each read once."""

    def __init__(
        self, repo: Repository, trust: Trust, keys: ChainKeys, overlay: Mapping[str, str] | None = None
    ) -> None:
        self._repo = repo
        self._overlay = overlay
        self._signed = {signed.policy.digest: signed for signed in trust.versions}
        self._keys = keys
        self._known: dict[tuple[str, str, str, str, int], VersionFacts] = {}

    def of(self, event: Event, policy: Policy) -> VersionFacts:
        """What is known about the version that `event` moves, its signatures judged by `policy`."""
        record = event.record
        if record is None:
            return VersionFacts()
        place = f"models/{record.model}/{record.version}"
        asked = (record.commit, record.judged_at, place, policy.digest, event.when)
        if asked not in self._known:
            signed = self._signed.get(policy.digest)
            ring = self._keys.ring(signed, True) if signed else None
            self._known[asked] = version_facts(self._repo, *asked[:3], ring, event.when, self._overlay)
        return self._known[asked]


def version_facts(
    repo: Repository, commit: str, judged_at: str, place: str, ring: PolicyKeys | None, when: int,
    overlay: Mapping[str, str] | None = None,
) -> VersionFacts:  # fmt: skip
    """Facts about the version in the directory `place`, which `commit` introduced; its signatures as of `judged_at`.

    `when` (Unix time) is the date of signatures that tell none themselves (SSH), and the last one on which a receipt
    may be dated; `overlay` are references read as if they were there.
    """
    names = [f"{commit}:{place}/{name}" for name in (METRICS, METADATA, CHECKSUMS)]
    later = [f"{judged_at}:{place}/{SIGNATURE}", f"{commit}:{place}/{SIGNATURE}"]
    signed = [f"{judged_at}:{place}/{MODEL_SIG}", f"{commit}:{place}/{MODEL_SIG}"]
    rows = dict(repo.objects.lookup([*names, *later, *signed, commit]))
    blobs = {name: row[2] for name, row in rows.items() if row is not None and row[1] == "blob" and len(row[2]) < LIMIT}
    armored = next((blobs[name] for name in later if name in blobs), None)
    sums = blobs.get(names[2])
    artifact: tuple[Vouch, ...] = ()
    if ring is not None and armored is not None and sums is not None:
        at = datetime.fromtimestamp(when, UTC)
        artifact = vouches_of(ring.verify_detached(sums, armored, at=at, namespace="strata-checksums"), "artifact")
    if ring is not None and any("model_signature" in rule.requires for rule in ring.policy.rules):
        bundle = next((blobs[name] for name in signed if name in blobs), None)
        artifact += _model_vouches(bundle, sums, armored, ring, when)
    if ring is not None and any(_about_receipts(rule) for rule in ring.policy.rules):
        run, digest = run_behind(repo, blobs.get(names[1]), (commit, judged_at))
        if digest:
            artifact += receipt_vouches(repo, ring, run=run, digest=digest, when=when, overlay=overlay)
    body = rows[commit]
    author = _author(commit, body[2], ring) if ring is not None and body is not None and body[1] == "commit" else ""
    return VersionFacts(figures(blobs.get(names[0])), _format(blobs.get(names[1])), artifact, author)


def _about_receipts(rule: Rule) -> bool:
    return "reproduced" in rule.requires or "reproducer" in rule.distinct_from


def _model_vouches(
    data: bytes | None, sums: bytes | None, armored: bytes | None, ring: PolicyKeys, when: int
) -> tuple[Vouch, ...]:
    """Who signed a model.sig over the files of CHECKSUMS.txt. Raises MissingExtra where that cannot be told."""
    from hashlib import sha256

    from strata_git.integrity import checksums
    from strata_git.integrity.oms import OmsError, differences, read_bundle
    from strata_git.integrity.oms_keys import verify_bundle
    from strata_git.integrity.oms_people import PREFIX

    if data is None or sums is None:
        return ()
    try:
        bundle, listed = read_bundle(data), checksums.parse(sums)
    except (OmsError, checksums.ChecksumError):
        return ()
    beside = {CHECKSUMS: sha256(sums).hexdigest()}
    if armored is not None:
        beside[SIGNATURE] = sha256(armored).hexdigest()
    verdict = verify_bundle(bundle, ring.model_keys)
    if not verdict.good or any(differences(bundle.manifest, listed, beside)):
        return ()
    return (Vouch(PREFIX + verdict.hint, "model", when),)


def figures(data: bytes | None) -> Mapping[str, Figure] | None:
    """The metrics in a metrics.yaml; None where they cannot be read."""
    from strata_git.contracts.base import ContractError, parse
    from strata_git.contracts.model import ModelMetrics
    from strata_git.load import Unloadable, load_yaml

    if data is None:
        return None
    try:
        read = parse(ModelMetrics, load_yaml(data))
    except (ContractError, Unloadable):
        return None
    return {name: Figure(m.value, m.direction, m.tolerance, m.n) for name, m in read.metrics.items()}


def _format(data: bytes | None) -> str:
    from strata_git.load import Unloadable, load_yaml

    try:
        value = load_yaml(data).value if data is not None else None
    except Unloadable:
        return ""
    said = value.get("format") if isinstance(value, dict) else None
    return said if isinstance(said, str) else ""


def _author(commit: str, data: bytes, ring: PolicyKeys) -> str:
    """The key that signed a commit; an author's name and address are whatever somebody typed."""
    payload, signature = split_signature(data)
    if not signature:
        return ""
    try:
        at = datetime.fromisoformat(parse_commit(commit, data).committed)
        verdicts = ring.verify_detached(payload, signature, at=at)
    except (StrataError, ValueError):
        return ""
    return key_of(verdicts[0]) if len(verdicts) == 1 and verdicts[0].good else ""


def keys_for(repo: Repository, trust: Trust, *, fresh: Collection[str] = ()) -> Verifier:
    """Who verifies events here: the policy's keys where there is one that is trusted, else the user's own."""
    if trust.current is None:
        from strata_git.ledger.signing import UserKeys

        return UserKeys(repo)
    return ChainKeys(repo, trust, adopted=adopted_events(repo, trust.chain), fresh=fresh)


def transitions_of(trust: Trust) -> Transitions | None:
    """Which moves the policy that an event names allows; None without a policy."""
    if trust.current is None:
        return None
    named = {policy.digest: policy.transitions for policy in trust.chain}
    return lambda event: named.get(event.record.policy or "") if event.record else None


def writing_keys(repo: Repository, trust: Trust) -> Verifier:
    """Who verifies what is just being signed: as `keys_for`, but every key has to be valid now."""
    return ChainKeys(repo, trust, strict=True) if trust.current is not None else keys_for(repo, trust)


def judge_new(
    repo: Repository, trust: Trust, state: ModelState, events: Sequence[Event], approvals: Mapping[str, Approval],
    *, now: int,
) -> tuple[LedgerComplaint, ...]:  # fmt: skip
    """Why the policy in force does not allow `events`, which would follow those of `state`; nothing where it does."""
    if trust.current is None:
        return ()
    adopted = adopted_events(repo, trust.chain)
    facts = _Facts(repo, trust, ChainKeys(repo, trust, adopted=adopted))
    stale = partial(staleness, repo, trust, now=datetime.fromtimestamp(now, UTC))
    judge = Authority(trust.chain, adopted, facts.of, now, frozenset(event.oid for event in events), stale)
    folding = partial(fold, approvals=approvals, transitions=transitions_of(trust))
    after = folding([*state.events, *events]).models[state.model]
    told = judge_authority(after, judge, approvals)
    return tuple(complaint for event in events for complaint in told.get(event.oid, ()))


def governed(
    repo: Repository,
    trust: Trust,
    keys: object,
    folding: Callable[[Sequence[Event]], LedgerState],
    events: Sequence[Event],
    approvals: Mapping[str, Approval],
    *,
    now: int,
    fresh: Collection[str] = (),
    overlay: Mapping[str, str] | None = None,
) -> LedgerState:
    """The state that `events` make under the policy that is trusted; without one, the plain fold.

    `keys` is what verified them (see `keys_for`), `fresh` the tag objects that are new to whoever judges, `overlay`
    references that come with them.
    """
    if trust.current is None or not isinstance(keys, ChainKeys):
        return folding(events)
    facts = _Facts(repo, trust, keys, overlay)
    stale = partial(staleness, repo, trust, now=datetime.fromtimestamp(now, UTC), overlay=overlay)
    authority = Authority(trust.chain, keys.adopted, facts.of, now, frozenset(fresh), stale)
    return govern(folding, events, authority, approvals)
