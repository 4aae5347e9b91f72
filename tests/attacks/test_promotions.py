"""Promotions that nobody was to make: each is told wherever the ledger is read, moves nothing, and no server takes it.

The tags are made by hand, with good keys in wrong places; see `stand`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations

import pytest

from strata_git.authoring.promote import Refused
from strata_git.ledger.approval import ApprovalRecord, reference
from strata_git.ledger.record import format_message, header
from tests.attacks.stand import FIRST, PEOPLE, RULES, SECOND, THIRD, Stand, armored, enact, placed, unsigned
from tests.flows.kinds import strata
from tests.flows.server import FETCH, HEAD, NOTES
from tests.ledger.court import rule
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.keys import LONG_AGO

PRODUCTION = "forest#production#4"


def test_whom_the_policy_asks_for_is_let_in(stand: Stand) -> None:
    """Everything below is refused for its own reason: the same tags by the right people pass."""
    refs = stand.bring("alice", "bob")
    assert stand.told() == set()
    assert stand.stages == {"v1": "production", "v2": "staging"}
    stand.server.accepts("--atomic", *refs)


def test_a_backdated_tag(stand: Stand) -> None:
    leaving = stand.record()
    prev = stand.forge("forest#staging!#3", leaving, "alice", "bob", when=stand.when() - 86_400)
    stand.forge(PRODUCTION, replace(leaving, seq=4, prev=prev), "alice", "bob", when=stand.when() - 86_300)
    assert stand.told() == {("STR-P016", "forest#staging!#3")}
    answer = strata(stand.repo, "stages").expect(2)
    assert "not dated after forest#staging#2" in answer.out + answer.err
    with pytest.raises(Refused) as refusal:
        stand.court.promote("v2", now=None)
    assert "STR-P016" in {finding.rule for finding in refusal.value.findings}
    stand.server.refuses("STR-P016", "--atomic", "refs/tags/*")


def test_the_newest_tag_is_deleted_in_a_known_clone(stand: Stand) -> None:
    """Tag and head are taken back on the server, and this clone follows with everything that git has for it."""
    assert strata(stand.repo, "verify").code == 0, "what is here is remembered"
    bare = stand.server.bare
    bare.git("update-ref", "-d", f"refs/tags/{THIRD}")
    bare.git("update-ref", HEAD, bare.git("rev-parse", f"refs/tags/{SECOND}"))
    stand.repo.git("fetch", "--quiet", "--force", "--prune", "--prune-tags", "server", *FETCH)
    assert stand.repo.try_git("rev-parse", "--verify", "--quiet", f"refs/tags/{THIRD}").code != 0
    assert stand.told() == {("STR-P017", "")}
    answer = strata(stand.repo, "verify").expect(2)
    assert "STR-P017" in answer.out
    with pytest.raises(Refused):
        stand.court.promote("v2", now=None)


def test_the_newest_tag_is_deleted_before_a_clone_is_made(stand: Stand) -> None:
    """A clone without a past notices while the chain's head is there, and cannot when that is gone too."""
    bare = stand.server.bare
    bare.git("update-ref", "-d", f"refs/tags/{THIRD}")
    assert stand.server.clone("fresh").told(now=None) == {("STR-P017", "")}
    bare.git("update-ref", HEAD, bare.git("rev-parse", f"refs/tags/{SECOND}"))
    assert stand.server.clone("fresher").told(now=None) == set()


@pytest.mark.parametrize("gone", [FIRST, SECOND])
def test_a_middle_tag_is_deleted(stand: Stand, gone: str) -> None:
    """Whoever clones sees it: the event behind it names it."""
    after = {FIRST: SECOND, SECOND: THIRD}[gone]
    stand.server.bare.git("update-ref", "-d", f"refs/tags/{gone}")
    fresh = stand.server.clone("fresh")
    assert ("STR-P006", after) in fresh.told(now=None)
    answer = strata(fresh.repo, "verify").expect(2)
    assert "STR-P006" in answer.out
    stand.server.refuses("STR-P017", f":refs/tags/{SECOND}" if gone == FIRST else f":refs/tags/{FIRST}")


def test_a_tag_under_another_model_s_name(stand: Stand) -> None:
    """`git verify-tag` has nothing against it."""
    stand.repo.model("birch", "v1")
    stand.repo.commit("Add birch")
    for mine, other in (("forest@v1.0.0", "birch@v1.0.0"), (THIRD, "birch#staging#2")):
        stand.court.move_ref(other, stand.court.oid(f"refs/tags/{mine}"))
        stand.repo.git("verify-tag", other)
    birch = stand.court.ledger(now=None).model("birch")
    assert {(each.rule, each.tag) for each in birch.complaints} == {
        ("STR-P002", "birch@v1.0.0"), ("STR-P002", "birch#staging#2"),
    }  # fmt: skip
    assert birch.versions == {}
    stand.server.refuses("STR-P002", "--atomic", "main", "refs/tags/birch@v1.0.0", "refs/tags/birch#staging#2")


