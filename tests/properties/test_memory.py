"""What is remembered changes no verdict: warm, rebuilt, half forgotten, and in a clone that never judged anything."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st

from strata_git.doctor.judge import forget_verdicts, judge_commit, judge_range, open_cache
from strata_git.doctor.verdict import Verdict
from strata_git.repo.command import Repository
from tests.properties.bench import Bench, hold
from tests.properties.workspaces import Damage, Made, damaged, damages, workspaces

broken = workspaces(3)


def apart(verdict: Verdict) -> Verdict:
    """The verdict without what it cost."""
    return replace(verdict, fresh=0)


def test_warm_is_rebuilt(bench: Bench, profile: settings) -> None:
    """Three commits judged in any order, one after the other out of what the others left behind, then anew."""

    def check(made: Made, done: list[Damage], other: Made) -> None:
        files = made.files()
        base = bench.commit(files)
        commits = [base, bench.commit(damaged(files, done), base), bench.commit(other.files(), base)]
        bench.plumbing.stand_on(base)
        warm = [judge_commit(bench.repo, commit) for commit in (*commits, *commits)]
        assert [verdict.fresh for verdict in warm[3:]] == [0, 0, 0]
        ranged = judge_range(bench.repo, base, commits[1])
        forget_verdicts(bench.repo)
        rebuilt = [judge_commit(bench.repo, commit) for commit in commits]
        assert [apart(verdict) for verdict in warm] == [apart(verdict) for verdict in (*rebuilt, *rebuilt)]
        assert rebuilt[0].fresh == rebuilt[0].artifacts
        forget_verdicts(bench.repo)
        assert apart(judge_range(bench.repo, base, commits[1])) == apart(ranged)

    hold(profile, check, made=broken, done=damages(2), other=broken)


def test_a_half_forgotten_verdict_is_the_verdict(bench: Bench, profile: settings) -> None:
    """Rows that are gone, or of another form, are judged anew."""

    def check(made: Made, lost: st.DataObject) -> None:
        commit = bench.commit(made.files())
        bench.plumbing.stand_on(commit)
        forget_verdicts(bench.repo)
        truth = judge_commit(bench.repo, commit)
        keys = _keys(bench.repo)
        shuffled = lost.draw(st.lists(st.sampled_from(sorted(keys)), unique=True)) if keys else []
        cache = open_cache(bench.repo)
        for key in shuffled:
            cache.put({key: lost.draw(st.sampled_from([None, "text", 7, {"state": 1}]))})
        cache.close()
        assert apart(judge_commit(bench.repo, commit)) == apart(truth)
        assert apart(judge_commit(bench.repo, commit)) == apart(truth)

    hold(profile, check, made=broken, lost=st.data())


def test_a_fresh_clone_says_the_same(bench: Bench, profile: settings) -> None:
    """With another cache, another working tree and no branch but one."""

    def check(made: Made, done: list[Damage]) -> None:
        files = made.files()
        base = bench.commit(files)
        tip = bench.commit(damaged(files, done), base)
        bench.plumbing.stand_on(tip)
        bench.plumbing.publish(None)
        here = judge_commit(bench.repo, "HEAD")
        bench.number += 1
        clone = bench.plumbing.builder.clone(f"clone-{bench.number}", "--no-checkout", "--single-branch")
        repo = clone.repository()
        try:
            assert apart(judge_commit(repo, "HEAD")) == apart(here)
            assert apart(judge_range(repo, base, tip)) == apart(judge_range(bench.repo, base, tip))
        finally:
            repo.close()

    few = settings(profile, max_examples=max(4, profile.max_examples // 10))
    hold(few, check, made=broken, done=damages(2))


def _keys(repo: Repository) -> set[str]:
    """What is remembered, by its keys."""
    import sqlite3

    with sqlite3.connect(repo.cache_dir / "verdicts.sqlite") as db:
        keys = {str(key) for (key,) in db.execute("SELECT key FROM kept")}
    db.close()
    return keys
