"""Sixteen runs at once with the workspace's own store: one SQLite file, sixteen processes, nothing lost."""

from __future__ import annotations

import pytest

from strata_git.runs.mlflow import reading_client
from tests.runs.many import sixteen
from tests.runs.shown import workspace
from tests.support.fixtures import Builder

pytestmark = [pytest.mark.heavy, pytest.mark.filterwarnings("ignore")]  # other people's code


def test_sixteen_at_once_are_sixteen_records(builder: Builder) -> None:
    repo = workspace(builder())
    sixteen_of = f"sqlite:///{repo.path}/.strata/local/mlflow.db"
    (repo.path / ".strata/local").mkdir(parents=True)
    sixteen(repo, reading_client(sixteen_of))
