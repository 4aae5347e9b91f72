"""Saying with a signature how far the ledger has come, and what others said of it (TFC-0009 8.4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from strata_git.authoring.promote import require_head
from strata_git.config import Settings
from strata_git.errors import StrataError
from strata_git.ledger.event import LedgerComplaint
from strata_git.ledger.events import Ledger, read_ledger
from strata_git.ledger.freshness import (
    FRESHNESS,
    Freshness,
    FreshnessRecord,
    judge_age,
    judge_freshness,
    parse_freshness,
)
from strata_git.ledger.governed import keys_for, writing_keys
from strata_git.ledger.record import (
    TAG_LIMIT,
    RecordError,
    TagError,
    format_message,
    format_tag,
    parse_tag,
    split_message,
)  # fmt: skip
from strata_git.ledger.signing import Verifier, committer, signer_for
from strata_git.ledger.writing import Author, signed_tag
from strata_git.repo.command import Repository
from strata_git.repo.objects import TooLarge
from strata_git.repo.refs import Transaction, list_refs, read_ref

LATEST = FRESHNESS + "latest"
LONGEST = 366


def declare_fresh(
    repo: Repository,
    settings: Settings,
    days: int,
    *,
    key: str = "",
    terminal: str | None = None,
    now: datetime | None = None,
    verifier: Verifier | None = None,
) -> FreshnessRecord:
    """Sign a statement that names the last event of every model, in force for `days`; it takes the last one's place.

    Raises StrataError where something is wrong with the ledger or the key cannot sign.
    """
    if not 1 <= days <= LONGEST:
        raise StrataError(f"A statement of freshness is in force for 1 to {LONGEST} days.")
    moment = now or datetime.now(UTC)
    head = require_head(repo, settings)
    ledger = read_ledger(repo, verifier, repository=settings.repository, now=moment)
    heads = {}
    for model, state in ledger.state.models.items():
        if not state.sound or state.head is None:
            raise StrataError(f"Something is wrong with the events of {model}.", hint=f"git strata history {model}")
        heads[model] = state.head.oid
    record = FreshnessRecord(settings.repository, heads, _text(moment), _text(moment + timedelta(days=days)))
    signer = signer_for(repo, key=key, configured=settings.signing_key, terminal=terminal)
    author = Author(signer, verifier or writing_keys(repo, ledger.trust), settings.repository, head, moment)
    message = format_message(f"The ledger as of {record.issued_at}", "", record)
    name = LATEST.removeprefix("refs/strata/")
    unsigned = format_tag(head, name, committer(repo), int(moment.timestamp()), message)
    payload, signature, _ = signed_tag(author, unsigned, "The statement of freshness")
    oid = repo.git("mktag", input=payload + signature).decode().strip()
    changes = Transaction(repo)
    changes.update(LATEST, oid, read_ref(repo, LATEST) or repo.null_oid)
    changes.commit()
    return record


def read_freshness(repo: Repository, verifier: Verifier, refs: tuple[str, ...] = ()) -> list[Freshness]:
    """Every statement that is here (or those at `refs`), signatures verified."""
    listed = [ref for ref in list_refs(repo, *(refs or (FRESHNESS,))) if not refs or ref.name in refs]
    return [_read(repo, ref.name, ref.oid, verifier) for ref in listed]


def freshness_complaints(
    repo: Repository, ledger: Ledger, *, repository: str, now: datetime | None = None, verifier: Verifier | None = None
) -> list[LedgerComplaint]:
    """What statements say against the ledger that is here."""
    events = {event.oid: event.name.model for state in ledger.state.models.values() for event in state.events}
    moment = int((now or datetime.now(UTC)).timestamp())
    statements = list(read_freshness(repo, verifier or keys_for(repo, ledger.trust)))
    told = (judge_freshness(each, events, repository=repository, now=moment) for each in statements)
    asked = ledger.trust.policy.max_age_days if ledger.trust.policy else None
    late = [] if asked is None else judge_age(statements, asked, moment)
    return [*(complaint for each in told for complaint in each), *late]


def take_in(repo: Repository, ref: str, waiting: str, verifier: Verifier) -> None:
    """Let a fetched statement take the place of ours, unless ours is the later one or theirs counts for nothing."""
    arrived, ours = read_ref(repo, waiting), read_ref(repo, ref)
    changes = Transaction(repo)
    if arrived is None:
        return
    changes.delete(waiting, arrived)
    mine = _read(repo, ref, ours, verifier) if ours else None
    theirs = _read(repo, ref, arrived, verifier)
    later = mine is None or mine.record is None or not any(v.good for v in mine.signatures)
    if theirs.record is not None and any(v.good for v in theirs.signatures):
        later = later or (
            mine is not None and mine.record is not None and theirs.record.issued_at > mine.record.issued_at
        )
    else:
        later = mine is None  # worth nothing, which is told where it is judged
    if later and arrived != ours:
        changes.update(ref, arrived, ours or repo.null_oid)
    changes.commit()


def _read(repo: Repository, ref: str, oid: str, verifier: Verifier) -> Freshness:
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


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
