"""Approvals: signed, good for one move, used once, and never for anything but what was approved."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from strata_git.authoring.approve import approve, standings
from strata_git.authoring.promote import Refused
from strata_git.errors import StrataError
from strata_git.ledger.approval import APPROVALS, Approval, Wanted, parse_approval, reference, unfit
from strata_git.ledger.events import read_approvals
from strata_git.ledger.record import RecordError
from strata_git.load import canonical_json
from tests.ledger.book import GOOD, UNKNOWN, UUID
from tests.ledger.lab import NOW, SETTINGS, Lab, fine, lab_in
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


def give(lab: Lab, version: str, to: str | None = None, *, who: str = "bob", **options: object) -> Approval:
    repo = lab.repo.repository()
    given = {"key": lab.keys.fingerprint(who), "now": NOW, "judge": fine, **options}
    try:
        return approve(repo, SETTINGS, "forest", version, to, **given)  # type: ignore[arg-type]
    finally:
        repo.close()


def counting(lab: Lab, **options: object) -> dict[str, str]:
    """Why each approval counts for nothing, by signer (`""`: it counts)."""
    repo = lab.repo.repository()
    try:
        return {s.approval.signer.split()[0]: s.reason for s in standings(repo, SETTINGS, now=NOW, **options)}  # type: ignore[arg-type]
    finally:
        repo.close()


# --- the way it goes


def test_a_promotion_names_the_approvals_it_found(staged: Lab) -> None:
    given = give(staged, "v1", reason="Reviewed.")
    assert counting(staged) == {"Bob": ""}
    made = staged.promote("v1")
    assert [each.oid for each in made.approvals] == [given.oid]
    assert [event.record.approvals for event in made.events if event.record] == [(given.oid,)] * 2
    assert staged.told() == set()
    ledger = staged.ledger()
    (step,) = [step for step in ledger.model("forest").steps if step.entering.name.stage == "production"]
    vouches = ledger.vouches(step)
    assert {(v.key, v.what) for v in vouches} == {
        (f"gpg:{staged.keys.alice}", "tag"), (f"gpg:{staged.keys.bob}", "approval"),
    }  # fmt: skip
    assert counting(staged) == {"Bob": "it was used by forest#production#3"}


def test_git_and_gpg_accept_an_approval(staged: Lab) -> None:
    given = give(staged, "v1", reason="Reviewed.\n\nTwice.")
    staged.repo.git("verify-tag", given.oid)
    assert staged.repo.git("fsck", "--strict", "--no-dangling") == ""
    assert staged.oid(given.ref) == given.oid
    assert staged.repo.git("for-each-ref", "--format=%(tag) %(*objectname)", given.ref) == (
        f"{given.ref.removeprefix('refs/strata/')} {staged.oid('HEAD^')}"
    )
    assert staged.repo.git("tag", "--list") == "forest#staging#1\nforest@v1.0.0"


def test_several_people_approve_one_move(staged: Lab) -> None:
    staged.keys.add("mallory")
    first, second = give(staged, "v1"), give(staged, "v1", who="mallory")
    made = staged.promote("v1")
    assert {each.oid for each in made.approvals} == {first.oid, second.oid}


def test_one_key_approves_once(staged: Lab) -> None:
    give(staged, "v1")
    with pytest.raises(StrataError, match="has approved this already"):
        give(staged, "v1", now=NOW + timedelta(seconds=5))


def test_a_version_that_is_not_registered_can_be_approved(lab: Lab) -> None:
    given = give(lab, "v2")
    assert given.record is not None
    assert (given.record.origin, given.record.target, given.record.placed) == ("experimental", "staging", None)
    made = lab.promote("v2")
    assert [event.record.approvals for event in made.events if event.record] == [(), (given.oid,)]
    assert lab.told() == set()


def test_what_happens_to_other_versions_leaves_an_approval_in_force(staged: Lab) -> None:
    give(staged, "v1")
    staged.promote("v2")
    assert counting(staged) == {"Bob": ""}
    assert len(staged.promote("v1").approvals) == 1


# --- what it is not good for


def test_an_approval_cannot_be_used_again(staged: Lab) -> None:
    give(staged, "v1")
    staged.promote("v1")
    staged.promote("v1", "staging")
    assert staged.promote("v1").approvals == ()


def test_it_ends_when_another_version_came_into_production(staged: Lab) -> None:
    give(staged, "v1")
    staged.promote("v2")
    staged.promote("v2")
    assert counting(staged) == {"Bob": "another version of forest is in production than was then"}
    assert staged.promote("v1").approvals == ()


def test_it_expires(staged: Lab) -> None:
    give(staged, "v1", days=1)
    assert staged.promote("v1", now=NOW + timedelta(days=1, seconds=1)).approvals == ()


@pytest.mark.parametrize("days", [0, 367, -1])
def test_how_long_is_limited(staged: Lab, days: int) -> None:
    with pytest.raises(StrataError, match="1 to 366 days"):
        give(staged, "v1", days=days)


def test_what_cannot_move_cannot_be_approved(lab: Lab) -> None:
    with pytest.raises(Refused) as refusal:
        give(lab, "v1", "production")
    assert {finding.rule for finding in refusal.value.findings} == {"STR-P009"}
    assert lab.repo.git("for-each-ref", APPROVALS) == ""


def test_an_approval_by_an_unknown_key_counts_for_nothing(staged: Lab) -> None:
    give(staged, "v1")
    staged.keys.gpg("--yes", "--delete-secret-and-public-key", staged.keys.bob)
    assert set(counting(staged).values()) == {"its signature does not count: the key is unknown here"}
    assert staged.promote("v1").approvals == ()


def test_a_revoked_approver(staged: Lab) -> None:
    give(staged, "v1")
    staged.promote("v1")
    staged.keys.revoke("bob")
    assert {rule for rule, _ in staged.told()} == {"STR-P023"}


def test_an_approval_that_is_gone_is_told_and_its_vouch_with_it(staged: Lab) -> None:
    given = give(staged, "v1")
    staged.promote("v1")
    staged.repo.git("update-ref", "-d", given.ref)
    assert staged.told() == {("STR-P023", "forest#production#3")}
    ledger = staged.ledger()
    assert {v.what for v in ledger.vouches(ledger.model("forest").steps[-1])} == {"tag"}
    assert ledger.model("forest").sound


def test_an_approval_under_another_name_is_none(staged: Lab) -> None:
    given = give(staged, "v1")
    for ref in (f"{APPROVALS}forest/v2/production/{'0' * 16}", f"{APPROVALS}forest/v1/production/x"):
        staged.repo.git("update-ref", ref, given.oid)
        staged.repo.git("update-ref", "-d", given.ref)
        repo = staged.repo.repository()
        (read,) = read_approvals(repo).values()
        repo.close()
        assert read.flaw
        assert read.record is None
        staged.repo.git("update-ref", given.ref, given.oid)
        staged.repo.git("update-ref", "-d", ref)


def test_events_and_approvals_cannot_stand_for_each_other(staged: Lab) -> None:
    given = give(staged, "v1")
    staged.repo.git("update-ref", f"{APPROVALS}forest/v1/production/{'1' * 16}", staged.oid("refs/tags/forest@v1.0.0"))
    staged.move_ref("forest#production#2", given.oid)
    assert ("STR-P003", "forest#production#2") in staged.told()
    repo = staged.repo.repository()
    flaws = {each.flaw for each in read_approvals(repo).values()}
    repo.close()
    assert "the record is not of the schema strata/approval/v1" in flaws


def test_a_lightweight_reference_is_no_approval(staged: Lab) -> None:
    staged.repo.git("update-ref", f"{APPROVALS}forest/v1/production/{'1' * 16}", "HEAD")
    repo = staged.repo.repository()
    (read,) = read_approvals(repo).values()
    repo.close()
    assert read.flaw == "it is a lightweight tag of a commit"


# --- the record, by itself


RECORD = {
    "schema": "strata/approval/v1", "repo": UUID, "model": "forest", "version": "v1", "from": "staging",
    "to": "production", "commit": "1" * 40, "digest": "sha256:" + "2" * 64, "placed": "3" * 40, "displaces": None,
    "policy": None, "issued_at": "2026-02-01T12:00:00Z", "expires": "2026-03-03T12:00:00Z",
}  # fmt: skip
WANTED = Wanted("forest", "v1", "staging", "production", "sha256:" + "2" * 64, "3" * 40, None, None, UUID)
AT = int(NOW.timestamp())


def text(**changes: object) -> str:
    return canonical_json({**RECORD, **changes}).decode()


def approval(**changes: object) -> Approval:
    record = parse_approval(text(**changes))
    return Approval(reference(record, "Bob <b>"), "4" * 40, when=AT, record=record, signatures=(GOOD,))


def test_a_record_is_read_back() -> None:
    record = parse_approval(text())
    assert canonical_json(record.as_json()).decode() == text()
    assert unfit(approval(), WANTED, AT) == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"schema": "strata/event/v1"}, {"repo": "me"}, {"model": "../x"}, {"version": "1"}, {"from": "live"},
        {"commit": "HEAD"}, {"digest": "2" * 64}, {"placed": ""}, {"policy": "x"}, {"issued_at": "today"},
        {"expires": "2026-02-01T12:00:00Z"}, {"more": 1},
    ],
)  # fmt: skip
def test_other_records_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(RecordError):
        parse_approval(text(**changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"repo": UUID.replace("5", "6")}, "another repository"),
        ({"model": "tree"}, "approves tree@v1"),
        ({"version": "v2"}, "approves forest@v2"),
        ({"to": "archived"}, "to archived"),
        ({"digest": "sha256:" + "9" * 64}, "other content"),
        ({"placed": None}, "was moved since"),
        ({"displaces": "5" * 40}, "another version"),
        ({"policy": "sha256:" + "5" * 64}, "another trust policy"),
        ({"expires": "2026-02-01T12:00:01Z", "issued_at": "2026-02-01T11:00:00Z"}, ""),
        ({"expires": "2026-02-01T11:59:59Z", "issued_at": "2026-02-01T11:00:00Z"}, "in force until"),
    ],
)
def test_each_difference_makes_it_unfit(changes: dict[str, object], words: str) -> None:
    reason = unfit(approval(**changes), WANTED, AT)
    assert (words in reason) if words else not reason


def test_an_approval_of_tomorrow_is_none_today() -> None:
    assert "in force" in unfit(replace(approval(), when=AT + 1), WANTED, AT)


@pytest.mark.parametrize("signatures", [(), (UNKNOWN,)])
def test_an_unsigned_approval_is_unfit(signatures: tuple[object, ...]) -> None:
    assert unfit(replace(approval(), signatures=signatures), WANTED, AT)  # type: ignore[arg-type]


# --- the command


def test_the_command(builder: Builder, keys: Keys) -> None:
    repo = builder().workspace()
    repo.story()
    repo.commit("Add forest@v1")
    repo.strata("promote", "forest", "--key", keys.alice).expect(0)
    done = repo.strata("approve", "forest@v1", "--key", keys.bob, "--reason", "Good.").expect(0)
    assert "forest@v1: staging → production approved until" in done.out
    assert "git strata push" in done.err
    (row,) = repo.strata("approve", "--list", "--format", "json").expect(0).json()["approvals"]  # type: ignore[misc]
    assert (row["counts"], row["reason"], row["signer"]) == (True, "Good.", "Bob Tester <bob@example.org>")
    assert "yes" in repo.strata("approve", "--list", "forest").expect(0).out
    assert "has approved this already" in repo.strata("approve", "forest@v1", "--key", keys.bob).expect(3).err
    repo.strata("approve").expect(64)
    refused = repo.strata("approve", "forest@v1", "staging", "--format", "json").expect(2).json()
    assert refused["refused"] is True
    made = repo.strata("promote", "forest@v1", "--key", keys.alice, "--format", "json").expect(0).json()
    assert [each["signer"] for each in made["approvals"]] == ["Bob Tester <bob@example.org>"]  # type: ignore[attr-defined]
    assert "used by forest#production#3" in repo.strata("approve", "--list").expect(0).out
