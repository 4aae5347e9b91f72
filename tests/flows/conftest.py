"""The servers of the flow tests: made once for each worker, copied for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows import kinds
from tests.flows.server import Server, copied, made
from tests.support.environment import remove_home, sealed, short_directory
from tests.support.keys import Keys, KeyStore


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, key_store: KeyStore) -> Iterator[Server]:
    """forest@v1 is in staging, forest@v2 is not registered; all of it went through the server's hook."""
    home, base = short_directory(), tmp_path_factory.mktemp("server")
    shutil.copytree(key_store.ring("alice", "bob"), home, dirs_exist_ok=True)
    environ = sealed(base, home, os.environ)
    server = made(base, environ, Keys(home, key_store))
    yield server
    remove_home(home)


@pytest.fixture
def server(template: Server, tmp_path: Path, hermetic: dict[str, str], keys: Keys) -> Server:
    return copied(template, tmp_path, hermetic, keys)


@pytest.fixture(scope="session")
def whole_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kinds.Place]:
    """A workspace made by commands, with `old@v1` released and pushed."""
    gnupg, base = short_directory(), tmp_path_factory.mktemp("kinds")
    yield kinds.made(base, sealed(base, gnupg, os.environ))
    remove_home(gnupg)


@pytest.fixture
def place(whole_place: kinds.Place, tmp_path: Path, hermetic: dict[str, str]) -> kinds.Place:
    return kinds.copied(whole_place, tmp_path, hermetic)
