"""The CI templates' scripts, run as a runner would: what a pull request changes is judged from its base."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.flows.releasing import TAMPERINGS, released, unchecked
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import ROOT, Builder
from tests.support.process import Completed, run

TEMPLATES = ROOT / "templates/workspace"
ZERO = "0" * 40


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    """`main` has a release; `work` is checked out."""
    made = released(builder)
    made.git("checkout", "-qb", "work")
    return made


def github(repo: RepositoryBuilder, step: str, job: str = "judge", **environ: str) -> Completed:
    """One step, as GitHub's runner starts it: `bash -e`, expressions expanded."""
    steps = yaml.safe_load((TEMPLATES / "github/strata.yml").read_text())["jobs"][job]["steps"]
    script = next(each["run"] for each in steps if each.get("name") == step)
    given = {"STRICT": "", "BASE": "", "BEFORE": "", "KEYS": "", "RUNNER_TEMP": str(repo.path.parent), **environ}
    return run("bash", "-e", "-c", script, cwd=repo.path, environ=repo.environ | given).clean()


def gitlab(repo: RepositoryBuilder, tmp_path: Path, job: str = "strata-judge", **environ: str) -> Completed:
    """All of a job, with a `python` that only notes what it would install."""
    told = yaml.safe_load((TEMPLATES / "gitlab/strata.yml").read_text())
    script = "\n".join([*told[".strata"]["before_script"], *told[job]["script"]])
    fake = tmp_path / "fake"
    fake.mkdir(exist_ok=True)
    (fake / "python").write_text('#!/bin/sh\nfor last; do :; done\ncat "$last" >"$(dirname "$0")/installed"\n')
    (fake / "python").chmod(0o755)
    path = f"{fake}:{repo.environ['PATH']}"
    return run("bash", "-e", "-c", script, cwd=repo.path, environ=repo.environ | environ | {"PATH": path}).clean()


def tamper_and_restore(repo: RepositoryBuilder) -> str:
    TAMPERINGS["one byte"].apply(repo)
    guilty = unchecked(repo)
    repo.git("revert", "--no-edit", "HEAD", env={"GIT_EDITOR": "true"})
    return guilty


def test_github_judges_commit_by_commit(repo: RepositoryBuilder) -> None:
    base = repo.head
    repo.commit("tulips", artifacts.dataset("tulips"))
    github(repo, "Judge every commit that is new", BASE=base).expect(0)
    assert tamper_and_restore(repo)[:7] in github(repo, "Judge every commit that is new", BASE=base).expect(2).out
    github(repo, "Judge every commit that is new", BEFORE=base).expect(2)
    github(repo, "Judge every commit that is new", BEFORE=ZERO).expect(0)  # a new branch: the whole is judged next
    github(repo, "Judge the workspace").expect(0)


def test_github_takes_the_checker_of_the_base(repo: RepositoryBuilder) -> None:
    step = "Install the checker that the base pins"
    base = repo.commit("Pin", {".strata/requirements.txt": "--no-index\nthe-pinned-one\n"})
    repo.commit("Unpin", {".strata/requirements.txt": "evil\n"}, "--no-verify")
    github(repo, step, BASE=base)
    pinned = repo.path.parent / "pinned.txt"
    assert pinned.read_text() == "--no-index\nthe-pinned-one\n"


def test_gitlab(repo: RepositoryBuilder, tmp_path: Path, builder: Builder) -> None:
    merge_request = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
    repo.git("remote", "add", "origin", repo.path.as_uri())
    repo.commit("Unpin", {".strata/requirements.txt": "evil\n"}, "--no-verify")
    gitlab(repo, tmp_path, **merge_request).expect(0)
    assert (tmp_path / "fake/installed").read_text() == "git-strata\n"
    base = repo.head
    guilty = tamper_and_restore(repo)
    assert guilty[:7] in gitlab(repo, tmp_path, **merge_request).out
    assert gitlab(repo, tmp_path, **merge_request).code != 0
    push = {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "work"}
    assert gitlab(repo, tmp_path, CI_COMMIT_BEFORE_SHA=base, **push).code != 0
    gitlab(repo, tmp_path, CI_COMMIT_BEFORE_SHA=ZERO, **push).expect(0)


def test_gitlab_verifies_everything(repo: RepositoryBuilder, tmp_path: Path) -> None:
    repo.git("remote", "add", "origin", repo.path.as_uri())
    repo.git("fetch", "-q", "origin")
    daily = {"CI_PIPELINE_SOURCE": "schedule", "CI_DEFAULT_BRANCH": "main"}
    gitlab(repo, tmp_path, "strata-verify", **daily).expect(0)
    repo.git("checkout", "-q", "main")
    TAMPERINGS["one byte"].apply(repo)
    unchecked(repo)
    repo.git("checkout", "-q", "work")
    repo.git("fetch", "-q", "origin")
    assert gitlab(repo, tmp_path, "strata-verify", **daily).code != 0


@pytest.mark.parametrize("place", ["github/strata.yml", "gitlab/strata.yml"])
def test_no_host_is_named(place: str) -> None:
    assert "://" not in (TEMPLATES / place).read_text()
