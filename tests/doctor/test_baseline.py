"""Exceptions by every door: a tree by its own, what is received by those of the base."""

from __future__ import annotations

import pytest

from strata_git.checks import baseline
from strata_git.contracts.layout import BASELINE, Artifact
from strata_git.doctor.exceptions import taken_on
from strata_git.doctor.judge import judge_artifact_at, judge_commit, judge_range, judge_staged, judge_worktree
from strata_git.doctor.verdict import Verdict
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

OLD = "datasets/old/v1"
IGNORING = {"doctor": {"ignore": ["STR-D", "STR-C", "STR-I"]}}


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    """An old repository: a committed dataset that counts its files wrongly, and one that is in order."""
    made = builder().workspace()
    made.dataset("iris")
    made.write(artifacts.dataset("old", metadata={"splits": {"train": {"path": "train.csv", "files": 9, "bytes": 1}}}))
    made.commit("Old")
    made.commit("Something since", {"a.py": "x"})
    return made


def rules(verdict: Verdict) -> set[str]:
    return {finding.rule for finding in verdict.findings if finding.severity != "info"}


def take_on(repo: RepositoryBuilder) -> Verdict:
    left, entries = taken_on(judge_worktree(repo.repository()))
    repo.write({".strata/baseline.json": baseline.render(entries)})
    return left


def settings(repo: RepositoryBuilder, said: dict[str, object]) -> None:
    repo.write({"strata.yaml": artifacts.workspace(lfs=False, settings=said)["strata.yaml"]})


def test_what_was_taken_on_is_counted_and_not_told(repo: RepositoryBuilder) -> None:
    assert rules(judge_worktree(repo.repository())) == {"STR-D002"}
    left = take_on(repo)
    assert rules(left) == set()
    ours = repo.repository()
    before = judge_worktree(ours)
    assert (before.exit_code(strict=True), {f.rule for f in before.known}) == (0, {"STR-D002"})
    repo.commit("Take on")
    for verdict in (judge_worktree(ours), judge_staged(ours), judge_commit(ours, "HEAD")):
        assert (rules(verdict), verdict.known) == (set(), before.known)


def test_what_comes_later_is_told(repo: RepositoryBuilder) -> None:
    take_on(repo)
    repo.write(artifacts.dataset("new", metadata={"splits": {"train": {"path": "train.csv", "files": 9, "bytes": 1}}}))
    verdict = judge_worktree(repo.repository())
    assert {(f.rule, f.path) for f in verdict.errors} == {("STR-D002", "datasets/new/v1/metadata.yaml")}
    assert verdict.known


def test_entries_that_occur_no_more_are_told_once_all_was_judged(repo: RepositoryBuilder) -> None:
    take_on(repo)
    repo.write(artifacts.dataset("old"))
    ours = repo.repository()
    told = [f for f in judge_worktree(ours).findings if f.rule == "STR-L022"]
    assert told
    assert {f.severity for f in told} == {"info"}
    assert not [f for f in judge_worktree(ours, ["datasets"]).findings if f.rule == "STR-L022"]
    again = take_on(repo)
    assert not [f for f in again.findings if f.rule == "STR-L022"]
    assert not [f for f in judge_worktree(ours).findings if f.rule == "STR-L022"]


def test_a_change_of_a_release_cannot_be_taken_on(repo: RepositoryBuilder) -> None:
    repo.write({"datasets/iris/v1/train.csv": "tampered\n"})
    left = take_on(repo)
    assert "STR-I001" in rules(left)
    verdict = judge_worktree(repo.repository())
    assert "STR-I001" in rules(verdict)
    assert verdict.exit_code() == 2


def test_a_baseline_that_cannot_be_read_takes_nothing_away(repo: RepositoryBuilder) -> None:
    repo.write({BASELINE: "not json"})
    verdict = judge_worktree(repo.repository())
    assert rules(verdict) == {"STR-D002", "STR-L021"}
    repo.git("add", "--all")
    assert "STR-L021" in rules(judge_staged(repo.repository(), narrow=True))


def test_a_link_is_no_baseline(repo: RepositoryBuilder) -> None:
    take_on(repo)
    (repo.path / BASELINE).rename(repo.path / "elsewhere.json")
    repo.symlink({BASELINE: "../elsewhere.json"})
    assert rules(judge_worktree(repo.repository())) == {"STR-D002", "STR-L020"}


# --- strata.yaml


def test_rules_left_out_in_the_settings(repo: RepositoryBuilder) -> None:
    settings(repo, IGNORING)
    verdict = judge_worktree(repo.repository())
    assert rules(verdict) == set()
    assert {f.rule for f in verdict.ignored} == {"STR-D002"}
    settings(repo, {"doctor": {"select": ["STR-X"]}})
    assert rules(judge_worktree(repo.repository())) == set()
    settings(repo, {"doctor": {"select": ["STR-D"], "ignore": ["STR-X"]}})
    assert rules(judge_worktree(repo.repository())) == {"STR-D002"}


