"""`git strata trust`: a policy made, signed by several, pinned, changed, and told, by commands alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ledger.lab import lab_in
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys
from tests.support.process import Completed, run

pytestmark = pytest.mark.heavy

POLICY = ".strata/trust/policy.yaml"


@pytest.fixture
def repo(builder: Builder, keys: Keys) -> RepositoryBuilder:
    repo = builder()
    lab_in(repo, keys)
    return repo


def trust(repo: RepositoryBuilder, *words: str, codes: tuple[int, ...] = (0,)) -> Completed:
    return repo.strata("trust", *words).expect(*codes)


def shown(repo: RepositoryBuilder, *words: str, codes: tuple[int, ...] = (0, 1, 2)) -> dict[str, Any]:
    value = json.loads(trust(repo, *words, "--format", "json", codes=codes).out)
    assert isinstance(value, dict)
    return value


def begun(repo: RepositoryBuilder, keys: Keys) -> str:
    """Alice's policy, signed, committed and pinned; its digest."""
    trust(repo, "init", "--name", "alice", "--key", keys.alice)
    trust(repo, "sign", "--key", keys.alice)
    repo.commit("Policy")
    digest = str(shown(repo, "pin")["policies"][0]["digest"])
    trust(repo, "pin", digest)
    return digest


def test_from_nothing_to_a_pinned_policy(repo: RepositoryBuilder, keys: Keys) -> None:
    made = trust(repo, "init", "--name", "alice", "--key", keys.alice)
    assert "git add .strata/trust && git commit" in made.err
    assert "not in force yet" in made.err
    trust(repo, "sign", "--key", keys.alice)
    stock = f"{keys.home}"
    checked = run("gpg", "--homedir", stock, "--verify", f"{POLICY}.asc", POLICY, cwd=repo.path, environ=repo.environ)
    assert checked.code == 0, checked.err
    repo.commit("Policy")
    assert shown(repo, "show")["state"] == "unpinned"
    nothing = trust(repo, "pin", codes=(1,))
    assert "Nothing was pinned" in nothing.err
    assert shown(repo, "show")["state"] == "unpinned"
    digest = shown(repo, "pin")["policies"][0]["digest"]
    trust(repo, "pin", digest)
    told = shown(repo, "show")
    assert (told["state"], told["pin"], told["policy"]["version"]) == ("trusted", digest, 1)
    text = trust(repo, "show").out
    assert "1 of alice" in text
    assert "staging → production" in text


def test_nothing_is_pinned_that_cannot_be_followed(repo: RepositoryBuilder, keys: Keys) -> None:
    begun(repo, keys)
    assert trust(repo, "pin", "sha256:" + "0" * 64, codes=(3,)).err.count("nowhere in the history")
    assert trust(repo, "pin", "yes", codes=(64,)).err


def test_roots_sign_one_after_the_other(repo: RepositoryBuilder, keys: Keys) -> None:
    begun(repo, keys)
    trust(repo, "add", "bob", "--key", keys.bob, "--root", "--stage", "staging")
    first = trust(repo, "sign", "--key", keys.alice)
    assert "not in force" not in first.err
    policy = repo.read(POLICY).decode().replace("threshold: 1\n  principals", "threshold: 2\n  principals", 1)
    repo.write({POLICY: policy})
    assert "alice, bob, of whom 2 must sign" in trust(repo, "sign", "--key", keys.alice).err
    repo.commit("Alice signs")
    assert shown(repo, "show")["policy"]["version"] == 1
    trust(repo, "sign", "--key", keys.bob)
    repo.commit("Bob signs")
    told = shown(repo, "show")
    assert (told["state"], told["policy"]["version"], told["pending"]) == ("trusted", 2, None)
    assert told["policy"]["roots"] == {"threshold": 2, "principals": ["alice", "bob"]}
    versions = shown(repo, "log")["versions"]
    assert [(row["version"], row["signed_by"]) for row in versions] == [(2, ["alice", "bob"]), (1, ["alice"])]
    assert repo.strata("doctor").out.count("STR-P03") == 0


def test_only_roots_sign(repo: RepositoryBuilder, keys: Keys) -> None:
    trust(repo, "init", "--name", "alice", "--key", keys.alice)
    answer = trust(repo, "sign", "--key", keys.bob, codes=(3,))
    assert "no valid root" in answer.err
    assert "alice" in answer.err
    assert not (repo.path / f"{POLICY}.asc").exists()


def test_editing_by_hand_starts_the_next_version_when_it_is_signed(repo: RepositoryBuilder, keys: Keys) -> None:
    digest = begun(repo, keys)
    edited = repo.read(POLICY) + b"# a remark that stays\ngates:\n  good: test_f1 >= 0.9\n"
    repo.write({POLICY: edited})
    trust(repo, "sign", "--key", keys.alice)
    now = repo.read(POLICY)
    assert b"# a remark that stays" in now
    assert b"version: 2" in now
    assert f"previous: {digest}".encode() in now
    repo.commit("A gate")
    assert shown(repo, "show")["policy"]["gates"] == {"good": "test_f1 >= 0.9"}


