"""Commits as introductions, and where a shallow clone's history ends."""

from __future__ import annotations

import re
from collections.abc import Iterable

from strata_git.index.records import Introduction
from strata_git.index.vouch import introduction
from strata_git.repo.command import Repository
from strata_git.repo.objects import TooLarge

_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_COMMIT_LIMIT = 1 << 20


def read_introductions(repo: Repository, oids: Iterable[str]) -> dict[str, Introduction]:
    """Those of `oids`, ids that git has given, that are commits here."""
    rows = repo.objects.read_many(sorted(oids))
    return {oid: introduction(oid, data) for oid, kind, data in rows if kind == "commit" and data is not None}


def read_others(repo: Repository, oids: Iterable[str]) -> dict[str, Introduction]:
    """Those of `oids`, whoever named them, that are commits here; what is no object id is never asked for."""
    found: dict[str, Introduction] = {}
    for oid in sorted(oids):
        if not _OBJECT_ID.fullmatch(oid):
            continue
        try:  # one by one: in a partial clone older versions of git end at an object that is absent
            kind, data = repo.objects.read(oid, _COMMIT_LIMIT)
        except (KeyError, TooLarge):
            continue
        if kind == "commit":
            found[oid] = introduction(oid, data)
    return found


def read_boundary(repo: Repository) -> frozenset[str]:
    """The commits at which a shallow clone ends: nobody can tell here what they introduced."""
    try:
        return frozenset((repo.common_dir / "shallow").read_text("ascii").split())
    except (OSError, ValueError):
        return frozenset()
