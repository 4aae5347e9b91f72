"""The workspace of the flow tests, with hooks, a released version and a server that judges; and one under a policy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks import stand as stands
from tests.flows.conftest import place, whole_place
from tests.support.environment import remove_home, sealed, short_directory
from tests.support.keys import Keys, KeyStore

__all__ = ["place", "stand", "whole_place", "whole_stand"]


@pytest.fixture(scope="session")
def whole_stand(tmp_path_factory: pytest.TempPathFactory, key_store: KeyStore) -> Iterator[stands.Stand]:
    """Made once for each worker."""
    home, base = short_directory(), tmp_path_factory.mktemp("stand")
    shutil.copytree(key_store.ring("alice", "bob"), home, dirs_exist_ok=True)
    yield stands.made(base, sealed(base, home, os.environ), Keys(home, key_store))
    remove_home(home)


@pytest.fixture
def stand(
    whole_stand: stands.Stand,
    tmp_path: Path,
    hermetic: dict[str, str],
    key_store: KeyStore,
    monkeypatch: pytest.MonkeyPatch,
) -> stands.Stand:
    """forest@v1 and @v2 are in staging; two of Alice and Bob may bring one into production."""
    monkeypatch.setenv("STRATA_TRUST_PIN", whole_stand.repo.environ["STRATA_TRUST_PIN"])
    return stands.copied(whole_stand, tmp_path, hermetic, Keys(Path(hermetic["GNUPGHOME"]), key_store))
