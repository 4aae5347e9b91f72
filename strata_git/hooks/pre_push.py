"""pre-push: the client's authority. Every line git hands over is judged: commits, tags, notes, chains, deletions."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from strata_git.checks.finding import Finding
from strata_git.doctor.collisions import judge_pushed_ids
from strata_git.doctor.judge import judge_commits
from strata_git.doctor.verdict import ordered
from strata_git.errors import StrataError, printable
from strata_git.hooks.events import judge_event_refs
from strata_git.hooks.pushed import Push, judge_guarded, judge_policy_tip
from strata_git.hooks.told import tell
from strata_git.ledger.trust import HERE
from strata_git.repo.command import Repository
from strata_git.repo.history import list_commits
from strata_git.repo.refs import list_refs

THERE = "on the other side"


def run(repo: Repository, arguments: Sequence[str]) -> int:
    """Judge a push to the remote named by git; 1 refuses it."""
    pushes = parse_lines(sys.stdin.buffer.read())
    return tell(judge_pushes(repo, pushes, arguments[0] if arguments else ""), "push", "Nothing was pushed.")


def parse_lines(data: bytes) -> list[Push]:
    """The lines of standard input. Raises StrataError for a line that git would not write."""
    pushes = []
    for line in os.fsdecode(data).split("\n"):
        fields = line.rsplit(" ", 3)  # what is pushed may be an expression with spaces: HEAD^{/fix it}
        if not line:
            continue
        if len(fields) != 4:
            raise StrataError(f"pre-push was handed a line it cannot read: {printable(line)}")
        pushes.append(Push(*fields))
    return pushes


def judge_pushes(repo: Repository, pushes: Sequence[Push], remote: str) -> tuple[Finding, ...]:
    """Everything that is wrong with a push, sorted."""
    findings: list[Finding] = []
    for push in pushes:
        findings += judge_guarded(repo, push, THERE)
    kept = [push for push in pushes if not push.deletes]
    known = _known_there(repo, remote)
    first = not known and all(push.creates for push in kept)
    base = known[0] if known else None
    findings += judge_event_refs(repo, kept, repo.head(), base=base, revisions=known or HERE, first=first)
    findings += _judge_policy(repo, pushes, remote)
    findings += _judge_commits(repo, pushes, remote)
    return ordered(findings)


def _known_there(repo: Repository, remote: str) -> list[str]:
    """The commits that a remote's branches were last seen at, its main branch first: what is in force there."""
    prefix = f"refs/remotes/{remote}/"
    tracked = {ref.name.removeprefix(prefix): ref.oid for ref in list_refs(repo, prefix) if ref.kind == "commit"}
    names = [name for name in ("HEAD", "main", "master") if name in tracked]
    return list(dict.fromkeys([*(tracked[name] for name in names), *tracked.values()])) if remote else []


def _judge_policy(repo: Repository, pushes: Sequence[Push], remote: str) -> list[Finding]:
    """What is pushed to the remote's main branch holds a policy that is in force, or that follows it, signed."""
    named = os.fsdecode(repo.try_git("symbolic-ref", "--quiet", f"refs/remotes/{remote}/HEAD").out).rstrip("\n")
    main = named.removeprefix(f"refs/remotes/{remote}/")
    names = {f"refs/heads/{main}"} if main else {"refs/heads/main", "refs/heads/master"}
    findings: list[Finding] = []
    for push in pushes:
        tip = repo.resolve(push.local_oid) if push.remote_ref in names and not push.deletes else None
        if tip is not None:
            base = repo.resolve(push.remote_oid) if not push.creates else None
            findings += judge_policy_tip(repo, tip, base or tip, where=f" on {push.remote_ref}", replaced=base or "")
    return findings


def _judge_commits(repo: Repository, pushes: Sequence[Push], remote: str) -> list[Finding]:
    tips = []
    bases = set()
    for push in pushes:
        tip = None if push.deletes or push.remote_ref.startswith(("refs/notes/", "refs/strata/")) else push.local_oid
        commit = repo.resolve(tip) if tip else None
        if commit:
            tips.append(commit)
        if not push.creates and (known := repo.resolve(push.remote_oid)):
            bases.add(known)
    if not tips:
        return []
    if remote:
        bases |= {ref.oid for ref in list_refs(repo, f"refs/remotes/{remote}/") if ref.kind == "commit"}
    new = list_commits(repo, *tips, *(f"^{base}" for base in sorted(bases)))
    if not new:
        return []
    verdict = judge_commits(repo, new, sorted(bases), tips[-1])
    return [*verdict.findings, *judge_pushed_ids(repo, tips, sorted(bases))]
