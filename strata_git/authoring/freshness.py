"""Saying with a signature how far the ledger has come, and what others said of it (TFC-0009 8.4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from strata_git.authoring.promote import require_head
from strata_git.config import Settings
from strata_git.errors import StrataError
from strata_git.ledger.assurances import present_keys, read_statement
from strata_git.ledger.events import read_ledger
from strata_git.ledger.freshness import FRESHNESS, FreshnessRecord
from strata_git.ledger.record import format_message, format_tag
from strata_git.ledger.signing import Verifier, committer, signer_for
from strata_git.ledger.writing import Author, signed_tag
from strata_git.repo.command import Repository
from strata_git.repo.refs import Transaction, read_ref

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
    keys = verifier or present_keys(repo, ledger.trust, now=moment)
    policy = ledger.trust.policy.digest if ledger.trust.policy else None
    author = Author(signer, keys, settings.repository, head, moment, policy=policy)
    message = format_message(f"The ledger as of {record.issued_at}", "", record)
    name = LATEST.removeprefix("refs/strata/")
    unsigned = format_tag(head, name, committer(repo), int(moment.timestamp()), message)
    payload, signature, _ = signed_tag(author, unsigned, "The statement of freshness")
    oid = repo.git("mktag", input=payload + signature).decode().strip()
    changes = Transaction(repo)
    changes.update(LATEST, oid, read_ref(repo, LATEST) or repo.null_oid)
    changes.commit()
    return record


def take_in(repo: Repository, ref: str, waiting: str, verifier: Verifier) -> None:
    """Let a fetched statement take the place of ours, unless ours is the later one or theirs counts for nothing."""
    arrived, ours = read_ref(repo, waiting), read_ref(repo, ref)
    changes = Transaction(repo)
    if arrived is None:
        return
    changes.delete(waiting, arrived)
    mine = read_statement(repo, ref, ours, verifier) if ours else None
    theirs = read_statement(repo, ref, arrived, verifier)
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


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
