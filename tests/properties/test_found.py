"""What the properties found, each as one example that is tried every time."""

from __future__ import annotations

import pytest

from strata_git.doctor.judge import forget_verdicts, judge_commit, judge_range, judge_staged, judge_worktree
from tests.properties.bench import Bench
from tests.properties.workspaces import DAMAGES, Damage, Made, Workspace, damaged

DATASET = Made(frozenset({"dataset"}), lfs=False, done=()).files()
SERVED = Made(frozenset({"service", "story"}), lfs=False, done=()).files()


def told(bench: Bench, before: Workspace, after: Workspace) -> dict[str, set[str]]:
    """Door -> rules that speak when `before` becomes `after`, at the paths that are not those of the clone."""
    first = bench.begin(before)
    assert first is not None
    bench.plumbing.check_out(bench.plumbing.tree(before))
    bench.plumbing.check_out(bench.plumbing.tree(after))
    doors = {"staged": judge_staged(bench.repo), "hook": judge_staged(bench.repo, narrow=True)}
    second = bench.commit(after, first)
    doors |= {"commit": judge_commit(bench.repo, second), "range": judge_range(bench.repo, first, second)}
    doors["disk"] = judge_worktree(bench.repo)
    return {door: {f.rule for f in verdict.findings if f.severity != "info"} for door, verdict in doors.items()}


EVERYWHERE = dict.fromkeys(("staged", "hook", "commit", "range", "disk"), True)


@pytest.mark.parametrize("twin", ["Datasets/iris/v2/a.csv", "STRATA.yaml", ".Strata/x", "MODELS/x"])
def test_a_twin_by_case_is_told_by_every_door(bench: Bench, twin: str) -> None:
    rules = told(bench, DATASET, DATASET | {twin: ("100644", b"x\n")})
    assert {door: "STR-L020" in said for door, said in rules.items()} == EVERYWHERE


def test_attributes_that_no_longer_keep_bytes_are_told_where_no_artifact_is_touched(bench: Bench) -> None:
    rules = told(bench, DATASET, DATASET | {".gitattributes": ("100644", b"")})
    assert {door: "STR-L019" in said for door, said in rules.items()} == EVERYWHERE


def test_the_first_artifact_of_a_root_is_told_of_attributes_that_are_as_before(bench: Bench) -> None:
    bare = {path: file for path, file in DATASET.items() if not path.startswith("datasets/")}
    bare[".gitattributes"] = "100644", b""
    rules = told(bench, bare, bare | {path: file for path, file in DATASET.items() if path.startswith("datasets/")})
    assert {door: "STR-L019" in said for door, said in rules.items()} == EVERYWHERE


def test_the_last_artifact_of_a_root_takes_the_root_with_it(bench: Bench) -> None:
    """Nothing is left whose bytes could be rewritten."""
    before = DATASET | {".gitattributes": ("100644", b"* text=auto\n")}
    after = {path: file for path, file in before.items() if not path.startswith("datasets/")}
    rules = told(bench, before, after | {"experiments/a.txt": ("100644", b"x\n")})
    assert {door for door, said in rules.items() if "STR-L019" in said} == set()


def test_a_model_that_is_being_removed_is_not_there_for_its_service(bench: Bench) -> None:
    after = {path: file for path, file in SERVED.items() if not path.startswith("models/")}
    after["services/scoring/note.md"] = "100644", b"x\n"
    rules = told(bench, SERVED, after)
    assert {door: "STR-V003" in said for door, said in rules.items()} == EVERYWHERE


def test_a_model_that_stays_is_there_for_its_service(bench: Bench) -> None:
    rules = told(bench, SERVED, SERVED | {"services/scoring/note.md": ("100644", b"x\n")})
    assert {door for door, said in rules.items() if "STR-V003" in said} == set()


def test_a_file_in_the_place_of_an_artifact_was_never_one(bench: Bench) -> None:
    """What cites it cites what is not there, and was not removed either."""
    run = Made(frozenset({"run"}), lfs=False, done=()).files()
    files = {path: file for path, file in run.items() if not path.startswith("datasets/")}
    commit = bench.commit(files | {"datasets/iris/v1": ("100644", b"x\n")})
    rules = {finding.rule for finding in judge_commit(bench.repo, commit).findings}
    assert "STR-X001" in rules
    assert "STR-X004" not in rules


def test_rebuilding_judges_everything_again(bench: Bench) -> None:
    commit = bench.commit(DATASET)
    judge_commit(bench.repo, commit)
    assert judge_commit(bench.repo, commit).fresh == 0
    forget_verdicts(bench.repo)
    assert judge_commit(bench.repo, commit).fresh == 1


def test_damages_do_something() -> None:
    """A property over changes that change nothing would hold for any code."""
    story = Made(frozenset({"story", "prompt", "datasets"}), lfs=False, done=()).files()
    story = damaged(story, [Damage("rewrite", at, 1) for at in (5, 25)])  # so that there is something to seal
    idle = {what for what in DAMAGES if all(damaged(story, [Damage(what, at, 1)]) == story for at in range(len(story)))}
    assert idle == set()
