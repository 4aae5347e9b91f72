"""What the hooks of a clone lack, from facts alone."""

from __future__ import annotations

import pytest

from strata_git.checks.hooks import HookFacts, judge_hooks

NAMES = ("pre-commit", "post-commit", "pre-push")
SOUND = HookFacts(NAMES, frozenset(NAMES))


def rules(facts: HookFacts) -> list[tuple[str, str]]:
    return [(finding.rule, finding.severity) for finding in judge_hooks(facts)]


def changed(**facts: object) -> HookFacts:
    return HookFacts(**{"names": NAMES, "reached": frozenset(NAMES), **facts})  # type: ignore[arg-type]


def test_all_is_well() -> None:
    assert judge_hooks(SOUND) == []
    assert judge_hooks(changed(stores_lfs=True, uploads_lfs=True)) == []


def test_a_fresh_clone_is_information() -> None:
    assert rules(changed(reached=frozenset(), installed=False)) == [("STR-H001", "info")]


def test_a_framework_alone_is_information() -> None:
    """Its configuration names us for commits; the rest was never installed."""
    facts = changed(reached=frozenset({"pre-commit"}), installed=False, owners={"pre-commit": "prek"})
    (finding,) = judge_hooks(facts)
    assert (finding.rule, finding.severity) == ("STR-H001", "info")
    assert "post-commit, pre-push" in finding.message


def test_a_fresh_clone_with_lfs_is_information_too() -> None:
    fresh = changed(reached=frozenset(), installed=False, stores_lfs=True, uploads_lfs=False)
    assert rules(fresh) == [("STR-H001", "info"), ("STR-H005", "info")]


def test_hooks_that_are_not_there_are_told_together() -> None:
    (finding,) = judge_hooks(changed(reached=frozenset({"pre-push"})))
    assert (finding.rule, finding.severity) == ("STR-H002", "warning")
    assert "pre-commit, post-commit are not there" in finding.message


def test_a_hook_in_other_hands() -> None:
    facts = changed(reached=frozenset({"pre-commit", "post-commit"}), owners={"pre-push": "prek"})
    (finding,) = judge_hooks(facts)
    assert (finding.rule, finding.path) == ("STR-H002", ".git/hooks/pre-push")
    assert "belongs to prek" in finding.message


def test_a_directory_that_is_passed_by() -> None:
    (finding,) = judge_hooks(changed(reached=frozenset(), passed_by="/x/.husky/_"))
    assert (finding.rule, finding.path) == ("STR-H002", ".git/config")
    assert "/x/.husky/_" in finding.message


@pytest.mark.parametrize(
    ("state", "rule", "severity"),
    [
        ("outdated", "STR-H003", "warning"),
        ("changed", "STR-H004", "info"),
        ("not executable", "STR-H002", "warning"),
        ("broken", "STR-H002", "warning"),
    ],
)
def test_ours_in_a_bad_state(state: str, rule: str, severity: str) -> None:
    runs = state in ("outdated", "changed")
    reached = frozenset(NAMES) if runs else frozenset(NAMES) - {"pre-push"}
    facts = changed(reached=reached, troubles=((state, "pre-push", ".git/hooks/pre-push"),))
    assert rules(facts) == [(rule, severity)]


def test_content_that_would_stay_behind() -> None:
    (finding,) = judge_hooks(changed(stores_lfs=True, uploads_lfs=False, owners={"pre-push": "husky"}))
    assert (finding.rule, finding.severity) == ("STR-H005", "warning")
    assert "pre-push belongs to husky" in finding.message


def test_an_older_git_is_worse_where_it_is_the_one_that_is_used() -> None:
    gits = (("/usr/bin/git", "2.39.5"), ("/opt/git", "2.40.0"))
    assert rules(changed(older_gits=gits)) == [("STR-H006", "info")] * 2
    ignored = tuple(("ignored", name, ".git/config") for name in NAMES)
    used = changed(reached=frozenset(), older_gits=gits, older_first=True, troubles=ignored)
    assert rules(used) == [("STR-H006", "warning"), ("STR-H006", "info")]
