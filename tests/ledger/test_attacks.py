"""Cheating with event tags: whatever git lets somebody do to them is told, and moves nothing."""

from __future__ import annotations

import subprocess

import pytest

from strata_git.authoring.promote import Refused
from strata_git.ledger.state import ModelState
from tests.ledger.lab import Lab, lab_in
from tests.support.artifacts import REPOSITORY
from tests.support.fixtures import Builder
from tests.support.keys import Keys


@pytest.fixture
def staged(builder: Builder, keys: Keys) -> Lab:
    """v1 is in staging."""
    lab = lab_in(builder(), keys)
    lab.promote("v1")
    return lab


def stages(state: ModelState) -> dict[str, str]:
    return {version: placed.stage for version, placed in state.versions.items()}


def test_a_deleted_middle_tag(staged: Lab) -> None:
    staged.promote("v1")
    staged.delete("forest#staging!#2")
    assert staged.told() >= {("STR-P006", "forest#production#3")}


def test_a_deleted_last_tag(staged: Lab) -> None:
    staged.promote("v1")
    staged.delete("forest#production#3")
    assert ("STR-P017", "") in staged.told()


def test_all_tags_deleted(staged: Lab) -> None:
    for tag in staged.repo.git("tag").splitlines():
        staged.delete(tag)
    assert staged.told() == {("STR-P017", "")}
    with pytest.raises(Refused):
        staged.promote("v1")


def test_a_tag_moved_to_an_older_event(staged: Lab) -> None:
    staged.promote("v1")
    staged.move_ref("forest#production#3", staged.oid("refs/tags/forest#staging#1"))
    assert ("STR-P002", "forest#production#3") in staged.told()
    assert staged.state().production is None


def test_a_tag_moved_to_a_newer_twin(staged: Lab) -> None:
    old = staged.oid("refs/tags/forest#staging#1")
    record = staged.record(target="staging", origin="experimental", seq=1, prev=staged.oid("refs/tags/forest@v1.0.0"))
    staged.delete("forest#staging#1")
    assert staged.forge("forest#staging#1", record) != old
    assert staged.told() == {("STR-P017", "")}


def test_a_replay_on_another_model(staged: Lab) -> None:
    staged.repo.model("tree", "v1")
    staged.repo.commit("Add tree")
    staged.move_ref("tree@v1.0.0", staged.oid("refs/tags/forest@v1.0.0"))
    tree = staged.ledger().model("tree")
    assert [(c.rule, c.tag) for c in tree.complaints] == [("STR-P002", "tree@v1.0.0")]
    assert tree.versions == {}


def test_a_replay_from_another_repository(staged: Lab) -> None:
    other = REPOSITORY.replace("5", "6")
    assert {rule for rule, _ in staged.told(repository=other)} == {"STR-P005", "STR-P017"}
    assert staged.state(repository=other).versions == {}


def test_a_lightweight_tag(staged: Lab) -> None:
    staged.repo.git("tag", "forest#production#2", "HEAD^")
    assert staged.told() == {("STR-P001", "forest#production#2")}
    assert staged.state().next_seq == 3


def test_an_unsigned_annotated_tag(staged: Lab) -> None:
    staged.forge("forest#staging!#2", staged.record(), sign=False)
    assert staged.told() == {("STR-P001", "forest#staging!#2")}
    assert stages(staged.state()) == {"v1": "staging"}


def test_an_annotated_tag_without_a_record(staged: Lab) -> None:
    staged.repo.git("tag", "-s", "-u", staged.keys.alice, "-m", "trust me", "forest#production#2", "HEAD^")
    assert staged.told() == {("STR-P003", "forest#production#2")}


def test_a_tag_of_a_tag(staged: Lab) -> None:
    nested = staged.oid("refs/tags/forest#staging#1")
    staged.forge("forest#staging!#2", staged.record(), target=nested)
    assert staged.told() == {("STR-P001", "forest#staging!#2")}


def test_a_tag_of_a_tree(staged: Lab) -> None:
    staged.forge("forest#staging!#2", staged.record(), target="HEAD^{tree}")
    assert staged.told() == {("STR-P001", "forest#staging!#2")}


def test_two_tag_headers(staged: Lab) -> None:
    payload = subprocess.run(
        ["git", "cat-file", "tag", "refs/tags/forest#staging#1"],
        cwd=staged.repo.path, env=staged.repo.environ, capture_output=True, check=True,
    ).stdout  # fmt: skip
    doubled = payload.replace(b"tag forest#staging#1\n", b"tag forest#staging#1\ntag forest#staging#2\n", 1)
    oid = staged.repo.git("hash-object", "-w", "-t", "tag", "--literally", "--stdin", stdin=doubled)
    staged.move_ref("forest#staging#1", oid)
    assert ("STR-P001", "forest#staging#1") in staged.told()


