"""A day's work with a dataset, in whatever kind of repository: written, sealed, judged, read, refused, pushed."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path

from strata_git.cli.main import main
from tests.flows.server import guarded
from tests.support.builder import RepositoryBuilder, create
from tests.support.process import Completed

PLACE = "datasets/iris/v1"
DATA = f"{PLACE}/data/iris.csv"
READS = (
    ("doctor", "--strict", "--at", "HEAD"),
    ("verify", "iris@v1"),
    ("stages",),
    ("index",),
    ("list", "datasets"),
    ("lineage", "iris@v1"),
    ("show", "iris@v1"),
    ("impact", "iris@v1"),
    ("storage",),
)
"""Commands that need no working tree."""


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace with `old@v1` released and pushed to `server`, which judges what it receives."""

    repo: RepositoryBuilder
    server: RepositoryBuilder

    def cloned(self, name: str = "clone", *options: str) -> Place:
        """A clone of what the server has, with our hooks."""
        path = self.server.path.with_name(name)
        self.server.git("clone", "--quiet", *options, self.server.path.as_uri(), str(path))
        clone = RepositoryBuilder(path, self.repo.environ, self.repo.clock)
        return Place(clone.install_hooks() if "--bare" not in options else clone, self.server)


def made(folder: Path, environ: dict[str, str], *options: str) -> Place:
    """The place itself, by the commands that a person uses; `options` are those of `git init`."""
    server = guarded(create(folder / "server", environ, "--bare", *options))
    repo = create(folder / "repo", environ, *options)
    source = folder / "iris.csv"
    source.write_text("sepal,species\n5.1,setosa\n")
    repo.strata("init", "--no-lfs").expect(0)
    repo.commit("Make a workspace")
    add(repo, "old")
    repo.git("remote", "add", "origin", server.path.as_uri())
    repo.git("push", "-q", "-u", "origin", "main")
    return Place(repo, server)


def copied(place: Place, folder: Path, environ: dict[str, str]) -> Place:
    """A place of one's own, made like `place`."""
    shutil.copy(place.repo.path.parent / "iris.csv", folder)
    for one in (place.repo, place.server):
        shutil.copytree(one.path, folder / one.path.name, symlinks=True)
    repo = RepositoryBuilder(folder / "repo", environ)
    server = RepositoryBuilder(folder / "server", environ)
    repo.git("remote", "set-url", "origin", server.path.as_uri())
    repo.git("update-index", "-q", "--refresh")
    return Place(repo, server)


def add(repo: RepositoryBuilder, name: str) -> None:
    """A dataset by the command, committed through the hooks."""
    source = next(parent / "iris.csv" for parent in repo.path.parents if (parent / "iris.csv").exists())
    words = ("dataset", "add", str(source), "--name", name, "--licence", "CC0-1.0", "--description", "Flowers.")
    repo.strata(*words).expect(0)
    repo.git("add", f"datasets/{name}/v1")
    repo.git("commit", "-qm", f"Add {name}@v1")


def strata(repo: RepositoryBuilder, *words: str) -> Completed:
    """`git strata <words>` in this process: a quarter of what a process of its own costs."""
    out, err = (TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["-C", str(repo.path), *words])
    told = []
    for stream in (out, err):
        said = stream.detach()
        assert isinstance(said, BytesIO)
        told.append(said.getvalue().decode())
    return Completed(("strata", *words), code, *told).clean()


def work(place: Place, *, branch: str = "work", clean: str = "") -> None:
    """Everything in a day; `clean` is what `git status` says of a tree with nothing to commit."""
    repo, base = place.repo, place.repo.head
    add(repo, "iris")
    assert repo.git("status", "--porcelain") == clean
    stock = ("sha256sum", "--strict", "--quiet", "-c", "CHECKSUMS.txt")
    subprocess.run(stock, cwd=repo.path / PLACE, check=True)
    read(repo)
    strata(repo, "doctor", "--strict").expect(0)
    strata(repo, "doctor", "--strict", "--range", f"{base}..HEAD").expect(0)
    repo.git("push", "-q", "origin", f"HEAD:refs/heads/{branch}")
    assert place.server.git("rev-parse", branch) == repo.head
    tamper(place, branch)


def read(repo: RepositoryBuilder) -> None:
    """Every read command tells of iris@v1."""
    for words in READS:
        answer = strata(repo, *words).expect(0)
        assert "iris" in answer.out + answer.err or words[0] in ("doctor", "stages", "index"), str(answer)


def tamper(place: Place, branch: str) -> None:
    """Refused at the commit, and past that hook at the push, by the client and by the server."""
    repo, before = place.repo, place.server.git("for-each-ref")
    released = repo.read(DATA)
    repo.write({DATA: released.replace(b"5.1", b"6.1")})
    assert strata(repo, "doctor").code == 2
    repo.git("add", DATA)
    said = repo.try_git("commit", "-qm", "Tamper").expect(1).err
    assert "STR-I001" in said
    assert DATA in said
    repo.git("commit", "-qnm", "Tamper")
    for bypass in ((), ("--no-verify",)):
        answer = repo.try_git("push", "-q", *bypass, "origin", f"HEAD:refs/heads/{branch}")
        assert answer.code != 0
        assert "STR-I001" in answer.clean().err
    assert place.server.git("for-each-ref") == before
    repo.git("reset", "-q", "--hard", "HEAD~1")
    assert repo.read(DATA) == released
