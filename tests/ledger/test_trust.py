"""Which policy is in force: the pin, the line of versions, and what is no policy at all."""

from __future__ import annotations

import json

import pytest

from strata_git.integrity.policy import policy_digest
from tests.ledger.court import TRUST, Court, court_in, ladder
from tests.support.fixtures import Builder
from tests.support.keys import Keys


@pytest.fixture
def court(builder: Builder, keys: Keys) -> Court:
    return court_in(builder(), keys)


def told(court: Court) -> set[str]:
    return {finding.rule for finding in court.trust().findings}


def test_without_a_policy_nothing_is_protected_and_says_so(court: Court) -> None:
    assert court.trust().state == "unprotected"
    assert told(court) == {"STR-P019"}


def test_a_policy_that_nobody_pinned_is_not_trusted(court: Court) -> None:
    court.enact("alice", pin=False)
    trust = court.trust()
    assert trust.state == "unpinned"
    assert trust.policy is None
    (finding,) = trust.findings
    assert finding.rule == "STR-P034"
    assert f"git strata trust pin {court.digests[0]}" in finding.fix


def test_a_pinned_policy_is_in_force(court: Court) -> None:
    court.enact("alice", "bob")
    trust = court.trust()
    assert (trust.state, trust.findings) == ("trusted", ())
    assert trust.policy is not None
    assert trust.policy.digest == court.digests[0]


def test_a_policy_its_roots_did_not_sign_is_not_followed(court: Court) -> None:
    court.enact("alice", signers=())
    assert (court.trust().state, told(court)) == ("broken", {"STR-P032"})


def test_a_pin_that_is_nowhere_here_breaks_trust(court: Court) -> None:
    court.enact("alice")
    court.repo.environ["STRATA_TRUST_PIN"] = "sha256:" + "0" * 64
    assert (court.trust().state, told(court)) == ("broken", {"STR-P035"})


def test_a_pinned_policy_that_is_gone_from_a_branch_is_still_in_force(court: Court) -> None:
    court.enact("alice")
    court.repo.git("rm", "-rq", TRUST)
    court.repo.commit("No policy")
    assert court.trust().state == "trusted"


def test_root_keys_can_be_pinned(court: Court) -> None:
    court.enact("alice", roots=("alice", "bob"), signers=("alice", "bob"))
    keys = f"gpg:{court.keys.alice},gpg:{court.keys.bob}"
    court.repo.environ["STRATA_TRUST_PIN"] = keys
    assert court.trust().state == "trusted"
    court.repo.environ["STRATA_TRUST_PIN"] = f"{keys},gpg:{court.keys.fingerprint('mallory')}"
    assert (court.trust().state, told(court)) == ("broken", {"STR-P035"})


def test_the_next_version_needs_the_roots_before_it(court: Court) -> None:
    court.enact("alice")
    court.enact("bob", roots=("bob",), signers=("bob",))
    trust = court.trust()
    assert trust.policy is not None
    assert trust.policy.version == 1, "signed by its own root alone: a draft"


def test_the_next_version_needs_its_own_roots(court: Court) -> None:
    court.enact("alice")
    court.enact("bob", roots=("bob",), signers=("alice",))
    assert [policy.version for policy in court.trust().chain] == [1]


def test_roots_hand_over(court: Court) -> None:
    court.enact("alice")
    court.enact("bob", roots=("bob",), signers=("alice", "bob"))
    assert [policy.version for policy in court.trust().chain] == [1, 2]
    assert court.trust().chain[-1].roots == ("bob",)


def test_two_of_three_roots_are_enough_one_after_the_other(court: Court) -> None:
    court.keys.add("mallory")
    three = ("alice", "bob", "mallory")
    court.enact("alice", roots=three, threshold=2, signers=("alice", "bob"))
    data = court.text("alice", roots=three, threshold=2)
    court.place(data, "alice")
    court.repo.commit("Signed by one")
    assert len(court.trust().chain) == 1
    court.place(data, "mallory")  # the file now holds mallory's block alone; alice's is in the history
    court.repo.commit("Signed by another")
    assert len(court.trust().chain) == 2


def test_one_root_who_signs_twice_is_one(court: Court) -> None:
    court.enact("alice", roots=("alice", "bob"), threshold=2, signers=("alice", "alice"))
    assert told(court) == {"STR-P032"}


@pytest.mark.parametrize(
    "about",
    [{"version": 3}, {"previous": "sha256:" + "0" * 64}, {"issued": "2026-01-30T00:00:00Z"}],
    ids=["number skipped", "another predecessor", "dated earlier"],
)
def test_what_does_not_follow_is_a_draft(court: Court, about: dict[str, object]) -> None:
    court.enact("alice")
    court.enact("alice", "bob", **about)
    assert [policy.version for policy in court.trust().chain] == [1]


def test_setting_a_branch_back_does_not_lower_the_policy(court: Court) -> None:
    court.enact("alice")
    court.enact("alice", "bob")
    court.repo.git("revert", "--no-edit", "HEAD")
    assert court.trust().chain[-1].version == 2
    answer = court.repo.strata("doctor")
    assert "STR-P031" in answer.out
    assert "set back from version 2 to 1" in answer.out


def test_two_versions_signed_by_the_roots_break_trust(court: Court) -> None:
    court.enact("alice")
    base = court.repo.head
    court.enact("alice", "bob")
    court.repo.git("checkout", "-q", "-b", "other", base)
    court.digests.pop()
    court.enact("bob")
    assert (court.trust().state, told(court)) == ("broken", {"STR-P031"})


