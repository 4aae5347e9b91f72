"""model.sig by people of the trust policy: whose it is, what is not theirs, and rules that ask for one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strata_git.authoring.promote import Refused
from strata_git.integrity import oms_keys
from strata_git.integrity.oms import read_bundle, write_bundle, write_statement
from strata_git.integrity.oms_keys import PublicKey, load_private_key, load_public_key
from strata_git.integrity.oms_people import judge_by_people, keys_of_people, pem_keys
from strata_git.integrity.principals import Policy, Principal
from tests.integrity.oms import key_pair
from tests.ledger.court import STEPS, Court, court_in, rule
from tests.support.fixtures import Builder
from tests.support.keys import Keys

NOW = 1_770_000_000
SUMS = {"model.skops": "1" * 64}
SIG = "models/forest/v1/model.sig"


def key() -> tuple[bytes, PublicKey]:
    """A private key, and its public half as cryptography has it."""
    private, public = key_pair()
    return private, load_public_key(public)


def bundle_by(private: bytes) -> Any:
    signer = load_private_key(private)
    payload = write_statement("forest@v1", SUMS)
    return read_bundle(write_bundle(payload, signer.sign(payload), signer.hint))


def policy_of(person: Principal) -> Policy:
    return Policy("r", 1, None, "sha256:1", NOW - 1000, 1, (person.name,), {person.name: person})


def test_pem_text_has_the_name_that_bundles_use() -> None:
    _, public = key_pair("secp521r1")
    expected = load_public_key(public)
    assert pem_keys(public) == [expected]
    other = b"remark\r\n" + public.replace(b"\n", b"\r\n") + b"more\n"
    assert pem_keys(other) == [expected], "line ends and what stands around it make no other key"
    assert pem_keys(b"-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----\n") == []
    assert len(pem_keys(public + key_pair()[1])) == 2


def test_who_signed_is_told_by_name() -> None:
    private, public = key()
    grace = Principal("grace", (f"oms:{public.hint}",))
    policy = policy_of(grace)
    known = keys_of_people(policy, [("grace.pem", public.pem), ("grace.asc", public.pem), ("x.pem", key_pair()[1])])
    assert known == (replace(public, owner="grace"),)
    verdict = judge_by_people(bundle_by(private), [(policy, known)], (), now=NOW)
    assert (verdict.good, verdict.signer, verdict.sentence) == (True, "grace", "valid, signed by grace")


def test_a_key_that_somebody_trusts_besides_is_not_enrolled() -> None:
    private, public = key()
    policy = policy_of(Principal("grace", ()))
    verdict = judge_by_people(bundle_by(private), [(policy, ())], [public], now=NOW)
    assert (verdict.status, verdict.sentence, verdict.enrolled) == ("good", "valid, signer not enrolled", False)
    unknown = judge_by_people(bundle_by(private), [(policy, ())], (), now=NOW)
    assert unknown.status == "unknown-key"
    alone = judge_by_people(bundle_by(private), (), [public], now=NOW)
    assert (alone.sentence, alone.enrolled) == ("valid, by a trusted key", True)


@pytest.mark.parametrize(
    "person",
    [
        {"revoked_at": NOW - 1},
        {"valid_until": NOW},
        {"valid_from": NOW + 1},
        {"retired": True},
    ],
)
def test_a_key_by_which_nobody_vouches_now(person: dict[str, Any]) -> None:
    private, public = key()
    name = f"oms:{public.hint}"
    changes = {"retired": {name: NOW - 1}, "keys": ()} if "retired" in person else person
    grace = replace(Principal("grace", (name,)), **changes)
    verdict = judge_by_people(bundle_by(private), [(policy_of(grace), [replace(public, owner="grace")])], (), now=NOW)
    assert (verdict.status, verdict.good) == ("ended", False)
    assert "grace does not vouch now" in verdict.sentence


def test_a_policy_can_bar_such_keys() -> None:
    private, public = key()
    grace = Principal("grace", (f"oms:{public.hint}",))
    policy = replace(policy_of(grace), algorithms=("gpg", "ssh"))
    verdict = judge_by_people(bundle_by(private), [(policy, [replace(public, owner="grace")])], (), now=NOW)
    assert verdict.status == "ended"


# --- in a repository


@pytest.fixture
def court(builder: Builder, keys: Keys) -> Court:
    return court_in(builder(), keys)


def enrolled(court: Court, tmp_path: Path, **about: Any) -> str:
    """Grace is enrolled with a key for models alone; the file of her private key."""
    private, public = key_pair()
    hint = load_public_key(public).hint
    (tmp_path / "grace.pem").write_bytes(private)
    (tmp_path / "grace.pub").write_bytes(public)
    court.repo.write({".strata/trust/keys/grace.pem": public})
    people = {"grace": {"keys": [f"oms:{hint}"]}}
    court.enact("alice", principals=people, **about)
    return str(tmp_path / "grace.pem")


def told(court: Court, code: int, *words: str) -> tuple[dict[str, Any], set[str]]:
    answer = json.loads(court.repo.strata("verify", "models/forest@v1", "--format", "json", *words).expect(code).out)
    (row,) = answer["artifacts"]
    return row["model_signature"], {finding["rule"] for finding in row["findings"]}


def test_verify_names_the_person(court: Court, tmp_path: Path) -> None:
    private = enrolled(court, tmp_path)
    court.repo.strata("sign", "forest@v1", "--oms", "--key", private, "--commit").expect(0)
    verdict, rules = told(court, 0)
    assert (verdict["signer"], verdict["says"], rules & {"STR-S007", "STR-S012"}) == (
        "grace", "valid, signed by grace", set(),
    )  # fmt: skip
    assert "model.sig" in court.repo.strata("verify", "forest@v1").out
    other, public = key_pair()
    (tmp_path / "other.pem").write_bytes(other)
    (tmp_path / "other.pub").write_bytes(public)
    court.repo.git("rm", "-q", SIG)
    court.repo.strata("sign", "forest@v1", "--oms", "--key", str(tmp_path / "other.pem")).expect(0)
    verdict, rules = told(court, 0)
    assert (verdict["status"], rules) == ("unknown-key", {"STR-S012"})
    verdict, rules = told(court, 0, "--oms-key", str(tmp_path / "other.pub"))
    assert (verdict["says"], verdict["signer"], rules) == ("valid, signer not enrolled", None, {"STR-S007"})
    del court.repo.environ["STRATA_TRUST_PIN"]
    verdict, _ = told(court, 0, "--oms-key", str(tmp_path / "other.pub"))
    assert verdict["says"] == "valid, by a trusted key", "what no policy says, nobody is enrolled by"


def test_a_rule_asks_for_a_model_signature(court: Court, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asks = [rule(*step, "alice", requires=["model_signature"]) for step in STEPS]
    private = enrolled(court, tmp_path, rules=asks)
    with pytest.raises(Refused) as refusal:
        court.promote("v1")
    assert [finding.rule for finding in refusal.value.findings] == ["STR-P013"]
    assert "no model.sig by an enrolled person lists its files" in refusal.value.findings[0].message
    stranger, _ = key_pair()
    (tmp_path / "stranger.pem").write_bytes(stranger)
    court.repo.strata("sign", "forest@v1", "--oms", "--key", str(tmp_path / "stranger.pem"), "--commit").expect(0)
    with pytest.raises(Refused):
        court.promote("v1")
    court.repo.git("rm", "-q", SIG)
    court.repo.commit("Off with it")
    court.repo.strata("sign", "forest@v1", "--oms", "--key", private, "--commit").expect(0)
    court.promote("v1")
    assert court.stages() == {"v1": "staging"}

    def absent() -> None:
        from strata_git.errors import MissingExtra

        raise MissingExtra("oms", "A model signature (model.sig)")

    monkeypatch.setattr(oms_keys, "_require", absent)
    from strata_git.errors import StrataError

    with pytest.raises(StrataError, match="needs the optional extra 'oms'"):
        court.stages()  # nothing is taken for allowed, nor for refused, that cannot be told


def test_another_model_s_signature_is_none(court: Court, tmp_path: Path) -> None:
    asks = [rule(*step, "alice", requires=["model_signature"]) for step in STEPS]
    private = enrolled(court, tmp_path, rules=asks)
    court.repo.strata("sign", "forest@v2", "--oms", "--key", private).expect(0)
    court.repo.write({SIG: court.repo.read("models/forest/v2/model.sig")})
    court.repo.delete("models/forest/v2/model.sig")
    court.repo.commit("Borrowed")
    with pytest.raises(Refused):
        court.promote("v1")


def test_a_pem_key_is_added_by_command(court: Court, tmp_path: Path) -> None:
    _, public = key_pair()
    (tmp_path / "grace.pub").write_bytes(public)
    court.enact("alice")
    words = ("trust", "add", "grace", "--key", str(tmp_path / "grace.pub"))
    assert "is for model.sig alone" in court.repo.strata(*words, "--stage", "staging").expect(3).err
    done = court.repo.strata(*words, "--commit").expect(0)
    assert "committed as" in done.out
    assert court.repo.read(".strata/trust/keys/grace.pem") == public
    assert f"oms:{load_public_key(public).hint}".encode() in court.repo.read(".strata/trust/policy.yaml")
    assert "STR-P033" not in court.repo.strata("doctor").out