def test_rotate_revoke_and_remove(repo: RepositoryBuilder, keys: Keys) -> None:
    begun(repo, keys)
    trust(repo, "add", "bob", "--key", keys.bob, "--stage", "production")
    keys.add("mallory")
    answer = trust(repo, "rotate", "bob", "--old", f"gpg:{keys.bob}", "--new", keys.fingerprint("mallory"))
    assert "trust sign" in answer.err
    value = shown(repo, "show")["pending"]
    assert value["version"] == 2, "nothing was committed in between: it is one change"
    assert value["principals"]["bob"]["keys"] == [f"gpg:{keys.fingerprint('mallory')}"]
    assert value["principals"]["bob"]["retired_keys"] == [f"gpg:{keys.bob}"]
    trust(repo, "revoke", "bob", "--reason", "left the team")
    assert "left the team" in shown(repo, "show")["pending"]["principals"]["bob"]["valid"]
    trust(repo, "remove", "bob")
    assert list(shown(repo, "show")["pending"]["principals"]) == ["alice"]
    refused = trust(repo, "remove", "alice", codes=(3,))
    assert "would be no policy" in refused.err
    assert "is not in the policy" in trust(repo, "remove", "kim", codes=(3,)).err


def test_ssh_keys_are_roots_and_signers(repo: RepositoryBuilder, keys: Keys) -> None:
    home = repo.environ["HOME"]
    make = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{home}/id")
    run(*make, cwd=repo.path, environ=repo.environ).expect(0)
    trust(repo, "init", "--name", "ada", "--key", f"{home}/id")
    assert (repo.path / ".strata/trust/keys/ada.pub").exists()
    trust(repo, "sign", "--key", f"{home}/id")
    allowed = f"ada {(repo.path / '.strata/trust/keys/ada.pub').read_text()}"
    repo.write({"../allowed": allowed})
    stock = run("ssh-keygen", "-Y", "verify", "-f", "../allowed", "-I", "ada", "-n", "strata-policy",
                "-s", ".strata/trust/signatures/ada.sig", cwd=repo.path, environ=repo.environ,
                stdin=repo.read(POLICY))  # fmt: skip
    assert stock.code == 0, stock.err
    repo.commit("Policy")
    trust(repo, "pin", shown(repo, "pin")["policies"][0]["digest"])
    assert shown(repo, "show")["state"] == "trusted"
    from strata_git.ledger.trust import read_trust
    from tests.ledger.court import Court
    from tests.support.artifacts import REPOSITORY

    court = Court(repo, keys)
    court.promote("v1", key=f"{home}/id")
    assert court.stages() == {"v1": "staging"}
    opened = repo.repository()
    assert read_trust(opened, REPOSITORY).state == "trusted"
    opened.close()


def test_a_secret_key_never_gets_in(repo: RepositoryBuilder, keys: Keys) -> None:
    secret = keys.gpg("--armor", "--export-secret-keys", keys.alice).out
    repo.write({"../secret.asc": secret})
    answer = trust(repo, "init", "--name", "alice", "--key", "../secret.asc", codes=(3,))
    assert "is a secret key" in answer.err
    assert not (repo.path / POLICY).exists()


def test_trust_is_told_wherever_the_ledger_is_read(repo: RepositoryBuilder, keys: Keys) -> None:
    plain = repo.strata("stages").expect(0)
    assert "unprotected" in plain.err
    assert repo.strata("stages", "--require-trust").expect(2).err.count("STR-P019")
    assert repo.strata("verify", "--require-trust").expect(2).out.count("STR-P019")
    assert "STR-P019" in repo.strata("doctor", "--require-trust").expect(2).out
    begun(repo, keys)
    assert "version 1 of the trust policy" in repo.strata("stages", "--require-trust").expect(0).err
    assert json.loads(repo.strata("stages", "--format", "json").out)["trust"]["state"] == "trusted"
    assert "version 1 of the trust policy" in repo.strata("verify", "--require-trust").out
    assert "STR-P0" not in repo.strata("doctor", "--require-trust").out


def test_commit_takes_what_the_policy_consists_of_and_nothing_else(repo: RepositoryBuilder, keys: Keys) -> None:
    repo.install_hooks()
    repo.write({".strata/trust/minutes.txt": "not yet\n", "notes.txt": "staged\n"})
    repo.git("add", "notes.txt")
    done = trust(repo, "init", "--name", "alice", "--key", keys.alice, "--commit")
    assert "committed as" in done.out
    assert "git add" not in done.err
    assert changed(repo) == [".strata/trust/keys/alice.asc", POLICY]
    value = shown(repo, "sign", "--key", keys.alice, "--commit")
    assert value["committed"] == repo.head
    assert changed(repo) == [f"{POLICY}.asc"]
    trust(repo, "pin", value["digest"])
    trust(repo, "add", "bob", "--key", keys.bob, "--commit")
    assert changed(repo) == [".strata/trust/keys/bob.asc", POLICY, f"{POLICY}.asc"], "old signatures go with it"
    trust(repo, "revoke", "bob", "--reason", "gone", "--commit")
    keys.add("mallory")
    trust(repo, "rotate", "bob", "--old", f"gpg:{keys.bob}", "--new", keys.fingerprint("mallory"), "--commit")
    trust(repo, "remove", "bob", "--commit")
    assert changed(repo) == [POLICY]
    status = repo.git("status", "--porcelain").splitlines()
    assert status == ["A  notes.txt", "?? .strata/trust/minutes.txt"]


def test_a_hook_that_refuses_is_told(repo: RepositoryBuilder, keys: Keys) -> None:
    hook = repo.path / ".git/hooks/pre-commit"
    hook.write_text("#!/bin/sh\necho 'not today' >&2\nexit 1\n")
    hook.chmod(0o755)
    before = repo.head
    answer = trust(repo, "init", "--name", "alice", "--key", keys.alice, "--commit", codes=(3,))
    assert "not today" in answer.err
    assert repo.head == before
    assert (repo.path / POLICY).exists()


def changed(repo: RepositoryBuilder) -> list[str]:
    """The files of the last commit."""
    return repo.git("show", "--name-only", "--format=", "HEAD").splitlines()
