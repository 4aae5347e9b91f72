"""post-merge, post-checkout, post-rewrite: history here may be another now, so the index says that it is stale.

The gates in `hooks/` do the same without Python; this is for frameworks and hooks of other people that call us.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from strata_git.errors import StrataError
from strata_git.hooks.naming import is_rebasing
from strata_git.index.stale import mark_stale
from strata_git.repo.command import Repository


def post_merge(repo: Repository, arguments: Sequence[str]) -> int:  # noqa: ARG001 - every hook has this shape
    """After a merge or a pull."""
    return _mark(repo, "merge", quiet=is_rebasing(repo))


def post_checkout(repo: Repository, arguments: Sequence[str]) -> int:
    """After a checkout: `arguments` are HEAD before, HEAD now, and 1 where a branch was checked out."""
    before, now, branch = [*arguments, *[""] * 3][:3]
    return _mark(repo, "checkout", quiet=branch == "0" or before == now or is_rebasing(repo))


def post_rewrite(repo: Repository, arguments: Sequence[str]) -> int:
    """After `commit --amend` or a rebase, which tells at its end once more, for all its commits."""
    return _mark(repo, "rewrite", quiet=is_rebasing(repo) and "rebase" not in arguments)


def _mark(repo: Repository, reason: str, *, quiet: bool) -> int:
    if not quiet:
        with contextlib.suppress(OSError, StrataError):
            mark_stale(repo, reason)
    return 0
