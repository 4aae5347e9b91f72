"""Two clones that took one run number: told before they meet."""

from __future__ import annotations

import pytest

from strata_git.doctor.judge import judge_commit, judge_worktree
from strata_git.doctor.verdict import Verdict
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

PLACE = f"runs/{artifacts.RUN}/run.yaml"


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    """main has a run; the branch `topic` has another one under the same id."""
    made = builder().workspace()
    made.commit("Workspace")
    made.git("branch", "topic")
    made.run()
    made.commit("Run")
    made.git("checkout", "--quiet", "topic")
    made.run(metrics={"accuracy": 0.8})
    made.commit("Another run")
    made.git("checkout", "--quiet", "main")
    return made


def told(verdict: Verdict) -> list[str]:
    return [finding.message for finding in verdict.findings if finding.rule == "STR-R007"]


def test_two_branches_with_one_id(repo: RepositoryBuilder) -> None:
    said = [f"{artifacts.RUN} is 2 different runs: on main, topic"]
    opened = repo.repository()
    assert told(judge_worktree(opened)) == said
    assert told(judge_worktree(opened)) == said  # remembered
    assert told(judge_commit(opened, "topic")) == said
    assert told(judge_worktree(opened, ["datasets"])) == []
    repo.git("branch", "-D", "topic")
    assert told(judge_worktree(opened)) == []


def test_a_later_signature_makes_no_other_run(repo: RepositoryBuilder) -> None:
    repo.git("branch", "-D", "topic")
    repo.git("branch", "before")
    repo.commit("Sign", {f"runs/{artifacts.RUN}/model.sig": b"{}"})
    assert told(judge_worktree(repo.repository())) == []


def test_a_run_that_is_not_committed_yet(repo: RepositoryBuilder) -> None:
    other = "run-2026-01-05-002"
    repo.git("checkout", "--quiet", "topic")
    repo.run(other)
    repo.commit("Second run")
    repo.git("checkout", "--quiet", "main")
    repo.run(other, metrics={"accuracy": 0.7})
    said = told(judge_worktree(repo.repository()))
    assert f"{other} is 2 different runs: on topic, what is judged" in said
    repo.run(other)
    assert not any(other in message for message in told(judge_worktree(repo.repository())))


def test_the_push_hook_tells(repo: RepositoryBuilder, builder: Builder) -> None:
    builder("server", bare=True)
    repo.git("remote", "add", "origin", (repo.path.parent / "server").as_uri())
    repo.install_hooks()
    pushed = repo.try_git("push", "origin", "main").expect(0)
    assert f"{artifacts.RUN} is 2 different runs: on main, topic" in pushed.err
    again = repo.try_git("push", "origin", "main:refs/heads/other").expect(0)
    assert "STR-R007" not in again.err  # nothing new is brought
