"""Events in real repositories: written so that git and gpg agree, and read so that no cheating passes."""

from __future__ import annotations

import subprocess
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from strata_git.authoring.promote import Refused
from strata_git.errors import StrataError
from strata_git.integrity.signer import SignatureVerdict
from strata_git.ledger.events import HEADS, read_ledger
from strata_git.ledger.noting import missing_notes, stray_notes, write_notes
from strata_git.ledger.state import ModelState
from strata_git.repo.refs import Transaction
from tests.ledger.lab import NOW, Lab, lab_in
from tests.support.artifacts import REPOSITORY
from tests.support.fixtures import Builder
from tests.support.keys import Keys


@pytest.fixture
def lab(builder: Builder, keys: Keys) -> Lab:
    return lab_in(builder(), keys)


@pytest.fixture
def staged(lab: Lab) -> Lab:
    """v1 is in staging."""
    lab.promote("v1")
    return lab


def stages(state: ModelState) -> dict[str, str]:
    return {version: placed.stage for version, placed in state.versions.items()}


# --- what is written


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_git_accepts_what_is_written(builder: Builder, keys: Keys, object_format: str) -> None:
    lab = lab_in(builder(object_format=object_format), keys)
    lab.promote("v1", reason="It is better.\n\nMuch better.")
    lab.promote("v1")
    tags = lab.repo.git("tag", "--list", "forest*").splitlines()
    assert tags == ["forest#production#3", "forest#staging!#2", "forest#staging#1", "forest@v1.0.0"]
    for tag in tags:
        lab.repo.git("verify-tag", tag)
        lab.repo.git("tag", "-v", tag)
        lab.repo.git("mktag", stdin=lab.repo.git("cat-file", "tag", tag).encode() + b"\n")
    assert lab.repo.git("fsck", "--strict", "--no-dangling") == ""
    assert lab.oid(f"{HEADS}forest") == lab.oid("refs/tags/forest#production#3")
    state = lab.state()
    assert (stages(state), state.complaints) == ({"v1": "production"}, ())
    assert [event.reason for event in state.events] == ["It is better.\n\nMuch better."] * 2 + [""] * 2
    assert {event.signer for event in state.events} == {"Alice Tester <alice@example.org>"}


def test_git_reads_the_trailer(staged: Lab) -> None:
    message, _, _ = staged.repo.git("for-each-ref", "--format=%(contents)", "refs/tags/forest@v1.0.0").partition(
        "-----"
    )
    trailers = staged.repo.git("interpret-trailers", "--parse", stdin=message.encode())
    assert trailers.startswith('Strata-Record: {"approvals":[],')
    assert len(trailers.splitlines()) == 1


def test_dates_increase_even_when_the_clock_stands_still(lab: Lab) -> None:
    lab.promote("v1")
    lab.promote("v1")
    lab.promote("v2", now=NOW - timedelta(minutes=5))
    moments = [event.when - int(NOW.timestamp()) for event in lab.state().events]
    assert moments == [0, 1, 2, 3, 4, 5]
    assert lab.told() == set()


def test_a_clock_far_behind_the_last_event_is_refused(staged: Lab) -> None:
    with pytest.raises(Refused) as refusal:
        staged.promote("v1", now=NOW - timedelta(minutes=11))
    assert {finding.rule for finding in refusal.value.findings} == {"STR-P016"}


def test_events_point_at_the_introducing_commit(lab: Lab) -> None:
    made = lab.promote("v1")
    assert made.commit == lab.oid("HEAD^")
    event = lab.state().events[0]
    assert event.record is not None
    assert (event.target, event.record.judged_at) == (lab.oid("HEAD^"), lab.oid("HEAD"))
    assert event.record.tree == lab.oid("HEAD:models/forest/v1")


def test_the_second_model_has_a_line_of_its_own(staged: Lab) -> None:
    staged.repo.model("tree", "v1")
    staged.repo.commit("Add tree")
    staged.promote(model="tree")
    ledger = staged.ledger()
    assert list(ledger.state.models) == ["forest", "tree"]
    assert ledger.state.complaints == ()
    assert ledger.model("tree").events[0].record is not None
    assert list(staged.ledger(model="tree").state.models) == ["tree"]
    assert staged.ledger(model="tree").heads.keys() == {"tree"}
    assert staged.ledger(model="none").model("none").versions == {}


# --- races


def test_the_slower_of_two_is_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Transaction.commit

    def late(self: Transaction, message: str = "") -> None:
        monkeypatch.setattr(Transaction, "commit", real)
        lab.promote("v2")
        real(self, message)

    monkeypatch.setattr(Transaction, "commit", late)
    with pytest.raises(StrataError, match="at the same time; nothing was written"):
        lab.promote("v1")
    assert stages(lab.state()) == {"v2": "staging"}
    assert lab.told() == set()


