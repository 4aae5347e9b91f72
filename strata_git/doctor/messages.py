"""Commit messages against what their commits hold: of commits that exist, and of the one being made (TFC-0001 §10)."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence

from strata_git.checks.finding import Finding
from strata_git.checks.messages import judge_message, named_in
from strata_git.contracts.layout import Artifact, artifact_of
from strata_git.repo.command import Repository

AT_ONCE = 500
"""Places asked of git in one call."""


def judge_messages(repo: Repository, commits: Iterable[str]) -> list[Finding]:
    """Findings, as warnings, on the messages of commits. A commit of which a parent is absent is passed over."""
    findings: list[Finding] = []
    for oid, kind, data in list(repo.objects.read_many(commits)):
        if kind != "commit" or data is None or b"strata-" not in data.lower():
            continue
        head, _, body = data.partition(b"\n\n")
        message = body.decode("utf-8", "replace")
        parents = [line[7:].decode() for line in head.split(b"\n") if line.startswith(b"parent ")]
        named = named_in(message)
        if named and None in dict(repo.objects.lookup(parents)).values():
            continue
        findings += judge_message(message, held_by(repo, named, [oid, *parents]), commit=oid, mild=True)
    return findings


def judge_pending(repo: Repository, message: str, parents: Sequence[str]) -> list[Finding]:
    """Findings on the message of the commit that is being made from the index on top of `parents`."""
    named = named_in(message)
    there = held_by(repo, named, parents)
    missing = [artifact for artifact in named if artifact not in there]
    return judge_message(message, [*there, *_staged(repo, missing)])


def held_by(repo: Repository, artifacts: Collection[Artifact], commits: Iterable[str]) -> list[Artifact]:
    """Those of `artifacts` that some of `commits` holds."""
    names = {f"{commit}:{artifact.path}": artifact for commit in commits for artifact in artifacts}
    found = repo.objects.lookup(names) if names else ()
    return list(dict.fromkeys(names[name] for name, row in found if row is not None and row[1] == "tree"))


def _staged(repo: Repository, artifacts: Sequence[Artifact]) -> list[Artifact]:
    staged: set[Artifact | None] = set()
    for at in range(0, len(artifacts), AT_ONCE):
        places = [artifact.path for artifact in artifacts[at : at + AT_ONCE]]
        staged |= {artifact_of(path) for path in os.fsdecode(repo.git("ls-files", "-z", "--", *places)).split("\0")}
    return [artifact for artifact in artifacts if artifact in staged]
