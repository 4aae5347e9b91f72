"""Statements of freshness as they lie here, and what there is to say of them (TFC-0009 6.18, 8.4).

Under a policy the people of the version in force sign them, whose keys are valid now: a statement is renewed again and
again, so that nothing old has to be believed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from strata_git.checks.finding import Finding
from strata_git.integrity.policy import key_of, principal_of
from strata_git.integrity.signer import SignatureVerdict
from strata_git.ledger.event import LedgerComplaint
from strata_git.ledger.freshness import FRESHNESS, Freshness, judge_age, judge_freshness, parse_freshness, unassured
from strata_git.ledger.names import TAGS
from strata_git.ledger.record import TAG_LIMIT, RecordError, TagError, parse_tag, split_message
from strata_git.ledger.signing import UserKeys, Verifier
from strata_git.ledger.state import LedgerState
from strata_git.ledger.trust import Signed, Trust
from strata_git.repo.command import Repository
from strata_git.repo.objects import TooLarge
from strata_git.repo.refs import list_refs


class PresentKeys:
    """Verifies tags by the people of one version of the policy, as of `now`."""

    def __init__(self, signed: Signed, environ: Mapping[str, str], now: datetime) -> None:
        self._policy = signed.policy
        self._ring = signed.keyring(environ, as_signed=False)
        self._now = int(now.timestamp())

    def verify_tag_payload(self, payload: bytes, signature: bytes, /) -> Sequence[SignatureVerdict]:
        """One verdict for each signature; a key whose owner is not valid now is an unknown one."""
        try:
            when = parse_tag(payload).when
            at = datetime.fromtimestamp(when, UTC)
        except (TagError, ValueError, OverflowError, OSError):
            return [SignatureVerdict("", "", "malformed")]
        return [self._valid(verdict, when) for verdict in self._ring.verify_detached(payload, signature, at=at)]

    def _valid(self, verdict: SignatureVerdict, when: int) -> SignatureVerdict:
        moments = (when, max(when, self._now))
        if not verdict.good or all(principal_of(self._policy, key_of(verdict), at) for at in moments):
            return verdict
        return replace(verdict, status="unknown-key", enrolled=False)


def present_keys(repo: Repository, trust: Trust, *, now: datetime) -> Verifier:
    """Who verifies what is renewed again and again: the policy in force, else the user's own keys."""
    return PresentKeys(trust.current, repo.environ, now) if trust.current is not None else UserKeys(repo)


def read_freshness(
    repo: Repository, verifier: Verifier, *, overlay: Mapping[str, str] | None = None
) -> list[Freshness]:
    """Every statement that is here, signatures verified; `overlay` are references read as if they were there."""
    refs = {ref.name: ref.oid for ref in list_refs(repo, FRESHNESS)}
    refs |= {name: oid for name, oid in (overlay or {}).items() if name.startswith(FRESHNESS)}
    return [read_statement(repo, name, oid, verifier) for name, oid in sorted(refs.items())]


def freshness_complaints(
    repo: Repository, state: LedgerState, trust: Trust, *, repository: str, now: datetime | None = None,
    verifier: Verifier | None = None,
) -> list[LedgerComplaint]:  # fmt: skip
    """What statements say against the ledger that is here, and what the policy in force misses."""
    events = {event.oid: event.name.model for model in state.models.values() for event in model.events}
    moment = now or datetime.now(UTC)
    statements = read_freshness(repo, verifier or present_keys(repo, trust, now=moment))
    at = int(moment.timestamp())
    told = [one for each in statements for one in judge_freshness(each, events, repository=repository, now=at)]
    return [*told, *_late(trust, statements, at)]


def freshness_findings(
    repo: Repository, trust: Trust, *, required: bool = False, now: datetime | None = None,
    overlay: Mapping[str, str] | None = None,
) -> list[Finding]:  # fmt: skip
    """What a policy that asks for freshness misses, without a look at the ledger; errors where it is `required`."""
    if trust.policy is None or trust.policy.max_age_days is None:
        return []
    moment = now or datetime.now(UTC)
    statements = read_freshness(repo, present_keys(repo, trust, now=moment), overlay=overlay)
    told = [complaint.finding(FRESHNESS) for complaint in _late(trust, statements, int(moment.timestamp()))]
    return [as_demanded(finding, required) for finding in told]


def as_demanded(finding: Finding, required: bool) -> Finding:
    """The finding, as an error where protection is asked for."""
    return replace(finding, severity="error") if required and finding.severity == "warning" else finding


def staleness(repo: Repository, trust: Trust, *, now: datetime, overlay: Mapping[str, str] | None = None) -> str:
    """Why no statement of freshness vouches for the ledger now (`""`: one does), for a rule that demands it."""
    if trust.policy is None:
        return ""
    statements = read_freshness(repo, present_keys(repo, trust, now=now), overlay=overlay)
    here = {ref.oid for ref in list_refs(repo, TAGS)}
    here |= {oid for name, oid in (overlay or {}).items() if name.startswith(TAGS)}
    policy = trust.policy
    return unassured(statements, here, repository=policy.repository, days=policy.max_age_days, now=int(now.timestamp()))


def read_statement(repo: Repository, ref: str, oid: str, verifier: Verifier) -> Freshness:
    """The statement in one tag object; `flaw` says why it is none."""
    try:
        kind, data = repo.objects.read(oid, TAG_LIMIT)
        if kind != "tag":
            return Freshness(ref, oid, "it is no tag")
        tag = parse_tag(data)
        record = parse_freshness(split_message(tag.message)[1])
    except (KeyError, TooLarge, TagError, RecordError) as error:
        return Freshness(ref, oid, str(error) or "it cannot be read")
    if tag.tag != ref.removeprefix("refs/strata/"):
        return Freshness(ref, oid, f"the tag object under this name is that of {tag.tag}")
    verdicts = tuple(verifier.verify_tag_payload(tag.payload, tag.signature)) if tag.signature else ()
    return Freshness(ref, oid, "", record, verdicts)


def _late(trust: Trust, statements: Sequence[Freshness], now: int) -> list[LedgerComplaint]:
    asked = trust.policy.max_age_days if trust.policy else None
    return [] if asked is None else judge_age(statements, asked, now)
