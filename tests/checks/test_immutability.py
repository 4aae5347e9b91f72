"""Given what was released, when a commit does this to it, this finding."""

from __future__ import annotations

import pytest

from strata_git.checks.immutability import Files, VersionChange, judge_changes, judge_introductions
from strata_git.checks.signatures import SSH_ARMOR
from strata_git.contracts.layout import Artifact
from tests.checks.judging import FOREST, IRIS, RUN, only, rules, signature_block

COMMIT, BASE = "c" * 40, "b" * 40
PATH = f"{IRIS.path}/train.csv"
LIST = f"{IRIS.path}/CHECKSUMS.txt"
SIGNATURE = f"{IRIS.path}/SIGNATURE.asc"
RELEASED: Files = {LIST: ("100644", "1" * 40), PATH: ("100644", "2" * 40)}
CHANGED: Files = RELEASED | {PATH: ("100644", "3" * 40)}
ALICE, BOB = signature_block("A" * 40), signature_block("B" * 40)


def change(after: Files | None, before: Files | None = RELEASED, **facts: object) -> VersionChange:
    settings: dict[str, object] = {"introduced": False, "base": BASE} | facts
    return VersionChange(COMMIT, IRIS, before, after, **settings)  # type: ignore[arg-type]


def without(*paths: str) -> Files:
    return {path: what for path, what in RELEASED.items() if path not in paths}


def test_introducing_a_version_and_leaving_it_alone() -> None:
    assert list(judge_changes([change(RELEASED, None, introduced=True), change(RELEASED)])) == []


@pytest.mark.parametrize(
    ("after", "rule", "path"),
    [
        (CHANGED, "STR-I001", PATH),
        (without(PATH), "STR-I002", PATH),
        (RELEASED | {f"{IRIS.path}/new.csv": ("100644", "4" * 40)}, "STR-I003", f"{IRIS.path}/new.csv"),
        (RELEASED | {PATH: ("100755", "2" * 40)}, "STR-I004", PATH),
        (RELEASED | {PATH: ("120000", "5" * 40)}, "STR-I004", PATH),
        (RELEASED | {PATH: ("160000", "5" * 40)}, "STR-I004", PATH),
    ],
)
def test_a_released_file_that_changes(after: Files, rule: str, path: str) -> None:
    finding = only(judge_changes([change(after)], {IRIS.path: RELEASED}))
    assert (finding.rule, finding.severity, finding.path, finding.commit) == (rule, "error", path, COMMIT)
    assert "BASE" not in finding.fix


def test_the_way_back_names_the_commit_that_released_it() -> None:
    assert f"git checkout {BASE} -- {IRIS.path}" in only(judge_changes([change(CHANGED)])).fix
    assert "git checkout HEAD -- " in only(judge_changes([change(CHANGED, base="")])).fix


def test_becoming_a_link_is_said_in_words() -> None:
    finding = only(judge_changes([change(RELEASED | {PATH: ("120000", "5" * 40)})]))
    assert "was a file" in finding.message
    assert "becomes a symbolic link" in finding.message


def test_undoing_is_legal_and_the_change_stays_told() -> None:
    there, back = change(CHANGED), change(RELEASED, CHANGED)
    assert rules(judge_changes([there, back], {IRIS.path: RELEASED})) == ["STR-I001"]


def test_a_second_change_is_judged_against_the_release() -> None:
    again = change(CHANGED, CHANGED)
    assert rules(judge_changes([again], {IRIS.path: RELEASED})) == ["STR-I001"]


@pytest.mark.parametrize("after", [None, {}])
def test_removing_a_whole_version_is_a_warning(after: Files | None) -> None:
    finding = only(judge_changes([change(after)]))
    assert (finding.rule, finding.severity, finding.path) == ("STR-I005", "warning", IRIS.path)


def test_nothing_before_and_nothing_after() -> None:
    assert list(judge_changes([change(None, None)])) == []


def test_a_name_never_stands_for_other_content() -> None:
    again = change(CHANGED, None)
    finding = only(judge_changes([again], {IRIS.path: RELEASED}))
    assert (finding.rule, finding.severity, finding.path) == ("STR-I006", "error", IRIS.path)
    assert rules(judge_changes([again])) == ["STR-I006"]


def test_the_same_content_may_come_back() -> None:
    assert list(judge_changes([change(RELEASED, None)], {IRIS.path: RELEASED})) == []


def test_signatures_are_added_later() -> None:
    signed = RELEASED | {SIGNATURE: ("100644", "6" * 40), f"{IRIS.path}/model.sig": ("100644", "7" * 40)}
    assert list(judge_changes([change(signed, signature_after=ALICE)], {IRIS.path: RELEASED})) == []
    more = change(signed, signed, signature_before=BOB, signature_after=ALICE + BOB)
    same = change(signed, signed, signature_before=ALICE, signature_after=ALICE)
    assert list(judge_changes([more, same])) == []


@pytest.mark.parametrize("after", [None, BOB, b"junk"])
def test_signatures_are_not_taken_back(after: bytes | None) -> None:
    finding = only(judge_changes([change(RELEASED, signature_before=ALICE, signature_after=after)]))
    assert (finding.rule, finding.path) == ("STR-I007", SIGNATURE)


def test_ssh_signatures_are_not_taken_back_either() -> None:
    old = SSH_ARMOR + b"\nAAAA\n-----END SSH SIGNATURE-----\n"
    kept = change(RELEASED, signature_before=old, signature_after=old + ALICE)
    gone = change(RELEASED, signature_before=old, signature_after=ALICE)
    assert list(judge_changes([kept])) == []
    assert rules(judge_changes([gone])) == ["STR-I007"]


def test_amending_what_nobody_has_seen_is_a_warning() -> None:
    finding = only(judge_changes([change(CHANGED, unpublished=True)]))
    assert (finding.rule, finding.severity, finding.path, finding.commit) == ("STR-I008", "warning", PATH, COMMIT)
    removed = only(judge_changes([change(None, unpublished=True)]))
    assert removed.rule == "STR-I005"


def test_runs_freeze_and_services_do_not() -> None:
    def moved(artifact: Artifact) -> VersionChange:
        path = f"{artifact.path}/x"
        return VersionChange(
            COMMIT, artifact, {path: ("100644", "1" * 40)}, {path: ("100644", "2" * 40)}, introduced=False
        )

    assert rules(judge_changes([moved(RUN)])) == ["STR-I001"]
    assert list(judge_changes([moved(Artifact("service", "scoring"))])) == []


def introduces(artifact: Artifact, commit: str = COMMIT) -> VersionChange:
    return VersionChange(commit, artifact, None, {}, introduced=True)


def test_a_commit_introduces_one_version_of_a_model() -> None:
    second = Artifact("model", "forest", "v2")
    finding = only(judge_introductions([introduces(second), introduces(FOREST)]))
    assert (finding.rule, finding.path, finding.commit) == ("STR-I009", second.path, COMMIT)


def test_versions_apart_or_of_different_things_are_fine() -> None:
    others = [Artifact("model", "oak", "v1"), IRIS, Artifact("dataset", "iris", "v2")]
    apart = introduces(Artifact("model", "forest", "v2"), "d" * 40)
    touched = VersionChange(COMMIT, Artifact("model", "forest", "v3"), RELEASED, RELEASED, introduced=False)
    assert list(judge_introductions([introduces(FOREST), *map(introduces, others), apart, touched])) == []
