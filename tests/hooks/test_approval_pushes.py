"""Approvals in a push: signed by a known key, of this repository, under their own name; never moved or deleted."""

from __future__ import annotations

import pytest

from strata_git.authoring.approve import approve
from strata_git.hooks.events import judge_event_refs
from strata_git.hooks.pushed import Push, judge_guarded
from strata_git.ledger.approval import APPROVALS, Approval
from tests.ledger.lab import NOW, SETTINGS, Lab, fine, lab_in
from tests.support.fixtures import Builder
from tests.support.keys import Keys

NONE = "0" * 40


@pytest.fixture
def lab(builder: Builder, keys: Keys) -> Lab:
    return lab_in(builder(), keys)


@pytest.fixture
def given(lab: Lab) -> Approval:
    repo = lab.repo.repository()
    try:
        return approve(repo, SETTINGS, "forest", "v1", key=lab.keys.bob, now=NOW, judge=fine)
    finally:
        repo.close()


def told(lab: Lab, ref: str, new: str, old: str = NONE) -> list[str]:
    repo = lab.repo.repository()
    push = Push(ref, new, ref, old)
    try:
        found = [*judge_guarded(repo, push, "there")]
        if not push.deletes:
            found += judge_event_refs(repo, [push], lab.repo.head, {ref: new})
        return [f"{finding.rule} {finding.message}" for finding in found]
    finally:
        repo.close()


def test_an_approval_passes(lab: Lab, given: Approval) -> None:
    assert told(lab, given.ref, given.oid) == []


def test_it_is_neither_moved_nor_deleted(lab: Lab, given: Approval) -> None:
    assert told(lab, given.ref, NONE, given.oid) == ["STR-P017 would be deleted there"]
    assert told(lab, given.ref, given.oid, "1" * 40) == ["STR-P017 would be moved there"]


def test_under_another_name_it_is_none(lab: Lab, given: Approval) -> None:
    other = f"{APPROVALS}forest/v2/staging/{'0' * 16}"
    lab.repo.git("update-ref", "-d", given.ref)
    assert told(lab, other, given.oid)[0].startswith("STR-P024 the tag object under this name is that of approvals/")


@pytest.mark.parametrize("what", ["HEAD", "HEAD^{tree}"])
def test_other_objects_are_none(lab: Lab, what: str) -> None:
    ref = f"{APPROVALS}forest/v1/staging/{'0' * 16}"
    assert told(lab, ref, lab.oid(what))[0].startswith("STR-P024 it is a lightweight tag")


def test_by_an_unknown_key(lab: Lab, given: Approval) -> None:
    lab.keys.gpg("--yes", "--delete-secret-and-public-key", lab.keys.bob)
    assert told(lab, given.ref, given.oid) == ["STR-P024 its signature does not count here"]


def test_unsigned(lab: Lab, given: Approval) -> None:
    payload = lab.repo.git("cat-file", "tag", given.oid).partition("-----BEGIN")[0]
    oid = lab.repo.git("mktag", stdin=payload.encode())
    assert told(lab, given.ref, oid, NONE) == ["STR-P024 it is not signed"]


def test_of_another_repository(lab: Lab, given: Approval) -> None:
    text = lab.repo.read("strata.yaml").decode()
    assert SETTINGS.repository in text
    lab.repo.commit("Another identity", {"strata.yaml": text.replace(SETTINGS.repository[:2], "ff", 1).encode()})
    assert told(lab, given.ref, given.oid) == ["STR-P024 it belongs to another repository"]