def test_many_at_once_leave_one_line(lab: Lab) -> None:
    outcomes: list[str] = []

    def attempt(version: str) -> None:
        try:
            lab.promote(version)
            outcomes.append("done")
        except StrataError as error:
            outcomes.append(error.message)

    threads = [threading.Thread(target=attempt, args=(version,)) for version in ("v1", "v2", "v1", "v2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "done" in outcomes
    assert lab.told() == set()
    assert lab.oid(f"{HEADS}forest") == lab.state().heads[0]


# --- notes


def lines(lab: Lab) -> list[str]:
    commits = lab.repo.try_git("notes", "--ref=strata", "list").out.splitlines()
    return [line for row in commits for line in lab.repo.git("cat-file", "blob", row.split()[0]).splitlines()]


def test_every_event_has_a_note(staged: Lab) -> None:
    staged.promote("v2")
    noted = lines(staged)
    assert len(noted) == 6
    assert sum('"tag":"forest#staging#2"' in line for line in noted) == 1
    assert missing_notes(staged.repo.repository(), staged.state().events) == {}


def test_a_crash_before_the_notes_is_healed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("strata_git.authoring.promote.write_notes", crash)
        with pytest.raises(KeyboardInterrupt):
            lab.promote("v1")
    assert lines(lab) == []
    lab.promote("v1")
    assert len(lines(lab)) == 6
    assert write_notes(lab.repo.repository(), lab.state().events) == 0
    assert len(lines(lab)) == 6


def test_notes_that_fail_undo_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise StrataError("git notes failed")

    monkeypatch.setattr("strata_git.authoring.promote.write_notes", refuse)
    assert lab.promote("v1").unnoted == "git notes failed"
    assert stages(lab.state()) == {"v1": "staging"}


def test_what_nobody_vouches_for_is_not_noted(staged: Lab) -> None:
    staged.forge("forest#staging!#2", staged.record(), sign=False)
    assert missing_notes(staged.repo.repository(), staged.state().events) == {}


def test_a_note_without_its_event_is_told(staged: Lab) -> None:
    repo = staged.repo.repository()
    assert stray_notes(repo, staged.state().events) == ()
    staged.repo.git("notes", "--ref=strata", "append", "-m", "a word of somebody", "HEAD^")
    assert stray_notes(repo, staged.state().events) == ()
    staged.repo.git("notes", "--ref=strata", "copy", "HEAD^", "HEAD")
    (complaint,) = stray_notes(repo, staged.state().events)
    assert (complaint.rule, complaint.severity) == ("STR-P018", "warning")
    assert staged.oid("HEAD") in complaint.message


# --- clones, speed, verifiers


def test_a_plain_clone_reads_the_same_and_can_go_on(staged: Lab) -> None:
    clone = Lab(staged.repo.clone(), staged.keys)
    assert clone.ledger().heads == {}
    assert stages(clone.state()) == stages(staged.state())
    clone.promote("v1")
    assert clone.told() == set()
    assert len(lines(clone)) == 6


class Trusting:
    """Finds every signature good and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def verify_tag_payload(self, payload: bytes, signature: bytes, /) -> list[SignatureVerdict]:
        self.asked += 1
        return [SignatureVerdict("A" * 40, "A" * 40, "good", "A")]


def test_another_verifier_may_judge(staged: Lab) -> None:
    verifier = Trusting()
    assert staged.told(verifier=verifier) == set()
    assert verifier.asked == 2
    staged.told(verifier=verifier)
    assert verifier.asked == 4


def test_progress_is_told(staged: Lab) -> None:
    ticks: list[int] = []
    (staged.repo.path / ".git" / "strata" / "cache" / "events.json").unlink(missing_ok=True)
    staged.ledger(progress=ticks.append)
    assert ticks == [1, 1]


def test_two_thousand_events_are_read_quickly(staged: Lab) -> None:
    repo = staged.repo.repository()
    template = subprocess.run(
        ["git", "cat-file", "tag", "refs/tags/forest#staging#1"],
        cwd=staged.repo.path, env=staged.repo.environ, capture_output=True, check=True,
    ).stdout  # fmt: skip
    many = [template.replace(b"tag forest#staging#1\n", b"tag forest#staging#%d\n" % n) for n in range(2, 2002)]
    for n, data in enumerate(many, 2):
        (staged.repo.path / f"t{n}").write_bytes(data)
    paths = "".join(f"{staged.repo.path}/t{n}\n" for n in range(2, 2002))
    oids = staged.repo.git("hash-object", "-w", "-t", "tag", "--stdin-paths", stdin=paths.encode()).splitlines()
    script = "".join(f"create refs/tags/forest#staging#{n} {oid}\n" for n, oid in enumerate(oids, 2))
    staged.repo.git("update-ref", "--stdin", stdin=script.encode())
    staged.repo.git("pack-refs", "--all")
    begun = time.perf_counter()
    ledger = read_ledger(repo, Trusting(), repository=REPOSITORY)
    assert time.perf_counter() - begun < 3
    assert len(ledger.model("forest").events) == 2002


def test_the_self_check_refuses_an_event_that_would_not_count(lab: Lab) -> None:
    class Doubting(Trusting):
        def verify_tag_payload(self, payload: bytes, signature: bytes, /) -> list[SignatureVerdict]:
            return [SignatureVerdict("A" * 40, "A" * 40, "unknown-key")]

    with pytest.raises(StrataError, match="would not count: the key is unknown here"):
        lab.promote("v1", verifier=Doubting())
    assert lab.repo.git("tag") == ""


def test_the_modules_words_are_used(lab: Lab) -> None:
    made = lab.promote("v1")
    lab.promote("v1")
    lab.promote("v2")
    lab.promote("v2")
    subjects = lab.repo.git("for-each-ref", "--format=%(subject)", "refs/tags").splitlines()
    assert set(subjects) >= {
        "forest v1 is registered", "forest v1 enters staging", "forest v1 leaves staging for production",
        "forest v1 leaves production", "forest v2 enters production",
    }  # fmt: skip
    assert replace(made, unnoted="") == made
    assert HEADS == "refs/strata/ledger/"
    assert Path(lab.repo.path, ".git", "strata", "cache", "events.json").is_file()
