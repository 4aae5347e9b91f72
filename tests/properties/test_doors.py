"""One verdict by every door, whatever the repository: staged, committed, pushed, on disk, in memory.

What may differ is said here and nowhere else. Facts about a *change* (STR-I...) are told only where there is one.
Information is not told of single commits. A push is judged by the settings and the baseline of its base, and where that
baseline cannot be read (STR-L021), the push may be the one that mends it. What is wrong now with an artifact that was
not touched, since another was, is told of whole trees alone: a hook would have to look at everything.
"""

from __future__ import annotations

from hypothesis import assume, settings
from hypothesis import strategies as st

from strata_git.checks.engine import judge_artifact
from strata_git.contracts.layout import BASELINE, SETTINGS, artifact_of
from strata_git.doctor.judge import judge_commit, judge_range, judge_staged, judge_worktree
from strata_git.repo.tree import MemoryTree
from tests.properties.bench import Bench, facts, hold, of_change
from tests.properties.workspaces import Damage, Made, Workspace, damaged, damages, workspaces

broken = workspaces(3)
"""Workspaces in which some things are wrong already."""


def test_staged_is_what_the_commit_will_be(bench: Bench, profile: settings) -> None:
    """`doctor --staged` before a commit, `doctor --at HEAD` after it; also for the first commit of all."""

    def check(base: Made, done: list[Damage], first_of_all: bool) -> None:
        first = bench.begin(None if first_of_all else base.files())
        target = damaged(base.files(), done)
        bench.stage(target)
        staged = judge_staged(bench.repo)
        bench.plumbing.stand_on(bench.commit(target, *([first] if first else [])))
        committed = judge_commit(bench.repo, "HEAD")
        assert facts(staged, changes=False) == facts(committed)
        assert (staged.artifacts, staged.unjudged) == (committed.artifacts, committed.unjudged)
        assert {f for f in staged.ignored if not of_change(f)} == set(committed.ignored)
        assert staged.known == committed.known

    hold(profile, check, base=broken, done=damages(), first_of_all=st.booleans())


def test_a_push_says_of_a_commit_what_the_hook_said(bench: Bench, profile: settings) -> None:
    """The hook's narrow view, and `--range` of that one commit; and nothing that is new is in neither."""

    def check(base: Made, done: list[Damage]) -> None:
        before = base.files()
        target = damaged(before, done)
        assume(all(before.get(one) == target.get(one) for one in (SETTINGS, BASELINE)))
        first = bench.begin(before)
        assert first is not None
        assume(bench.stage(target))
        narrow = judge_staged(bench.repo, narrow=True)
        whole = judge_staged(bench.repo)
        second = bench.commit(target, first)
        said = facts(narrow, info=False)
        assert {fact for fact in said if fact[0] != "STR-L021"} == facts(
            judge_range(bench.repo, first, second), info=False
        )
        assert said <= facts(whole, info=False)
        new = facts(whole, info=False) - facts(judge_commit(bench.repo, first), info=False)
        touched = {artifact_of(path) for path in before.keys() | target.keys() if before.get(path) != target.get(path)}
        assert {fact for fact in new if artifact_of(fact[2]) in {None, *touched}} <= said

    hold(profile, check, base=broken, done=damages())


def test_the_working_tree_is_what_the_commit_holds(bench: Bench, profile: settings) -> None:
    """After a checkout, and after a checkout of something else over it that was not committed."""

    def check(base: Made, done: list[Damage]) -> None:
        before = base.files()
        target = damaged(before, done)
        assume(_is_linkable(before) and _is_linkable(target))
        bench.begin(before)
        bench.plumbing.check_out(bench.plumbing.tree(before))
        assert facts(judge_worktree(bench.repo)) == facts(judge_commit(bench.repo, "HEAD"))
        bench.plumbing.check_out(bench.plumbing.tree(target))
        staged = {fact for fact in facts(judge_staged(bench.repo)) if fact[0] != "STR-I009"}  # of commits alone
        assert facts(judge_worktree(bench.repo)) == staged

    hold(profile, check, base=broken, done=damages())


def test_every_parent_of_a_merge_is_heard(bench: Bench, profile: settings) -> None:
    """What a merge does is judged against each side, before the commit and after it, however it was made."""

    def check(base: Made, ours: list[Damage], theirs: list[Damage], mine: bool, more: list[Damage]) -> None:
        before = base.files()
        first = bench.begin(before)
        assert first is not None
        left, right = damaged(before, ours), damaged(before, theirs)
        target = damaged((left | right) if mine else left, more)
        assume(_is_tree(target))
        one, other = bench.commit(left, first), bench.commit(right, first)
        assume(all(before.get(name) == target.get(name) == left.get(name) for name in (SETTINGS, BASELINE)))
        bench.plumbing.stand_on(one, merging=other)
        assume(bench.stage(target))
        staged = judge_staged(bench.repo)
        narrow = judge_staged(bench.repo, narrow=True)
        merge = bench.commit(target, one, other)
        bench.plumbing.stand_on(merge)
        assert facts(staged, changes=False) == facts(judge_commit(bench.repo, merge))
        ranged = judge_range(bench.repo, one, merge)
        told = {fact for fact in facts(narrow, info=False) if not fact[0].startswith("STR-I")}
        assert told <= facts(ranged, info=False)
        seen = {fact[0] + fact[2] for fact in facts(ranged, info=False)}
        changes = {fact[0] + fact[2] for fact in facts(narrow, info=False) if fact[0] != "STR-I005"}
        assert changes <= seen | {f"STR-I008{fact[2]}" for fact in facts(narrow)}

    hold(
        profile, check, base=workspaces(), ours=damages(2), theirs=damages(2), mine=st.booleans(), more=damages(1)
    )  # fmt: skip


def test_a_dict_is_judged_like_a_commit(bench: Bench, profile: settings) -> None:
    """The rules themselves, without git: what they say of each directory is in the verdict."""

    def check(made: Made) -> None:
        files = made.files()
        bench.begin(files)
        verdict = judge_commit(bench.repo, "HEAD")
        told = {(f.rule, f.path) for f in verdict.findings}
        assume(not verdict.ignored and not verdict.known)
        tree = MemoryTree({path: (data, mode) for path, (mode, data) in files.items()})
        artifacts = {artifact for path in files if (artifact := artifact_of(path)) and artifact.path != path}
        assert verdict.artifacts == len(artifacts)
        for artifact in artifacts:
            assert {(f.rule, f.path) for f in judge_artifact(tree, artifact).findings} <= told

    hold(profile, check, made=broken)


def _is_linkable(files: Workspace) -> bool:
    """Whether every link can be laid out: to somewhere, by a path."""
    return all(mode != "120000" or (data and b"\0" not in data and len(data) < 4000) for mode, data in files.values())


def _is_tree(files: Workspace) -> bool:
    """Whether no file lies where another needs a directory."""
    folders = {path[:at] for path in files for at in range(len(path)) if path[at] == "/"}
    return folders.isdisjoint(files)
