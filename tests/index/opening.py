"""Repositories opened by a test of the index, and closed after it."""

from __future__ import annotations

from strata_git.index.build import build
from strata_git.index.records import Index
from strata_git.repo.command import Repository
from tests.support.builder import RepositoryBuilder

_OPEN: list[Repository] = []


def close_all() -> None:
    while _OPEN:
        _OPEN.pop().close()


def opened(repo: RepositoryBuilder) -> Repository:
    _OPEN.append(Repository.discover(repo.path, repo.environ))
    return _OPEN[-1]


def indexed(repo: RepositoryBuilder, revision: str = "HEAD") -> Index:
    return build(opened(repo), revision)


def introduced(index: Index, reference: str) -> str | None:
    record = index.get(reference)
    assert record is not None
    return record.introduced.commit if record.introduced else None
