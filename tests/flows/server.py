"""A bare repository that judges what it receives, a workspace that pushes to it, and clones of other people."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.ledger.lab import Lab
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder, create
from tests.support.fixtures import ROOT
from tests.support.keys import Keys
from tests.support.process import Completed

EVERYTHING = ("main", "refs/tags/*", "+refs/strata/ledger/*", "refs/notes/strata")
FETCH = ("+refs/tags/*:refs/tags/*", "+refs/strata/*:refs/strata/*", "+refs/notes/strata:refs/notes/strata")
STAGING, REGISTERED = "refs/tags/forest#staging#1", "refs/tags/forest@v1.0.0"
HEAD, NOTES = "refs/strata/ledger/forest", "refs/notes/strata"


@dataclass(frozen=True, slots=True)
class Server:
    """`bare` has the hook; `lab` pushes to it as `server`."""

    bare: RepositoryBuilder
    lab: Lab

    @property
    def repo(self) -> RepositoryBuilder:
        return self.lab.repo

    def refs(self) -> str:
        return self.bare.git("for-each-ref") + self.bare.git("symbolic-ref", "HEAD")

    def push(self, *words: str, who: RepositoryBuilder | None = None) -> Completed:
        """A push past the client's hooks, whatever comes of it."""
        return (who or self.repo).try_git("push", "--no-verify", "server", *words).clean()

    def accepts(self, *words: str, who: RepositoryBuilder | None = None) -> Completed:
        return self.push(*words, who=who).expect(0)

    def refuses(self, rule: str, *words: str, who: RepositoryBuilder | None = None) -> str:
        """The hook says no and names the rule; not one reference of the server is another than before."""
        before = self.refs()
        answer = self.push(*words, who=who)
        assert answer.code != 0, str(answer)
        assert "pre-receive hook declined" in answer.err, str(answer)
        assert rule in answer.err, str(answer)
        assert "fix:" in answer.err, str(answer)
        assert "No reference was changed." in answer.err, str(answer)
        assert self.refs() == before
        return answer.err

    def clone(self, name: str) -> Lab:
        """Somebody else's clone, with all events and the same keys."""
        path = self.bare.path.with_name(name)
        self.bare.git("clone", "--quiet", "--origin", "server", self.bare.path.as_uri(), str(path))
        other = RepositoryBuilder(path, self.repo.environ, self.repo.clock)
        other.git("fetch", "--quiet", "server", *FETCH)
        return Lab(other, self.lab.keys)

    def keyring(self, home: Path) -> None:
        """Let the server's hook use a keyring of its own."""
        hook = self.bare.path / "hooks/pre-receive"
        lines = hook.read_text().split("\n", 1)
        hook.write_text(f"{lines[0]}\nGNUPGHOME='{home}'; export GNUPGHOME\n{lines[1]}")


def guarded(bare: RepositoryBuilder) -> RepositoryBuilder:
    """The hook copied into a bare repository."""
    place = bare.path / "hooks/pre-receive"
    place.parent.mkdir(exist_ok=True)
    shutil.copy(ROOT / "hooks/pre-receive", place)
    return bare


def workspace_with_models(repo: RepositoryBuilder, settings: Mapping[str, object] | None = None) -> None:
    """A dataset, its run, and the model it made in two versions, each introduced by a commit of its own."""
    repo.workspace(settings=settings)
    repo.story()
    repo.commit("Add forest@v1")
    cited = [artifacts.cite(artifacts.dataset("iris"), "datasets/iris/v1")]
    repo.model("forest", "v2", datasets=cited, metrics=artifacts.metrics_of(artifacts.run(inputs=cited)))
    repo.commit("Add forest@v2")


def copied(template: Server, folder: Path, environ: dict[str, str], keys: Keys) -> Server:
    """A server and workspace of one's own, made like `template`."""
    made = {}
    for name, source in (("server", template.bare), ("repo", template.repo)):
        shutil.copytree(source.path, folder / name, symlinks=True)
        made[name] = RepositoryBuilder(folder / name, environ, template.repo.clock)
    made["repo"].git("remote", "set-url", "server", made["server"].path.as_uri())
    return Server(made["server"], Lab(made["repo"], keys))


def made(base: Path, environ: dict[str, str], keys: Keys, *options: str) -> Server:
    """forest@v1 is in staging, forest@v2 is not registered; all of it went through the server's hook."""
    bare = guarded(create(base / "server", environ, "--bare", *options))
    repo = create(base / "repo", environ, *options)
    workspace_with_models(repo)
    repo.git("remote", "add", "server", bare.path.as_uri())
    server = Server(bare, Lab(repo, keys))
    server.lab.promote("v1", now=None)
    server.accepts("--atomic", *EVERYTHING)
    return server