@pytest.mark.heavy
def test_a_record_that_names_another_model(stand: Stand) -> None:
    """Signed anew by people who may, and put under the other name."""
    stand.forge("birch#staging!#3", stand.record(), "alice", "bob")
    birch = stand.court.ledger(now=None).model("birch")
    assert {each.rule for each in birch.complaints} == {"STR-P002"}
    stand.server.refuses("STR-P002", "refs/tags/birch#staging!#3")


def test_a_signer_of_staging_promotes_to_production(stand: Stand) -> None:
    refs = stand.bring("mallory")
    told = stand.refused("STR-P020", PRODUCTION, *refs)
    assert "staging to production asks for 2 of alice, bob (rule 2)" in told
    stand.unmade(*refs)
    stand.bring("alice", "mallory")
    stand.idle("STR-P020", PRODUCTION)


@pytest.mark.parametrize("who", ["alice", pytest.param("mallory", marks=pytest.mark.heavy)])
def test_a_policy_is_lowered_inside_the_push(stand: Stand, who: str) -> None:
    """Even signed by its root: what judges is the policy that the server has, whichever one the tags name."""
    refs = stand.bring("mallory")
    enact(stand, who, rules=[RULES[0], rule("staging", "production", "mallory")])
    stand.server.refuses("STR-P020", "--atomic", "main", *refs)


def test_a_revoked_signature_beside_a_good_one(stand: Stand) -> None:
    """gpg ends with 0 for such a pair, in either order."""
    enact(stand, "alice", principals={"bob": {"revoked": {"at": "2026-02-01T00:00:00Z", "reason": "stolen"}}})
    refs = stand.bring("bob", "alice")
    stand.idle("STR-P020", PRODUCTION)
    assert "signed by alice; 1 more of bob must sign" in strata(stand.repo, "verify").expect(2).out
    stand.unmade(*refs)
    stand.bring("alice", "bob")
    stand.idle("STR-P020", PRODUCTION)


def test_one_person_signs_twice_with_a_subkey(stand: Stand) -> None:
    refs = stand.bring("alice", "subkey")
    told = stand.refused("STR-P020", PRODUCTION, *refs)
    assert "signed by alice; 1 more of bob must sign" in told
    for signers in (("subkey", "alice"), ("alice", "alice")):
        stand.unmade(*refs)
        stand.bring(*signers)
        stand.idle("STR-P020", PRODUCTION)


ORDERS = [
    *permutations(("alice", "bad-bob", "lou")),
    *permutations(("alice", "bad-bob")),
    *permutations(("alice", "bad-alice")),
]


def test_bad_beats_good_in_every_order(stand: Stand) -> None:
    record = stand.record()
    for order in ORDERS:
        stand.forge("forest#staging!#3", record, *order)
        state = stand.court.state(now=None)
        assert [(each.rule, each.tag) for each in state.complaints] == [("STR-P004", "forest#staging!#3")], order
        assert {placed.stage for placed in state.versions.values()} == {"staging"}


def test_a_stranger_counts_for_nobody_in_any_order(stand: Stand) -> None:
    """Beside too few good ones it makes no quorum, beside enough of them it spoils nothing."""
    for order in permutations(("alice", "lou")):
        refs = stand.bring(*order)
        stand.idle("STR-P020", PRODUCTION)
        stand.unmade(*refs)
    refs = stand.bring("lou", "alice", "bob")
    assert stand.told() == set()
    assert stand.stages["v1"] == "production"
    stand.unmade(*refs)
    record = stand.record()
    for order in permutations(("alice", "lou", "bob")):
        stand.forge("forest#staging!#3", record, *order)
        assert stand.told() == {("STR-P009", "forest#staging!#3")}, "half a move, and nothing else is wrong with it"


def test_a_tag_with_two_blocks(stand: Stand) -> None:
    """Git would verify the last one alone, and what it signs begins with the first."""
    record = stand.record()
    oid = stand.forge("forest#staging!#3", record, "bad-bob")
    payload = stand.repo.git("cat-file", "tag", oid).encode() + b"\n"
    for order in permutations(("alice", "bob")):
        data = payload.partition(b"-----BEGIN")[0]
        data += b"".join(armored(stand.packet(data, who)) for who in order)
        oid = stand.repo.git("hash-object", "-w", "-t", "tag", "--stdin", stdin=data)
        stand.court.move_ref("forest#staging!#3", oid)
        assert stand.told() == {("STR-P001", "forest#staging!#3")}


