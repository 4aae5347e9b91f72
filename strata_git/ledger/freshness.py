"""A statement of freshness: a signature on how far the ledger had come at a moment (TFC-0009 8.4). Pure.

A fresh clone can't know about events that were taken away everywhere before it was made; a statement that is still in
force, and names the last event of every model, is what tells it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from strata_git.contracts.layout import NAME
from strata_git.integrity.signer import SignatureVerdict, is_signed
from strata_git.ledger.approval import unix_time
from strata_git.ledger.event import LedgerComplaint
from strata_git.ledger.record import MOMENT, OID, UUID, RecordError, check_fields, like, parse_canonical

SCHEMA = "strata/freshness/v1"
DAY = 86400
AHEAD = 600
"""Seconds by which a statement may be dated after the moment it is judged at."""
FRESHNESS = "refs/strata/freshness/"
"""`FRESHNESS + <signer>` holds the tag object of that signer's last statement."""


@dataclass(frozen=True, slots=True)
class FreshnessRecord:
    """The last event (tag object) of every model at `issued_at`; both moments are ISO 8601 in UTC."""

    repo: str
    heads: Mapping[str, str]
    issued_at: str
    valid_until: str

    def as_json(self) -> dict[str, object]:
        """The record as the JSON object that stands in the tag."""
        return {
            "schema": SCHEMA, "repo": self.repo, "heads": dict(self.heads), "issued_at": self.issued_at,
            "valid_until": self.valid_until,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Freshness:
    """A statement as it was found; `flaw` says why it is none (`""`: it is one)."""

    ref: str
    oid: str
    flaw: str = ""
    record: FreshnessRecord | None = None
    signatures: tuple[SignatureVerdict, ...] = ()


def parse_freshness(text: str) -> FreshnessRecord:
    """Read the canonical JSON of a statement. Raises RecordError."""
    value = parse_canonical(text, SCHEMA)
    checks = {"repo": like(UUID), "heads": _are_heads, "issued_at": like(MOMENT), "valid_until": like(MOMENT)}
    check_fields(value, checks)
    if value["valid_until"] <= value["issued_at"]:
        raise RecordError("it ends before it begins")
    return FreshnessRecord(value["repo"], value["heads"], value["issued_at"], value["valid_until"])


def judge_freshness(
    statement: Freshness, events: Mapping[str, str], *, repository: str, now: int
) -> list[LedgerComplaint]:
    """What a statement says against the ledger that is here: events that are gone, or that it is no longer in force.

    `events` are all tag objects that are here, with the model's name. A statement that no good signature vouches for
    says nothing, which is told; so is one of another repository.
    """
    place = statement.ref
    record = statement.record
    if record is None or not is_signed(statement.signatures):
        return [LedgerComplaint("STR-P026", "", f"{place} says nothing: {statement.flaw or 'no signature counts'}")]
    if repository and record.repo != repository:
        return [LedgerComplaint("STR-P026", "", f"{place} is of another repository")]
    told = [
        LedgerComplaint("STR-P017", "", f"{place} knows a last event of {model} (tag object {oid}) that is not here")
        for model, oid in sorted(record.heads.items())
        if events.get(oid) != model
    ]
    if now > unix_time(record.valid_until):
        message = f"{place} was in force until {record.valid_until}; what came later is not known"
        told.append(LedgerComplaint("STR-P026", "", message))
    return told


def judge_age(statements: Iterable[Freshness], days: int, now: int) -> list[LedgerComplaint]:
    """What a policy that asks for a statement not older than `days` says at the moment `now` (Unix time)."""
    signed = [one.record.issued_at for one in statements if one.record is not None and is_signed(one.signatures)]
    last = max(signed, default="")
    if last and now - unix_time(last) <= days * DAY:
        return []
    message = f"the trust policy asks for a statement of freshness of the last {days} days, and there is none"
    return [LedgerComplaint("STR-P027", "", message + (f" since {last}" if last else ""))]


def unassured(
    statements: Iterable[Freshness], here: Collection[str], *, repository: str, days: int | None, now: int
) -> str:
    """Why no statement vouches that the ledger is whole at the moment `now` (Unix time); `""` where one does.

    It must be good, of this repository, in force, not older than `days` (None: of any age), and the last events that
    it names must be among the tag objects that are `here`.
    """
    reason = "no statement of freshness is in force"
    for one in statements:
        record = one.record
        if record is None or not is_signed(one.signatures) or record.repo != repository:
            continue
        issued, until = unix_time(record.issued_at), unix_time(record.valid_until)
        if now > until or issued > now + AHEAD:
            continue
        if days is not None and now - issued > days * DAY:
            reason = f"no statement of freshness is of the last {days} days"
        elif gone := sorted(model for model, oid in record.heads.items() if oid not in here):
            return f"the statement of freshness knows events of {', '.join(gone)} that are not here"
        else:
            return ""
    return reason


def _are_heads(value: object) -> bool:
    is_oid = like(OID)
    return isinstance(value, dict) and all(NAME.fullmatch(model) and is_oid(oid) for model, oid in value.items())
