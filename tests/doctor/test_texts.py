"""Experiments, chains, plugins and services as every door sees them, with what they name looked up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from strata_git.doctor.judge import judge_commit, judge_range, judge_staged, judge_worktree
from strata_git.doctor.verdict import Verdict
from strata_git.repo.command import Repository
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

PLUGIN = 'class MeanPlugin:\n    name = "mean"\n\n    def run(self, spec, context):\n        return None\n'
CHAIN = 'inputs: {connector: docs}\nsteps: [{id: s, prompt: summarise@v1, input: {text: "${chunk.text}"}}]\n'
PIPELINES = {
    "connectors": {"docs": {"type": "local", "root": "docs"}},
    "inference": {"default": {"provider": "offline", "model": "echo"}},
}


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    made = builder().workspace(settings=PIPELINES)
    made.story()
    made.prompt()
    made.write(artifacts.service())
    made.write({"experiments/mean.yaml": "plugin: mean\ndataset_id: iris@v1\n", "plugins/mean.py": PLUGIN})
    made.write({"chains/summarise.yaml": CHAIN})
    made.commit("Story")
    return made


@pytest.fixture
def opened(repo: RepositoryBuilder) -> Iterator[Repository]:
    ours = repo.repository()
    yield ours
    ours.close()


def told(verdict: Verdict) -> list[tuple[str, str]]:
    return [(finding.rule, finding.path) for finding in verdict.findings if finding.severity != "info"]


def test_all_is_well_by_every_door(repo: RepositoryBuilder, opened: Repository) -> None:
    for verdict in (judge_worktree(opened), judge_staged(opened), judge_commit(opened, "HEAD")):
        assert told(verdict) == []
        assert verdict.exit_code(strict=True) == 0


def test_every_door_tells_the_same(repo: RepositoryBuilder, opened: Repository) -> None:
    base = repo.head
    repo.write({"experiments/x.yaml": "plugin: magic\nseed: -1\n", "plugins/bad.py": "def (\n"})
    repo.write({"chains/y.yaml": CHAIN.replace("summarise@v1", "digest@v1"), "services/other/app.py": b""})
    wanted = [
        ("STR-E002", "experiments/x.yaml"), ("STR-U001", "plugins/bad.py"), ("STR-V001", "services/other/service.yaml"),
        ("STR-N004", "chains/y.yaml"), ("STR-E003", "experiments/x.yaml"),
    ]  # fmt: skip
    verdicts = [judge_worktree(opened)]
    repo.git("add", "--all")
    verdicts += [judge_staged(opened), judge_staged(opened, narrow=True)]
    repo.git("commit", "--quiet", "--message", "Broken")
    verdicts += [judge_commit(opened, "HEAD"), judge_range(opened, base, "HEAD")]
    for verdict in verdicts:
        assert sorted(told(verdict)) == sorted(wanted)


def test_the_hooks_view_knows_what_lies_underneath(repo: RepositoryBuilder, opened: Repository) -> None:
    repo.write({"experiments/again.yaml": "plugin: mean\ndataset_id: iris@v1\n", "chains/again.yaml": CHAIN})
    repo.git("add", "--all")
    assert told(judge_staged(opened, narrow=True)) == []


def test_a_plugin_of_another_package_is_declared(repo: RepositoryBuilder, opened: Repository) -> None:
    repo.commit("Experiment", {"experiments/x.yaml": "plugin: boosted\n"})
    assert told(judge_commit(opened, "HEAD")) == [("STR-E003", "experiments/x.yaml")]
    repo.write(artifacts.workspace(settings={**PIPELINES, "runs": {"plugins": ["boosted"]}}))
    repo.commit("Declare it")
    assert told(judge_commit(opened, "HEAD")) == []


def test_a_second_look_reads_nothing_again(
    repo: RepositoryBuilder, opened: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = judge_commit(opened, "HEAD")
    monkeypatch.setattr("strata_git.doctor.texts.judge_text", None)
    assert judge_commit(opened, "HEAD").findings == first.findings


def test_paths_narrow_the_verdict_down(repo: RepositoryBuilder, opened: Repository) -> None:
    repo.write({"experiments/x.yaml": "plugin: magic\n", "plugins/bad.py": "def (\n"})
    assert told(judge_worktree(opened, ["plugins"])) == [("STR-U001", "plugins/bad.py")]
    assert told(judge_worktree(opened, ["experiments/mean.yaml"])) == []


def test_a_hook_refuses_a_broken_plugin(repo: RepositoryBuilder) -> None:
    repo.install_hooks()
    repo.write({"plugins/bad.py": "def (\n"}).git("add", "--all")
    refused = repo.try_git("commit", "--message", "Broken")
    assert refused.code != 0
    assert "STR-U001" in refused.err


# --- services


def test_golden_predictions_are_judged_by_the_models_columns(repo: RepositoryBuilder, opened: Repository) -> None:
    broken = artifacts.service()["services/scoring/tests/golden.json"].replace(b'"petal"', b'"root"')
    repo.write({"services/scoring/tests/golden.json": broken})
    place = "services/scoring/tests/golden.json"
    assert set(told(judge_worktree(opened))) == {("STR-V006", place)}
    repo.git("add", "--all")
    assert set(told(judge_staged(opened, narrow=True))) == {("STR-V006", place)}


def test_a_model_that_a_service_names_must_be_there(repo: RepositoryBuilder, opened: Repository) -> None:
    repo.write(artifacts.service("more", model="forest@v2"))
    found = told(judge_worktree(opened))
    assert ("STR-X001", "services/more/service.yaml") in found
    repo.write(artifacts.service("more", model="birch@production"))
    assert ("STR-V003", "services/more/service.yaml") in told(judge_worktree(opened))
    repo.git("add", "--all")
    assert ("STR-V003", "services/more/service.yaml") in told(judge_staged(opened, narrow=True))


def test_a_stage_nobody_was_brought_into(repo: RepositoryBuilder, opened: Repository) -> None:
    repo.commit("Serve what is in production", artifacts.service(model="forest@production"))
    (finding,) = [one for one in judge_commit(opened, "HEAD").findings if one.rule == "STR-V008"]
    assert finding.severity == "info"  # no event here at all: perhaps the tags were not fetched
    repo.git("tag", "-a", "-m", "x", "forest@v1.0.0")
    assert told(judge_commit(opened, "HEAD")) == [("STR-V008", "services/scoring/service.yaml")]
    repo.git("tag", "-a", "-m", "x", "forest#production#1")
    assert told(judge_commit(opened, "HEAD")) == []
