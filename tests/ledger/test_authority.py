"""Events under a trust policy: who may make them, who together, and what an event is worth that was not allowed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from strata_git.authoring.promote import Refused
from strata_git.errors import StrataError
from tests.ledger.court import Court, court_in, ladder, rule
from tests.ledger.lab import NOW
from tests.support.fixtures import Builder
from tests.support.keys import Keys


@pytest.fixture
def court(builder: Builder, keys: Keys) -> Court:
    return court_in(builder(), keys)


def refused(court: Court, *words: str | None, **options: object) -> tuple[set[str], str]:
    """The rules that stand against it, and all that is said; nothing is written."""
    before = court.repo.git("for-each-ref")
    with pytest.raises(Refused) as refusal:
        court.promote(*words, **options)
    assert court.repo.git("for-each-ref") == before
    return {finding.rule for finding in refusal.value.findings}, refusal.value.hint


def approve(court: Court, who: str, version: str, stage: str) -> None:
    from strata_git.authoring.approve import approve as approve_move
    from tests.ledger.lab import SETTINGS, fine

    repo = court.repo.repository()
    try:
        approve_move(
            repo, SETTINGS, "forest", version, stage, key=court.keys.fingerprint(who), now=NOW, judge=fine
        )  # fmt: skip
    finally:
        repo.close()


def test_who_may_does(court: Court) -> None:
    digest = court.enact("alice")
    made = court.promote("v1")
    assert made.events[-1].record is not None
    assert made.events[-1].record.policy == digest
    assert court.stages() == {"v1": "staging"}
    assert court.told() == set()


def test_a_signer_of_staging_does_not_reach_production(court: Court) -> None:
    rules = [rule("experimental", "staging", "alice", "bob"), rule("staging", "production", "alice")]
    court.enact("bob", rules=rules)
    court.promote("v1", key=court.keys.bob)
    told, hint = refused(court, "v1", key=court.keys.bob)
    assert told == {"STR-P020"}
    assert "staging to production asks for 1 of alice (rule 2); signed by bob; 1 more of alice must sign" in hint


def test_plain_git_does_not_help_a_signer_of_staging(court: Court) -> None:
    rules = [rule("experimental", "staging", "alice", "bob"), rule("staging", "production", "bob")]
    court.enact("bob", rules=rules)
    court.promote("v1")
    leaving = court.record(policy=court.digests[0])
    first = court.forge("forest#staging!#2", leaving)
    court.forge("forest#production#3", replace(leaving, seq=3, prev=first), date=f"{int(NOW.timestamp()) + 900} +0000")
    assert ("STR-P020", "forest#production#3") in court.told()
    assert court.stages() == {"v1": "staging"}, "what was not allowed moves nothing"


def test_a_stranger_s_key_is_unknown_whatever_the_keyring_says(court: Court) -> None:
    court.enact("alice")
    court.promote("v1")
    with pytest.raises(StrataError, match="the key is unknown here"):
        court.promote("v1", key=court.keys.bob)
    record = court.record(policy=court.digests[0])
    court.repo.git("config", "user.signingkey", court.keys.bob)
    from strata_git.ledger.record import format_message

    court.repo.git(
        "tag", "-s", "-u", court.keys.bob, "-F", "-", "--cleanup=verbatim", "forest#staging!#2", record.commit,
        stdin=format_message("an event", "", record), env={"GIT_COMMITTER_DATE": f"{int(NOW.timestamp()) + 9} +0000"},
    )  # fmt: skip
    assert ("STR-P004", "forest#staging!#2") in court.told()
    assert court.stages() == {"v1": "staging"}


def test_where_no_rule_fits_nobody_may(court: Court) -> None:
    court.enact("alice", rules=[rule("experimental", "staging", "alice")])
    court.promote("v1")
    assert refused(court, "v1")[0] == {"STR-P036"}


def test_what_must_come_down_comes_down(court: Court) -> None:
    rules = [*ladder("alice"), rule("experimental", "staging", "bob", models="other")]
    court.enact("bob", rules=rules)
    court.promote("v1")
    court.promote("v1")
    assert refused(court, "v1", "staging", key=court.keys.bob)[0] == {"STR-P020"}
    court.promote("v1", "staging")
    assert court.stages() == {"v1": "staging"}
    court.promote("v1", "archived")
    assert court.stages() == {"v1": "archived"}


def test_two_must_agree(court: Court) -> None:
    rules = [rule("experimental", "staging", "alice", "bob", threshold=2)]
    court.enact("bob", rules=rules)
    told, hint = refused(court, "v1")
    assert told == {"STR-P020"}
    assert "signed by alice; 1 more of bob must sign" in hint
    approve(court, "bob", "v1", "staging")
    court.promote("v1")
    assert court.stages() == {"v1": "staging"}
    assert court.told() == set()


def test_one_person_with_two_keys_is_one(court: Court) -> None:
    two = {"alice": {"keys": [f"gpg:{court.keys.alice}", f"gpg:{court.keys.bob}"]}}
    rules = [rule("experimental", "staging", "alice", "mallory", threshold=2)]
    court.enact("mallory", rules=rules, principals=two)
    court.repo.write({".strata/trust/keys/alice.asc": court.keys.public("alice") + court.keys.public("bob")})
    court.repo.commit("Both keys of alice")
    approve(court, "bob", "v1", "staging")
    told, hint = refused(court, "v1")
    assert told == {"STR-P020"}
    assert "1 more of mallory must sign" in hint


def test_nobody_approves_their_own_model(court: Court) -> None:
    rules = [rule("experimental", "staging", "alice", "bob", distinct_from=["artifact_signer"])]
    court.enact("bob", rules=rules)
    assert "STR-P038" in refused(court, "v1")[0]
    sums = court.repo.read("models/forest/v1/CHECKSUMS.txt")
    court.repo.write({"models/forest/v1/SIGNATURE.asc": court.keys.sign(sums, "alice")})
    court.repo.commit("Alice signs the model")
    today = datetime.now(UTC)  # gpg's signature bears that date
    told, hint = refused(court, "v1", now=today)
    assert told == {"STR-P020", "STR-P038"}
    assert "alice is the artifact signer" in hint
    court.promote("v1", key=court.keys.bob, now=today)
    assert court.state(now=today).versions["v1"].stage == "staging"


def test_who_is_to_differ_from_nobody_known_is_refused(court: Court) -> None:
    court.enact("alice", rules=[rule("experimental", "staging", "alice", distinct_from=["author"])])
    told, hint = refused(court, "v1")
    assert told == {"STR-P038"}
    assert "no enrolled person signed the commit that introduced the version" in hint


def test_who_brought_it_to_staging_does_not_bring_it_to_production(court: Court) -> None:
    steps = [rule("experimental", "staging", "alice", "bob"),
             rule("staging", "production", "alice", "bob", distinct_from=["previous_signer"])]  # fmt: skip
    court.enact("bob", rules=steps)
    court.promote("v1")
    assert refused(court, "v1")[0] == {"STR-P020", "STR-P038"}
    court.promote("v1", key=court.keys.bob)
    assert court.stages() == {"v1": "production"}


def test_gates_hold_back_what_is_not_good_enough(court: Court) -> None:
    gates = {"good": "test_f1 >= 0.99", "no-worse": "test_f1 not worse than production by more than 0.01"}
    asked = [rule("experimental", "staging", "alice"), rule("staging", "production", "alice", requires=list(gates))]
    court.enact("alice", rules=asked, gates=gates)
    court.promote("v1")
    told, hint = refused(court, "v1")
    assert told == {"STR-P015"}
    assert "gate good (test_f1 >= 0.99)" in hint


def test_a_format_that_is_not_allowed(court: Court) -> None:
    rules = [rule("experimental", "staging", "alice", requires=["format"])]
    court.enact("alice", rules=rules, formats={"production": ["onnx"]})
    told, hint = refused(court, "v1")
    assert told == {"STR-P039"}
    assert "allowed is onnx" in hint


def test_an_unpinned_policy_bars_promotion(court: Court) -> None:
    court.enact("alice", pin=False)
    assert refused(court, "v1")[0] == {"STR-P034"}


def test_require_trust(court: Court) -> None:
    assert refused(court, "v1", require_trust=True)[0] == {"STR-P019"}
    court.enact("alice")
    court.promote("v1", require_trust=True)
    assert court.stages() == {"v1": "staging"}


def test_what_was_promoted_before_the_policy_is_adopted(court: Court) -> None:
    court.promote("v1", key=court.keys.bob)
    head = court.oid("refs/strata/ledger/forest")
    court.enact("alice", adopted={"forest": head})
    assert court.stages() == {"v1": "staging"}
    assert court.told() == set()
    court.promote("v1")
    assert court.stages() == {"v1": "production"}


def test_what_the_policy_did_not_adopt_counts_for_nothing(court: Court) -> None:
    court.promote("v1")
    court.enact("alice")
    assert court.rules_told() == {"STR-P037"}
    assert court.stages() == {}


def test_an_older_policy_behind_a_newer_one(court: Court) -> None:
    first = court.enact("alice")
    court.promote("v1")
    second = court.enact("alice", "bob")
    court.promote("v1", now=NOW + timedelta(hours=1))
    assert court.told() == set()
    state = court.state()
    assert state.head is not None
    assert state.head.record is not None
    assert state.head.record.policy == second
    down = court.record(origin="production", target="staging", policy=first)
    court.forge("forest#production!#4", down, date=f"{int(NOW.timestamp()) + 4000} +0000")
    assert ("STR-P037", "forest#production!#4") in court.told(now=NOW + timedelta(hours=2))


def test_a_policy_from_nowhere(court: Court) -> None:
    court.enact("alice")
    court.promote("v1")
    court.forge("forest#staging!#2", court.record(policy="sha256:" + "0" * 64))
    assert ("STR-P037", "forest#staging!#2") in court.told()


def test_old_events_stand_when_a_signer_leaves(court: Court) -> None:
    court.enact("bob", rules=ladder("alice", "bob"))
    court.promote("v1", key=court.keys.bob)
    court.enact("alice", rules=ladder("alice"))
    assert court.stages() == {"v1": "staging"}
    assert court.told() == set()
    with pytest.raises(StrataError, match="unknown"):
        court.promote("v1", key=court.keys.bob)


def test_a_stolen_key_is_not_believed_since_it_was_stolen(court: Court) -> None:
    court.enact("bob", rules=ladder("alice", "bob"))
    court.promote("v1", key=court.keys.bob)
    lost = {"bob": {"revoked": {"at": "2026-02-01T11:00:00Z", "reason": "stolen"}}}
    court.enact("bob", rules=ladder("alice", "bob"), principals=lost)
    assert "STR-P020" in court.rules_told()
    assert court.stages() == {}


def test_a_key_that_was_replaced_still_counts_for_what_it_signed(court: Court) -> None:
    court.enact("bob", rules=ladder("alice", "bob"))
    court.promote("v1", key=court.keys.bob)
    old = {"bob": {"keys": [], "retired_keys": [
        {"key": f"gpg:{court.keys.bob}", "at": "2026-02-01T13:00:00Z", "reason": "replaced"}]}}  # fmt: skip
    court.enact("bob", rules=ladder("alice", "bob"), principals=old)
    assert court.stages() == {"v1": "staging"}
    assert refused(court, "v1", key=court.keys.bob, now=NOW + timedelta(hours=2))[0] == {"STR-P020"}


def test_whose_time_is_over_signs_nothing_more(court: Court) -> None:
    until = {"bob": {"valid_until": "2026-02-01T12:30:00Z"}}
    court.enact("bob", rules=ladder("alice", "bob"), principals=until)
    court.promote("v1", key=court.keys.bob)
    late = NOW + timedelta(hours=1)
    assert refused(court, "v1", key=court.keys.bob, now=late)[0] == {"STR-P020"}
    assert court.stages() == {"v1": "staging"}, "what is recorded stands: grace"


def test_without_grace_what_is_over_is_over(court: Court) -> None:
    until = {"bob": {"valid_until": "2026-02-01T12:30:00Z"}}
    court.enact("bob", rules=ladder("alice", "bob"), principals=until, grace="none")
    court.promote("v1", key=court.keys.bob)
    assert court.state(now=NOW).versions["v1"].stage == "staging"
    assert court.state(now=NOW + timedelta(hours=1)).versions == {}


def test_a_revoked_key_beside_a_good_one(court: Court) -> None:
    rules = [rule("experimental", "staging", "alice", "bob", threshold=2)]
    court.enact("bob", rules=rules)
    approve(court, "bob", "v1", "staging")
    court.promote("v1")
    lost = {"bob": {"revoked": {"at": "2026-01-31T00:00:00Z", "reason": "left"}}}
    court.enact("bob", rules=rules, principals=lost)
    assert "STR-P020" in court.rules_told()
    assert court.stages() == {"v1": "experimental"} or court.stages() == {}


def test_other_moves_than_the_usual(court: Court) -> None:
    court.enact("alice", rules=[rule("experimental", "production", "alice")],
                transitions=["experimental -> production"])  # fmt: skip
    court.promote("v1", "production")
    assert court.stages() == {"v1": "production"}
    assert court.told() == set()
    assert "STR-P009" in refused(court, "v1", "staging")[0]


def test_a_worse_version_does_not_displace_a_better_one(builder: Builder, keys: Keys) -> None:
    court = Court(builder().workspace(), keys)
    for version, value in (("v1", 0.93), ("v2", 0.91), ("v3", 0.92)):
        court.repo.model("forest", version, metrics={"test_f1": value})
        court.repo.commit(f"Add {version}")
    gates = {"no-worse": "test_f1 not worse than production by more than 0.01"}
    asked = [rule("experimental", "staging", "alice"), rule("staging", "production", "alice", requires=list(gates))]
    court.enact("alice", rules=asked, gates=gates)
    court.promote("v1")
    court.promote("v1")
    court.promote("v2")
    told, hint = refused(court, "v2")
    assert told == {"STR-P015"}
    assert "test_f1 is 0.91, worse than 0.93 in production by more than 0.01" in hint
    court.promote("v3")
    court.promote("v3")
    assert court.told() == set()
    assert court.stages()["v3"] == "production"


def test_a_scan_is_asked_of_whoever_promotes(court: Court) -> None:
    asks = [rule("experimental", "staging", "alice", requires=["scan"])]
    court.enact("alice", rules=asks, formats={"production": ["skops"], "pickle_imports": ["sklearn.tree.*"]})
    court.promote("v1")
    for number, body in (("v3", b"cos\nsystem\n(S'true'\ntR."), ("v4", b"csklearn.tree._classes\nTree\n.")):
        court.repo.model("forest", number, extra={"more.pkl": body})
        court.repo.commit(f"Add {number}")
    told, hint = refused(court, "v3")
    assert told == {"STR-P039"}
    assert "more.pkl" in hint
    assert "imports os.system, which the policy does not allow" in hint
    court.promote("v4")
    assert court.stages() == {"v1": "staging", "v4": "staging"}


def test_a_policy_can_ask_for_statements_of_freshness(court: Court) -> None:
    from strata_git.ledger.assurances import freshness_complaints
    from tests.support.artifacts import REPOSITORY

    court.enact("alice", freshness={"max_age_days": 7})
    court.promote("v1")
    repo = court.repo.repository()
    ledger = court.ledger()
    told = freshness_complaints(repo, ledger.state, ledger.trust, repository=REPOSITORY, now=NOW)
    repo.close()
    assert [complaint.rule for complaint in told] == ["STR-P027"]
    assert "of the last 7 days, and there is none" in told[0].message


def test_a_subkey_is_nobody_else(court: Court) -> None:
    secret = ("--pinentry-mode", "loopback", "--passphrase", "")
    court.keys.gpg(*secret, "--quick-add-key", court.keys.alice, "ed25519", "sign", "never")
    listed = court.keys.gpg("--list-keys", "--with-colons", court.keys.alice).out.split("\n")
    primary, subkey = [line.split(":")[9] for line in listed if line.startswith("fpr:")]
    court.enact("bob", rules=[rule("experimental", "staging", "alice", "bob", threshold=2)])
    court.repo.write({".strata/trust/keys/alice.asc": court.keys.gpg("--armor", "--export", court.keys.alice).out})
    court.repo.commit("Alice has a subkey")
    assert primary == court.keys.alice
    from strata_git.authoring.approve import approve as approve_move
    from tests.ledger.lab import SETTINGS, fine

    repo = court.repo.repository()
    approve_move(repo, SETTINGS, "forest", "v1", "staging", key=f"{subkey}!", now=NOW, judge=fine)
    repo.close()
    told, hint = refused(court, "v1", key=f"{primary}!")
    assert told == {"STR-P020"}
    assert "signed by alice; 1 more of bob must sign" in hint
