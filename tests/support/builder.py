"""Real repositories, each a few lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack

from strata_git.contracts.layout import Artifact
from strata_git.contracts.tree import Tree
from strata_git.repo.command import Repository
from strata_git.repo.tree import commit_tree
from strata_git.repo.worktree import WorkTree
from tests.support import artifacts
from tests.support.artifacts import Files
from tests.support.forking import server_for
from tests.support.process import LIMIT, Completed, run

FIRST = 1767614400
"""2026-01-05T12:00:00Z, when the first commit of every test is made."""
DATED = frozenset({"am", "cherry-pick", "commit", "merge", "notes", "rebase", "revert", "tag"})


@dataclass(slots=True)
class Clock:
    """Dates for commits and tags: a minute later each time, so that object ids can be asserted literally."""

    seconds: int = FIRST

    def tick(self) -> None:
        self.seconds += 60

    @property
    def environ(self) -> dict[str, str]:
        stamp = f"{self.seconds} +0000"
        return {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp}


@dataclass(frozen=True, slots=True)
class RepositoryBuilder:
    """A repository on disk and short words for what people do with it.

    >>> repo = builder().workspace()
    >>> iris = repo.dataset("iris")
    >>> head = repo.commit("Add iris")
    >>> repo.strata("doctor").expect(0)
    """

    path: Path
    environ: dict[str, str]
    clock: Clock = field(default_factory=Clock)

    # --- files

    def write(self, files: Mapping[str, bytes | str | None]) -> RepositoryBuilder:
        """Write files (paths relative to the repository); None deletes."""
        for name, data in files.items():
            target = self.path / name
            if data is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data.encode() if isinstance(data, str) else data)
        return self

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()

    def delete(self, *names: str) -> RepositoryBuilder:
        return self.write(dict.fromkeys(names))

    def chmod(self, modes: Mapping[str, int]) -> RepositoryBuilder:
        for name, mode in modes.items():
            (self.path / name).chmod(mode)
        return self

    def symlink(self, links: Mapping[str, str]) -> RepositoryBuilder:
        """Symbolic links: name -> target, the target written as given."""
        for name, target in links.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).symlink_to(target)
        return self

    # --- git

    def try_git(self, *words: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> Completed:
        """`git <words>` here, whatever it answers. Commands that make commits or tags move the clock."""
        if words and words[0] in DATED:
            self.clock.tick()
        environ = self.environ | self.clock.environ | dict(env or {})
        return run("git", *words, cwd=self.path, environ=environ, stdin=stdin)

    def git(self, *words: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None) -> str:
        """Standard output of a `git` command that succeeds, without the last newline."""
        return self.try_git(*words, stdin=stdin, env=env).expect(0).out.removesuffix("\n")

    def commit(
        self, message: str = "Change", files: Mapping[str, bytes | str | None] | None = None, *options: str
    ) -> str:
        """Stage everything and commit it, hooks on; the new commit's id. `files` are written first."""
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message, *options)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "--verify", "HEAD")

    def paths(self, revision: str = "HEAD") -> list[str]:
        """All file paths of a revision."""
        return self.git("ls-tree", "-r", "-z", "--name-only", revision).split("\0")[:-1]

    def worktree(self, branch: str) -> RepositoryBuilder:
        """A linked worktree beside this one on a new `branch`."""
        path = self.path.with_name(f"{self.path.name}-{branch}")
        self.git("worktree", "add", "--quiet", "-b", branch, str(path))
        return RepositoryBuilder(path, self.environ, self.clock)

    def clone(self, name: str = "clone", *options: str) -> RepositoryBuilder:
        """A clone beside this one, `options` being those of `git clone` (`--bare`, `--filter=...`)."""
        path = self.path.with_name(name)
        self.git("clone", "--quiet", *options, self.path.as_uri(), str(path))
        return RepositoryBuilder(path, self.environ, self.clock)

    # --- us

    def strata(
        self,
        *words: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str = ".",
    ) -> Completed:
        """`git strata <words>` in a process of its own; a traceback fails the test at once."""
        command = (sys.executable, "-m", "strata_git", *words)
        environ = self.environ | dict(env or {})
        server = server_for(environ)
        if server is None:
            return run(*command, cwd=self.path / cwd, environ=environ, stdin=stdin).clean()
        code, told, noted = server.run(words, self.path / cwd, environ, stdin or b"", LIMIT)
        return Completed(command, code, os.fsdecode(told), os.fsdecode(noted)).clean()

    def install_hooks(self, *options: str) -> RepositoryBuilder:
        self.strata("install", *options).expect(0)
        return self

    def repository(self) -> Repository:
        """Our own view of it."""
        return Repository.discover(self.path, self.environ)

    def tree(self, revision: str | None = None) -> Tree:
        """The files of a revision, or those on disk, as the judging floors see them."""
        repo = self.repository()
        return WorkTree(repo) if revision is None else commit_tree(repo, self.git("rev-parse", revision))

    def install_lfs(self, *options: str) -> RepositoryBuilder:
        """Git LFS's filters, for this repository only; with `--skip-repo` without its hooks."""
        self.git("lfs", "install", "--local", *options)
        return self

    # --- content that does not go through the command line

    def workspace(self, *, lfs: bool = False, settings: Mapping[str, object] | None = None) -> RepositoryBuilder:
        """strata.yaml, .gitattributes and .gitignore; nothing is committed."""
        return self.write(artifacts.workspace(lfs=lfs, settings=settings))

    def dataset(self, name: str = "iris", version: str = "v1", **options: Unpack[artifacts.DatasetOptions]) -> Artifact:
        """Write a valid dataset; options as in `artifacts.dataset`."""
        return self.place(Artifact("dataset", name, version), artifacts.dataset(name, version, **options))

    def model(self, name: str = "forest", version: str = "v1", **options: Unpack[artifacts.ModelOptions]) -> Artifact:
        """Write a valid model; options as in `artifacts.model`."""
        return self.place(Artifact("model", name, version), artifacts.model(name, version, **options))

    def prompt(
        self, name: str = "summarise", version: str = "v1", **options: Unpack[artifacts.PromptOptions]
    ) -> Artifact:
        """Write a valid prompt; options as in `artifacts.prompt`."""
        return self.place(Artifact("prompt", name, version), artifacts.prompt(name, version, **options))

    def run(self, identity: str = artifacts.RUN, **options: Unpack[artifacts.RunOptions]) -> Artifact:
        """Write a valid, succeeded run; options as in `artifacts.run`."""
        return self.place(Artifact("run", identity), artifacts.run(identity, **options))

    def place(self, artifact: Artifact, files: Files) -> Artifact:
        self.write(files)
        return artifact

    def story(self) -> Story:
        """A dataset, the run that read it, the model it made: references agree; nothing is committed."""
        self.write(iris := artifacts.dataset("iris"))
        inputs = [artifacts.cite(iris, "datasets/iris/v1")]
        self.write(run_files := artifacts.run(inputs=inputs))
        self.write(artifacts.model("forest", datasets=inputs, metrics=artifacts.metrics_of(run_files)))
        return Story(
            Artifact("dataset", "iris", "v1"),
            Artifact("run", artifacts.RUN),
            Artifact("model", "forest", "v1"),
        )


@dataclass(frozen=True, slots=True)
class Story:
    """What `RepositoryBuilder.story` wrote."""

    dataset: Artifact
    run: Artifact
    model: Artifact


def create(path: Path, environ: dict[str, str], *options: str) -> RepositoryBuilder:
    """`git init` with `options` (`--bare`, `--object-format=sha256`) at `path`."""
    os.makedirs(path)
    repo = RepositoryBuilder(path, environ)
    repo.git("init", "--quiet", *options)
    return repo
