"""The hooks of this clone as facts: what git would call here, and whether we and git-lfs are among it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

from strata_git.checks.finding import Finding
from strata_git.checks.hooks import HookFacts, judge_hooks
from strata_git.config import Settings
from strata_git.contracts.layout import KINDS
from strata_git.doctor.verdict import Verdict, ordered
from strata_git.errors import StrataError, printable
from strata_git.repo.command import Repository
from strata_git.repo.hook_files import (
    US,
    Git,
    HookSettings,
    git_version,
    gits_on_path,
    hook_names,
    hook_settings,
    read_hook,
)
from strata_git.repo.hook_state import Caller, callers

ATTRIBUTES = ".gitattributes"


def judge_clone(repo: Repository) -> list[Finding]:
    """Findings about the hooks here. Where nobody commits, in CI and without a work tree, none are expected."""
    if repo.worktree is None or repo.environ.get("CI", "").lower() not in ("", "0", "false"):
        return []
    try:
        return judge_hooks(hook_facts(repo))
    except StrataError:  # a hooks directory that cannot be read is told by `hooks status`; it is no part of a verdict
        return []


def with_clone(verdict: Verdict, repo: Repository, settings: Settings) -> Verdict:
    """A verdict on the work tree, and on the hooks of this clone, as far as the settings want to hear of them."""
    from strata_git.checks.selection import Selection

    selection = Selection(settings.doctor_select, settings.doctor_ignore)
    told, ignored = selection.divide(judge_clone(repo), guarded=True)
    return replace(
        verdict,
        findings=ordered([*verdict.findings, *told]),
        ignored=ordered([*verdict.ignored, *ignored]),
    )


def hook_facts(repo: Repository) -> HookFacts:
    """Gather the facts: one process where nothing is configured."""
    settings = hook_settings(repo)
    ours = any(hook.ours for hook in settings.configured)
    gits = _gits(repo) if ours or settings.configured else []
    reads = not gits or gits[0].reads_configured_hooks
    names = hook_names(repo)
    lines = {name: callers(repo, settings, name, configured_run=reads) for name in names}
    reached = frozenset(name for name, line in lines.items() if any(one.us and one.runs for one in line))
    troubles = tuple(
        (one.state, name, _place(repo, one))
        for name, line in lines.items() for one in line
        if one.whose == US and one.state != "in force"
    )  # fmt: skip
    stores = stores_lfs(repo)
    return HookFacts(
        names,
        reached,
        installed=ours or _passed_by(repo, settings) or any(one.whose == US for line in lines.values() for one in line),
        troubles=troubles,
        owners=_owners(lines),
        passed_by=printable(str(settings.places.active)) if _passed_by(repo, settings) else "",
        stores_lfs=stores,
        uploads_lfs=not stores or uploads(lines["pre-push"]),
        older_gits=_older(gits, lines) if ours else (),
        older_first=bool(gits) and not reads,
    )


def uploads(line: list[Caller]) -> bool:
    """Whether something in line for pre-push calls git-lfs."""
    return any(one.lfs and one.runs for one in line)


def stores_lfs(repo: Repository) -> bool:
    """Whether attributes (of the work tree's root, the artifact roots, or this clone) send content to Git LFS."""
    root = repo.require_worktree()
    places = [root / ATTRIBUTES, *(root / top / ATTRIBUTES for top in KINDS), repo.common_dir / "info" / "attributes"]
    return any(b"filter=lfs" in _bytes(str(place)) for place in places)


def _gits(repo: Repository) -> list[Git]:
    path = repo.environ.get("PATH", "")
    return gits_on_path(repo, path) if shutil.which("git", path=path) else [git_version(repo)]


def _older(gits: list[Git], lines: dict[str, list[Caller]]) -> tuple[tuple[str, str], ...]:
    """The gits for which a hook of ours is configured and nothing else calls us."""
    only = any(
        not any(one.us and one.runs and one.source == "file" for one in line)
        for line in lines.values() if any(one.whose == US and one.source == "configuration" for one in line)
    )  # fmt: skip
    return tuple((printable(git.path), git.told) for git in gits if only and not git.reads_configured_hooks)


def _passed_by(repo: Repository, settings: HookSettings) -> bool:
    """Whether ours stand in the repository's own hooks directory, and git looks elsewhere."""
    if not settings.places.elsewhere:
        return False
    own = settings.places.own
    return any((file := read_hook(own / name, name)) is not None and file.whose == US for name in hook_names(repo))


def _owners(lines: dict[str, list[Caller]]) -> dict[str, str]:
    return {name: line[-1].whose for name, line in lines.items() if line and line[-1].whose != US}


def _place(repo: Repository, caller: Caller) -> str:
    if caller.source == "configuration":
        return ".git/config"
    path = os.path.relpath(caller.place, repo.common_dir)
    return caller.place if path.startswith("..") else f".git/{path}"


def _bytes(path: str) -> bytes:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            return stream.read(1 << 20)
    except OSError:
        return b""
