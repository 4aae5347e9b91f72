"""Subjects and documents of a repository, in the test's own process."""

from __future__ import annotations

import json
from typing import Any

from strata_git.exchange.convert import document
from strata_git.exchange.reading import read_subject
from strata_git.exchange.subject import Subject
from tests.index.opening import indexed, opened
from tests.support.artifacts import REPOSITORY
from tests.support.builder import RepositoryBuilder


def subject(repo: RepositoryBuilder, reference: str, revision: str = "HEAD") -> Subject:
    return read_subject(opened(repo), indexed(repo, revision), reference, repository=REPOSITORY)


def converted(repo: RepositoryBuilder, reference: str, format_: str, *, base: str = "") -> bytes:
    return document([subject(repo, reference)], format_, base=base)


def told(repo: RepositoryBuilder, reference: str, format_: str) -> Any:
    return json.loads(converted(repo, reference, format_))


def story(repo: RepositoryBuilder) -> RepositoryBuilder:
    """A workspace with datasets/iris@v1, a run and models/forest@v1, committed."""
    repo.workspace().story()
    repo.commit("A story")
    return repo
