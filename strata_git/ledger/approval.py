"""An approval in its own words, and whether it is one for a certain move (TFC-0009 §7). Pure.

An approval can't be used twice, nor for anything but what was approved: beside the version's content, the stages and
the policy it names the event that had moved the version last, and the one that had brought the version in production
there. After the move these are other events. Nothing else that happens to the model makes it void.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strata_git.contracts.layout import NAME, STAGES, VERSION
from strata_git.integrity.policy import Vouch, key_of, vouches_of
from strata_git.integrity.signer import SignatureVerdict, foremost, is_signed, spoiler
from strata_git.ledger.event import LedgerComplaint
from strata_git.ledger.moves import Step
from strata_git.ledger.record import (
    DIGEST,
    MOMENT,
    OID,
    UUID,
    RecordError,
    check_fields,
    like,
    misplaced_object,
    or_none,
    parse_canonical,
    place_of,
)  # fmt: skip

if TYPE_CHECKING:
    from strata_git.ledger.event import Event

SCHEMA = "strata/approval/v1"
APPROVALS = "refs/strata/approvals/"
"""`APPROVALS + <model>/<version>/<stage>/<id>` holds the tag object of an approval."""
LONGEST = 366
"""Most days for which an approval is in force; one that says more is none, or it could be dated back for ever."""
_STAGE = re.compile("|".join(STAGES))


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """The facts an approval vouches for.

    `commit` introduced the version, `digest` is that of its CHECKSUMS.txt there. `placed` and `displaces` are tag
    objects, as in `moves.Step`; `policy` is the digest of the trust policy in force (None: there is none). `issued_at`
    and `expires` are ISO 8601 in UTC.
    """

    repo: str
    model: str
    version: str
    origin: str
    target: str
    commit: str
    digest: str
    placed: str | None
    displaces: str | None
    policy: str | None
    issued_at: str
    expires: str

    def as_json(self) -> dict[str, object]:
        """The record as the JSON object that stands in the tag."""
        return {"schema": SCHEMA, **{key: getattr(self, name) for key, name in _FIELDS.items()}}


_FIELDS = {
    "repo": "repo", "model": "model", "version": "version", "from": "origin", "to": "target", "commit": "commit",
    "digest": "digest", "placed": "placed", "displaces": "displaces", "policy": "policy", "issued_at": "issued_at",
    "expires": "expires",
}  # fmt: skip
_CHECKS = {
    "repo": like(UUID), "model": like(NAME), "version": like(VERSION), "from": like(_STAGE), "to": like(_STAGE),
    "commit": like(OID), "digest": like(DIGEST), "placed": or_none(like(OID)), "displaces": or_none(like(OID)),
    "policy": or_none(like(DIGEST)), "issued_at": like(MOMENT), "expires": like(MOMENT),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Approval:
    """A reference under `APPROVALS`, and what its tag object says.

    `flaw` says why it is no approval (`""`: it is one); `record` is then None. `when` is the tagger's date, Unix time.
    """

    ref: str
    oid: str
    flaw: str = ""
    tagger: str = ""
    when: int = 0
    reason: str = ""
    record: ApprovalRecord | None = None
    signatures: tuple[SignatureVerdict, ...] = ()

    @property
    def signed(self) -> bool:
        """Whether a signature vouches for it."""
        return is_signed(self.signatures)

    @property
    def signer(self) -> str:
        """Who signed, for people."""
        if not self.signatures:
            return "nobody"
        return foremost(self.signatures).who


@dataclass(frozen=True, slots=True)
class Wanted:
    """A move that somebody wants to make, or made, as approvals have to name it."""

    model: str
    version: str
    origin: str
    target: str
    digest: str
    placed: str | None
    displaces: str | None
    policy: str | None
    repo: str = ""


def parse_approval(text: str) -> ApprovalRecord:
    """Read the canonical JSON of an approval. Raises RecordError."""
    value = parse_canonical(text, SCHEMA)
    check_fields(value, _CHECKS)
    record = ApprovalRecord(**{name: value[key] for key, name in _FIELDS.items()})
    if record.expires <= record.issued_at:
        raise RecordError("it expires before it was issued")
    return record


def reference(record: ApprovalRecord, approver: str) -> str:
    """Where an approval belongs; `approver` is whatever tells two of them apart who approve the same at once."""
    return place_of(APPROVALS, (record.model, record.version, record.target), record.as_json(), approver)


def misplaced(ref: str, tag: str, target: str, record: ApprovalRecord) -> str:
    """Why reference name, tag header and record do not belong together; `""` where they do."""
    return misplaced_object(
        ref,
        tag,
        target,
        prefix=APPROVALS,
        parts=(record.model, record.version, record.target),
        commit=record.commit,
        what="an approval",
    )


def unfit(approval: Approval, wanted: Wanted, when: int) -> str:
    """Why an approval is none for a move at the moment `when` (Unix time); `""` where it is one."""
    record = approval.record
    if record is None:
        return approval.flaw or "it cannot be read"
    if not approval.signed:
        if not approval.signatures:
            return "it is not signed"
        return f"its signature does not count: {spoiler(approval.signatures).sentence}"
    if wanted.repo and record.repo != wanted.repo:
        return "it belongs to another repository"
    named = (record.model, record.version, record.origin, record.target)
    if named != (wanted.model, wanted.version, wanted.origin, wanted.target):
        return f"it approves {record.model}@{record.version} from {record.origin} to {record.target}"
    if record.digest != wanted.digest:
        return "it approves other content of that version"
    if record.placed != wanted.placed:
        return f"{wanted.model}@{wanted.version} was moved since then"
    if record.displaces != wanted.displaces:
        return f"another version of {wanted.model} is in production than was then"
    if record.policy != wanted.policy:
        return "it was given under another trust policy"
    return _untimely(approval.when, record.expires, when)


def _untimely(begins: int, expires: str, when: int) -> str:
    ends = unix_time(expires)
    if ends - begins > (LONGEST + 1) * 86_400:
        return f"it would be in force for more than {LONGEST} days"
    return "" if begins <= when <= ends else f"it was in force until {expires}"


def wanted_by(step: Step) -> Wanted:
    """What approvals had to name for a move that was made."""
    record = step.entering.record
    assert record is not None and record.origin is not None  # noqa: S101, PT018 - stage events have both
    return Wanted(
        record.model, record.version, record.origin, record.target, record.digest, step.placed, step.displaces,
        record.policy, record.repo,
    )  # fmt: skip


def fitting(approvals: Iterable[Approval], wanted: Wanted, when: int) -> tuple[Approval, ...]:
    """Those of `approvals` that are for this move, one for each key, in the order of their references."""
    found: dict[str, Approval] = {}
    for approval in sorted(approvals, key=lambda each: each.ref):
        if not unfit(approval, wanted, when):
            found.setdefault(key_of(foremost(approval.signatures)), approval)
    return tuple(found.values())


def judge_named(step: Step, approvals: Mapping[str, Approval]) -> Iterable[LedgerComplaint]:
    """Approvals that a move names and that are no such thing; `approvals` are those that are here, by tag object."""
    named = _named(step.entering)
    tag, when = step.entering.tag, step.entering.when
    if any(_named(event) != named for event in step.events):
        yield LedgerComplaint("STR-P023", tag, "the tags of this move name different approvals")
    for oid in named:
        approval = approvals.get(oid)
        reason = unfit(approval, wanted_by(step), when) if approval else "it is not here"
        if reason:
            yield LedgerComplaint("STR-P023", tag, f"the approval {oid} does not count: {reason}")


def vouches(step: Step, approvals: Mapping[str, Approval]) -> tuple[Vouch, ...]:
    """Everybody who stands behind a move that was made: the keys that signed all of its tags, and its approvals.

    Approvals count where the tags name them and they are for exactly this move. `at` is the tagger's date.
    """
    signed = [frozenset(v.key for v in vouches_of(event.signatures, "tag")) for event in step.events]
    throughout = frozenset.intersection(*signed) if signed else frozenset()
    tags = [v for v in vouches_of(step.entering.signatures, "tag", step.entering.when) if v.key in throughout]
    named = [approvals[oid] for oid in _named(step.entering) if oid in approvals]
    return (*tags, *approved(fitting(named, wanted_by(step), step.entering.when)))


def approved(approvals: Iterable[Approval]) -> tuple[Vouch, ...]:
    """The vouches of approvals that were found to fit."""
    return tuple(vouch for each in approvals for vouch in vouches_of(each.signatures, "approval", each.when))


def unix_time(moment: str) -> int:
    """Unix time of an ISO 8601 moment in UTC as records have them; 0 for one that is on no calendar."""
    from datetime import UTC, datetime

    try:
        return int(datetime.strptime(moment, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return 0


def _named(event: Event) -> tuple[str, ...]:
    return event.record.approvals if event.record else ()
