"""pre-receive: the authority on the receiving side. The whole push is judged before any reference changes.

What a push is judged by comes from here and never from the push: settings and identity of the default branch as it
was, the released content of all branches and tags, the keyring of the user that git runs as (TFC-0009 §6).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence

from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import SETTINGS
from strata_git.doctor.judge import SHALLOW, judge_commits
from strata_git.doctor.verdict import ordered
from strata_git.errors import StrataError, printable
from strata_git.hooks.events import judge_event_refs
from strata_git.hooks.pushed import Push, judge_guarded, judge_policy_tip
from strata_git.hooks.told import tell
from strata_git.hooks.turns import turn
from strata_git.ledger.log import LOG
from strata_git.ledger.names import TAGS, parse_name
from strata_git.repo.command import Repository
from strata_git.repo.history import RECEIVED, list_commits, list_received
from strata_git.repo.refs import list_refs
from strata_git.repo.tree import commit_tree

HERE = "on the server"
BRANCHES = "refs/heads/"
BRANCHES_HERE = ("--branches",)
"""Where the server looks for the policy in force: what it has, and not what the push brings."""
KEYS = """\
A signature counts here when the server's own keyring knows the key. Whoever runs the server imports it there, as the
user that git runs as and after checking whose it is: gpg --import KEY.asc"""


def run(repo: Repository, arguments: Sequence[str]) -> int:  # noqa: ARG001 - every hook has this shape
    """Judge a push that git has received but not taken in yet; 1 refuses all of it."""
    pushes = parse_received(sys.stdin.buffer.read())
    with turn(repo, os.getppid()) as let:
        findings = judge_received(repo, pushes)
        code = tell(findings, "push", "No reference was changed.")
        if code == 0:
            let({push.remote_ref: push.local_oid for push in pushes})
    if any(finding.rule == "STR-P004" for finding in findings):
        print(KEYS, file=sys.stderr)
    return code


def parse_received(data: bytes) -> list[Push]:
    """The lines `OLD NEW REF` of standard input. Raises StrataError for one that git would not write."""
    pushes = []
    for line in os.fsdecode(data).split("\n")[:-1]:
        old, _, rest = line.partition(" ")
        new, _, name = rest.partition(" ")
        if not name.startswith("refs/"):
            raise StrataError(f"pre-receive was handed a line it cannot read: {printable(line)}")
        pushes.append(Push(name, new, name, old))
    return pushes


def judge_received(repo: Repository, pushes: Sequence[Push]) -> tuple[Finding, ...]:
    """Everything that is wrong with a push, sorted. Raises StrataError for what cannot be judged."""
    kept = [push for push in pushes if not push.deletes]
    overlay = {push.remote_ref: push.local_oid for push in kept}
    in_force = _in_force(repo, kept)
    findings: list[Finding] = []
    for push in pushes:
        findings += judge_guarded(repo, push, HERE)
    first = _default_branch(repo) is None
    findings += judge_event_refs(repo, kept, in_force, overlay, revisions=BRANCHES_HERE, first=first)
    findings += _judge_policy(repo, kept, in_force)
    findings += _judge_branches(repo, pushes)
    findings += _judge_commits(repo, [push for push in kept if push.remote_ref != LOG], in_force)
    return ordered(findings)


def _judge_policy(repo: Repository, pushes: Sequence[Push], in_force: str | None) -> list[Finding]:
    """The tip of HEAD's branch holds a policy in force, or one that follows it, signed; others may be on the way."""
    main = os.fsdecode(repo.try_git("symbolic-ref", "--quiet", "HEAD").out).rstrip("\n")
    tip = next((push for push in pushes if push.remote_ref == main and repo.resolve(push.local_oid)), None)
    if tip is None or in_force is None:
        return []
    before = "" if tip.creates else tip.remote_oid
    return judge_policy_tip(
        repo, tip.local_oid, in_force, where=f" on {main}", revisions=BRANCHES_HERE, replaced=before
    )


def _in_force(repo: Repository, pushes: Sequence[Push]) -> str | None:
    """The commit whose settings judge: the default branch's before the push, or the push's where there are none yet."""
    here = _default_branch(repo)
    tips = [*([here] if here else []), *_pushed_tips(repo, pushes)]
    return next((tip for tip in tips if commit_tree(repo, tip, [SETTINGS]).get(SETTINGS)), None)


def _default_branch(repo: Repository) -> str | None:
    """The commit HEAD names; where it names none, that of main, of master, or of the first branch by name."""
    if head := repo.head():
        return head
    branches = {ref.name: ref.oid for ref in list_refs(repo, BRANCHES)}
    first = [name for name in (f"{BRANCHES}main", f"{BRANCHES}master", *branches) if name in branches]
    return branches[first[0]] if first else None


def _pushed_tips(repo: Repository, pushes: Sequence[Push]) -> list[str]:
    """The commits that a push brings, that of HEAD's branch first."""
    head = os.fsdecode(repo.try_git("symbolic-ref", "--quiet", "HEAD").out).rstrip("\n")
    branches = [push for push in pushes if push.remote_ref.startswith(BRANCHES)]
    branches.sort(key=lambda push: push.remote_ref != head)
    return [commit for push in branches if (commit := repo.resolve(push.local_oid))]


def _judge_branches(repo: Repository, pushes: Sequence[Push]) -> list[Finding]:
    """The commits of events stay on a branch: what is in production is in nobody's way to be built upon."""
    moved = {push.remote_ref: push for push in pushes if push.remote_ref.startswith(BRANCHES)}
    before = [push.remote_oid for push in moved.values() if not push.creates]
    events = {push.remote_ref: repo.resolve(push.local_oid) for push in pushes if push.creates and _is_event(push)}
    if not before and not events:
        return []
    after = [push.local_oid for push in moved.values() if not push.deletes]
    after += [ref.oid for ref in list_refs(repo, BRANCHES) if ref.name not in moved]
    asked = [*before, *(commit for commit in events.values() if commit)]
    lost = set(list_commits(repo, *asked, *(f"^{oid}" for oid in after)))
    message = f"its commit is on no branch {HERE}: push the branch too"
    homeless = [found("STR-P022", name, message) for name, commit in events.items() if commit in lost]
    return [*homeless, *_lost_events(repo, lost)]


def _is_event(push: Push) -> bool:
    return push.remote_ref.startswith(TAGS) and parse_name(push.remote_ref.removeprefix(TAGS)) is not None


def _lost_events(repo: Repository, lost: Collection[str]) -> list[Finding]:
    if not lost:
        return []
    out = repo.git("for-each-ref", "--format=%(*objectname) %(refname)", TAGS)
    rows = [line.split(" ", 1) for line in os.fsdecode(out).split("\n")[:-1]]
    message = f"its commit would be on no branch {HERE} any more"
    names = [name for commit, name in rows if commit in lost and parse_name(name.removeprefix(TAGS))]
    return [found("STR-P022", name, message) for name in names]


def _judge_commits(repo: Repository, pushes: Sequence[Push], in_force: str | None) -> list[Finding]:
    """Every new commit, whatever reference brings it: nothing gets in by a side door and is taken as known later."""
    if not pushes:
        return []
    new = list_received(repo, [push.local_oid for push in pushes])
    if not new:
        return []
    verdict = judge_commits(repo, new, RECEIVED, new[-1], in_force=in_force or "")
    absent = [gap for gap in verdict.unjudged if gap != SHALLOW]
    if absent and not verdict.errors:
        raise StrataError(f"The push cannot be judged and is refused: {', '.join(absent)}.")
    return list(verdict.findings)