def test_nobody_hides_behind_a_stranger_s_block(stand: Stand) -> None:
    """Who brought a version to staging is not to bring it on; a first block by somebody else does not change who."""
    apart = [RULES[0], rule("staging", "production", "alice", "bob", distinct_from=["previous_signer"])]
    enact(stand, "alice", rules=apart)
    third(stand.repo)
    stand.court.promote("v3", now=None)
    stand.resigned("forest#staging#3", "lou", "alice")
    assert stand.told() == set()
    stand.bring("alice")
    stand.idle("STR-P038", "forest#production#5")
    assert "alice is the previous signer" in strata(stand.repo, "verify").expect(2).out


def test_an_expired_key_dates_its_signature_back(stand: Stand) -> None:
    """The signature says that it was made while the key was good; the tag it stands on is of today."""
    first = rule("experimental", "staging", *PEOPLE, "expired")
    enact(stand, "alice", extra=["expired"], rules=[first, RULES[1]])
    stand.court.keys.expired()
    tag = "forest#staging!#3"
    payload = unsigned(tag, stand.record(), stand.when() + 9)
    placed(stand.court, tag, payload + stand.court.keys.sign(payload, "expired", at=LONG_AGO))
    (told,) = stand.court.state(now=None).complaints
    assert (told.rule, told.tag) == ("STR-P004", tag)
    assert "the key has expired" in told.message


def test_an_event_on_no_branch(stand: Stand) -> None:
    """Its commit would be seen by nobody who looks at what is there."""
    stand.repo.git("checkout", "-qb", "side")
    third(stand.repo)
    stand.court.promote("v3", now=None)
    said = stand.server.refuses("STR-P022", "--atomic", "refs/tags/*", "+refs/strata/ledger/*", NOTES)
    assert "push the branch too" in said


def third(repo: RepositoryBuilder) -> None:
    """forest@v3, with all that it cites."""
    cited = [artifacts.cite(artifacts.dataset("iris"), "datasets/iris/v1")]
    repo.model("forest", "v3", datasets=cited, metrics=artifacts.metrics_of(artifacts.run(inputs=cited)))
    repo.commit("Add v3")


def approve(stand: Stand, who: str, when: int, expires: str) -> str:
    """An approval of v1 for production by no program of ours; its reference."""
    move = stand.record()
    record = ApprovalRecord(
        move.repo, "forest", "v1", "staging", "production", move.commit, move.digest,
        stand.court.oid(f"refs/tags/{THIRD}"), None, stand.court.digests[-1], "2020-01-01T00:00:00Z", expires,
    )  # fmt: skip
    ref = reference(record, who)
    head = f"object {record.commit}\ntype commit\ntag {header(ref)}\ntagger M <m@example.org> {when} +0000\n\n"
    payload = head.encode() + format_message("v1 may move", "", record)
    data = payload + stand.court.keys.sign(payload, who, at=LONG_AGO if who == "expired" else "")
    stand.repo.git("update-ref", ref, stand.repo.git("hash-object", "-w", "-t", "tag", "--stdin", stdin=data))
    return ref


def test_an_approval_that_never_ends(stand: Stand) -> None:
    """Whose key is over tomorrow could approve today what is promoted in years."""
    ref = approve(stand, "bob", stand.when(), "2099-01-01T00:00:00Z")
    with pytest.raises(Refused) as refusal:
        stand.court.promote("v1", now=None)
    assert {finding.rule for finding in refusal.value.findings} == {"STR-P020"}
    assert "in force for more than 366 days" in strata(stand.repo, "approve", "--list").out
    stand.repo.git("update-ref", "-d", ref)
    month = datetime.fromtimestamp(stand.when() + 30 * 86_400, UTC)
    approve(stand, "bob", stand.when(), f"{month:%Y-%m-%dT%H:%M:%SZ}")
    stand.court.promote("v1", now=None)
    assert stand.stages["v1"] == "production"


@pytest.mark.heavy
def test_an_expired_key_approves(stand: Stand) -> None:
    """Everything in it is dated back to when the key was good; the server judges what is new as of now."""
    enact(stand, "alice", extra=["expired"], rules=[RULES[0], rule("staging", "production", "alice", "expired")])
    stand.server.accepts("main")
    stand.court.keys.expired()
    ref = approve(stand, "expired", 1_577_836_860, "2020-01-02T00:00:00Z")
    assert "its signature does not count here" in stand.server.refuses("STR-P024", ref)
