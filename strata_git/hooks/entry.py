"""`git-strata-hook NAME`: the thin entry point of every hook. Nothing heavy is imported before it is needed."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from pathlib import Path

HOOKS = {  # name: module in strata_git.hooks, and its function where that is not `run`
    "pre-commit": "pre_commit",
    "pre-merge-commit": "pre_commit",
    "prepare-commit-msg": "prepare_commit_msg",
    "commit-msg": "commit_msg",
    "post-commit": "post_commit",
    "post-merge": "marking:post_merge",
    "post-checkout": "marking:post_checkout",
    "post-rewrite": "marking:post_rewrite",
    "pre-push": "pre_push",
    "pre-receive": "pre_receive",
    # one subject each, for .pre-commit-hooks.yaml
    "doctor": "frameworks:doctor",
    "checksums": "frameworks:checksums",
    "sign": "frameworks:sign",
    "immutable": "frameworks:immutable",
    "metadata": "frameworks:metadata",
    "lfs": "frameworks:lfs",
    "secrets": "frameworks:secrets",
    "verify": "frameworks:verify",
}

_ALLOCATIONS = 50_000
"""Objects after which Python looks for cycles: a hook that judges one artifact ends before it has to."""
NEVER_FAILS = ("post-", "prepare-commit-msg")
"""Beginnings of hooks that run after the fact, or only help: our inability is told and stops nothing."""


def main(arguments: list[str] | None = None) -> int:
    """Run one hook for git; its exit code. Text for people goes to standard error."""
    given = sys.argv[1:] if arguments is None else arguments
    if not given or given[0] not in HOOKS:
        print(f"usage: git-strata-hook {'|'.join(HOOKS)} [ARGUMENT ...]", file=sys.stderr)
        return 64
    gc.set_threshold(_ALLOCATIONS)
    name = given[0]
    module, _, function = HOOKS[name].partition(":")
    try:
        from strata_git.repo.command import Repository

        repo = Repository.discover(Path.cwd(), dict(os.environ), in_hook=True)
        try:
            hook = getattr(import_module(f"strata_git.hooks.{module}"), function or "run")
            code = int(hook(repo, given[1:]))
        finally:
            repo.close()
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - the last catch: git shows what a hook prints, never a traceback
        code = _tell(name, error)
    return 0 if name.startswith(NEVER_FAILS) else code


def _tell(name: str, error: Exception) -> int:
    from strata_git.errors import StrataError
    from strata_git.hooks.told import say, tell_inability

    if isinstance(error, StrataError):
        return tell_inability(name, error)
    if os.environ.get("STRATA_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    say(f"git-strata ({name}): a bug of git-strata: {type(error).__name__}: {error}"[:300])
    return 70


if __name__ == "__main__":
    sys.exit(main())
