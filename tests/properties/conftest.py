"""The bench, and how long a property is tried."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.properties.bench import LONG, SHORT, Bench
from tests.properties.plumbing import Plumbing
from tests.support.builder import create
from tests.support.environment import remove_home, sealed, short_directory


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One repository for all examples of a module."""
    gnupg = short_directory()
    home = tmp_path_factory.mktemp("bench")
    plumbing = Plumbing(create(home / "repo", sealed(home, gnupg, os.environ)))
    repo = plumbing.builder.repository()
    yield Bench(plumbing, repo)
    repo.close()
    remove_home(gnupg)


@pytest.fixture(params=[pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.heavy)])
def profile(request: pytest.FixtureRequest) -> settings:
    """How many examples: few with every run, many with the heavy tests."""
    chosen = request.param
    assert isinstance(chosen, settings)
    return chosen
