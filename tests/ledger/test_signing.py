"""Which key signs, which keys vouch, and what is remembered of that."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from strata_git.config import Settings
from strata_git.errors import StrataError
from strata_git.integrity.signer import SignatureVerdict
from strata_git.ledger.signing import UserKeys, committer, signer_for
from tests.ledger.lab import SETTINGS, Lab, lab_in
from tests.support.artifacts import REPOSITORY
from tests.support.fixtures import Builder
from tests.support.keys import Keys


@pytest.fixture
def lab(builder: Builder, keys: Keys) -> Lab:
    return lab_in(builder(), keys)


def signer_of(lab: Lab, **options: object) -> str:
    lab.promote("v1", **options)
    return lab.state().events[-1].signer


# --- which key


def test_the_key_that_is_named_signs(lab: Lab) -> None:
    lab.repo.git("config", "user.signingkey", lab.keys.alice)
    settings = Settings(repository=REPOSITORY, signing_key=lab.keys.alice)
    assert signer_of(lab, key=lab.keys.bob, settings=settings).startswith("Bob")


def test_else_the_workspaces_key(lab: Lab) -> None:
    lab.repo.git("config", "user.signingkey", lab.keys.alice)
    assert signer_of(lab, key="", settings=Settings(repository=REPOSITORY, signing_key=lab.keys.bob)).startswith("Bob")


def test_else_gits_key(lab: Lab) -> None:
    lab.repo.git("config", "--global", "user.signingkey", "bob@example.org")
    assert signer_of(lab, key="").startswith("Bob")


def test_else_the_committers(lab: Lab) -> None:
    lab.repo.git("config", "user.email", "bob@example.org")
    assert signer_of(lab, key="").startswith("Bob")


def test_without_a_key_nothing_is_written(lab: Lab) -> None:
    with pytest.raises(StrataError, match=r"no secret key for '<ada@example\.org>'"):
        lab.promote("v1", key="")
    assert lab.repo.git("tag") == ""


def test_a_passphrase_without_a_terminal_is_told_at_once(lab: Lab) -> None:
    with pytest.raises(StrataError, match="needs its passphrase, and there is no terminal"):
        lab.promote("v1", key=lab.keys.locked())
    assert lab.repo.git("tag") == ""


def test_the_repositorys_gpg_program_is_never_run(lab: Lab, tmp_path: Path) -> None:
    canary, program = tmp_path / "canary", tmp_path / "gpg"
    program.write_text(f"#!/bin/sh\ntouch {canary}\n")
    program.chmod(0o755)
    for key in ("gpg.program", "gpg.openpgp.program", "gpg.ssh.program", "core.fsmonitor"):
        lab.repo.git("config", key, str(program))
    lab.promote("v1")
    assert lab.told() == set()
    assert not canary.exists()


def test_who_acts_must_be_known(lab: Lab) -> None:
    lab.repo.git("config", "user.name", "")
    with pytest.raises(StrataError, match="does not know who you are"):
        committer(lab.repo.repository())


def test_x509_is_not_used(lab: Lab) -> None:
    lab.repo.git("config", "gpg.format", "x509")
    with pytest.raises(StrataError, match=r"X\.509"):
        lab.promote("v1", key="")
    lab.promote("v1")


# --- SSH


@pytest.fixture
def ssh(lab: Lab, tmp_path: Path) -> Lab:
    """git signs with an SSH key, and the user's own configuration allows it."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", tmp_path / "id"], check=True)
    public = (tmp_path / "id.pub").read_text()
    (tmp_path / "allowed").write_text(f"ada@example.org {public}")
    lab.repo.git("config", "--global", "gpg.format", "ssh")
    lab.repo.git("config", "--global", "user.signingkey", str(tmp_path / "id.pub"))
    lab.repo.git("config", "--global", "gpg.ssh.allowedSignersFile", str(tmp_path / "allowed"))
    return lab


def test_ssh_signs_and_git_agrees(ssh: Lab) -> None:
    ssh.promote("v1", key="")
    assert ssh.told() == set()
    assert ssh.state().events[0].signer == "ada@example.org"
    for tag in ssh.repo.git("tag").splitlines():
        ssh.repo.git("verify-tag", tag)


def test_gpg_fingerprints_are_gpgs_even_then(ssh: Lab) -> None:
    ssh.promote("v1", key=ssh.keys.bob)
    assert ssh.state().events[0].signer.startswith("Bob")


def test_an_ssh_key_that_would_not_count_does_not_sign(ssh: Lab) -> None:
    ssh.repo.git("config", "--global", "--unset", "gpg.ssh.allowedSignersFile")
    ssh.repo.git("config", "gpg.ssh.allowedSignersFile", "allowed-by-the-repository")
    with pytest.raises(StrataError, match="would not count") as error:
        ssh.promote("v1", key="")
    assert "allowedSignersFile" in error.value.hint


def test_a_key_in_the_home_directory(ssh: Lab, tmp_path: Path, hermetic: dict[str, str]) -> None:
    for name in ("id", "id.pub"):
        (tmp_path / name).rename(Path(hermetic["HOME"]) / name)
    ssh.promote("v1", key="~/id.pub")
    assert ssh.told() == set()