def test_no_settings_silence_a_change_of_a_release(repo: RepositoryBuilder) -> None:
    settings(repo, IGNORING)
    repo.write({"datasets/iris/v1/train.csv": "tampered\n"})
    repo.git("add", "--all")
    ours = repo.repository()
    for verdict in (judge_worktree(ours), judge_staged(ours), judge_staged(ours, narrow=True)):
        assert {"STR-I001", "STR-C005"} <= rules(verdict)


def test_a_commit_hook_hears_the_settings(repo: RepositoryBuilder) -> None:
    repo.write(artifacts.dataset("new", metadata={"splits": {"train": {"path": "train.csv", "files": 9, "bytes": 1}}}))
    repo.git("add", "--all")
    assert rules(judge_staged(repo.repository(), narrow=True)) == {"STR-D002"}
    settings(repo, IGNORING)
    repo.git("add", "--all")
    assert rules(judge_staged(repo.repository(), narrow=True)) == set()


# --- what is received


def broken(repo: RepositoryBuilder, name: str = "new") -> str:
    repo.write(artifacts.dataset(name, metadata={"splits": {"train": {"path": "train.csv", "files": 9, "bytes": 1}}}))
    return repo.commit(f"Add {name}")


def test_one_push_cannot_silence_a_rule_and_break_it(repo: RepositoryBuilder) -> None:
    base = repo.head
    settings(repo, IGNORING)
    repo.commit("Silence")
    silenced = repo.head
    bad = broken(repo)
    ours = repo.repository()
    assert {(f.rule, f.commit) for f in judge_range(ours, base, "HEAD").errors} == {("STR-D002", bad)}
    received = judge_range(ours, silenced, "HEAD")
    assert (rules(received), {f.rule for f in received.ignored}) == (set(), {"STR-D002"})


def test_one_push_cannot_bring_its_own_baseline(repo: RepositoryBuilder) -> None:
    base = repo.head
    bad = broken(repo)
    take_on(repo)
    repo.commit("Take on what I broke")
    ours = repo.repository()
    assert {(f.rule, f.commit) for f in judge_range(ours, base, "HEAD").errors} == {("STR-D002", bad)}
    assert judge_commit(ours, "HEAD").errors == ()


def test_one_push_cannot_switch_large_files_off(builder: Builder) -> None:
    repo = builder().workspace(lfs=True)
    base = repo.commit("Workspace")
    repo.write(artifacts.workspace(lfs=False))
    repo.dataset("iris")
    repo.commit("Raw")
    ours = repo.repository()
    assert "STR-F001" in rules(judge_range(ours, base, "HEAD"))
    assert "STR-F001" not in rules(judge_commit(ours, "HEAD"))


def test_where_the_base_has_no_settings_those_of_the_tip_count(builder: Builder) -> None:
    repo = builder()
    base = repo.commit("Code", {"a.py": "x"})
    repo.write(artifacts.workspace(lfs=False, settings=IGNORING))
    broken(repo)
    ours = repo.repository()
    assert rules(judge_range(ours, base, "HEAD")) == set()
    assert "STR-D002" in rules(judge_artifact_at(ours, "HEAD", Artifact("dataset", "new", "v1")))


def test_a_broken_baseline_on_the_other_side_can_be_mended(repo: RepositoryBuilder) -> None:
    repo.commit("Broken baseline", {BASELINE: "not json"})
    base = repo.head
    take_on(repo)
    repo.commit("Mended")
    assert rules(judge_range(repo.repository(), base, "HEAD")) == set()


def test_the_push_hook_asks_the_other_side(repo: RepositoryBuilder, builder: Builder) -> None:
    """The commit hook believes the tree, which says not to tell; what the server has says otherwise."""
    repo.git("remote", "add", "origin", str(builder("server", bare=True).path))
    repo.git("push", "-q", "origin", "main")
    repo.install_hooks()
    settings(repo, IGNORING)
    repo.commit("Silence")
    broken(repo)
    refused = repo.try_git("push", "-q", "origin", "main")
    assert refused.code == 1
    assert "STR-D002" in refused.err
    repo.git("push", "-q", "origin", "main~1:main")
    repo.git("push", "-q", "origin", "main")


def test_a_baseline_opens_the_first_push(builder: Builder) -> None:
    """Where the other side knows nothing of us, an old repository comes with what it takes on."""
    repo = builder()
    repo.git("remote", "add", "origin", str(builder("server", bare=True).path))
    base = repo.commit("Code", {"a.py": "x"})
    repo.git("push", "-q", "origin", "main")
    repo.write(artifacts.workspace(lfs=False))
    broken(repo)
    take_on(repo)
    repo.commit("Take on")
    repo.install_hooks()
    repo.git("push", "-q", "origin", "main")
    assert rules(judge_range(repo.repository(), base, "HEAD")) == set()
