"""`sign`: blocks are added to true lists, never lost, and stock gpg agrees."""

from __future__ import annotations

import subprocess

import pytest

from strata_git.integrity.armor import split_blocks
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

LIST = "datasets/iris/v1/CHECKSUMS.txt"
SIGNATURE = "datasets/iris/v1/SIGNATURE.asc"


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    repo = builder().workspace()
    repo.dataset()
    repo.commit()
    return repo


def test_two_people_sign_a_released_version(repo: RepositoryBuilder, keys: Keys) -> None:
    done = repo.strata("sign", "datasets/iris@v1", "--key", keys.alice).expect(0)
    assert f"git add {SIGNATURE} && git commit -m 'Sign datasets/iris@v1'" in done.out
    first = repo.read(SIGNATURE)
    repo.strata("sign", "datasets/iris/v1", "--key", "bob@example.org", "--commit").expect(0)
    both = repo.read(SIGNATURE)
    assert set(split_blocks(first)) < set(split_blocks(both))
    subprocess.run(["gpg", "--verify", SIGNATURE, LIST], cwd=repo.path, check=True, capture_output=True)
    assert repo.git("show", "--name-only", "--format=%s", "HEAD").split("\n") == [
        "Sign datasets/iris@v1",
        "",
        SIGNATURE,
    ]
    repo.strata("doctor").expect(0)


def test_signing_twice_with_one_key_adds_nothing(repo: RepositoryBuilder, keys: Keys) -> None:
    repo.git("config", "user.signingkey", keys.alice)
    repo.strata("sign", "iris").expect(0)
    before = repo.read(SIGNATURE)
    assert "was signed before by" in repo.strata("sign", "iris").expect(0).out
    assert repo.read(SIGNATURE) == before


def test_the_workspace_may_name_the_key(repo: RepositoryBuilder, keys: Keys) -> None:
    repo.workspace(settings={"signing": {"key": keys.bob}})
    done = repo.strata("sign", "iris", "--format", "json").expect(0).json()
    assert isinstance(done["signed"], list)
    assert done["signed"][0]["fingerprint"] == keys.bob


@pytest.mark.parametrize("name", ["train.csv", "metadata.yaml", "new.csv", "CHECKSUMS.txt"])
def test_what_differs_from_its_list_is_not_signed(repo: RepositoryBuilder, keys: Keys, name: str) -> None:
    repo.write({f"datasets/iris/v1/{name}": "tampered\n"})
    repo.strata("sign", "iris", "--key", keys.alice).expect(3)
    assert not (repo.path / SIGNATURE).exists()


def test_all_are_signed_or_none(repo: RepositoryBuilder, keys: Keys) -> None:
    repo.dataset("other", replace={"train.csv": b"tampered"})
    done = repo.strata("sign", "datasets", "--key", keys.alice).expect(3)
    assert "datasets/other/v1 is not what its CHECKSUMS.txt says (train.csv)" in done.err
    assert not (repo.path / SIGNATURE).exists()


def test_nothing_is_added_to_a_bad_signature(repo: RepositoryBuilder, keys: Keys) -> None:
    repo.write({SIGNATURE: keys.sign(b"something else", "bob")})
    before = repo.read(SIGNATURE)
    assert "bad or cannot be read" in repo.strata("sign", "iris", "--key", keys.alice).expect(3).err
    assert repo.read(SIGNATURE) == before


def test_a_program_named_by_the_repository_is_never_run(repo: RepositoryBuilder, keys: Keys) -> None:
    evil = repo.path / "evil.sh"
    evil.write_text("#!/bin/sh\ntouch ran\n")
    evil.chmod(0o755)
    repo.git("config", "gpg.program", str(evil))
    repo.strata("sign", "iris", "--key", keys.alice).expect(0)
    repo.strata("verify", "iris").expect(0)
    assert not (repo.path / "ran").exists()


def test_an_ssh_key_that_is_none_says_so(repo: RepositoryBuilder) -> None:
    repo.git("config", "user.signingkey", "ssh-ed25519 AAAA")
    assert "ssh-keygen cannot sign with the key" in repo.strata("sign", "iris").expect(3).err
    assert not (repo.path / SIGNATURE).exists()