def test_a_root_who_was_revoked_signs_no_successor(court: Court) -> None:
    court.enact("alice", roots=("alice", "bob"), signers=("alice",))
    lost = {"bob": {"revoked": {"at": "2026-01-31T00:00:00Z", "reason": "left"}}}
    court.enact("alice", roots=("alice", "bob"), signers=("alice",), principals=lost)
    court.place(court.text("bob", roots=("bob",)), "bob")
    court.repo.commit("Bob's own")
    assert len(court.trust().chain) == 2


def test_a_policy_of_another_repository_is_none_of_ours(court: Court) -> None:
    court.enact("alice", repository="00000000-0000-4000-8000-000000000000")
    assert (court.trust().state, told(court)) == ("broken", {"STR-P035"})


def test_the_pin_of_a_server_stands_in_its_own_configuration(court: Court) -> None:
    court.enact("alice", pin=False)
    bare = court.repo.clone("bare", "--bare")
    assert Court(bare, court.keys).trust().state == "unpinned"
    bare.git("config", "strata.trustPin", court.digests[0])
    assert Court(bare, court.keys).trust().state == "trusted"
    court.repo.git("config", "strata.trustPin", court.digests[0])
    assert court.trust().state == "unpinned", "a work tree may have been received with its configuration"


def test_the_pin_of_a_person_stands_in_their_own_folder(court: Court) -> None:
    court.enact("alice", pin=False)
    court.repo.strata("trust", "pin", court.digests[0]).expect(0)
    assert court.trust().state == "trusted"
    place = court.trust().pin
    assert place is not None
    assert place.source.endswith("git-strata/trust.yaml")


def test_a_broken_pin_is_not_no_pin(court: Court) -> None:
    court.enact("alice")
    court.repo.environ["STRATA_TRUST_PIN"] = "sha256:abc"
    answer = court.repo.strata("stages")
    assert answer.code == 3
    assert "STRATA_TRUST_PIN" in answer.err


def test_a_key_file_brings_nobody_the_policy_does_not_name(court: Court) -> None:
    court.keys.add("mallory")
    data = court.text("alice", roots=("alice",))
    court.place(data, "mallory")
    court.repo.write({f"{TRUST}/keys/alice.asc": court.keys.public("alice") + court.keys.public("mallory")})
    court.repo.commit("Mallory slips in")
    court.repo.environ["STRATA_TRUST_PIN"] = policy_digest(data)
    assert told(court) == {"STR-P032"}


def test_the_doctor_tells_what_is_wrong_with_the_file(court: Court) -> None:
    court.enact("alice")
    value = json.loads(court.text("alice", rules=ladder("nobody-known")))
    court.place(json.dumps(value).encode(), "alice")
    answer = court.repo.strata("doctor")
    assert answer.code == 2
    assert "STR-P030" in answer.out
    assert "nobody-known is no principal" in answer.out


def test_the_doctor_tells_that_a_key_is_missing(court: Court) -> None:
    court.place(court.text("alice", "bob"), "alice").delete(f"{TRUST}/keys/bob.asc")
    court.repo.commit("A key is missing")
    answer = court.repo.strata("doctor")
    assert answer.code == 2
    assert "STR-P033" in answer.out
    assert f"gpg:{court.keys.bob} of bob" in answer.out


def test_who_is_in_the_policy_is_enrolled_on_artifacts_too(court: Court) -> None:
    court.enact("alice")
    sums = court.repo.read("models/forest/v1/CHECKSUMS.txt")
    court.repo.write({"models/forest/v1/SIGNATURE.asc": court.keys.sign(sums, "alice", "bob")})
    court.repo.commit("Signed by two")
    listed = json.loads(court.repo.strata("verify", "forest@v1", "--format", "json").expect(0).out)
    told = {verdict["primary"]: verdict["says"] for verdict in listed["artifacts"][0]["signatures"]}
    assert told == {court.keys.alice: "valid", court.keys.bob: "valid, signer not enrolled"}
    answer = court.repo.strata("doctor", "models/forest/v1", "--select", "STR-S007")
    assert "alice" not in answer.out
    assert answer.out.count("STR-S007") == 1


def test_a_policy_that_this_clone_saw_does_not_grow_older(court: Court) -> None:
    court.enact("alice")
    court.enact("alice", "bob")
    court.promote("v1")
    court.repo.git("reset", "-q", "--hard", "HEAD~1")
    court.repo.git("reflog", "expire", "--expire=now", "--all")
    state = court.ledger()
    assert state.trust.state == "broken"
    assert "version 2 of the policy was in force here before" in state.trust.findings[-1].message


@pytest.mark.parametrize("pinned", [True, False])
def test_a_change_in_a_range_has_to_follow_the_base(court: Court, pinned: bool) -> None:
    court.enact("alice", pin=pinned)
    base = court.repo.head
    court.enact("alice", "bob", signers=())
    answer = court.repo.strata("doctor", "--range", f"{base}..HEAD")
    assert answer.code == 2
    assert "STR-P032" in answer.out
    court.place(court.repo.read(f"{TRUST}/policy.yaml"), "alice")
    court.repo.commit("Signed")
    assert "STR-P03" not in court.repo.strata("doctor", "--range", f"{base}..HEAD").out
    court.repo.git("rm", "-rq", TRUST)
    court.repo.commit("Gone")
    assert "STR-P031" in court.repo.strata("doctor", "--range", f"{base}..HEAD").out
