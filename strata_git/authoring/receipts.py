"""Receipts between clones: they are only ever added, and each stands for itself (TFC-0009 section 10)."""

from __future__ import annotations

from strata_git.authoring.remote import Remote, bring, waiting
from strata_git.ledger.event import LedgerComplaint
from strata_git.ledger.receipt import RECEIPTS
from strata_git.ledger.receipts import read_receipts
from strata_git.repo.command import Repository
from strata_git.repo.refs import Transaction, list_refs


def unpublished_receipts(repo: Repository, there: Remote) -> list[str]:
    """Receipts that are here and that a remote lacks: signed ones, which stand where they belong."""
    here = {ref.name for ref in list_refs(repo, RECEIPTS)}
    if not here - there.receipts.keys():
        return []
    found = read_receipts(repo)
    return [each.ref for each in found if each.record is not None and each.ref not in there.receipts]


def moved_receipts(repo: Repository, there: Remote) -> list[LedgerComplaint]:
    """What there is to say of receipts that are here under a name that means something else there."""
    here = {ref.name: ref.oid for ref in list_refs(repo, RECEIPTS)}
    moved = sorted(ref for ref, oid in there.receipts.items() if here.get(ref, oid) != oid)
    return [LedgerComplaint("STR-P017", "", f"{ref} was moved on {there.name}") for ref in moved]


def take_receipts(repo: Repository, there: Remote) -> tuple[str, ...]:
    """Fetch the receipts that a remote has and that are not here; their names. Nothing that is here is overwritten."""
    here = {ref.name for ref in list_refs(repo, RECEIPTS)}
    missing = {ref: oid for ref, oid in sorted(there.receipts.items()) if ref not in here}
    if not missing:
        return ()
    places = {ref: waiting(there.name, ref.removeprefix("refs/strata/")) for ref in missing}
    bring(repo, there.name, places.items())
    changes = Transaction(repo)
    for ref, oid in missing.items():
        changes.delete(places[ref], oid)
        changes.create(ref, oid)
    changes.commit()
    return tuple(missing)
