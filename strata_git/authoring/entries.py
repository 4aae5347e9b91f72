"""Keeping the signed log while the ledger changes: what promotions, approvals and pushes enter (TFC-0009 section 9).

Nothing is entered where the policy in force keeps no log. An entry is made by whoever changes something; what was
fetched was entered by whoever published it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from strata_git.authoring.remote import ASIDE, Remote, bring
from strata_git.checks.finding import Finding
from strata_git.errors import StrataError
from strata_git.integrity.signer import Signer
from strata_git.ledger.event import LedgerComplaint, errors
from strata_git.ledger.events import HEADS, Ledger
from strata_git.ledger.log import LOG, NOTHING, POLICY, Change, Log, compare
from strata_git.ledger.logbook import (
    is_onward,
    keeps_log,
    log_of,
    read_log,
    references,
    unfollowed,
    write_entry,
)
from strata_git.ledger.names import TAGS
from strata_git.ledger.trust import Trust
from strata_git.repo.command import Repository
from strata_git.repo.history import is_ancestor
from strata_git.repo.refs import Transaction, read_ref

Enter = Callable[[Transaction, Mapping[str, str]], None]
"""Puts an entry on what references come to hold into the transaction that moves them."""


def entering(repo: Repository, trust: Trust, deed: str, *, signer: Signer, now: datetime) -> Enter | None:
    """What enters a change of the ledger in the log, in the very transaction that makes it; None: no log is kept."""
    return partial(_enter, repo, trust, deed, signer, now) if keeps_log(trust) else None


def _enter(
    repo: Repository, trust: Trust, deed: str, signer: Signer, now: datetime, changes: Transaction,
    moved: Mapping[str, str],
) -> None:  # fmt: skip
    log = require_whole(read_log(repo, trust))
    policy = {POLICY: trust.policy.digest} if trust.policy else {}
    held = {ref: log.state.get(ref, (NOTHING, 0))[0] for ref in (*moved, *policy)}
    told = [Change(ref, held[ref], new) for ref, new in {**moved, **policy}.items() if held[ref] != new]
    entry = write_entry(repo, trust, log, told, deed, signer=signer, now=now)
    changes.update(LOG, entry, log.tip or repo.null_oid)


def require_whole(log: Log) -> Log:
    """The log; StrataError where something is wrong with it, so that nothing can be entered behind it."""
    if wrong := errors(log.complaints):
        raise StrataError(
            f"The signed log cannot be continued: {wrong[0].message}.",
            hint="git strata fetch   takes the log of the remote; git strata verify tells all",
        )
    return log


def log_complaints(repo: Repository, ledger: Ledger) -> list[LedgerComplaint]:
    """What is wrong with the log, and with the ledger by it; nothing where none is kept."""
    if not keeps_log(ledger.trust):
        return []
    log = read_log(repo, ledger.trust)
    return [*log.complaints, *unfollowed(repo), *_compared(repo, ledger, log)[0]]


def log_findings(repo: Repository, ledger: Ledger) -> list[Finding]:
    """The same, as findings."""
    return [complaint.finding(LOG) for complaint in log_complaints(repo, ledger)]


def enter_rest(
    repo: Repository, ledger: Ledger, deed: str, *, signer: Callable[[], Signer], now: datetime
) -> str | None:
    """Enter what is here and in no entry yet: the new tip, or None where there is nothing. No log yet: all is entered.

    Raises StrataError where something moved or vanished without an entry: that is looked at first, and by people.
    """
    if not keeps_log(ledger.trust):
        return None
    log = require_whole(read_log(repo, ledger.trust))
    told, open_ = _compared(repo, ledger, log)
    if wrong := errors(told):
        raise StrataError(
            "The ledger here is not what the signed log says.",
            hint="\n".join(f"{each.rule} {each.message}" for each in wrong[:20]),
        )
    if not open_:
        return None
    entry = write_entry(repo, ledger.trust, log, open_, deed, signer=signer(), now=now)
    changes = Transaction(repo)
    changes.update(LOG, entry, log.tip or repo.null_oid)
    changes.commit()
    return entry


def take_log(repo: Repository, there: Remote, trust: Trust, *, give_way: bool = False) -> list[LedgerComplaint]:
    """Take in the log of a remote: ours goes on to it, or gives way where both went on (kept below `aside/`).

    What ours had entered and theirs has not is entered anew by the next push. With `give_way` ours gives way in any
    case: events that it names were put aside. A remote whose log was set back, or is none, is told, and nothing is
    taken of it.
    """
    ours, known = read_ref(repo, LOG), read_ref(repo, log_of(there.name))
    changes = Transaction(repo)
    if there.log is None:
        if known is not None:
            return [LedgerComplaint("STR-P041", "", f"the signed log of {there.name} is gone")]
        if give_way and ours is not None:
            changes.delete(LOG, ours)
            _put_aside(repo, changes, ours)
            changes.commit()
        return []
    waiting = f"refs/strata/incoming/{there.name}/log"
    bring(repo, there.name, [(LOG, waiting)])
    theirs = read_ref(repo, waiting) or repo.null_oid
    changes.delete(waiting, theirs)
    told = _doubts(repo, trust, there.name, theirs, known)
    if not told:
        if known != theirs:
            changes.update(log_of(there.name), theirs, known or repo.null_oid)
        if ours is None or not is_ancestor(repo, theirs, ours) or (give_way and ours != theirs):
            changes.update(LOG, theirs, ours or repo.null_oid)
            if ours is not None and not is_ancestor(repo, ours, theirs):
                _put_aside(repo, changes, ours)
    changes.commit()
    return told


def _doubts(repo: Repository, trust: Trust, remote: str, theirs: str, known: str | None) -> list[LedgerComplaint]:
    """Why the log of a remote is not taken; nothing where it is."""
    if known is not None and not is_ancestor(repo, known, theirs):
        return [LedgerComplaint("STR-P041", "", f"the signed log of {remote} was set back or replaced")]
    wrong = errors(read_log(repo, trust, tip=theirs).complaints) if keeps_log(trust) else ()
    return [replace(each, message=f"on {remote}, {each.message}") for each in wrong[:3]]


def _put_aside(repo: Repository, changes: Transaction, commit: str) -> None:
    changes.update(ASIDE + commit, commit, read_ref(repo, ASIDE + commit) or repo.null_oid)


def published_log(repo: Repository, there: Remote) -> None:
    """Remember how far the log of a remote goes now."""
    known = read_ref(repo, log_of(there.name))
    if there.log is None or there.log == known or not repo.resolve(there.log):
        return
    if known is None or is_ancestor(repo, known, there.log):
        changes = Transaction(repo)
        changes.update(log_of(there.name), there.log, known or repo.null_oid)
        changes.commit()


def _compared(repo: Repository, ledger: Ledger, log: Log) -> tuple[list[LedgerComplaint], list[Change]]:
    here = references(repo, ledger.trust)
    sound = {TAGS + event.tag for state in ledger.state.models.values() for event in state.events}
    sound |= {HEADS + model for model in ledger.state.models}
    sound |= {each.ref for each in ledger.approvals.values() if each.signed} | {POLICY}
    here = {
        ref: oid for ref, oid in here.items() if ref in sound or ref in log.state
    }  # what is no event of ours stays out
    return compare(log, here, partial(is_onward, ledger.state, ledger.trust))
