"""A repository with a promoted model and a service of it, ready to be built."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from strata_git.load import dump_yaml
from strata_git.repo.command import Repository
from strata_git.serving.gate import Loaded, open_model
from strata_git.serving.project.project import Project, demands, open_project
from tests.ledger.lab import NOW, SETTINGS, Lab
from tests.serving.models import golden_text, served
from tests.support.builder import RepositoryBuilder
from tests.support.keys import Keys


def stock(repo: RepositoryBuilder, keys: Keys, **service: object) -> Lab:
    """forest v1 in production, and the service `forest` of it with golden predictions."""
    repo.workspace()
    repo.model("forest", "v1", **served())
    repo.commit("Add v1")
    lab = Lab(repo, keys)
    for _ in range(2):
        lab.promote("v1")
    said = {"schema": "strata/service/v1", "name": "forest", "model": "forest@production", **service}
    repo.commit(
        "Add a service",
        {"services/forest/service.yaml": dump_yaml(said), "services/forest/tests/golden.json": golden_text()},
    )
    return lab


@dataclass(frozen=True, slots=True)
class Opened:
    """The service, and its model as the gate let it pass."""

    repo: Repository
    project: Project
    loaded: Loaded


@contextmanager
def opened(root: RepositoryBuilder, **options: Any) -> Iterator[Opened]:
    """Everything that goes into an image."""
    repo = root.repository()
    try:
        project = open_project(repo, "forest", **options)
        loaded = open_model(
            repo, SETTINGS, project.service.model, demands=demands(project), now=NOW + timedelta(hours=1)
        )
        yield Opened(repo, project, loaded)
    finally:
        repo.close()


Damage = Callable[[Path], object]
