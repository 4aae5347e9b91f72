"""`sign --oms` and what `verify` and the doctor say of model.sig."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integrity.oms import edited, key_pair
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

SIG = "models/forest/v1/model.sig"


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    repo = builder().workspace()
    repo.story()
    repo.commit()
    return repo


def keys(repo: RepositoryBuilder, name: str = "key", passphrase: bytes = b"") -> tuple[str, str]:
    """Files of a fresh key: private, public."""
    folder = repo.path.parent
    files = folder / f"{name}.pem", folder / f"{name}.pub"
    for file, data in zip(files, key_pair(passphrase=passphrase), strict=True):
        file.write_bytes(data)
    return str(files[0]), str(files[1])


def told(repo: RepositoryBuilder, code: int, *words: str) -> tuple[dict[str, Any], set[str]]:
    """What `verify` says of the model's model.sig, and the rules that speak."""
    answer = repo.strata("verify", "models/forest@v1", "--format", "json", *words).expect(code).json()
    rows = answer["artifacts"]
    assert isinstance(rows, list)
    return rows[0]["model_signature"], {finding["rule"] for finding in rows[0]["findings"]}


def test_a_model_is_signed_verified_and_committed(repo: RepositoryBuilder) -> None:
    private, public = keys(repo)
    done = repo.strata("sign", "models/forest@v1", "--oms", "--key", private).expect(0)
    assert f"git add {SIG} && git commit -m 'Sign models/forest@v1'" in done.out
    before = repo.read(SIG)
    assert "was signed before by" in repo.strata("sign", "forest", "--oms", "--key", private).expect(0).out
    assert repo.read(SIG) == before
    verdict, _ = told(repo, 0, "--oms-key", public)
    assert (verdict["status"], verdict["says"]) == ("good", "valid, by a trusted key")
    verdict, rules = told(repo, 0)
    assert (verdict["status"], rules) == ("unknown-key", {"STR-S012"})
    assert "model.sig" in repo.strata("verify", "forest").expect(0).out
    repo.strata("sign", "models/forest@v1", "--oms", "--key", private, "--commit").expect(0)
    repo.commit("Sign it")
    repo.strata("doctor", "--strict").expect(0)
    verdict, _ = told(repo, 0, "--oms-key", public, "--at", "HEAD")
    assert verdict["status"] == "good"


def test_any_kind_of_artifact_is_signed(repo: RepositoryBuilder) -> None:
    private, public = keys(repo)
    done = repo.strata("sign", "datasets/iris@v1", "--oms", "--key", private, "--format", "json").expect(0).json()
    rows = done["signed"]
    assert isinstance(rows, list)
    assert set(rows[0]) == {"ref", "digest", "fingerprint", "user", "added"}
    repo.strata("verify", "iris", "--oms-key", public).expect(0)


def test_keys_with_a_passphrase(repo: RepositoryBuilder) -> None:
    private, _ = keys(repo, passphrase=b"secret")
    words = ("sign", "forest", "--oms", "--key", private)
    assert "needs a passphrase" in repo.strata(*words).expect(3).err
    (repo.path.parent / "pass").write_text("secret\n")
    repo.strata(*words, "--passphrase-file", str(repo.path.parent / "pass")).expect(0)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--oms",), 64, "needs a key"),
        (("--oms", "--key", "nosuch.pem"), 3, "cannot be read"),
        (("--oms", "--key", "strata.yaml"), 3, "private key cannot be read"),
        (("--passphrase-file", "x"), 64, "goes with --oms"),
    ],
)
def test_keys_that_are_none(repo: RepositoryBuilder, words: tuple[str, ...], code: int, message: str) -> None:
    assert message in repo.strata("sign", "forest", *words).expect(code).err


def test_what_differs_from_its_list_is_not_signed(repo: RepositoryBuilder) -> None:
    private, _ = keys(repo)
    repo.write({"models/forest/v1/card.md": "tampered\n"})
    assert (
        "is not what its CHECKSUMS.txt says" in repo.strata("sign", "forest", "--oms", "--key", private).expect(3).err
    )
    assert not (repo.path / SIG).exists()


def test_the_signature_of_another_is_kept(repo: RepositoryBuilder) -> None:
    """The format holds one; SIGNATURE.asc is for many."""
    alice, public = keys(repo, "alice")
    bob, _ = keys(repo, "bob")
    repo.strata("sign", "forest", "--oms", "--key", alice).expect(0)
    assert "the format holds one signature" in repo.strata("sign", "forest", "--oms", "--key", bob).expect(3).err
    assert told(repo, 0, "--oms-key", public)[0]["status"] == "good"
    repo.write({SIG: "junk"})
    assert "is no model signature" in repo.strata("sign", "forest", "--oms", "--key", bob).expect(3).err


def test_damage_is_told_at_every_door(repo: RepositoryBuilder) -> None:
    private, public = keys(repo)
    repo.strata("sign", "forest", "--oms", "--key", private).expect(0)
    good = repo.read(SIG)
    damages = {
        "STR-S009": b"{}",
        "STR-S011": edited(good, lambda one: one["dsseEnvelope"]["signatures"][0].update(sig="AAAA")),
        "STR-S013": edited(
            good, lambda one: one.update(verificationMaterial={"x509CertificateChain": {"certificates": []}})
        ),
    }
    for rule, data in damages.items():
        repo.write({SIG: data})
        _, rules = told(repo, 0 if rule == "STR-S013" else 2, "--oms-key", public)
        assert rules == {rule}
    repo.write({SIG: b"{}"})
    assert "STR-S009" in repo.strata("doctor").expect(2).out
    repo.git("add", SIG)
    assert repo.try_git("commit", "-qm", "x").code == 0  # the hooks are not installed here
    assert "STR-S009" in repo.strata("doctor", "--at", "HEAD").expect(2).out


def test_files_other_than_those_listed_are_told(repo: RepositoryBuilder) -> None:
    """A model.sig that was made for another directory, or leaves something out."""
    private, public = keys(repo)
    repo.strata("sign", "iris", "--oms", "--key", private).expect(0)
    repo.write({SIG: repo.read("datasets/iris/v1/model.sig")})
    verdict, rules = told(repo, 2, "--oms-key", public)
    assert (verdict["status"], rules) == ("good", {"STR-S010"})


def test_pointers_are_enough(lfs: RepositoryBuilder) -> None:
    """What is signed are digests, and a pointer holds one: no large file needs to be there."""
    import shutil

    private, public = keys(lfs)
    lfs.dataset()
    lfs.strata("sign", "iris", "--oms", "--key", private).expect(0)
    lfs.commit()
    shutil.rmtree(lfs.path / ".git/lfs")
    answer = lfs.strata("verify", "iris", "--at", "HEAD", "--oms-key", public, "--format", "json").expect(0).json()
    (row,) = answer["artifacts"]  # type: ignore[misc, attr-defined]
    assert (row["depth"], row["model_signature"]["status"]) == ("pointer", "good")


def test_what_is_signed_is_plain_json(repo: RepositoryBuilder, tmp_path: Path) -> None:
    private, _ = keys(repo)
    repo.strata("sign", "forest", "--oms", "--key", private).expect(0)
    assert json.loads(repo.read(SIG))["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
