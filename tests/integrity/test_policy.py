"""What a policy decides, as pure values: persons are counted, whatever order and however often keys come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.contracts.gates import parse_gate
from strata_git.integrity.metric_gates import Figure, judge_gate
from strata_git.integrity.policy import (
    AHEAD,
    Move,
    Policy,
    PolicyError,
    Principal,
    Rule,
    Vouch,
    decide,
    enough_roots,
    follows,
    key_of,
    parse_policy,
    people,
    principal_of,
    revoked_since,
    vouches_of,
)
from strata_git.integrity.policy_chain import walk
from strata_git.integrity.signer import SignatureVerdict

NOW = 1_770_000_000
PEOPLE = ("ada", "bob", "kim", "lin")
PAIRS = dict(zip(PEOPLE, ("A1", "B2", "C3", "D4"), strict=True))
KEYS = {who: tuple(f"gpg:{letter * 40}" for letter in pair) for who, pair in PAIRS.items()}
STRANGER = "gpg:" + "F" * 40
UP = Move("forest", "v1", "staging", "production")


def policy(**changes: object) -> Policy:
    base = Policy(
        repository="r", version=1, previous=None, digest="sha256:1", issued=NOW - 1000, root_threshold=1,
        roots=("ada",),
        principals={who: Principal(who, keys) for who, keys in KEYS.items()},
        rules=(Rule(1, "*", "staging", "production", PEOPLE, 2),),
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def ruled(**changes: object) -> Policy:
    """One rule for two of ada, bob and kim, changed."""
    return policy(rules=(replace(Rule(1, "*", "staging", "production", ("ada", "bob", "kim"), 2), **changes),))  # type: ignore[arg-type]


def tag(who: str, at: int = NOW, key: int = 0) -> Vouch:
    return Vouch(KEYS[who][key], "tag", at)


def approval(who: str, at: int = NOW, key: int = 0) -> Vouch:
    return Vouch(KEYS[who][key], "approval", at)


def told(policy: Policy, move: Move, *vouches: Vouch, at: int = NOW) -> set[str]:
    return {short.rule_id for short in decide(policy, move, vouches, at=at)}


VOUCHES = st.lists(
    st.builds(
        Vouch,
        st.sampled_from([*(key for keys in KEYS.values() for key in keys), STRANGER]),
        st.sampled_from(["tag", "approval"]),
        st.just(NOW),
    ),
    max_size=8,
)


@given(VOUCHES, st.randoms())
def test_order_and_repetition_make_no_difference(vouches: list[Vouch], random) -> None:
    shuffled = [*vouches, *vouches[:3]]
    random.shuffle(shuffled)
    assert decide(ruled(), UP, vouches, at=NOW) == decide(ruled(), UP, shuffled, at=NOW)


@given(VOUCHES, st.integers(1, 3))
def test_a_move_is_allowed_by_as_many_persons_as_asked_for(vouches: list[Vouch], threshold: int) -> None:
    owners = {who for who in ("ada", "bob", "kim") for vouch in vouches if vouch.key in KEYS[who]}
    assert (told(ruled(threshold=threshold), UP, *vouches) == set()) is (len(owners) >= threshold)


@given(VOUCHES, VOUCHES)
def test_more_vouches_never_take_a_permission_away(some: list[Vouch], more: list[Vouch]) -> None:
    if told(ruled(), UP, *some) == set():
        assert told(ruled(), UP, *some, *more) == set()


def test_two_keys_of_one_person_are_one_person() -> None:
    assert told(ruled(), UP, tag("ada"), approval("ada", key=1)) == {"STR-P020"}
    assert told(ruled(), UP, tag("ada"), approval("bob")) == set()


def test_a_signature_of_the_artifact_is_no_vote() -> None:
    assert told(ruled(), UP, tag("ada"), Vouch(KEYS["bob"][0], "artifact", NOW)) == {"STR-P020"}


def test_the_message_names_who_is_missing() -> None:
    (short,) = decide(ruled(), UP, [tag("ada"), Vouch(STRANGER, "approval", NOW)], at=NOW)
    assert short.message == (
        "staging to production asks for 2 of ada, bob, kim (rule 1); signed by ada; 1 more of bob, kim must sign"
    )


def test_the_first_rule_that_fits_decides() -> None:
    strict = Rule(1, "fraud-*", "staging", "production", ("ada", "bob"), 2)
    loose = Rule(2, "*", "staging", "production", ("lin",), 1)
    both = policy(rules=(strict, loose))
    assert told(both, UP, tag("lin")) == set()
    assert told(both, replace(UP, model="fraud-cards"), tag("lin")) == {"STR-P020"}
    assert told(both, replace(UP, model="xfraud-cards"), tag("lin")) == set()


@pytest.mark.parametrize(
    ("glob", "model", "fits"),
    [("*", "a", True), ("a?c", "abc", True), ("a?c", "abbc", False), ("a-*", "a-", True), ("a.c", "abc", False)],
)
def test_globs(glob: str, model: str, fits: bool) -> None:
    assert Rule(1, glob, "staging", "production", ("ada",), 1).fits(model) is fits


def test_what_no_rule_names_is_forbidden_upward_and_one_signer_s_downward() -> None:
    assert told(ruled(), replace(UP, origin="experimental", target="staging"), tag("ada")) == {"STR-P036"}
    down = replace(UP, origin="production", target="staging")
    assert told(ruled(), down, tag("kim")) == set()
    assert told(ruled(), down, tag("lin")) == {"STR-P020"}
    assert told(ruled(), replace(down, target="archived"), tag("bob")) == set()
    assert told(policy(rules=()), down, tag("ada")) == {"STR-P036"}


def test_registering_is_for_the_signers_of_any_rule() -> None:
    register = Move("forest", "v1", None, "experimental", "registration")
    assert told(ruled(), register, tag("kim")) == set()
    assert told(ruled(), register, tag("lin")) == {"STR-P020"}
    assert told(ruled(), register, approval("kim")) == {"STR-P020"}


@pytest.mark.parametrize("half", ["leaving", "resolution"])
def test_what_one_signer_may_do_a_stranger_may_not(half: str) -> None:
    move = replace(UP, half=half, origin="production")
    assert told(ruled(), move, tag("ada")) == set()
    assert told(ruled(), move, Vouch(STRANGER, "tag", NOW)) == {"STR-P020"}


def test_who_must_not_count_does_not() -> None:
    apart = ruled(distinct_from=("author", "artifact_signer", "previous_signer"))
    artifact = Vouch(KEYS["lin"][0], "artifact", NOW)
    move = replace(UP, author=KEYS["ada"][1], previous=(KEYS["lin"][0],))
    assert told(apart, move, tag("ada"), approval("bob"), artifact) == {"STR-P020", "STR-P038"}
    assert told(apart, move, tag("kim"), approval("bob"), artifact) == set()
    assert told(apart, replace(move, author=""), tag("kim"), approval("bob"), artifact) == {"STR-P038"}
    assert told(apart, move, tag("kim"), approval("bob")) == {"STR-P038"}
    behind = replace(move, previous=("gpg:" + "0" * 40, KEYS["kim"][0]))
    assert told(apart, behind, tag("kim"), approval("bob"), artifact) == {"STR-P020", "STR-P038"}


@pytest.mark.parametrize(
    ("changes", "valid_at"),
    [
        ({"valid_from": NOW}, [NOW, NOW + 1]),
        ({"valid_until": NOW}, [NOW - 1]),
        ({"revoked_at": NOW}, [NOW - 1]),
        ({"retired": {KEYS["ada"][0]: NOW}, "keys": ()}, [NOW - 1]),
        ({"retired": {KEYS["ada"][0]: NOW}}, [NOW - 1]),
        ({"keys": ()}, []),
    ],
)
def test_a_person_s_word_has_its_time(changes: dict[str, object], valid_at: list[int]) -> None:
    one = policy(principals={"ada": replace(Principal("ada", KEYS["ada"]), **changes)})  # type: ignore[arg-type]
    assert [at for at in (NOW - 1, NOW, NOW + 1) if principal_of(one, KEYS["ada"][0], at)] == valid_at


def test_signed_in_time_but_judged_too_late() -> None:
    ended = policy(principals={"ada": Principal("ada", KEYS["ada"], valid_until=NOW + 10)})
    assert people(ended, [tag("ada")], NOW) == {"ada"}
    assert people(ended, [tag("ada")], NOW + 10) == frozenset()
    assert people(ended, [tag("ada")]) == {"ada"}


def test_a_signature_from_the_future_does_not_count() -> None:
    assert people(policy(), [tag("ada", NOW + AHEAD)], NOW) == {"ada"}
    assert people(policy(), [tag("ada", NOW + AHEAD + 1)], NOW) == frozenset()


def test_a_kind_of_key_that_is_not_allowed() -> None:
    assert principal_of(policy(algorithms=("ssh",)), KEYS["ada"][0], NOW) is None


def test_a_later_version_can_take_a_key_s_word_back() -> None:
    later = policy(principals={"ada": Principal("ada", KEYS["ada"], revoked_at=NOW),
                               "bob": Principal("bob", (), retired={KEYS["bob"][0]: NOW})})  # fmt: skip
    assert revoked_since(later, tag("ada"))
    assert not revoked_since(later, tag("ada", NOW - 1))
    assert revoked_since(later, tag("bob"))
    assert not revoked_since(later, tag("kim")), "who is no longer in the policy is not revoked"


# -- gates -----------------------------------------------------------------------------------------------------------


def passes(text: str, value: float, production: float | None = None, **figure: object) -> bool:
    here = {"f1": Figure(value, **figure)}  # type: ignore[arg-type]
    there = None if production is None else {"f1": Figure(production, **figure)}  # type: ignore[arg-type]
    return judge_gate(parse_gate(text), here, there) is None


@pytest.mark.parametrize(
    ("text", "value", "allowed"),
    [
        ("f1 >= 0.9", 0.9, True), ("f1 >= 0.9", 0.8999999, False), ("f1 > 0.9", 0.9, False), ("f1 > 0.9", 0.91, True),
        ("f1 <= 20", 20, True), ("f1 <= 20", 20.5, False), ("f1 < 20", 20, False), ("f1<20", 19, True),
        ("f1 >= -1", 0, True), ("f1 >= 1e-3", 0.001, True), ("f1 >= 0.9", float("nan"), False),
        ("f1 <= 0.9", float("nan"), False), ("f1 <= 9", float("inf"), False), ("f1 >= 0", True, False),
    ],
)  # fmt: skip
def test_a_gate_compares_with_a_number(text: str, value: float, allowed: bool) -> None:
    assert passes(text, value) is allowed


@pytest.mark.parametrize(
    ("text", "value", "production", "figure", "allowed"),
    [
        ("f1 not worse than production by more than 0.01", 0.91, 0.92, {}, True),
        ("f1 not worse than production by more than 0.01", 0.909, 0.92, {}, False),
        ("f1 not worse than production", 0.92, 0.92, {}, True),
        ("f1 not worse than production", 0.91, 0.92, {}, False),
        ("f1 not worse than production", 0.91, 0.92, {"tolerance": 0.01}, True),
        ("f1 not worse than production", 21, 20, {"direction": "lower"}, False),
        ("f1 not worse than production", 19, 20, {"direction": "lower"}, True),
        ("f1 not worse than production by more than 1", 21, 20, {"direction": "lower"}, True),
        ("f1 not worse than production", 0.91, float("nan"), {}, False),
        ("f1 not worse than production", 0.91, None, {}, True),
        ("f1 not worse than production", 0.91, 0.9, {"direction": "sideways"}, False),
        ("f1 >= 0.9 with n >= 100", 0.91, None, {"n": 100}, True),
        ("f1 >= 0.9 with n >= 100", 0.91, None, {"n": 99}, False),
        ("f1 >= 0.9 with n >= 100", 0.91, None, {}, False),
    ],
)
def test_a_gate_compares_with_production(
    text: str, value: float, production: float | None, figure: dict[str, object], allowed: bool
) -> None:
    assert passes(text, value, production, **figure) is allowed


@pytest.mark.parametrize("metrics", [None, {}, {"other": Figure(1.0)}])
def test_a_missing_metric_never_passes(metrics: dict[str, Figure] | None) -> None:
    for text in ("f1 >= 0", "f1 not worse than production"):
        assert judge_gate(parse_gate(text), metrics, {"f1": Figure(0.0)})


def test_a_metric_that_production_lacks_cannot_be_compared() -> None:
    assert judge_gate(parse_gate("f1 not worse than production"), {"f1": Figure(1.0)}, {})


@given(st.decimals(0, 1, places=3), st.decimals(0, 1, places=3), st.decimals(0, 1, places=3))
def test_figures_are_compared_as_they_are_written(value, production, tolerance) -> None:
    text = f"f1 not worse than production by more than {tolerance}"
    assert passes(text, float(value), float(production)) is (production - value <= tolerance)


@pytest.mark.parametrize(
    "text",
    ["", "f1", "f1 >=", ">= 1", "f1 == 1", "f1 >= nan", "f1 >= 1 and f2 >= 1", "f1 >= 1\n", "f1 >= 1e999",
     "f1 not worse than staging", "f1 not worse than production by more than -1", "f1 >= 1 with n >= 0"],
)  # fmt: skip
def test_what_is_no_gate(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_gate(text)


def test_requirements_are_asked_in_the_move() -> None:
    wanted = ("format", "scan", "good", "signature")
    asks = policy(rules=(Rule(1, "*", "staging", "production", ("ada",), 1, requires=wanted),),
                  gates={"good": parse_gate("f1 >= 0.9")}, formats=("onnx",))  # fmt: skip
    fine = replace(UP, format="onnx", dangers=(), metrics={"f1": Figure(0.9)})
    signed = (tag("ada"), Vouch(KEYS["lin"][0], "artifact", NOW))
    assert told(asks, fine, *signed) == set()
    assert told(asks, fine, tag("ada")) == {"STR-P013"}
    assert told(asks, replace(fine, format="pickle"), *signed) == {"STR-P039"}
    assert told(asks, replace(fine, dangers=None), *signed) == {"STR-P039"}
    assert told(asks, replace(fine, dangers=("os.system",)), *signed) == {"STR-P039"}
    assert told(asks, replace(fine, metrics=None), *signed) == {"STR-P015"}


# -- versions ----------------------------------------------------------------------------------------------------------

FIRST = policy(roots=("ada", "bob", "kim"), root_threshold=2)
SECOND = replace(FIRST, version=2, previous="sha256:1", digest="sha256:2", issued=NOW)


def root(who: str, at: int = NOW, key: int = 0) -> Vouch:
    return Vouch(KEYS[who][key], "policy", at)


def test_two_of_three_roots_make_a_successor() -> None:
    assert follows(FIRST, SECOND, [root("ada"), root("kim")]) == ()
    assert {short.rule_id for short in follows(FIRST, SECOND, [root("ada"), root("ada", key=1)])} == {"STR-P032"}


def test_roots_must_let_go_and_take_over() -> None:
    handed = replace(SECOND, roots=("lin",), root_threshold=1)
    assert follows(FIRST, handed, [root("ada"), root("bob"), root("lin")]) == ()
    assert len(follows(FIRST, handed, [root("ada"), root("bob")])) == 1
    assert len(follows(FIRST, handed, [root("lin")])) == 1


@pytest.mark.parametrize(
    "changes",
    [{"version": 1}, {"version": 3}, {"previous": None}, {"previous": "sha256:9"}, {"repository": "q"},
     {"issued": FIRST.issued - 1}],
)  # fmt: skip
def test_a_successor_follows_exactly(changes: dict[str, object]) -> None:
    wrong = replace(SECOND, **changes)  # type: ignore[arg-type]
    assert "STR-P031" in {short.rule_id for short in follows(FIRST, wrong, [root("ada"), root("bob")])}


def test_nobody_signs_in_the_past() -> None:
    assert follows(FIRST, SECOND, [root("ada"), root("bob", FIRST.issued - 1)])
    assert follows(FIRST, SECOND, [root("ada"), root("bob", SECOND.issued - AHEAD - 1)])
    assert follows(FIRST, SECOND, [root("ada"), root("bob", SECOND.issued - AHEAD)]) == ()
    left = {**FIRST.principals, "bob": Principal("bob", KEYS["bob"], revoked_at=NOW)}
    before = replace(SECOND, principals=left)
    after = replace(SECOND, version=3, previous="sha256:2", digest="sha256:3", issued=NOW)
    assert follows(before, after, [root("ada"), root("bob", NOW)])
    assert follows(before, after, [root("ada"), root("bob", NOW - 1)])


def test_roots_are_counted_as_persons() -> None:
    assert enough_roots(FIRST, [root("ada"), root("ada", key=1)], since=0) is not None
    assert enough_roots(FIRST, [root("ada"), root("lin")], since=0) is not None
    assert enough_roots(FIRST, [root("ada"), root("kim")], since=0) is None


def line(length: int, signed: Sequence[int]) -> tuple[dict[str, Policy], dict[str, list[Vouch]]]:
    """Versions 1 to `length`; those whose numbers are in `signed` have their roots' signatures."""
    policies = {f"sha256:{n}": replace(FIRST, version=n, previous=f"sha256:{n - 1}" if n > 1 else None,
                                       digest=f"sha256:{n}", issued=NOW + n) for n in range(1, length + 1)}  # fmt: skip
    both = {d: [root("ada", p.issued), root("bob", p.issued)] for d, p in policies.items()}
    return policies, {d: both[d] if p.version in signed else [] for d, p in policies.items()}


