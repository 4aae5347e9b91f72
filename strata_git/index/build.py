"""From a repository to its index: the artifacts of one revision, its history, and the ledger.

Everything is read from git objects and references, so a bare clone without a cache or Git LFS bytes gives the same.
What is kept from one build to the next (`store`, and the verdicts of `doctor`) costs time only when it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from strata_git.index.lazy import Case, LazyIndex, Progress, order
from strata_git.index.records import Index
from strata_git.index.slots import Slots
from strata_git.index.stale import clear_stale
from strata_git.index.store import PLACE, Store
from strata_git.ledger.remembered import answer_key
from strata_git.repo.command import Repository

if TYPE_CHECKING:
    from strata_git.doctor.cache import Cache
    from strata_git.index.stages import Stages
    from strata_git.index.vouch import Verifier

__all__ = ["build", "order"]
VERDICTS = "verdicts.sqlite"


def build(
    repo: Repository,
    revision: str = "HEAD",
    verifier: Verifier | None = None,
    *,
    fresh: bool = False,
    moment: int | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Index:
    """The index at `revision`: its artifacts, what the history before it removed, what is elsewhere, and the ledger.

    Nothing but the revision is read before it is asked for. A revision of the past shows the artifacts of then with the
    stages of today, or with those of `moment` (Unix time). Signatures of artifacts and events are checked, by
    `verifier` where one is given; those of commits are only claimed (`describe` checks them). With `fresh`, all that is
    remembered is forgotten first. `progress` is told how many commits were read or artifacts judged, `tell` one
    sentence when what was stored is of no use. Raises StrataError when there is no such revision. A repository without
    a commit gives an empty index.
    """
    commit = repo.head() if revision == "HEAD" else repo.resolve(revision)
    if commit is None:
        if revision == "HEAD":
            return Index()
        from strata_git.doctor.judge import require_commit

        commit = require_commit(repo, revision)
    clear_stale(repo)
    store = Store(repo.cache_dir / PLACE, tell)
    if fresh:
        store.clear()
    state = partial(_state, repo, commit, moment)
    slots = Slots(store, state() if verifier is None else "", state)
    stages = partial(_stages, repo, verifier, moment)
    return LazyIndex(case=Case(repo, commit, store, slots, _verdicts(repo, fresh), stages, progress))


def _state(repo: Repository, commit: str, moment: int | None) -> str:
    """All that the answers of an index follow from, as one short text."""
    from strata_git.checks.catalog import RULESET

    return answer_key(repo, ["index", commit, RULESET, "" if moment is None else str(moment)])


def _stages(repo: Repository, verifier: Verifier | None, moment: int | None, workspace: Callable[[], str]) -> Stages:
    from strata_git.index.stages import Stages, may_have_events, read_stages

    if not may_have_events(repo):  # most of what a ledger needs is dear to load
        return Stages()
    return read_stages(repo, verifier, repository=workspace(), moment=moment)


def _verdicts(repo: Repository, fresh: bool) -> Callable[[], Cache]:
    """Who opens the remembered verdicts; those that are `fresh` believe nothing that was remembered before."""
    own: set[str] = set()

    def opened() -> Cache:
        from strata_git.index.verdicts import Cache, Unread

        place = repo.cache_dir / VERDICTS
        return Unread(place, own) if fresh else Cache(place)

    return opened
