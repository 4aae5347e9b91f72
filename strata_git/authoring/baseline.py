"""`doctor --baseline`: write down the findings that an old repository is taken on with (TFC-0006 section 6)."""

from __future__ import annotations

import os
from pathlib import Path

from strata_git.checks import baseline
from strata_git.contracts.layout import BASELINE, ROOTS
from strata_git.doctor.exceptions import taken_on
from strata_git.doctor.verdict import Verdict
from strata_git.errors import StrataError, UsageError, printable
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file


def write_baseline(repo: Repository, verdict: Verdict, file: str = "", *, cwd: Path) -> tuple[Path, Verdict]:
    """Write what `verdict` found to the workspace's baseline, or to `file` (relative to `cwd`).

    Returns the file, and the verdict as it is from now on. Raises UsageError where `file` holds something else.
    """
    target = Path(os.path.normpath(cwd / file)) if file else repo.require_worktree() / BASELINE
    _guard(repo, target)
    left, entries = taken_on(verdict)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StrataError(f"{printable(str(target.parent))} cannot be made: {error.strerror}.") from None
    write_file(target, baseline.render(entries))
    return target, left


def _guard(repo: Repository, target: Path) -> None:
    """`--baseline datasets/x` must not be taken for a file to write over."""
    told = printable(str(target))
    hint = f"git strata doctor --baseline   writes {BASELINE}; it takes no PATHS"
    root = repo.require_worktree()
    if target.is_relative_to(root) and target.relative_to(root).parts[:1] in [(top,) for top in ROOTS]:
        raise UsageError(f"{told} lies among the artifacts.", hint=hint)
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not target.is_file():
        raise UsageError(f"{told} is no plain file.", hint=hint)
    if target == root / BASELINE:
        return
    try:
        with target.open("rb") as stream:
            baseline.parse(stream.read(baseline.LIMIT + 1))
    except (ValueError, OSError):
        raise UsageError(f"{told} is there and is no baseline: it is not overwritten.", hint=hint) from None
