"""A secret does not get into a commit, whichever way; what the workspace lets pass does."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from strata_git.doctor.subject import WATCHED
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

ROOT = Path(__file__).parents[2]
SECRET = "gh" + "p_" + "q7" * 18
EXPERIMENT = "experiment: forest\nplugin: sklearn\nparams:\n  remote: {}\n"
CHAIN = "inputs: {{connector: docs}}\nsteps:\n- {{id: a, prompt: summarise@v1, params: {{remote: {}}}}}\n"
PLACES = {
    "experiments/forest.yaml": EXPERIMENT.format(SECRET),
    "experiments/deep/er/notes.ipynb": f'{{"cells": [{{"source": ["{SECRET}"]}}]}}',
    "chains/summarise.yaml": CHAIN.format(SECRET),
    ".env": f"TOKEN={SECRET}\n",
    ".strata/notes.md": f"{SECRET}\n",
    "strata.yaml": f"schema: strata/settings/v1\nlfs: false\n# {SECRET}\n",
    "services/scoring/settings.toml": f'token = "{SECRET}"\n',
}


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    made = builder().workspace().install_hooks()
    made.commit("Begin", {"README.md": "x"})
    return made


def refused(repo: RepositoryBuilder, path: str) -> None:
    head = repo.head
    done = repo.try_git("commit", "--quiet", "--message", "Leak").clean()
    assert done.code != 0
    assert repo.head == head
    assert "STR-G001" in done.err
    assert path in done.err
    assert SECRET not in done.err + done.out
    assert f"({SECRET[:4]}…, {len(SECRET)} characters)" in done.err


@pytest.mark.parametrize("path", PLACES)
def test_the_commit_is_refused(repo: RepositoryBuilder, path: str) -> None:
    repo.write({path: PLACES[path]}).git("add", "--force", "--all")
    refused(repo, path)


@pytest.mark.parametrize("name", ["config.yaml", "system.json", "logs.txt", "artifacts/x.ipynb", "artifacts/.env"])
def test_so_is_that_of_a_run(repo: RepositoryBuilder, name: str) -> None:
    repo.write(artifacts.run(extra={name: f'"{SECRET}"\n'.encode()})).git("add", "--force", "--all")
    refused(repo, f"runs/{artifacts.RUN}/{name}")


@pytest.mark.parametrize("path", PLACES)
def test_every_door_says_the_same(builder: Builder, path: str) -> None:
    repo = builder().workspace()
    base = repo.commit("Begin")
    repo.write({path: PLACES[path]})
    if path != ".env":  # ignored, so nobody would commit it by accident
        assert SECRET not in str(repo.strata("doctor").expect(2))
    repo.git("add", "--force", "--all")
    assert "STR-G001" in repo.strata("doctor", "--staged").expect(2).out
    repo.git("commit", "--quiet", "--message", "Leak")
    for words in (("--at", "HEAD"), ("--range", f"{base}..HEAD")):
        told = repo.strata("doctor", *words).expect(2).out
        assert "STR-G001" in told
        assert path in told
    assert "STR-G001" in repo.strata("doctor", "--at", "HEAD").expect(2).out, "remembered"


def test_nothing_secret_is_kept_in_the_cache(builder: Builder) -> None:
    repo = builder().workspace()
    repo.write(artifacts.run(extra={"logs.txt": SECRET.encode()}))
    repo.write({"experiments/forest.yaml": PLACES["experiments/forest.yaml"]})
    repo.strata("doctor").expect(2)
    kept = list((repo.path / ".git/strata/cache").iterdir())
    assert kept
    assert not any(SECRET[:12].encode() in path.read_bytes() for path in kept)


@pytest.mark.parametrize("word", [f"sha256:{hashlib.sha256(SECRET.encode()).hexdigest()}", "ghp_(q7|x)[q7]*"])
def test_what_the_workspace_lets_pass(repo: RepositoryBuilder, word: str) -> None:
    repo.write(artifacts.workspace(lfs=False, settings={"secrets": {"allow": [word]}}))
    repo.write({path: text for path, text in PLACES.items() if path != "strata.yaml"})
    repo.write(artifacts.run(extra={"logs.txt": SECRET.encode()}))
    repo.write(artifacts.service(model="forest@v1") | artifacts.model(datasets=[]))
    repo.git("add", "--force", "--all")
    repo.git("commit", "--quiet", "--message", "Test keys")
    assert "STR-G001" not in repo.strata("doctor").out
    repo.write(artifacts.workspace(lfs=False, settings={}))
    repo.git("add", "--force", "--all")
    told = repo.strata("doctor", "--staged").expect(2).out
    assert told.count("STR-G001") == len(PLACES), "remembered verdicts hold no allowance"


def test_the_marker_in_an_experiment(repo: RepositoryBuilder) -> None:
    repo.commit("Test key", {"experiments/x.yaml": EXPERIMENT.format(f"{SECRET}  # strata: allow-secret")})


def test_a_push_of_a_commit_that_passed_the_hooks_by_is_refused(repo: RepositoryBuilder, builder: Builder) -> None:
    repo.git("remote", "add", "origin", str(builder("server", bare=True).path))
    repo.write({"experiments/forest.yaml": PLACES["experiments/forest.yaml"]}).git("add", "--all")
    repo.git("commit", "--quiet", "--no-verify", "--message", "Leak")
    repo.delete("experiments/forest.yaml")
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "--message", "Nobody saw it")
    done = repo.try_git("push", "--quiet", "origin", "main").clean()
    assert done.code != 0
    assert "STR-G001" in done.err
    assert SECRET not in done.err


@pytest.mark.parametrize("hook", ["pre-commit", "pre-merge-commit"])
def test_the_gates_look_where_the_rules_look(hook: str) -> None:
    text = (ROOT / "hooks" / hook).read_text().replace("\\\n", " ")
    told = re.search(r"diff-index --cached --quiet HEAD -- (.*?) 2>/dev/null", text)
    assert told is not None
    assert set(told[1].split()) == set(WATCHED)