def test_a_literal_key_needs_its_agent(ssh: Lab, tmp_path: Path) -> None:
    with pytest.raises(StrataError, match="cannot sign"):
        ssh.promote("v1", key="key::" + (tmp_path / "id.pub").read_text().strip())


def test_ssh_without_a_key(ssh: Lab) -> None:
    ssh.repo.git("config", "--global", "--unset", "user.signingkey")
    with pytest.raises(StrataError, match="no key is named"):
        signer_for(ssh.repo.repository())


def test_a_key_allowed_too_late_does_not_vouch(ssh: Lab, tmp_path: Path) -> None:
    ssh.promote("v1", key="")
    public = (tmp_path / "id.pub").read_text()
    (tmp_path / "allowed").write_text(f'ada@example.org valid-after="20300101" {public}')
    assert {rule for rule, _ in ssh.told()} == {"STR-P004"}


# --- what is remembered


def remembered(lab: Lab) -> Path:
    return lab.repo.path / ".git" / "strata" / "cache" / "events.json"


def test_verdicts_are_remembered_for_one_state_of_the_keys(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.promote("v1")
    assert lab.told() == set()
    monkeypatch.setattr(UserKeys, "verify_tag_payload", lambda *_: pytest.fail("asked again"))
    assert lab.told() == set()
    monkeypatch.undo()
    lab.keys.revoke("alice")
    assert {rule for rule, _ in lab.told()} == {"STR-P004"}


def of_another_day(lab: Lab) -> None:
    kept = json.loads(remembered(lab).read_text())
    kept["state"] = "2020-01-01:" + kept["state"].partition(":")[2]
    remembered(lab).write_text(json.dumps(kept))


def test_on_another_day_each_key_is_asked_about_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.promote("v1")
    lab.promote("v1", key=lab.keys.bob)
    lab.promote("v2")
    assert lab.told() == set()
    of_another_day(lab)
    asked: list[bytes] = []
    real = UserKeys.verify_tag_payload

    def counted(self: UserKeys, payload: bytes, signature: bytes, /) -> object:
        asked.append(payload)
        return real(self, payload, signature)

    monkeypatch.setattr(UserKeys, "verify_tag_payload", counted)
    assert lab.told() == set()
    assert len(asked) == 2
    assert {b"tag forest#production#3" in asked[n] or b"tag forest#staging#4" in asked[n] for n in (0, 1)} == {True}
    assert lab.told() == set()
    assert len(asked) == 2


def test_on_another_day_a_key_that_no_longer_holds_is_asked_about_everywhere(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.promote("v1")
    assert lab.told() == set()
    of_another_day(lab)
    expired = SignatureVerdict("A" * 40, "A" * 40, "expired-key")
    monkeypatch.setattr(UserKeys, "verify_tag_payload", lambda *_: [expired])
    assert {rule for rule, _ in lab.told()} == {"STR-P004"}


def test_a_signature_that_ends_is_asked_about_every_day(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.promote("v1")
    assert lab.told() == set()
    kept = json.loads(remembered(lab).read_text())
    kept["ending"] = sorted(kept["verdicts"])
    remembered(lab).write_text(json.dumps(kept))
    of_another_day(lab)
    monkeypatch.setattr(UserKeys, "verify_tag_payload", lambda *_: [SignatureVerdict("", "", "expired-signature")])
    assert {rule for rule, _ in lab.told()} == {"STR-P004"}


@pytest.mark.parametrize("junk", ["", "[]", "{}", '{"state": "x"}', '{"state": 1, "verdicts": []}'])
def test_a_damaged_memory_costs_time_only(lab: Lab, junk: str) -> None:
    lab.promote("v1")
    lab.told()
    state = json.loads(remembered(lab).read_text())["state"]
    remembered(lab).write_text(junk.replace("1", json.dumps(state)))
    assert lab.told() == set()


def test_a_forged_memory_of_another_shape_is_dropped(lab: Lab) -> None:
    lab.promote("v1")
    lab.told()
    kept = json.loads(remembered(lab).read_text())
    kept["verdicts"] = {oid: [["good"]] for oid in kept["verdicts"]}
    remembered(lab).write_text(json.dumps(kept))
    assert lab.told() == set()


def test_where_nothing_can_be_remembered_all_is_still_read(lab: Lab) -> None:
    lab.promote("v1")
    remembered(lab).unlink(missing_ok=True)
    remembered(lab).parent.mkdir(parents=True, exist_ok=True)
    remembered(lab).parent.rename(remembered(lab).parent.with_name("gone"))
    remembered(lab).parent.write_text("a file in its place")
    assert lab.told() == set()


def test_many_signatures_are_verified_side_by_side(lab: Lab) -> None:
    lab.promote("v1")
    lab.promote("v1")
    lab.promote("v2")
    remembered(lab).unlink(missing_ok=True)
    assert lab.told() == set()
    assert len(json.loads(remembered(lab).read_text())["verdicts"]) == 6


def test_a_verifier_refuses_what_is_no_tag(lab: Lab) -> None:
    (verdict,) = UserKeys(lab.repo.repository()).verify_tag_payload(b"junk", b"junk")
    assert verdict.status == "malformed"
    assert SETTINGS.repository == REPOSITORY
