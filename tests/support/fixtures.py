"""The fixtures themselves; `tests/conftest.py` offers them to every test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.builder import RepositoryBuilder, create
from tests.support.environment import remove_home, sealed, short_directory
from tests.support.keys import Keys, KeyStore

ROOT = Path(__file__).parent.parent.parent


class Builder(Protocol):
    """`builder()` makes a fresh repository; object formats are "sha1" and "sha256"."""

    def __call__(self, name: str = ..., *, bare: bool = ..., object_format: str = ...) -> RepositoryBuilder: ...


@pytest.fixture(autouse=True)
def hermetic(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Seal the environment (this process and all it starts) and hand it over as a dict."""
    gnupg, base = short_directory(), tmp_path_factory.mktemp("sealed")
    environ = sealed(base, gnupg, os.environ)
    for name in set(os.environ) - set(environ):
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    yield environ
    remove_home(gnupg)
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def builder(hermetic: dict[str, str], tmp_path: Path) -> Builder:
    """Make repositories below the test's own directory.

    >>> def test_something(builder: Builder) -> None:
    ...     repo = builder().workspace()
    ...     server = builder("server", bare=True)
    """

    def build(name: str = "repo", *, bare: bool = False, object_format: str = "sha1") -> RepositoryBuilder:
        options = [f"--object-format={object_format}", *(["--bare"] if bare else [])]
        return create(tmp_path / name, hermetic, *options)

    return build


@pytest.fixture(scope="session")
def key_store(tmp_path_factory: pytest.TempPathFactory) -> KeyStore:
    """The keys that all workers of this session share."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    environ = {name: value for name, value in os.environ.items() if name in {"PATH", "TMPDIR"}}
    return KeyStore(shared / "keys", environ | {"LC_ALL": "C.UTF-8", "TZ": "UTC"})


@pytest.fixture
def keys(hermetic: dict[str, str], key_store: KeyStore) -> Keys:
    """GNUPGHOME of this test with alice and bob in it; others by `keys.add("mallory")`."""
    ring = Keys(Path(hermetic["GNUPGHOME"]), key_store)
    ready = key_store.ring("alice", "bob")
    shutil.copytree(ready, ring.home, dirs_exist_ok=True)
    return ring


@pytest.fixture
def lfs(builder: Builder) -> RepositoryBuilder:
    """A workspace whose large files go to Git LFS, its filters but not its hooks installed."""
    return builder().workspace(lfs=True).install_lfs("--skip-repo")


@pytest.fixture(scope="session")
def gto() -> Path:
    """The program `gto`, which reads our ledger with its own eyes; it lives in an environment of its own."""
    program = ROOT / ".venv-peers" / "bin" / "gto"
    assert program.exists(), "run: make peers"
    return program
