"""Three repositories that know of each other, and short words for what is asked of them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strata_git.canonical import canonical_json
from strata_git.config import Settings
from strata_git.index.federate import assemble, fetch_members
from strata_git.index.federation import Federation
from strata_git.index.fetching import PUBLISHED
from strata_git.index.members import add_member
from strata_git.index.published import publish
from tests.index.opening import close_all, opened
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder, create
from tests.support.environment import remove_home, sealed, short_directory
from tests.support.keys import Keys

DATA, TRAIN, DESK = (f"{n}{n}{n}{n}{n}{n}{n}{n}-6a35-4c3e-9d55-0d7f6f2a9d01" for n in range(1, 4))
IRIS = artifacts.dataset("iris")
CITED = artifacts.cite(IRIS, "datasets/iris/v1")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Three repositories, made once: each test works on a copy."""
    place, gnupg = tmp_path_factory.mktemp("federation"), short_directory()
    environ = sealed(place, gnupg, os.environ)
    data, train, desk = (create(place / name, environ) for name in ("data", "train", "desk"))
    data.workspace(settings={"repository": DATA}).git("config", "uploadpack.allowFilter", "true")
    data.dataset("iris")
    data.commit("Iris")
    train.workspace(settings={"repository": TRAIN}).git("config", "uploadpack.allowFilter", "true")
    train.run(inputs=[CITED])
    train.model("forest", datasets=[CITED])
    train.commit("Forest")
    desk.workspace(settings={"repository": DESK})
    desk.commit("Begin")
    for repo in (data, train):
        add_member(opened(desk), str(repo.path), None, cwd=desk.path)
    assert fetched(desk) == {"data": "", "train": ""}
    close_all()
    yield place
    remove_home(gnupg)


@pytest.fixture
def data(template: Path, tmp_path: Path, hermetic: dict[str, str]) -> RepositoryBuilder:
    """A repository that has the dataset, and lets others leave files out."""
    return copied(template, tmp_path, hermetic, "data")


@pytest.fixture
def train(template: Path, tmp_path: Path, hermetic: dict[str, str]) -> RepositoryBuilder:
    """Another one, which trained on it; the dataset itself is not there."""
    return copied(template, tmp_path, hermetic, "train")


@pytest.fixture
def asked(data: RepositoryBuilder, train: RepositoryBuilder, template: Path) -> RepositoryBuilder:
    """Where all of it is asked, both others fetched."""
    made = copied(template, data.path.parent, data.environ, "desk")
    members = made.path / ".git/strata/federation/members.json"
    members.write_text(members.read_text().replace(str(template), str(data.path.parent)))
    return made


@pytest.fixture
def desk(template: Path, tmp_path: Path, hermetic: dict[str, str]) -> RepositoryBuilder:
    """The same with nobody on the list."""
    made = copied(template, tmp_path, hermetic, "desk")
    shutil.rmtree(made.path / ".git/strata")
    return made


def copied(template: Path, place: Path, environ: dict[str, str], name: str) -> RepositoryBuilder:
    shutil.copytree(template / name, place / name, symlinks=True)
    return RepositoryBuilder(place / name, environ)


def fetched(desk: RepositoryBuilder, **options: Any) -> dict[str, str]:
    return {member.name: error for member, error in fetch_members(opened(desk), **options)}


def federation(desk: RepositoryBuilder) -> Federation:
    return assemble(opened(desk), Settings(repository=DESK))


def member_git(desk: RepositoryBuilder, name: str, *words: str) -> str:
    place = desk.path / ".git/strata/federation" / f"{name}.git"
    return desk.git(f"--git-dir={place}", *words)


def sign(repo: RepositoryBuilder, keys: Keys, identity: str = DATA) -> None:
    publish(opened(repo), Settings(repository=identity), key=keys.alice)


def doubts(desk: RepositoryBuilder) -> list[tuple[str, str, str]]:
    return [(each.severity, each.member, each.message) for each in federation(desk).doubts]


def forge(
    data: RepositoryBuilder, document: object, *, identity: str = DATA, revision: str = "", raw: bytes = b""
) -> None:
    """Put an unsigned published index in place, as somebody without a key would."""
    content = raw or canonical_json(document)
    blob = data.git("hash-object", "-w", "--stdin", stdin=content)
    tree = data.git("mktree", stdin=f"100644 blob {blob}\tindex.json\n".encode())
    commit = data.git("commit-tree", tree, "-m", "x")
    record = {"schema": "strata/published/v1", "repo": identity, "revision": revision or data.head,
              "sha256": hashlib.sha256(content).hexdigest(), "issued_at": "2026-01-05T12:00:00Z"}  # fmt: skip
    message = f"The index\n\nStrata-Record: {canonical_json(record).decode()}\n"
    head = f"object {commit}\ntype commit\ntag index\ntagger A <a@x> 1767614400 +0000\n\n"
    data.git("update-ref", PUBLISHED, data.git("mktag", stdin=(head + message).encode()))


def index_of(data: RepositoryBuilder) -> dict[str, Any]:
    from strata_git.index.build import build
    from strata_git.index.export import index_document

    return json.loads(json.dumps(index_document(build(opened(data)))))  # type: ignore[no-any-return]
