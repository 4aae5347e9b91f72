"""The commits around a history: their order, what lies between two, and what came before a revision."""

from __future__ import annotations

import re
from collections.abc import Collection

from strata_git.errors import UsageError, printable
from strata_git.index.differ import read_measures
from strata_git.index.history import History, history, since
from strata_git.index.records import Index
from strata_git.repo.command import Repository
from strata_git.repo.history import list_commits, read_commits
from strata_git.repo.refs import list_refs

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[+-][0-9:]+)?)?")
BRANCHES = ("refs/heads/", "refs/remotes/")


def read_history(
    repo: Repository, index: Index, name: str, metric: str, *, every: bool = False, better: str = "", start: str = ""
) -> History:
    """The history of a name in the order of commits, from `start` (a date, or a revision that is left out) on.

    With `every` over all branches, too. Raises StrataError for an unknown name or metric, UsageError for a `start`
    that is neither.
    """
    tips = [index.revision] if index.revision else []
    if every:
        tips += [ref.oid for prefix in BRANCHES for ref in list_refs(repo, prefix) if ref.kind == "commit"]
    order = {oid: place for place, oid in enumerate(list_commits(repo, *tips))} if tips else {}
    found = history(index, name, metric, order, every=every, direction=better)
    if metric and not better and (declared := _declared(repo, index, found)):
        found = History(found.name, found.kind, found.metric, declared, found.points)
    return _since(repo, found, start) if start else found


def silent_commits(repo: Repository, good: str, bad: str, recorded: Collection[str]) -> tuple[str, ...]:
    """`oid subject` of the commits after `good` and before `bad` that recorded nothing, oldest first."""
    if not bad:
        return ()
    listed = list_commits(repo, bad, *([f"^{good}"] if good else []))
    between = [oid for oid in listed if oid != bad and oid not in recorded]
    return tuple(f"{commit.oid[:12]} {commit.subject}" for commit in read_commits(repo, between))


def _declared(repo: Repository, index: Index, found: History) -> str:
    """Which way the newest version that has the metric declares it to be better."""
    for point in reversed(found.measured):
        measure = read_measures(repo, index, point.record).get(found.metric)
        if measure is not None:
            return measure.direction if measure.declared else ""
    return ""


def _since(repo: Repository, found: History, start: str) -> History:
    if _DATE.fullmatch(start):
        return since(found, date=start)
    commit = repo.resolve(start)
    if commit is None:
        raise UsageError(f"'{printable(start)}' is neither a date (2026-11-21) nor a revision.")
    return since(found, before=frozenset(list_commits(repo, commit)))
