"""From a repository (and others beside it) to an overview of a period: what is asked of indexes and documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from strata_git.checks.plain import dig, mapping, text
from strata_git.errors import StrataError, printable
from strata_git.index.contents import read_documents
from strata_git.index.records import Index
from strata_git.repo.command import Repository
from strata_git.repo.history import read_commit
from strata_git.report.period import Source

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SPAN = re.compile(r"([1-9][0-9]{0,4})([dw])")
_HINT = "A day (2026-11-01), a time in UTC (2026-11-01T12:00:00Z), a span (30d, 12w), or a revision."


def moment_said(repo: Repository, said: str, *, now: datetime | None = None) -> str:
    """The moment (ISO 8601 in UTC) that somebody means: a day's beginning, a time, so long ago, a commit's own date.

    Raises StrataError.
    """
    if span := _SPAN.fullmatch(said):
        days = int(span[1]) * (7 if span[2] == "w" else 1)
        return _text((now or datetime.now(UTC)) - timedelta(days=days))
    try:
        if _DAY.fullmatch(said):
            return _text(datetime.fromisoformat(said).replace(tzinfo=UTC))
        if "T" in said and (moment := datetime.fromisoformat(said)).tzinfo is not None:
            return _text(moment.astimezone(UTC))
    except (ValueError, OverflowError):
        pass
    oid = repo.resolve(said)
    if oid is None:
        raise StrataError(f"'{printable(said)}' is neither a moment nor a revision.", hint=_HINT)
    return read_commit(repo, oid).committed


def source_of(repo: Repository, index: Index, name: str = "") -> Source:
    """A repository's index with the directions that its models declare."""
    return Source(name, index, directions_in(repo, index))


def directions_in(repo: Repository, index: Index) -> Mapping[tuple[str, str], str]:
    """Which way each metric of each model is better, as its metrics.yaml says; what cannot be read says nothing."""
    found: dict[tuple[str, str], str] = {}
    for record in (*index.artifacts, *index.elsewhere):
        if record.artifact.kind != "model" or not record.metrics:
            continue
        documents = read_documents(repo, record, ["metrics.yaml"])
        for metric, described in mapping(dig(documents.get("metrics.yaml"), "metrics")).items():
            way = text(dig(described, "direction"))
            if way in ("higher", "lower"):
                found.setdefault((record.reference, metric), way)
    return found


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
