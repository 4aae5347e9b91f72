"""pre-push: the client's authority. Every line git hands over is judged: commits, tags, notes, chains, deletions."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from strata_git.checks.finding import Finding, found
from strata_git.doctor.judge import judge_commits
from strata_git.doctor.verdict import ordered
from strata_git.errors import StrataError, printable
from strata_git.hooks.events import is_event_ref, judge_event_refs
from strata_git.repo.command import Repository
from strata_git.repo.history import is_ancestor, list_commits
from strata_git.repo.notes import NOTES_REF
from strata_git.repo.refs import list_refs

TOLD = 20


@dataclass(frozen=True, slots=True)
class Push:
    """One line of pre-push's standard input: what goes where, and what the other side has there."""

    local_ref: str
    local_oid: str
    remote_ref: str
    remote_oid: str

    @property
    def deletes(self) -> bool:
        """Whether the reference is taken away."""
        return set(self.local_oid) == {"0"}

    @property
    def creates(self) -> bool:
        """Whether the other side has no such reference yet."""
        return set(self.remote_oid) == {"0"}


def run(repo: Repository, arguments: Sequence[str]) -> int:
    """Judge a push to the remote named by git; 1 refuses it."""
    pushes = parse_lines(sys.stdin.buffer.read())
    remote = arguments[0] if arguments else ""
    findings = judge_pushes(repo, pushes, remote)
    errors = [finding for finding in findings if finding.severity == "error"]
    if findings:
        from strata_git.checks.formats import to_text

        worth = [finding for finding in findings if finding.severity != "info"]
        if worth:
            print(to_text(worth[:TOLD]), file=sys.stderr)
        if len(worth) > TOLD:
            print(f"... and {len(worth) - TOLD} more", file=sys.stderr)
    if errors:
        print(f"git-strata refuses this push: {len(errors)} error(s). Nothing was pushed.", file=sys.stderr)
    return 1 if errors else 0


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
        findings += _judge_ref(repo, push)
    findings += judge_event_refs(repo, [p for p in pushes if not p.deletes])
    findings += _judge_commits(repo, pushes, remote)
    return ordered(findings)


def _judge_ref(repo: Repository, push: Push) -> list[Finding]:
    name = push.remote_ref
    event = is_event_ref(name)
    guarded = event or name.startswith(("refs/strata/ledger/", "refs/strata/approvals/")) or name == NOTES_REF
    if not guarded:
        return []
    if push.deletes:
        return [found("STR-P017", name, "would be deleted on the other side")]
    if push.creates or push.local_oid == push.remote_oid:
        return []
    if event:
        return [found("STR-P017", name, "would be moved on the other side")]
    if name == NOTES_REF:
        behind = not repo.resolve(push.remote_oid) or not is_ancestor(repo, push.remote_oid, push.local_oid)
        return [found("STR-P017", name, "would lose notes the other side has; fetch and merge them first")] * behind
    return []


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
    return list(judge_commits(repo, new, sorted(bases), tips[-1]).findings)
