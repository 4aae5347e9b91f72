"""The benchmarks measure what they say: their repositories are valid, their hooks run, their arithmetic is right."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from benchmarks import commits, doctor, integrity, runs, stages
from benchmarks.__main__ import Row, Scale, as_json
from benchmarks.ledgers import ledger, stop_agents
from benchmarks.measure import Contender, Goal, Outcome, Sample, interleaved, judged, plain, timed
from benchmarks.report import table
from benchmarks.repositories import FILES, Place, create, environment, version
from tests.support.environment import short_directory


@pytest.fixture
def small(tmp_path: Path) -> Place:
    return create(tmp_path, "small", 2, 3)


def samples(*walls: float) -> list[Sample]:
    return [Sample(wall, wall / 2) for wall in walls]


# --- repositories


def test_a_repository_holds_what_it_claims_and_the_doctor_finds_no_error(small: Place) -> None:
    listed = small.git("ls-tree", "-r", "--name-only", "HEAD").decode().splitlines()
    assert len([path for path in listed if path.startswith("datasets/")]) == 2 * 3 * FILES
    assert small.git("rev-list", "--count", "HEAD") == b"4\n"
    assert small.git("status", "--porcelain") == b""
    doctor.require_verdict(small, 6)


def test_too_few_artifacts_or_an_error_stop_the_measurement(small: Place) -> None:
    with pytest.raises(SystemExit, match="6 artifacts in place of 7"):
        doctor.require_verdict(small, 7)
    small.write({"datasets/set-000/v1/data/part-0.csv": b"tampered\n"})
    with pytest.raises(SystemExit):
        doctor.require_verdict(small, 6)


def test_no_two_versions_share_a_blob() -> None:
    blobs = [data for number in (1, 2) for name in ("a", "b") for data in version(name, number).values()]
    assert len(set(blobs)) == len(blobs) == 4 * FILES


def test_nothing_personal_reaches_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    environ = environment(tmp_path)
    assert "GIT_DIR" not in environ
    assert environ["HOME"].startswith(str(tmp_path))


# --- commits


def test_git_itself_says_whether_the_hooks_ran(small: Place) -> None:
    commits.require_hooks(small, (), True)
    commits.require_hooks(small, commits.BARE, False)
    with pytest.raises(SystemExit, match="pre-commit did not run"):
        commits.require_hooks(small, commits.BARE, True)


def test_both_sides_of_an_added_artifact_hold_ten_files(small: Place, tmp_path: Path) -> None:
    other = create(tmp_path, "other", 1, 1)
    taken = commits.adding(small, other, 1)
    assert {name: len(found) for name, found in taken.items()} == {
        "small: bare": 1, "small: hooks": 1, "many: bare": 1, "many: hooks": 1, "small: added": 1, "many: added": 1,
    }  # fmt: skip
    for side in ("bare", "hooks"):
        listed = small.git("ls-tree", "-r", "--name-only", "HEAD", "--", f"datasets/new-{side}/v2")
        assert listed.count(b"\n") == FILES


def test_a_commit_of_many_files_is_one_version(small: Place) -> None:
    taken = commits.bulk(small, 40, 1)
    assert set(taken) == {"bare", "git-strata"}
    for side in ("bare", "hooks"):
        listed = small.git("ls-tree", "-r", "--name-only", "HEAD", "--", f"datasets/new-bulk-{side}/v2")
        assert listed.count(b"\n") == 40


def test_an_unsealed_commit_stops_the_measurement(small: Place, tmp_path: Path) -> None:
    other = create(tmp_path, "other", 1, 1)
    small.run("git-strata", "uninstall")
    with pytest.raises(SystemExit, match="did not seal"):
        commits.adding(small, other, 1)


# --- arithmetic


def test_contenders_take_turns_and_warm_rounds_do_not_count(tmp_path: Path) -> None:
    place = Place(tmp_path, environment(tmp_path))
    order: list[str] = []
    contenders = [
        Contender(name, place, lambda _round: ("true",), lambda at, name=name: order.append(f"{name}{at}"))
        for name in ("a", "b")
    ]
    taken = interleaved(contenders, 2, warm=1)
    assert order == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert {name: len(found) for name, found in taken.items()} == {"a": 2, "b": 2}


def test_a_program_that_fails_is_no_figure(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="false failed"):
        timed(Place(tmp_path, environment(tmp_path)), ("false",))
    assert timed(Place(tmp_path, environment(tmp_path)), ("false",), (1,)).wall > 0


def test_the_ratio_is_the_median_of_pairs() -> None:
    goal = Goal("ours", "a", "b", 1.5)
    (outcome,) = judged([goal], {"a": samples(2, 30, 3), "b": samples(2, 10, 2)})
    assert (outcome.ratio, outcome.cpu_ratio, outcome.added, outcome.quickest) == (1.5, 1.5, 1, 1)
    assert outcome.verdict == "holds"
    assert judged([goal], {"a": samples(3.2), "b": samples(2)})[0].verdict == "MISSED"


def test_times_faster_is_the_other_way_round() -> None:
    goal = Goal("faster", "ours", "theirs", 10, at_least=True)
    (fast,) = judged([goal], {"ours": samples(1, 1), "theirs": samples(12, 14)})
    assert (fast.ratio, fast.verdict) == (13, "holds")
    (slow,) = judged([goal], {"ours": samples(1), "theirs": samples(9)})
    assert slow.verdict == "MISSED"


def test_what_is_absent_was_not_measured() -> None:
    (outcome,) = judged(doctor.GOALS[1:], {"git strata doctor": samples(1)})
    assert outcome == Outcome(doctor.GOALS[1], None, None, None)
    assert outcome.verdict == "not measured"


def test_figures_are_told_in_milliseconds() -> None:
    taken = {"a": samples(0.3, 0.1, 0.2), "b": samples(0.1, 0.1, 0.1)}
    row = Row.of("doctor", taken, [Goal("a : b", "a", "b", 5.0), Goal("told", "a", "b", float("inf"))])
    assert plain(taken)["a"] == {
        "median_ms": 200.0, "min_ms": 100.0, "median_cpu_ms": 100.0, "all_ms": [300.0, 100.0, 200.0],
    }  # fmt: skip
    text = table([(row.name, row.samples, row.outcomes)])
    assert "2.00" in text
    assert "<= 5: holds" in text
    rows = as_json([row], Scale())["rows"]
    assert isinstance(rows, list)
    assert rows[0]["goals"][0]["ratio"] == 2.0
    assert (rows[0]["goals"][1]["limit"], rows[0]["goals"][1]["verdict"]) == (None, "told")


# --- a signed ledger


@pytest.mark.heavy
def test_a_ledger_is_sound_and_goes_on(gto: Path) -> None:
    base = short_directory()
    try:
        book = ledger(base, "book", 2, 3)
        stages.require_agreement(book, str(gto))
        said = json.loads(book.place.run(*stages.STAGES, "--format", "json"))
        assert said["complaints"] == []
        for _ in range(4):
            book.archive_next()
        said = json.loads(book.place.run(*stages.STAGES, "--format", "json"))
        assert [[row["stage"] for row in model["versions"]] for model in said["models"]] == [
            ["archived", "archived", "production"]
        ] * 2
        with pytest.raises(SystemExit, match="every version is archived"):
            book.archive_next()
    finally:
        stop_agents(base)
        shutil.rmtree(base)


# --- hashing and verifying


def test_digests_that_differ_stop_the_measurement(tmp_path: Path) -> None:
    place = Place(tmp_path, environment(tmp_path))
    place.write({"a": b"1", "b": b"2"})
    integrity.require_same(place, (*integrity.WORDS, "a"), ("sha256sum", "a"))
    with pytest.raises(SystemExit, match="disagree"):
        integrity.require_same(place, (*integrity.WORDS, "a"), ("sha256sum", "b"))


def test_a_signed_model_is_one_that_verifies(tmp_path: Path) -> None:
    place = integrity.signed(tmp_path, "x", [1], 3)
    told = place.run("git-strata", "verify", "models/net@v1", "--deep", "--oms-key", ".git/pub.pem")
    assert b"valid, by a trusted key" in told
    assert place.git("lfs", "ls-files").count(b"\n") == 4


@pytest.mark.heavy
def test_runs_and_sweeps_are_measured_beside_their_peers(tmp_path: Path) -> None:
    taken = runs.overhead(tmp_path, 1, quick=True)
    assert {"sweep, MLflow", "sweep, two at a time", "runs", "MLflow's loop", "first line", "imports"} <= set(taken)
    assert all(sample.wall > 0 for row in taken.values() for sample in row)
