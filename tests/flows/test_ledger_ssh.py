"""SSH keys beside GPG's: events, approvals and artifacts, keys that only an agent has, revoked keys, no terminal."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys
from tests.support.process import Completed, run

MODEL = "models/forest/v1"
SIGNATURE = f"{MODEL}/SIGNATURE.asc"


@dataclass(frozen=True, slots=True)
class Desk:
    """A repository with forest@v1, and Ada's SSH key, which the user's own git configuration allows."""

    repo: RepositoryBuilder
    key: Path
    allowed: Path

    def config(self, name: str, value: object) -> None:
        self.repo.git("config", "--global", name, str(value))

    def keygen(self, *words: object, stdin: bytes | None = None) -> Completed:
        return run("ssh-keygen", *map(str, words), cwd=self.repo.path, environ=self.repo.environ, stdin=stdin)

    def stages(self) -> dict[str, str]:
        models = self.repo.strata("stages", "--format", "json").expect(0).json()["models"]
        return {row["version"]: row["stage"] for model in models for row in model["versions"]}  # type: ignore[attr-defined]


@pytest.fixture
def desk(builder: Builder, tmp_path: Path) -> Desk:
    repo = builder().workspace()
    repo.story()
    repo.commit("Add forest@v1")
    key, allowed = tmp_path / "id_ada", tmp_path / "allowed"
    desk = Desk(repo, key, allowed)
    desk.keygen("-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", key).expect(0)
    allowed.write_text(f"ada@example.org {key.with_suffix('.pub').read_text()}")
    desk.config("gpg.format", "ssh")
    desk.config("user.signingkey", key)
    desk.config("gpg.ssh.allowedSignersFile", allowed)
    return desk


@pytest.fixture
def agent(desk: Desk) -> Iterator[Desk]:
    """An agent that alone has the key: the file is gone."""
    started = subprocess.run(["ssh-agent", "-s"], env=desk.repo.environ, capture_output=True, text=True, check=True)
    told = dict(part.split("=") for part in started.stdout.replace("\n", " ").split(";") if part.count("=") == 1)
    found = {name.strip(): value for name, value in told.items()}
    desk.repo.environ["SSH_AUTH_SOCK"] = found["SSH_AUTH_SOCK"]
    pid = next(value for name, value in found.items() if name.endswith("SSH_AGENT_PID"))
    try:
        run("ssh-add", "-q", desk.key, cwd=desk.repo.path, environ=desk.repo.environ).expect(0)
        desk.key.unlink()
        desk.config("user.signingkey", desk.key.with_suffix(".pub"))
        yield desk
    finally:
        os.kill(int(pid), 15)


def test_everything_is_signed_by_one_ssh_key(desk: Desk) -> None:
    desk.repo.strata("sign", MODEL, "--commit").expect(0)
    desk.repo.strata("promote", "forest").expect(0)
    desk.repo.strata("approve", "forest@v1").expect(0)
    made = desk.repo.strata("promote", "forest", "--format", "json").expect(0).json()
    assert [each["signer"] for each in made["approvals"]] == ["ada@example.org"]  # type: ignore[attr-defined]
    assert desk.stages() == {"v1": "production"}
    desk.repo.git("verify-tag", "forest#production#3")
    (artifact,) = desk.repo.strata("verify", "forest@v1", "--format", "json").json()["artifacts"]  # type: ignore[misc]
    assert [(each["status"], each["user"]) for each in artifact["signatures"]] == [("good", "ada@example.org")]
    sums = (desk.repo.path / MODEL / "CHECKSUMS.txt").read_bytes()
    check = ("-Y", "verify", "-f", desk.allowed, "-I", "ada@example.org", "-n", "strata-checksums", "-s", SIGNATURE)
    desk.keygen(*check, stdin=sums).expect(0)
    assert desk.keygen(*check, stdin=sums + b"x").code != 0


def test_signing_twice_adds_nothing(desk: Desk) -> None:
    desk.repo.strata("sign", MODEL).expect(0)
    before = desk.repo.read(SIGNATURE)
    assert "was signed before by SHA256:" in desk.repo.strata("sign", MODEL).expect(0).out
    assert desk.repo.read(SIGNATURE) == before


@pytest.mark.parametrize("first", ["ssh", "gpg"])
def test_both_kinds_in_one_file(desk: Desk, keys: Keys, first: str) -> None:
    for kind in (first, "gpg" if first == "ssh" else "ssh"):
        desk.repo.strata("sign", MODEL, "--key", str(desk.key) if kind == "ssh" else keys.alice).expect(0)
    (artifact,) = desk.repo.strata("verify", "forest@v1", "--format", "json").json()["artifacts"]  # type: ignore[misc]
    assert {each["user"] for each in artifact["signatures"]} == {"ada@example.org", "Alice Tester <alice@example.org>"}
    assert artifact["verdict"] != "error"
    place = desk.repo.path / MODEL
    keys.gpg("--verify", str(place / "SIGNATURE.asc"), str(place / "CHECKSUMS.txt"))
    text = desk.repo.read(SIGNATURE)
    assert text.index(b"BEGIN PGP") < text.index(b"BEGIN SSH")


def test_a_signature_over_something_else_is_bad(desk: Desk) -> None:
    other = desk.keygen("-q", "-Y", "sign", "-n", "strata-checksums", "-f", desk.key, stdin=b"something else").expect(0)
    desk.repo.write({SIGNATURE: other.out.encode()})
    assert "STR-S002" in desk.repo.strata("verify", "forest@v1").expect(2).out


def test_a_signature_made_for_a_tag_is_none_for_an_artifact(desk: Desk) -> None:
    sums = (desk.repo.path / MODEL / "CHECKSUMS.txt").read_bytes()
    other = desk.keygen("-q", "-Y", "sign", "-n", "git", "-f", desk.key, stdin=sums).expect(0)
    desk.repo.write({SIGNATURE: other.out.encode()})
    done = desk.repo.strata("verify", "forest@v1", "--format", "json").expect(2).json()
    assert [each["status"] for each in done["artifacts"][0]["signatures"]] == ["malformed"]  # type: ignore[index]


def test_a_key_that_only_the_agent_has(agent: Desk) -> None:
    agent.repo.strata("sign", MODEL, "--commit").expect(0)
    agent.repo.strata("promote", "forest").expect(0)
    assert agent.stages() == {"v1": "staging"}


def test_a_revoked_key(desk: Desk, tmp_path: Path) -> None:
    desk.repo.strata("sign", MODEL, "--commit").expect(0)
    desk.repo.strata("promote", "forest").expect(0)
    krl = tmp_path / "revoked.krl"
    desk.keygen("-q", "-k", "-f", krl, desk.key.with_suffix(".pub")).expect(0)
    desk.config("gpg.ssh.revocationFile", krl)
    assert desk.repo.try_git("verify-tag", "forest#staging#1").code != 0
    done = desk.repo.strata("stages").expect(2)
    assert "the key was revoked" in done.err
    assert "STR-S005" in desk.repo.strata("verify", "forest@v1").out
    refused = desk.repo.strata("promote", "forest").expect(2)
    assert "STR-P004" in refused.err


def test_a_revocation_list_that_is_gone_lets_nothing_pass(desk: Desk, tmp_path: Path) -> None:
    desk.repo.strata("promote", "forest").expect(0)
    desk.config("gpg.ssh.revocationFile", tmp_path / "nowhere")
    desk.repo.strata("stages").expect(2)


def test_what_the_repository_says_about_signers_is_not_believed(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "id_mallory"
    desk.keygen("-q", "-t", "ed25519", "-N", "", "-C", "mallory", "-f", other).expect(0)
    own = tmp_path / "theirs"
    own.write_text(f"ada@example.org {other.with_suffix('.pub').read_text()}")
    desk.repo.git("config", "gpg.ssh.allowedSignersFile", str(own))
    assert "would not count" in desk.repo.strata("promote", "forest", "--key", str(other)).expect(3).err


@pytest.mark.parametrize("what", ["promote", "approve", "sign"])
def test_a_locked_key_without_a_terminal_fails_at_once(desk: Desk, keys: Keys, what: str) -> None:
    locked = desk.key.with_name("id_locked")
    desk.keygen("-q", "-t", "ed25519", "-N", "secret", "-f", locked).expect(0)
    target = MODEL if what == "sign" else "forest"
    for key in (str(locked), keys.locked()):
        started = time.monotonic()
        done = desk.repo.strata(what, target, "--key", key).expect(3)
        assert time.monotonic() - started < 20, "it waited for somebody"  # a few seconds, on a busy machine
        assert "passphrase" in done.err
    assert desk.repo.git("tag", "--list") == ""