def test_a_giant_tag(staged: Lab) -> None:
    giant = f"object {staged.oid('HEAD')}\ntype commit\ntag forest#production#2\ntagger A <a> 1 +0000\n\n".encode()
    oid = staged.repo.git("mktag", stdin=giant + b"x" * (300 << 10) + b"\n")
    staged.move_ref("forest#production#2", oid)
    assert staged.told() == {("STR-P001", "forest#production#2")}


def test_a_backdated_event(staged: Lab) -> None:
    staged.forge("forest#staging!#2", staged.record(), date="1700000000 +0000")
    assert ("STR-P016", "forest#staging!#2") in staged.told()


def test_an_event_from_the_future(staged: Lab) -> None:
    staged.forge("forest#staging!#2", staged.record(), date="1900000000 +0000")
    assert ("STR-P016", "forest#staging!#2") in staged.told()


def test_a_forked_line(staged: Lab) -> None:
    one, other = staged.record(), staged.record(origin="experimental", target="archived")
    staged.forge("forest#staging!#2", one)
    staged.forge("forest#archived#2", other)
    assert staged.told() >= {("STR-P007", "forest#staging!#2"), ("STR-P007", "forest#archived#2")}
    with pytest.raises(Refused) as refusal:
        staged.promote("v2")
    assert "STR-P007" in {finding.rule for finding in refusal.value.findings}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"model": "tree"}, "STR-P002"),
        ({"seq": 7}, "STR-P002"),
        ({"origin": "production"}, "STR-P002"),
        ({"repo": REPOSITORY.replace("5", "6")}, "STR-P005"),
        ({"prev": "1" * 40}, "STR-P006"),
        ({"version": "v2"}, "STR-P010"),
        ({"tree": "1" * 40}, "STR-P010"),
        ({"digest": "sha256:" + "1" * 64}, "STR-P011"),
        ({"target": "experimental"}, "STR-P009"),
    ],
)
def test_a_forged_record(staged: Lab, changes: dict[str, object], rule: str) -> None:
    staged.forge("forest#staging!#2", staged.record(**changes))
    assert (rule, "forest#staging!#2") in staged.told()


def test_a_record_of_another_commit(staged: Lab) -> None:
    staged.forge("forest#staging!#2", staged.record(), target="HEAD")
    assert staged.told() == {("STR-P002", "forest#staging!#2")}


def test_an_event_at_a_commit_that_did_not_introduce_the_version(staged: Lab) -> None:
    staged.forge("forest#staging!#2", staged.record(commit=staged.oid("HEAD")))
    assert ("STR-P010", "forest#staging!#2") in staged.told()


def test_a_signature_over_something_else(staged: Lab) -> None:
    data = staged.repo.git("cat-file", "tag", "refs/tags/forest#staging#1").encode() + b"\n"
    forged = data.replace(b"enters staging", b"enters  staging")
    staged.move_ref("forest#staging#1", staged.repo.git("mktag", stdin=forged))
    assert ("STR-P004", "forest#staging#1") in staged.told()
    assert stages(staged.state()) == {"v1": "experimental"}


def test_a_signer_nobody_knows(staged: Lab) -> None:
    staged.keys.gpg("--yes", "--delete-secret-and-public-key", staged.keys.alice)
    assert staged.told() == {("STR-P004", "forest#staging#1"), ("STR-P004", "forest@v1.0.0")}
    assert stages(staged.state()) == {}


def test_a_revoked_signer(staged: Lab) -> None:
    assert staged.told() == set()
    staged.keys.revoke("alice")
    assert {rule for rule, _ in staged.told()} == {"STR-P004"}


def test_pretenders_beside_real_events(staged: Lab) -> None:
    for tag in ("forest#production", "forest@v1.2.3", "web@v1.2.3", "release-1"):
        staged.repo.git("tag", "-m", "x", tag)
    assert staged.told() == {("STR-P002", "forest#production"), ("STR-P002", "forest@v1.2.3")}


def test_objects_that_are_not_here_are_not_judged(staged: Lab) -> None:
    clone = staged.repo.clone("partial", "--depth=1")
    clone.git("fetch", "--quiet", "--depth=1", "origin", "tag", "forest@v1.0.0")
    lab = Lab(clone, staged.keys)
    (clone.path / ".git" / "shallow").write_text("")
    for line in staged.repo.git("rev-list", "--objects", "HEAD^").splitlines():
        oid = line.split(" ")[0]
        path = clone.path / ".git" / "objects" / oid[:2] / oid[2:]
        path.unlink(missing_ok=True)
    assert lab.told() == {("STR-P021", "forest#staging#1"), ("STR-P021", "forest@v1.0.0")}
