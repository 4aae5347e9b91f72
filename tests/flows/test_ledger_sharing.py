"""Two people and a server: what is published arrives, of two promoters one wins, and nothing vanishes unnoticed."""

from __future__ import annotations

import json

import pytest

from strata_git.authoring.approve import approve
from strata_git.authoring.promote import Refused
from strata_git.authoring.publish import Outrun
from strata_git.errors import StrataError
from strata_git.ledger.events import HEADS
from strata_git.repo.notes import noted
from tests.flows.sharing import LEDGER, Pair, fetched, pair_in, pushed, refs, resolved, stages
from tests.ledger.lab import NOW, SETTINGS, Lab, fine
from tests.support.fixtures import Builder
from tests.support.keys import Keys


@pytest.fixture
def pair(builder: Builder, keys: Keys) -> Pair:
    return pair_in(builder, keys)


# --- what is published arrives


def test_everything_arrives(pair: Pair) -> None:
    assert refs(pair.server, *LEDGER) == refs(pair.one.repo, *LEDGER) == refs(pair.two.repo, *LEDGER)
    assert len(refs(pair.server, *LEDGER)) == 4
    assert stages(pair.two) == {"v1": "staging"}
    again = pushed(pair.one)
    assert (again.refs, again.notes, again.models) == ((), False, ())
    assert fetched(pair.two).tags == ()


def test_a_fetch_lands_on_a_clone_that_plain_git_made(pair: Pair) -> None:
    pair.one.promote("v1")
    pushed(pair.one)
    three = Lab(pair.server.clone("three"), pair.one.keys)
    assert stages(three) == {"v1": "production"}  # tags travel with git alone
    made = fetched(three)
    assert (made.tags, made.behind, made.complaints) == ((), {}, ())
    assert refs(three.repo, *LEDGER) == refs(pair.server, *LEDGER)


def test_approvals_travel(pair: Pair) -> None:
    repo = pair.two.repo.repository()
    given = approve(repo, SETTINGS, "forest", "v1", key=pair.two.keys.bob, now=NOW, judge=fine)
    repo.close()
    assert pushed(pair.two).refs == (given.ref,)
    assert fetched(pair.one).approvals == (given.ref,)
    assert [each.oid for each in pair.one.promote("v1").approvals] == [given.oid]
    pushed(pair.one)
    fetched(pair.two)
    assert stages(pair.two) == {"v1": "production"}


def test_notes_of_both_are_joined(pair: Pair) -> None:
    pair.one.promote("v1")
    pushed(pair.one)
    pair.two.repo.model("tree", "v1")
    pair.two.repo.commit("Add tree")
    pair.two.promote(model="tree")
    made = pushed(pair.two, "tree")
    assert made.notes
    assert made.unbranched == ("tree",)
    fetched(pair.one)
    for lab in (pair.one, pair.two):
        repo = lab.repo.repository()
        lines = [line for each in noted(repo).values() for line in each]
        repo.close()
        assert {"forest#production#3", "tree#staging#1"} <= {json.loads(line)["predicate"].get("tag") for line in lines}


def test_only_the_models_named_are_pushed(pair: Pair) -> None:
    pair.one.repo.model("tree", "v1")
    pair.one.repo.commit("Add tree")
    pair.one.promote(model="tree")
    pair.one.promote("v1")
    assert pushed(pair.one, "tree").models == ("tree",)
    assert "refs/tags/forest#production#3" not in refs(pair.server)
    with pytest.raises(StrataError, match="no events of cloud"):
        pushed(pair.one, "cloud")


# --- of two promoters one wins


def test_the_slower_one_is_told_and_can_give_way(pair: Pair) -> None:
    pair.one.promote("v1")
    pair.two.promote("v1", reason="me too")  # the same names, other objects
    pushed(pair.one)
    before = refs(pair.server)
    with pytest.raises(Outrun, match="has events of forest that are not here"):
        pushed(pair.two)
    assert refs(pair.server) == before
    told = fetched(pair.two)
    assert told.behind == {"forest": ("forest#staging!#2", "forest#production#3")}
    assert told.tags == ()
    assert stages(pair.two) == {"v1": "production"}  # as it says itself; nothing was overwritten
    ours = pair.two.oid("refs/tags/forest#production#3")
    made = fetched(pair.two, give_way=True)
    assert [tag for tag, _ in made.aside] == ["forest#staging!#2", "forest#production#3"]
    assert made.complaints == ()
    assert pair.two.oid(f"refs/strata/aside/{ours}") == ours
    assert refs(pair.two.repo, *LEDGER[:3]) == refs(pair.server, *LEDGER[:3])
    assert stages(pair.two) == {"v1": "production"}
    repo = pair.two.repo.repository()
    assert not any(ours.encode() in line for each in noted(repo).values() for line in each)
    repo.close()
    assert pushed(pair.two).refs == ()


def test_both_can_count_when_names_do_not_meet(pair: Pair) -> None:
    pair.one.promote("v1")
    pair.two.promote("v2", "archived")
    pushed(pair.one)
    told = fetched(pair.two)
    assert told.behind == {"forest": ("forest@v2.0.0", "forest#archived#2")}
    made = fetched(pair.two, join=True)
    assert {complaint.rule for _, complaint in made.complaints} == {"STR-P007"}
    with pytest.raises(Refused):
        pair.two.promote("v1", "archived")
    with pytest.raises(StrataError, match="Something is wrong"):
        pushed(pair.two)
    healed = resolved(pair.two, "forest#production#3")
    assert healed.events[0].tag == "forest@resolved#4"
    assert stages(pair.two) == {"v1": "production", "v2": "archived"}
    pushed(pair.two)
    fetched(pair.one)
    assert stages(pair.one) == {"v1": "production", "v2": "archived"}
    assert refs(pair.one.repo, *LEDGER) == refs(pair.server, *LEDGER)


