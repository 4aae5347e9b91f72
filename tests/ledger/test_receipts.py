"""Receipts that runs were made again: what they are, what a policy makes of them, and every way to pass a false one.

The receipts here are signed by stock gpg and stored by stock git, so that nothing of ours can hide what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from strata_git.contracts.base import ContractError, parse
from strata_git.contracts.policy import TrustPolicy
from strata_git.hooks.events import judge_event_refs
from strata_git.hooks.pushed import Push, judge_guarded
from strata_git.integrity.checksums import digest
from strata_git.ledger.receipt import RECEIPTS, ReceiptRecord, parse_receipt, reference
from strata_git.ledger.receipts import read_receipts
from strata_git.ledger.record import RecordError, format_message, format_tag, header
from strata_git.load import canonical_json, load_json
from tests.flows.sharing import fetched, pushed
from tests.ledger.court import Court, court_in, rule
from tests.ledger.lab import NOW, Lab, lab_in
from tests.ledger.test_authority import refused
from tests.support import artifacts
from tests.support.artifacts import REPOSITORY, RUN
from tests.support.fixtures import Builder
from tests.support.keys import Keys

NONE = "0" * 40
COUNTS = {name: {"same": 1, "differing": 0} for name in ("metrics", "artifacts", "inputs", "code", "environment")}
LISTS: dict[str, list[dict[str, str]]] = {name: [] for name in COUNTS}
ASKED = [
    rule("experimental", "staging", "alice", "bob", requires=["reproduced"]),
    rule("staging", "production", "alice"),
]
APART = [rule("experimental", "staging", "alice", "bob", requires=["reproduced"], distinct_from=["reproducer"])]
APART_ALONE = [rule("experimental", "staging", "alice", distinct_from=["reproducer"])]


@pytest.fixture
def court(builder: Builder, keys: Keys) -> Court:
    """forest@v1 says which run made it, and that run is committed."""
    made = court_in(builder(), keys)
    made.repo.write(artifacts.run()).commit("The run")
    return made


def said(lab: Lab, **changes: object) -> ReceiptRecord:
    """An honest receipt for the run behind the models, with `changes`."""
    sums = lab.repo.read(f"runs/{RUN}/CHECKSUMS.txt")
    honest = ReceiptRecord(
        REPOSITORY, RUN, digest(sums), lab.repo.head, "identical", "declared", "2026-02-01T11:00:00Z", "git-strata 1",
        COUNTS, LISTS,
    )  # fmt: skip
    return replace(honest, **changes)  # type: ignore[arg-type]


def sign(
    lab: Lab, record: ReceiptRecord, who: str = "alice", *, ref: str = "", hours: int = -1, tamper: bytes = b"",
    tag: str = "",
) -> str:  # fmt: skip
    """A receipt by stock gpg and git, `hours` from now; its reference."""
    place = ref or reference(record, who)
    when = int((NOW + timedelta(hours=hours)).timestamp())
    message = format_message(f"runs/{record.run} was made again", "", record)
    payload = format_tag(record.commit, tag or header(place), "M <m@example.org>", when, message)
    data = payload + (lab.keys.sign(payload, who) if who else b"")
    if tamper:
        assert b"identical" in data
        data = data.replace(b"identical", tamper)
    lab.repo.git("update-ref", place, lab.repo.git("hash-object", "-w", "-t", "tag", "--stdin", stdin=data))
    return place


# --- a policy that asks for one


def test_what_was_made_again_may_move(court: Court) -> None:
    court.enact("alice", "bob", rules=ASKED)
    told, hint = refused(court, "v1")
    assert told == {"STR-P013"}
    assert "nobody enrolled has signed a receipt that its run was made again" in hint
    ref = sign(court, said(court), "bob")
    court.promote("v1")
    assert court.stages() == {"v1": "staging"}
    assert court.told() == set()
    court.repo.git("update-ref", "-d", ref)  # a clone without it cannot tell that the move was allowed
    assert court.rules_told() == {"STR-P013"}
    assert court.stages().get("v1") != "staging"


@pytest.mark.heavy
def test_within_what_the_run_declared(court: Court) -> None:
    court.enact("alice", "bob", rules=ASKED)
    counted = {**COUNTS, "metrics": {"same": 1, "differing": 1}}
    sign(court, said(court, verdict="within tolerance", counted=counted), "bob")
    court.promote("v1")
    assert court.stages() == {"v1": "staging"}


OTHER_RUN = "run-2026-01-05-002"
HERE = f"{RECEIPTS}{RUN}/{'0' * 16}"
FALSE: dict[str, Callable[[Court], object]] = {
    "of another run": lambda court: sign(court, said(court, run=OTHER_RUN), "bob"),
    "of another run, moved": lambda court: sign(
        court, said(court, run=OTHER_RUN), "bob", ref=HERE, tag=f"receipts/{OTHER_RUN}/{'0' * 16}"
    ),
    "of another run, renamed": lambda court: sign(court, said(court, run=OTHER_RUN), "bob", ref=HERE),
    "of other content": lambda court: sign(court, said(court, digest=f"sha256:{'1' * 64}"), "bob"),
    "of another repository": lambda court: sign(court, said(court, repo=REPOSITORY.replace("5f", "6f", 1)), "bob"),
    "by somebody not enrolled": lambda court: (court.keys.add("mallory"), sign(court, said(court), "mallory")),
    "unsigned": lambda court: sign(court, said(court), ""),
    "tampered with": lambda court: sign(court, said(court, verdict="identical"), "bob", tamper=b"Identical"),
    "that it came out otherwise": lambda court: sign(court, said(court, verdict="differs"), "bob"),
    "turned into a good one": lambda court: sign(
        court, said(court, verdict="differs", tool="identical"), "bob", tamper=b"differs"
    ),
    "with tolerances of the signer's own": lambda court: sign(
        court,
        said(court, verdict="within tolerance", tolerances="given",
             counted={**COUNTS, "metrics": {"same": 0, "differing": 1}}),
        "bob",
    ),
    "signed later": lambda court: sign(court, said(court), "bob", hours=1),
    "that contradicts itself": lambda court: sign(
        court, said(court, counted={**COUNTS, "artifacts": {"same": 0, "differing": 1}}), "bob"
    ),
    "on another commit than it names": lambda court: court.repo.git(
        "update-ref", f"{RECEIPTS}{RUN}/{'0' * 16}", court.repo.head
    ),
}  # fmt: skip


def test_a_false_receipt_does_not_help(court: Court) -> None:
    court.enact("alice", "bob", rules=ASKED)
    for what, pass_off in FALSE.items():
        pass_off(court)
        assert court.repo.git("for-each-ref", RECEIPTS), what
        told, hint = refused(court, "v1")
        assert (told, "nobody enrolled has signed a receipt" in hint) == ({"STR-P013"}, True), what
        for ref in court.repo.git("for-each-ref", "--format=%(refname)", RECEIPTS).splitlines():
            court.repo.git("update-ref", "-d", ref)
    sign(court, said(court), "bob")
    court.promote("v1")


@pytest.mark.heavy
def test_a_receipt_of_somebody_who_was_revoked(court: Court) -> None:
    revoked = {"bob": {"revoked": {"at": "2026-01-31T12:00:00Z", "reason": "left"}}}
    court.enact("alice", "bob", rules=ASKED, principals=revoked)
    sign(court, said(court), "bob")
    assert refused(court, "v1")[0] == {"STR-P013"}


def test_who_promotes_did_not_make_it_again_themselves(court: Court) -> None:
    court.enact("alice", "bob", rules=APART)
    assert refused(court, "v1")[0] == {"STR-P013"}
    sign(court, said(court), "alice")
    told, hint = refused(court, "v1")
    assert told == {"STR-P020", "STR-P038"}
    assert "alice is the reproducer, whose own word does not count" in hint
    sign(court, said(court), "bob")  # one of somebody else is enough, and alice's own does no harm
    court.promote("v1")
    assert court.stages() == {"v1": "staging"}


@pytest.mark.heavy
def test_two_who_promote_and_a_third_who_made_it_again(court: Court) -> None:
    """Whoever is needed as the one who made it again is not needed as a signer too."""
    court.enact("alice", "bob", rules=[APART[0] | {"threshold": 2}])
    from tests.ledger.test_authority import approve

    sign(court, said(court), "bob")
    approve(court, "bob", "v1", "staging")
    assert "STR-P020" in refused(court, "v1")[0]


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({"rules": APART_ALONE}, "does not ask that the run was"),
        ({"rules": ASKED, "gates": {"reproduced": "test_f1 >= 0.9"}}, "'reproduced' means something else"),
    ],
)  # fmt: skip
def test_a_policy_that_contradicts_itself(court: Court, about: dict[str, object], told: str) -> None:
    with pytest.raises(ContractError) as refusal:
        parse(TrustPolicy, load_json(court.text("alice", "bob", **about)))  # type: ignore[arg-type]
    assert told in refusal.value.complaints[0].message


# --- what stands in it


def test_what_it_says_comes_back(court: Court) -> None:
    counted = {**COUNTS, "metrics": {"same": 0, "differing": 1}}
    rows = [{"name": "test_f1", "recorded": "0.8", "reproduced": "0.7", "tolerance": "0.0"}]
    record = said(court, verdict="differs", counted=counted, differing={**LISTS, "metrics": rows})
    ref = sign(court, record, "bob")
    (found,) = read_receipts(court.repo.repository())
    assert (found.ref, found.flaw, found.record) == (ref, "", record)
    statement = json.loads(canonical_json(record.as_json()))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [
        {"name": f"runs/{RUN}", "digest": {"sha256": record.digest.removeprefix("sha256:")}}
    ]
    assert court.repo.try_git("tag", "-v", header(ref)).code != 0  # it is no tag of refs/tags
    court.repo.git("verify-tag", ref)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text + " ",
        lambda text: text.replace('"verdict":"identical"', '"verdict":"splendid"'),
        lambda text: text.replace('"predicateType":"git-strata:reproduction/v1"', '"predicateType":"other"'),
        lambda text: text.replace('{"_type"', '{"_also":1,"_type"'),
        lambda text: text.replace('"subject":[', '"subject":[{"digest":{"sha256":"' + "0" * 64 + '"},"name":"x"},'),
        lambda text: text.replace(f"runs/{RUN}", "runs/../x"),
        lambda text: text.replace('"same":1', '"same":-1', 1),
        lambda text: text.replace('"same":1', '"same":true', 1),
        lambda text: text.replace('"metrics":[]', '"metrics":[3]', 1),
        lambda text: text.replace("strata/receipt/v1", "strata/receipt/v2"),
        lambda text: "[" * 5000,
        lambda _: '{"schema":"strata/receipt/v1"}',
        lambda _: "x" * 20_000,
    ],
)
def test_anything_else_is_none(damage: Callable[[str], str]) -> None:
    record = ReceiptRecord(
        REPOSITORY, RUN, f"sha256:{'a' * 64}", "b" * 40, "identical", "declared", "2026-02-01T11:00:00Z", "strata",
        COUNTS, LISTS,
    )  # fmt: skip
    text = canonical_json(record.as_json()).decode()
    assert parse_receipt(text) == record
    assert damage(text) != text
    with pytest.raises(RecordError):
        parse_receipt(damage(text))


# --- pushed and fetched


@pytest.fixture
def lab(builder: Builder, keys: Keys) -> Lab:
    made = lab_in(builder(), keys)
    made.repo.write(artifacts.run()).commit("The run")
    return made


def judged(lab: Lab, ref: str, new: str, old: str = NONE) -> list[str]:
    repo = lab.repo.repository()
    push = Push(ref, new, ref, old)
    try:
        found = [*judge_guarded(repo, push, "there")]
        found += [] if push.deletes else judge_event_refs(repo, [push], lab.repo.head, {ref: new})
        return [f"{finding.rule} {finding.message}" for finding in found]
    finally:
        repo.close()


def test_a_push_of_a_receipt(lab: Lab) -> None:
    ref = sign(lab, said(lab), "bob")
    oid = lab.oid(ref)
    assert judged(lab, ref, oid) == []
    assert judged(lab, ref, NONE, oid) == ["STR-P017 would be deleted there"]
    assert judged(lab, ref, oid, "1" * 40) == ["STR-P017 would be moved there"]
    lab.repo.git("update-ref", "-d", ref)
    other = f"{RECEIPTS}{OTHER_RUN}/{'0' * 16}"
    assert judged(lab, other, oid)[0].startswith(f"STR-P044 the tag object under this name is that of receipts/{RUN}/")
    assert judged(lab, f"{RECEIPTS}loose", oid)[0].startswith("STR-P044")
    foreign = sign(lab, said(lab, repo=REPOSITORY.replace("5f", "6f", 1)), "bob")
    assert judged(lab, foreign, lab.oid(foreign)) == ["STR-P044 it belongs to another repository"]
    unsigned = sign(lab, said(lab), "")
    assert judged(lab, unsigned, lab.oid(unsigned)) == ["STR-P044 it is not signed"]
    assert judged(lab, f"{RECEIPTS}{RUN}/{'0' * 16}", lab.repo.head)[0].startswith("STR-P044 it is a lightweight tag")
    lab.keys.gpg("--yes", "--delete-secret-and-public-key", lab.keys.bob)
    lab.repo.git("update-ref", ref, oid)
    assert judged(lab, ref, oid) == ["STR-P044 its signature does not count here"]


def test_receipts_travel(lab: Lab) -> None:
    server = lab.repo.clone("server", "--bare")
    lab.repo.git("remote", "add", "origin", server.path.as_uri())
    lab.repo.git("fetch", "-q", "origin")
    other = Lab(server.clone("other"), lab.keys)
    ref = sign(lab, said(lab), "bob")
    flawed = sign(lab, said(lab), "bob", ref=f"{RECEIPTS}{OTHER_RUN}/{'0' * 16}")
    lab.promote("v1")
    assert ref in pushed(lab).refs
    assert flawed not in pushed(lab).refs
    brought = fetched(other)
    assert brought.receipts == (ref,)
    assert other.oid(ref) == lab.oid(ref)
    assert fetched(other).receipts == ()
    other.repo.git("update-ref", ref, lab.repo.head)
    assert {complaint.rule for _, complaint in fetched(other).complaints} == {"STR-P017"}
