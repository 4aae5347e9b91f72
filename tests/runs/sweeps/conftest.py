"""A committed workspace with the hill in it."""

from __future__ import annotations

import pytest

from tests.runs.sweeps.hill import PLUGIN, experiment
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    """The dataset iris@v1, the plugin and its experiment."""
    made = builder().workspace()
    made.dataset("iris")
    made.write({"plugins/hill.py": PLUGIN, "experiments/hill.yaml": experiment()})
    made.commit("Begin")
    return made
