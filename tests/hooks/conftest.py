"""A workspace with hooks and one commit, copied for each test on commit messages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builder import FIRST, Clock, RepositoryBuilder, create
from tests.support.environment import sealed, short_directory


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace with hooks and one commit, made once and copied for each test."""
    home, base = short_directory(), tmp_path_factory.mktemp("messages")
    made = create(base / "repo", sealed(base, home, os.environ)).workspace().install_hooks()
    made.commit("Workspace", {"notes.txt": "x\n"})
    yield made.path
    home.rmdir()


@pytest.fixture
def repo(template: Path, tmp_path: Path, hermetic: dict[str, str]) -> RepositoryBuilder:
    shutil.copytree(template, tmp_path / "repo", symlinks=True)
    return RepositoryBuilder(tmp_path / "repo", hermetic, Clock(FIRST + 60))
