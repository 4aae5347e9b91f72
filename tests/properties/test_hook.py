"""What the commit hook lets through, the push hook and the server let through; what it seals is sealed truly."""

from __future__ import annotations

import pytest
from hypothesis import assume, settings

from strata_git.contracts.layout import BASELINE, CHECKSUMS, SETTINGS
from strata_git.doctor.judge import judge_range
from strata_git.hooks import pre_commit
from tests.properties.bench import Bench, hold
from tests.properties.workspaces import Damage, Made, Workspace, damaged, damages, workspaces


def test_a_commit_that_passes_the_hook_passes_the_push(
    bench: Bench, profile: settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the same state of the world: others have the base, and its settings and baseline are the commit's own."""

    def check(base: Made, done: list[Damage]) -> None:
        before = base.files()
        target = damaged(before, done)
        assume(_is_linkable(before) and _is_linkable(target))
        assume(all(before.get(one) == target.get(one) for one in (SETTINGS, BASELINE)))
        first = bench.begin(before)
        assert first is not None
        bench.plumbing.check_out(bench.plumbing.tree(before))
        bench.plumbing.check_out(bench.plumbing.tree(target))
        assume(bench.stage(target))
        refused = pre_commit.run(bench.repo, [])
        told = capsys.readouterr().err
        tree = bench.plumbing.builder.git("write-tree")
        if refused:
            assert tree == bench.plumbing.tree(target), "nothing is changed by a refusal"
            assert "error STR-" in told
            return
        commit = bench.plumbing.commit(tree, [first], bench.number)
        verdict = judge_range(bench.repo, first, commit)
        assert [finding for finding in verdict.errors if finding.rule != "STR-L021"] == []
        assert not any(f.path.endswith(f"/{CHECKSUMS}") and f.rule.startswith("STR-C") for f in verdict.findings)

    hold(profile, check, base=workspaces(1), done=damages(2))


def _is_linkable(files: Workspace) -> bool:
    """Whether every link can be laid out, and nothing is a submodule, which no checkout makes."""
    links = [data for mode, data in files.values() if mode == "120000"]
    return all(data and b"\0" not in data and len(data) < 4000 for data in links)
