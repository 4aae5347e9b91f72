"""`git strata hooks status`: everything that git would call here, hook by hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from strata_git.cli.output import format_option, note, out, out_json, table
from strata_git.cli.session import Session

if TYPE_CHECKING:
    from strata_git.hooks.survey import HookLine, Survey, WorktreeHooks


@click.group(short_help="Look at this repository's hooks.")
def command() -> None:
    """Look at this repository's hooks."""


@command.command("status", short_help="Who owns which hook, and whether git gets to ours.")
@format_option
@click.pass_obj
def status(session: Session, style: str) -> int:
    """List everything in line for each hook, in the order in which git runs it, in every work tree.

    Told are whose it is, the file or the configuration it comes from, and whether it runs; which git programs are on
    PATH; whether git-lfs is reached. Exit code 1 when git does not get to one of ours, or a push not to git-lfs.
    """
    from strata_git.hooks.survey import survey

    found = survey(session.repository())
    if style == "json":
        out_json(_plain(found))
    else:
        _show(found)
    return 0 if found.sound else 1


def _show(found: Survey) -> None:
    first = found.worktrees[0]
    for worktree in found.worktrees:
        if worktree is not first:
            if (worktree.hooks, worktree.places) == (first.hooks, first.places):
                out(f"\nwork tree {worktree.path}: the same")
                continue
            out(f"\nwork tree {worktree.path}:")
        out(table([row for hook in worktree.hooks for row in _rows(hook)], ("hook", "whose", "state", "from")))
        if worktree.places.elsewhere:
            out(f"core.hooksPath ({worktree.places.scope}): {worktree.places.active}")
    gits = "; ".join(
        f"{git.told} ({git.path}){'' if git.version[0] else ', which does not answer'}" for git in found.gits
    )
    out(f"\ngit on PATH: {gits}")
    programs = [f"{name} ({place})" if place else f"{name} not found" for name, place in found.programs.items()]
    out(f"programs: {', '.join(programs)}")
    _tell(found)


def _tell(found: Survey) -> None:
    for worktree in found.worktrees:
        where = "" if worktree is found.worktrees[0] else f" in {worktree.path}"
        silent = [hook.name for hook in worktree.hooks if not hook.reached]
        if silent:
            note(f"git does not get to git-strata{where} for: {', '.join(silent)}. Next: git strata install")
        twice = [hook.name for hook in worktree.hooks if hook.twice]
        if twice:
            note(f"git-strata is called more than once{where} for: {', '.join(twice)}; it does no harm but takes time")
        push = next((hook for hook in worktree.hooks if hook.name == "pre-push"), None)
        if found.stores_lfs and push is not None and not push.uploads:
            note(f"A push{where} does not get to git-lfs: content would stay behind. Next: git strata install")


def _rows(hook: HookLine) -> list[tuple[str, str, str, str]]:
    if not hook.line:
        return [(hook.name, "", "absent", "")]
    names = [hook.name, *[""] * (len(hook.line) - 1)]
    return [
        (
            name,
            f"{one.whose}{', calls git-strata' if one.us and one.whose != 'git-strata' else ''}",
            one.state,
            one.place,
        )
        for name, one in zip(names, hook.line, strict=True)
    ]


def _plain(found: Survey) -> dict[str, object]:
    return {
        "schema": "strata/hooks/v1",
        "sound": found.sound,
        "stores_lfs": found.stores_lfs,
        "git": [{"path": g.path, "version": g.told, "configured_hooks": g.reads_configured_hooks} for g in found.gits],
        "programs": found.programs,
        "worktrees": [_worktree(worktree) for worktree in found.worktrees],
    }


def _worktree(worktree: WorktreeHooks) -> dict[str, object]:
    return {
        "path": str(worktree.path),
        "hooks_path": str(worktree.places.active),
        "core.hooksPath": worktree.places.scope,
        "hooks": [
            {
                "name": hook.name,
                "reached": hook.reached,
                "uploads": hook.uploads,
                "line": [
                    {"whose": one.whose, "source": one.source, "place": one.place, "state": one.state, "runs": one.runs,
                     "calls_us": one.us, "calls_lfs": one.lfs}
                    for one in hook.line
                ],
            }
            for hook in worktree.hooks
        ],
    }  # fmt: skip
