"""Runs are pruned, renumbered, and what was kept for them is published; never what something builds on."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from strata_git.errors import StrataError
from strata_git.runs.citing import citations
from strata_git.runs.prune import Plan, plan, prune
from strata_git.runs.publish_kept import push_kept
from strata_git.runs.renumber import renumber
from tests.runs.running import NOON, opened, perform, probe, record_of, strata, visible
from tests.support.builder import RepositoryBuilder


def runs(repo: RepositoryBuilder, *days: int) -> list[str]:
    """A committed run for each number of days ago."""
    made = [perform(repo, probe(), now=NOON - timedelta(days=day)).id for day in days]
    repo.commit("Runs")
    return made


def planned(repo: RepositoryBuilder, **bounds: int) -> Plan:
    here = opened(repo)
    return plan(here, citations(here), now=NOON, **bounds)


def test_old_runs_go_and_come_back_from_history(probed: RepositoryBuilder) -> None:
    old, middle, new = runs(probed, 30, 10, 0)
    assert list(planned(probed, keep_days=40).runs) == []
    assert sorted(planned(probed, keep_days=5).runs) == [old, middle]
    assert list(planned(probed, keep_days=5, keep_runs=2).runs) == [old]
    wanted = planned(probed, keep_runs=2)
    assert visible(probed) == [old, middle, new]
    assert wanted.bytes == sum(p.stat().st_size for p in (probed.path / "runs" / old).rglob("*") if p.is_file())
    prune(opened(probed), wanted)
    assert visible(probed) == [middle, new]
    assert not list((probed.path / ".strata/local/pending").glob(".gone*"))
    probed.git("restore", "runs")
    record_of(probed, old)


def test_what_something_builds_on_stays(probed: RepositoryBuilder) -> None:
    cited, resumed, by_receipt, loose = runs(probed, 40, 39, 38, 37)
    probed.model("forest", run=cited)
    probed.write({"runs/run-2026-11-21-009/run.yaml": f"resumes:\n  ref: {resumed}\n"})
    probed.commit("Model")
    probed.git("update-ref", f"refs/strata/receipts/{by_receipt}/0011223344556677", "HEAD")
    wanted = planned(probed, keep_days=1)
    assert list(wanted.runs) == [loose]
    assert {one.run: one.reason for one in wanted.staying} == {
        cited: "named by models/forest/v1/metadata.yaml",
        resumed: "named by runs/run-2026-11-21-009/run.yaml",
        by_receipt: f"named by refs/strata/receipts/{by_receipt}/0011223344556677",
    }


def test_a_model_on_another_branch_keeps_its_run(probed: RepositoryBuilder) -> None:
    (cited,) = runs(probed, 40)
    probed.git("checkout", "--quiet", "-b", "side")
    probed.model("forest", run=cited)
    probed.commit("Model")
    probed.git("checkout", "--quiet", "main")
    assert planned(probed, keep_days=1).runs == {}


def test_runs_that_history_does_not_have_stay(probed: RepositoryBuilder) -> None:
    (changed,) = runs(probed, 40)
    fresh = perform(probed, probe(), now=NOON - timedelta(days=20)).id
    probed.write({f"runs/{changed}/logs.txt": "other"})
    wanted = planned(probed, keep_days=1)
    assert wanted.runs == {}
    assert {one.run for one in wanted.staying} == {changed, fresh}


def test_work_trees_that_were_kept_go_with_their_runs(probed: RepositoryBuilder) -> None:
    probed.write({"code.py": "a = 9\n"})
    old = perform(probed, probe(), now=NOON - timedelta(days=9))
    probed.commit("Run")
    wanted = planned(probed, keep_days=1)
    assert list(wanted.references) == [old.kept]
    prune(opened(probed), wanted)
    assert probed.git("for-each-ref", "refs/strata/runs/") == ""


def test_the_command_says_what_it_would_take(probed: RepositoryBuilder, capsys: pytest.CaptureFixture[str]) -> None:
    (old,) = runs(probed, 40)
    assert strata(probed, "runs", "prune") == 3
    assert "How much is to be kept?" in capsys.readouterr().err
    assert strata(probed, "runs", "prune", "--keep-days", "1", "--dry-run", "--format", "json") == 0
    dry = json.loads(capsys.readouterr().out)
    assert (list(dry["runs"]), dry["done"], visible(probed)) == ([old], False, [old])
    probed.write({"strata.yaml": probed.read("strata.yaml") + b"retention: {keep_days: 1}\n"})
    assert strata(probed, "runs", "prune") == 0
    assert old in capsys.readouterr().out
    assert visible(probed) == []


# --- another number


def test_a_run_gets_the_next_number_and_stays_what_it_is(probed: RepositoryBuilder) -> None:
    probed.write({"code.py": "a = 9\n"})
    first, second = perform(probed, probe()), perform(probed, probe())
    kept = probed.git("rev-parse", first.kept)
    done = renumber(opened(probed), first.id, {})
    assert (done.old, done.new, done.introduced) == (first.id, "run-2026-11-21-003", "")
    assert visible(probed) == [second.id, done.new]
    record = record_of(probed, done.new)
    assert (record.id, record.status) == (done.new, "succeeded")
    assert probed.git("for-each-ref", "--format=%(objectname) %(refname)", "refs/strata/runs/").splitlines()[1] == (
        f"{kept} refs/strata/runs/{done.new}"
    )
    probed.commit("Runs")
    assert strata(probed, "doctor", "runs") == 0


def test_what_is_published_signed_or_named_keeps_its_number(probed: RepositoryBuilder) -> None:
    (run,) = runs(probed, 0)
    here = opened(probed)
    with pytest.raises(StrataError, match="is named by models/x"):
        renumber(here, run, {run: ("models/x/v1/metadata.yaml",)})
    probed.git("update-ref", "refs/remotes/origin/main", "HEAD")
    with pytest.raises(StrataError, match="origin/main has it"):
        renumber(opened(probed), run, {})
    probed.git("update-ref", "-d", "refs/remotes/origin/main")
    probed.write({f"runs/{run}/SIGNATURE.asc": "x"})
    with pytest.raises(StrataError, match="is signed"):
        renumber(opened(probed), run, {})
    assert visible(probed) == [run]


@pytest.mark.heavy
def test_two_clones_with_one_number_come_together(probed: RepositoryBuilder) -> None:
    shutil.copytree(probed.path, probed.path.with_name("other"), symlinks=True)
    other = RepositoryBuilder(probed.path.with_name("other"), probed.environ)
    (theirs,) = runs(other, 0)
    (ours,) = [perform(probed, probe("x = 1")).id]
    assert ours == theirs
    probed.commit("Run")
    probed.git("fetch", "--quiet", str(other.path), "main:refs/remotes/origin/main")
    done = renumber(opened(probed), ours, {})
    assert done.introduced == probed.head
    probed.commit("", None, "--amend", "--no-edit", "--allow-empty-message")
    probed.git("merge", "--quiet", "--no-edit", "-m", "Merge", "refs/remotes/origin/main")
    assert visible(probed) == [theirs, done.new]
    assert strata(probed, "doctor", "runs") == 0


# --- what was kept, published


def test_kept_work_trees_travel_only_when_asked_to(probed: RepositoryBuilder) -> None:
    server = probed.path.with_name("server.git")
    probed.git("init", "--quiet", "--bare", str(server))
    probed.git("remote", "add", "origin", str(server))
    probed.write({"code.py": "a = 9\n"})
    done = perform(probed, probe())
    probed.git("push", "--quiet", "origin", "main")
    assert probed.git("ls-remote", "origin", "refs/strata/runs/*") == ""
    assert push_kept(opened(probed), "origin").new == (done.id,)
    assert push_kept(opened(probed), "origin").known == (done.id,)
    assert probed.git("ls-remote", "origin", "refs/strata/runs/*").endswith(done.kept)
    probed.git("update-ref", done.kept, "HEAD")
    with pytest.raises(StrataError, match="another work tree"):
        push_kept(opened(probed), "origin")
    with pytest.raises(StrataError, match="Nothing is kept of run-2026-01-01-001"):
        push_kept(opened(probed), "origin", ["run-2026-01-01-001"])


def test_days_are_those_of_the_ids(probed: RepositoryBuilder) -> None:
    (run,) = runs(probed, 1)
    here = opened(probed)
    for hours, taken in ((23, []), (49, [run])):
        moment = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=hours)
        assert list(plan(here, {}, now=moment, keep_days=1).runs) == taken