@given(st.integers(1, 6), st.sets(st.integers(1, 6)), st.integers(1, 6))
def test_in_force_is_the_last_version_that_is_signed_all_the_way(length: int, signed: set[int], pin: int) -> None:
    policies, vouches = line(length, sorted(signed))
    chain = walk(policies, lambda policy, _: vouches[policy.digest], digest=f"sha256:{pin}")
    if pin > length or pin not in signed:
        assert chain.current is None
        assert chain.told
        return
    last = pin
    while last + 1 in signed and last + 1 <= length:
        last += 1
    assert [policy.version for policy in chain.versions] == list(range(1, last + 1))


def test_key_of_is_the_primary_key() -> None:
    verdict = SignatureVerdict("B" * 40, "a" * 40, "good", created=NOW)
    assert key_of(verdict) == "gpg:" + "A" * 40
    assert key_of(SignatureVerdict("SHA256:abc", "SHA256:abc", "good")) == "ssh:SHA256:abc"


GOOD = SignatureVerdict("A" * 40, "A" * 40, "good", created=NOW)


@pytest.mark.parametrize("status", ["bad", "malformed"])
def test_one_bad_signature_spoils_all(status: str) -> None:
    bad = replace(GOOD, status=status)  # type: ignore[arg-type]
    assert vouches_of([GOOD, bad], "tag") == vouches_of([bad, GOOD], "tag") == ()


@pytest.mark.parametrize(
    "status", ["expired-key", "expired-signature", "revoked", "unknown-key", "weak-hash", "text-mode"]
)
def test_what_does_not_count_spoils_nothing(status: str) -> None:
    other = replace(GOOD, status=status)  # type: ignore[arg-type]
    for order in ([GOOD, other], [other, GOOD]):
        assert vouches_of(order, "tag") == (Vouch("gpg:" + "A" * 40, "tag", NOW),)
    assert vouches_of([other], "tag") == ()


def test_what_is_no_policy_names_its_line() -> None:
    with pytest.raises(PolicyError) as error:
        parse_policy(b"\n\n- no mapping\n")
    assert error.value.line == 3
    with pytest.raises(PolicyError):
        parse_policy(b"\xff")
