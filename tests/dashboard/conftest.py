"""Repositories with a dashboard, made once for all tests of a module."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from strata_git.dashboard.reading import Reader
from strata_git.dashboard.site import Site
from tests.dashboard.malice import hostile
from tests.dashboard.neighbours import hostile_desk, neighbours
from tests.dashboard.stories import rich
from tests.support.builder import RepositoryBuilder, create
from tests.support.environment import remove_home, sealed, short_directory
from tests.support.keys import KeyStore


def opened(repo: RepositoryBuilder, title: str = "Iris team") -> Site:
    """The site of a repository as it is now."""
    return Site(Reader(repo.repository(), title=title))


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, key_store: KeyStore) -> Iterator[RepositoryBuilder]:
    """The rich repository, the second version of its model in production."""
    gnupg = short_directory()
    shutil.copytree(key_store.ring("alice", "bob"), gnupg, dirs_exist_ok=True)
    environ = sealed(tmp_path_factory.mktemp("sealed"), gnupg, os.environ)
    repo = create(tmp_path_factory.mktemp("story") / "repo", environ)
    fingerprint = (key_store.folder("alice") / "fingerprint").read_text().strip()
    yield rich(repo, key=fingerprint)
    remove_home(gnupg)


@pytest.fixture(scope="module")
def site(story: RepositoryBuilder) -> Site:
    """The site of `story`."""
    return opened(story)


@pytest.fixture(scope="module")
def malice(tmp_path_factory: pytest.TempPathFactory) -> RepositoryBuilder:
    """The repository in which every text is a payload."""
    environ = sealed(tmp_path_factory.mktemp("sealed"), tmp_path_factory.mktemp("g"), os.environ)
    return hostile(create(tmp_path_factory.mktemp("malice") / "repo", environ))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, key_store: KeyStore) -> Iterator[RepositoryBuilder]:
    """Where several repositories are asked as one."""
    gnupg = short_directory()
    shutil.copytree(key_store.ring("alice"), gnupg, dirs_exist_ok=True)
    environ = sealed(tmp_path_factory.mktemp("sealed"), gnupg, os.environ)
    fingerprint = (key_store.folder("alice") / "fingerprint").read_text().strip()
    yield neighbours(tmp_path_factory.mktemp("federation"), environ, fingerprint)
    remove_home(gnupg)


@pytest.fixture(scope="module")
def surrounded(tmp_path_factory: pytest.TempPathFactory) -> RepositoryBuilder:
    """The same with nobody around but a member in whose index every text is a payload, and one that is not there."""
    environ = sealed(tmp_path_factory.mktemp("sealed"), tmp_path_factory.mktemp("g"), os.environ)
    return hostile_desk(tmp_path_factory.mktemp("surrounded"), environ)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a site may be written."""
    return tmp_path / "site"
