"""What a remote holds of the ledger: event tags, chain heads, approvals, receipts, notes, a statement of freshness,
the signed log."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from strata_git.errors import StrataError, printable
from strata_git.ledger.approval import APPROVALS
from strata_git.ledger.events import HEADS
from strata_git.ledger.freshness import FRESHNESS
from strata_git.ledger.log import LOG
from strata_git.ledger.names import TAGS, EventName, parse_name
from strata_git.ledger.receipt import RECEIPTS
from strata_git.repo.command import Repository
from strata_git.repo.notes import NOTES_REF
from strata_git.repo.process import Result

INCOMING = "refs/strata/incoming/"
"""Where fetched tags wait until it is decided what becomes of them; nothing stays there."""
ASIDE = "refs/strata/aside/"
"""Events of this clone that were never published and gave way to others: kept, never pushed."""


@dataclass(frozen=True, slots=True)
class Remote:
    """The references of a remote that concern us: tag name, model or full reference -> object id."""

    name: str
    tags: dict[str, str] = field(default_factory=dict)
    heads: dict[str, str] = field(default_factory=dict)
    approvals: dict[str, str] = field(default_factory=dict)
    receipts: dict[str, str] = field(default_factory=dict)
    freshness: dict[str, str] = field(default_factory=dict)
    notes: str | None = None
    log: str | None = None

    def tags_of(self, model: str) -> dict[str, str]:
        """The event tags of one model."""
        return {tag: oid for tag, oid in self.tags.items() if _event(tag).model == model}

    @property
    def models(self) -> set[str]:
        """Every model that has events there."""
        return {_event(tag).model for tag in self.tags}


def remote_named(repo: Repository, name: str | None) -> str:
    """The configured remote that is meant: `name`, else the only one, else origin. Raises StrataError."""
    known = os.fsdecode(repo.user_git("remote")).splitlines()
    if name is not None:
        if name in known:
            return name
        raise StrataError(f"There is no remote '{printable(name)}'.", hint=f"git remote add {printable(name)} URL")
    if len(known) == 1 or "origin" in known:
        return "origin" if "origin" in known else known[0]
    if not known:
        raise StrataError("This repository has no remote.", hint="git remote add origin URL")
    raise StrataError("Which remote?", hint="One of these: " + ", ".join(printable(each) for each in known))


def read_remote(repo: Repository, name: str) -> Remote:
    """Ask a remote what it has. Raises StrataError where it cannot be reached."""
    patterns = ["refs/tags/*", "refs/strata/*", NOTES_REF]
    result = repo.try_user_git("ls-remote", "--refs", name, *patterns)
    if result.code != 0:
        raise unreachable(name, result)
    found = Remote(name)
    notes = log = None
    for line in os.fsdecode(result.out).split("\n")[:-1]:
        oid, _, ref = line.partition("\t")
        if ref.startswith(TAGS) and parse_name(ref.removeprefix(TAGS)):
            found.tags[ref.removeprefix(TAGS)] = oid
        elif ref.startswith(HEADS):
            found.heads[ref.removeprefix(HEADS)] = oid
        elif ref.startswith(APPROVALS):
            found.approvals[ref] = oid
        elif ref.startswith(RECEIPTS):
            found.receipts[ref] = oid
        elif ref.startswith(FRESHNESS):
            found.freshness[ref] = oid
        elif ref == NOTES_REF:
            notes = oid
        elif ref == LOG:
            log = oid
    return Remote(name, found.tags, found.heads, found.approvals, found.receipts, found.freshness, notes, log)


def bring(repo: Repository, name: str, refs: Iterable[tuple[str, str]]) -> None:
    """Fetch references, each (theirs, ours); ours are overwritten. Raises StrataError where git refuses."""
    asked = "".join(f"+{theirs}:{ours}\n" for theirs, ours in refs)
    if not asked:
        return
    options = ["--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules"]
    result = repo.try_user_git("fetch", *options, "--stdin", name, input=os.fsencode(asked))
    if result.code != 0:
        raise unreachable(name, result)


def unreachable(name: str, result: Result) -> StrataError:
    """The sentence for a remote that git could not talk to."""
    return StrataError(f"{printable(name)} cannot be reached: {result.reason}", hint=f"git ls-remote {printable(name)}")


def tracking(name: str, model: str) -> str:
    """The reference that holds the last event of a model that a remote is known to have had."""
    return f"refs/strata/remotes/{name}/ledger/{model}"


def notes_of(name: str) -> str:
    """Where the notes of a remote are kept beside our own."""
    return f"refs/notes/remotes/{name}/strata"


def waiting(name: str, tag: str) -> str:
    """Where a fetched tag waits."""
    return f"{INCOMING}{name}/{tag}"


def _event(tag: str) -> EventName:
    name = parse_name(tag)
    assert name is not None  # noqa: S101 - only such tags are listed
    return name
