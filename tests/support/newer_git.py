"""A git with config-based hooks and reftables (>= 2.54), beside the system's own.

`scripts/newer-git.sh` unpacks it; `make test-heavy` sees to that. Tests that ask for it are marked heavy.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.builder import RepositoryBuilder

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def newer_git() -> Path:
    """The directory to put first on PATH.

    >>> def test_something(builder: Builder, newer_git: Path) -> None:
    ...     repo = with_git(builder(), newer_git)
    ...     repo.git("version")
    'git version 2.55.0'
    """
    directory = ROOT / ".tools" / "newer-git" / "bin"
    assert (directory / "git").exists(), "run: scripts/newer-git.sh"
    return directory


def with_git(repo: RepositoryBuilder, directory: Path) -> RepositoryBuilder:
    """The same repository, with the git of another directory first on PATH, for us and for all that is started."""
    environ = repo.environ | {"PATH": os.pathsep.join((str(directory), repo.environ["PATH"]))}
    return RepositoryBuilder(repo.path, environ, repo.clock)