def test_the_atomic_push_lets_one_in_by_plain_git_too(pair: Pair) -> None:
    pair.one.promote("v1")
    made = pair.two.promote("v2", "archived")
    pushed(pair.one)
    head = f"{HEADS}forest"
    record = made.events[0].record
    assert record is not None
    tags = [f"refs/tags/{event.tag}" for event in made.events]
    lease = f"--force-with-lease={head}:{record.prev}"
    done = pair.two.repo.try_git("push", "--atomic", lease, "origin", *tags, f"{head}:{head}")
    assert done.code != 0
    assert "stale info" in done.err
    assert "refs/tags/forest#archived#2" not in refs(pair.server)


def test_a_head_that_moves_between_look_and_push_is_noticed(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    from strata_git.authoring import publish

    pair.two.promote("v2", "archived")
    pair.one.promote("v1")
    real = publish.refresh_notes

    def late(*words: object) -> None:
        monkeypatch.setattr(publish, "refresh_notes", real)
        pushed(pair.one)
        real(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(publish, "refresh_notes", late)
    with pytest.raises(Outrun):
        pushed(pair.two)
    assert "refs/tags/forest#archived#2" not in refs(pair.server)


def test_notes_that_come_in_between_are_joined_and_pushed_again(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    from strata_git.authoring import publish

    pair.two.repo.model("tree", "v1")
    pair.two.repo.commit("Add tree")
    pair.two.promote(model="tree")
    pair.one.promote("v1")
    real = publish._pushed

    def late(*words: object) -> object:
        monkeypatch.setattr(publish, "_pushed", real)
        pushed(pair.one)
        return real(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(publish, "_pushed", late)
    assert pushed(pair.two, "tree").models == ("tree",)
    repo = pair.server.repository()
    assert sum(b"git-strata:promotion/v1" in line for each in noted(repo).values() for line in each) == 6
    repo.close()


# --- nothing vanishes unnoticed


def test_a_tag_deleted_on_the_server_is_told(pair: Pair) -> None:
    pair.one.promote("v1")
    pushed(pair.one)
    fetched(pair.two)
    pair.server.git("update-ref", "-d", "refs/tags/forest#production#3")
    pair.server.git("update-ref", f"{HEADS}forest", pair.one.oid("refs/tags/forest#staging#1"))
    for _ in range(2):
        made = fetched(pair.two)
        told = {(each.rule, each.tag) for _, each in made.complaints}
        assert told == {("STR-P017", "forest#production#3")}
    assert stages(pair.two) == {"v1": "production"}


def test_a_tag_moved_on_the_server_is_told_and_not_taken(pair: Pair) -> None:
    ours = pair.two.oid("refs/tags/forest#staging#1")
    pair.server.git("update-ref", "refs/tags/forest#staging#1", pair.two.oid("refs/tags/forest@v1.0.0"))
    made = fetched(pair.two)
    assert ("STR-P017", "forest#staging#1") in {(each.rule, each.tag) for _, each in made.complaints}
    assert pair.two.oid("refs/tags/forest#staging#1") == ours
    assert "forest" in made.behind


def test_tags_and_head_taken_back_here_are_told_by_the_high_water_mark(pair: Pair) -> None:
    pair.two.promote("v1")
    for tag in ("forest#production#3", "forest#staging!#2"):
        pair.two.delete(tag)
    pair.two.repo.git("update-ref", f"{HEADS}forest", pair.two.oid("refs/tags/forest#staging#1"))
    assert pair.two.told() == {("STR-P017", "")}
    with pytest.raises(Refused):
        pair.two.promote("v1")


# --- the other end


def test_a_remote_that_refuses_says_why(pair: Pair) -> None:
    hook = pair.server.path / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'not on a \033[31mFriday' >&2\nexit 1\n")
    hook.chmod(0o755)
    pair.one.promote("v1")
    with pytest.raises(StrataError, match="did not take the push") as refusal:
        pushed(pair.one)
    assert "not on a" in refusal.value.hint
    assert "\033" not in refusal.value.hint


def test_remotes_are_configured_ones(pair: Pair) -> None:
    for words in ("--upload-pack=touch x", "elsewhere", "ext::sh -c true"):
        with pytest.raises(StrataError, match="There is no remote"):
            fetched(pair.one, remote=words)
    pair.one.repo.git("remote", "remove", "origin")
    with pytest.raises(StrataError, match="has no remote"):
        pushed(pair.one)


def test_a_remote_that_is_not_there(pair: Pair) -> None:
    pair.one.repo.git("remote", "set-url", "origin", str(pair.server.path) + "-gone")
    with pytest.raises(StrataError, match="cannot be reached"):
        fetched(pair.one)


def test_the_commands(pair: Pair) -> None:
    pair.one.promote("v1")
    done = pair.one.repo.strata("push").expect(0)
    assert "refs/tags/forest#production#3" in done.out
    assert "origin has everything already." in pair.one.repo.strata("push", "origin").expect(0).out
    pair.two.promote("v2", "archived")
    assert "has events of forest that are not here" in pair.two.repo.strata("push").expect(2).err
    assert "git strata fetch --yield" in pair.two.repo.strata("fetch").expect(2).err
    pair.two.repo.strata("fetch", "--yield", "--join").expect(64)
    made = pair.two.repo.strata("fetch", "--yield", "--format", "json").expect(0).json()
    assert made["tags"] == ["forest#production#3", "forest#staging!#2"]
    assert [each["tag"] for each in made["aside"]] == ["forest@v2.0.0", "forest#archived#2"]  # type: ignore[attr-defined]
    assert pair.one.repo.strata("push", "--format", "json").expect(0).json()["refs"] == []
