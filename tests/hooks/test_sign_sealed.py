"""Signing at the commit adds a signature; it never takes the place of one that is there."""

from __future__ import annotations

from strata_git.integrity.armor import split_blocks
from strata_git.integrity.gpg import Gpg
from tests.support import artifacts
from tests.support.fixtures import Builder
from tests.support.keys import Keys

PLACE = "datasets/iris/v1"


def test_a_signature_that_came_before_stays(builder: Builder, keys: Keys) -> None:
    """Bob signed the list that is to be; the commit seals exactly that list and signs as Alice."""
    repo = builder().workspace(settings={"signing": {"on_commit": True, "key": keys.alice}}).install_hooks()
    repo.commit("Workspace")
    whole = artifacts.dataset("iris")
    sums = whole.pop(f"{PLACE}/CHECKSUMS.txt")
    repo.write(whole | {f"{PLACE}/SIGNATURE.asc": keys.sign(sums, "bob")})
    repo.commit("Iris")
    assert repo.read(f"{PLACE}/CHECKSUMS.txt") == sums
    signature = repo.read(f"{PLACE}/SIGNATURE.asc")
    assert len(split_blocks(signature)) == 2
    verdicts = Gpg(None, environ=repo.environ).verify_detached(sums, signature)
    assert {(v.primary, v.status) for v in verdicts} == {(keys.alice, "good"), (keys.bob, "good")}
    assert repo.git("status", "--porcelain") == ""
    repo.strata("doctor", "--strict").expect(0)


def test_nothing_is_signed_unless_asked(builder: Builder, keys: Keys) -> None:
    repo = builder().workspace().install_hooks()
    repo.dataset("iris", seal=False)
    repo.commit("Iris")
    assert f"{PLACE}/CHECKSUMS.txt" in repo.paths()
    assert f"{PLACE}/SIGNATURE.asc" not in repo.paths()
