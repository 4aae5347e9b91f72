"""The signed log: kept with every move, pushed with it, and what it tells that nothing else does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pytest

from strata_git.authoring.entries import enter_rest, log_complaints
from strata_git.authoring.publish import Published, push
from strata_git.authoring.sharing import Fetched, fetch
from strata_git.errors import StrataError
from strata_git.ledger.events import HEADS, read_ledger
from strata_git.ledger.log import LOG, NOTHING
from strata_git.ledger.logbook import read_log
from strata_git.ledger.signing import signer_for
from tests.flows.server import guarded, workspace_with_models
from tests.ledger.court import Court, court_in, ladder
from tests.ledger.lab import NOW, SETTINGS
from tests.support import artifacts
from tests.support.artifacts import REPOSITORY
from tests.support.builder import RepositoryBuilder, create
from tests.support.fixtures import Builder
from tests.support.keys import Keys


@dataclass(frozen=True, slots=True)
class Team:
    """Alice and bob are enrolled, the policy keeps a log; `server` runs our hook, and has what alice has."""

    server: RepositoryBuilder
    alice: Court


@pytest.fixture
def team(builder: Builder, keys: Keys) -> Team:
    repo = builder("alice")
    workspace_with_models(repo)
    court = Court(repo, keys)
    court.enact("alice", "bob", rules=ladder("alice", "bob"), log=True)
    bare = guarded(create(court.repo.path.with_name("server"), court.repo.environ, "--bare"))
    bare.git("config", "strata.trustPin", court.digests[0])
    court.repo.git("remote", "add", "origin", bare.path.as_uri())
    court.repo.git("push", "--quiet", "origin", "main")
    court.repo.git("fetch", "--quiet", "origin")
    return Team(bare, court)


@pytest.fixture
def alone(builder: Builder, keys: Keys) -> Court:
    """Alice, whose policy keeps a log, and no server."""
    court = court_in(builder(), keys)
    court.enact("alice", rules=ladder("alice"), log=True)
    return court


def joined(team: Team) -> Court:
    """A second clone, of bob's."""
    repo = RepositoryBuilder(team.server.path.with_name("bob"), team.alice.repo.environ, team.alice.repo.clock)
    team.server.git("clone", "--quiet", team.server.path.as_uri(), str(repo.path))
    bob = Court(repo, team.alice.keys, team.alice.digests)
    taken(bob)
    return bob


def pushed(court: Court, who: str = "alice") -> Published:
    repo = court.repo.repository()
    try:
        return push(repo, SETTINGS, key=court.keys.fingerprint(who))
    finally:
        repo.close()


def taken(court: Court, **options: bool) -> Fetched:
    repo = court.repo.repository()
    try:
        return fetch(repo, SETTINGS, **options)
    finally:
        repo.close()


def told(court: Court) -> list[tuple[str, str]]:
    repo = court.repo.repository()
    try:
        ledger = read_ledger(repo, repository=REPOSITORY)
        return [(each.rule, each.message) for each in log_complaints(repo, ledger)]
    finally:
        repo.close()


def entries(court: Court) -> list[tuple[int, str, str]]:
    """Number, signer and deed of every entry."""
    repo = court.repo.repository()
    try:
        log = read_log(repo, read_ledger(repo, repository=REPOSITORY).trust)
        assert log.complaints == ()
        return [(entry.number, entry.who, entry.deed) for entry in log.entries]
    finally:
        repo.close()


def test_every_move_is_entered_and_travels(team: Team) -> None:
    team.alice.promote("v1", now=None)
    assert entries(team.alice) == [(1, "alice", "forest v1 moves from experimental to staging")]
    assert told(team.alice) == []
    assert LOG in pushed(team.alice).refs
    bob = joined(team)
    assert told(bob) == []
    bob.promote("v1", key=bob.keys.bob, now=None)
    pushed(bob, "bob")
    taken(team.alice)
    assert [row[:2] for row in entries(team.alice)] == [(1, "alice"), (2, "bob")]
    assert told(team.alice) == []


@pytest.mark.parametrize("object_format", ["sha1", pytest.param("sha256", marks=pytest.mark.heavy)])
def test_stock_git_reads_and_verifies_it(builder: Builder, keys: Keys, object_format: str) -> None:
    court = court_in(builder(object_format=object_format), keys)
    court.enact("alice", rules=ladder("alice"), log=True)
    court.promote("v1", now=None)
    shown = court.repo.git("log", "--format=%B", LOG)
    assert "Entry 1: forest v1 moves from experimental to staging" in shown
    assert f"{NOTHING} {court.oid('refs/tags/forest#staging#1')} refs/tags/forest#staging#1" in shown
    assert f"{NOTHING} {court.digests[0]} policy" in shown
    court.repo.git("verify-commit", LOG)
    court.repo.git("fsck", "--strict")
    assert court.repo.paths(LOG) == []
    assert told(court) == []


@pytest.mark.heavy
def test_an_ssh_key_enters_too(builder: Builder, keys: Keys) -> None:
    court = court_in(builder(), keys)
    home = court.repo.environ["HOME"]
    made = court.repo.strata("key", "new", "--name", "Ada", "--email", "ada@example.org", "--no-passphrase").expect(0)
    court.enact("alice", rules=ladder("alice"), log=True)
    public = f"{home}/.ssh/id_ed25519_strata.pub"
    assert public in made.err
    for words in (("add", "ada", "--key", public, "--stage", "staging"), ("sign", "--key", keys.alice)):
        court.repo.strata("trust", *words, "--commit").expect(0)
    court.promote("v1", key=public.removesuffix(".pub"), now=None)
    assert [row[:2] for row in entries(court)] == [(1, "ada")]
    assert told(court) == []


def test_what_moved_or_vanished_is_told_with_its_entry(alone: Court) -> None:
    alone.promote("v1", now=None)
    alone.promote("v1", now=None)
    was = alone.oid("refs/tags/forest#production#3")
    alone.repo.git("update-ref", "-d", "refs/tags/forest#production#3")
    alone.move_ref("forest@v1.0.0", was)
    rules = told(alone)
    gone = f"refs/tags/forest#production#3 is gone; by entry 2 of the signed log (alice) it is {was}"
    assert ("STR-P040", gone) in rules
    assert any("refs/tags/forest@v1.0.0 is" in message and "by entry 1" in message for _, message in rules)
    out = alone.repo.strata("verify").expect(2).out
    assert "STR-P040" in out
    repo = alone.repo.repository()
    with pytest.raises(StrataError, match="not what the signed log says"):
        enter_rest(repo, read_ledger(repo, repository=REPOSITORY), "push", signer=partial(signer_for, repo), now=NOW)
    repo.close()


@pytest.mark.heavy
def test_tags_and_log_set_back_together_are_told_where_they_were_published(team: Team) -> None:
    team.alice.promote("v1", now=None)
    before = team.alice.oid(LOG)
    team.alice.promote("v1", now=None)
    pushed(team.alice)
    team.alice.repo.git("update-ref", LOG, before)
    assert ("STR-P041", "the signed log lacks entries that origin had") in told(team.alice)
    team.server.git("update-ref", LOG, before)
    made = taken(team.alice)
    assert ("STR-P041", "the signed log of origin was set back or replaced") in {
        (each.rule, each.message) for _, each in made.complaints
    }


@pytest.mark.heavy
def test_turning_it_on_takes_in_what_is_there(builder: Builder, keys: Keys) -> None:
    court = court_in(builder(), keys)
    court.enact("alice", rules=ladder("alice"))
    court.promote("v1", now=None)
    assert told(court) == []
    court.enact("alice", rules=ladder("alice"), log=True)
    rules = told(court)
    assert {rule for rule, _ in rules} == {"STR-P042"}
    assert any(message == f"{HEADS}forest is in no entry of the signed log" for _, message in rules)
    bare = create(court.repo.path.with_name("bare"), court.repo.environ, "--bare")
    court.repo.git("remote", "add", "origin", bare.path.as_uri())
    pushed(court)
    assert told(court) == []
    assert entries(court) == [(1, "alice", "push to origin")]


@pytest.mark.heavy
def test_of_two_logs_the_published_one_holds_and_the_rest_is_entered_anew(team: Team) -> None:
    team.alice.repo.install_hooks()
    team.alice.promote("v1", now=None)
    pushed(team.alice)
    bob = joined(team)
    bob.repo.install_hooks()
    cited = [artifacts.cite(artifacts.dataset("iris"), "datasets/iris/v1")]
    bob.repo.model("tree", "v1", datasets=cited, metrics=artifacts.metrics_of(artifacts.run(inputs=cited)))
    bob.repo.commit("Add tree")
    bob.promote("v1", model="tree", key=bob.keys.bob, now=None)
    ours = bob.oid(LOG)
    team.alice.promote("v1", now=None)
    pushed(team.alice)
    taken(bob)
    assert bob.oid(f"refs/strata/aside/{ours}") == ours
    bob.repo.git("push", "--quiet", "origin", "main")
    pushed(bob, "bob")
    assert [row[1:] for row in entries(bob)][-1] == ("bob", "push to origin")
    assert told(bob) == []
    taken(team.alice)
    assert told(team.alice) == []


@pytest.mark.heavy
def test_who_gives_way_gives_way_with_the_log(team: Team) -> None:
    team.alice.promote("v1", now=None)
    pushed(team.alice)
    bob = joined(team)
    team.alice.promote("v1", now=None)
    bob.promote("v1", key=bob.keys.bob, now=None)
    pushed(team.alice)
    taken(bob, give_way=True)
    assert told(bob) == []
    assert bob.oid(LOG) == team.alice.oid(LOG)


@pytest.mark.heavy
def test_a_key_revoked_since_is_told_and_stops_nothing(builder: Builder, keys: Keys) -> None:
    court = court_in(builder(), keys)
    court.enact("bob", roots=("alice",), rules=ladder("alice", "bob"), log=True)
    court.promote("v1", key=keys.bob, now=None)
    ended = {"bob": {"revoked": {"at": "2026-01-31T12:00:00Z", "reason": "a stolen key"}}}
    court.enact("bob", roots=("alice",), rules=ladder("alice", "bob"), log=True, principals=ended)
    assert "STR-P043" in {rule for rule, _ in told(court)}
    repo = court.repo.repository()
    trust = read_ledger(repo, repository=REPOSITORY).trust
    assert [entry.revoked for entry in read_log(repo, trust).entries] == [True]
    repo.close()


@pytest.mark.heavy
def test_a_remote_s_log_is_not_taken_when_it_is_none(team: Team) -> None:
    team.alice.promote("v1", now=None)
    ours = team.alice.oid(LOG)
    team.server.git("update-ref", LOG, team.server.git("rev-parse", "main"))
    made = taken(team.alice)
    assert any(each.rule == "STR-P041" and "holds files" in each.message for _, each in made.complaints)
    assert team.alice.oid(LOG) == ours


def refused(court: Court, rule: str, *words: str) -> str:
    answer = court.repo.try_git("push", "--atomic", "origin", *words).clean()
    assert answer.code != 0, str(answer)
    assert rule in answer.err, answer.err
    return answer.err


@pytest.mark.heavy
def test_the_server_wants_an_entry_for_what_moves_and_lets_the_log_only_grow(team: Team) -> None:
    team.alice.promote("v1", now=None)
    first = team.alice.oid(LOG)
    said = refused(team.alice, "STR-P040", "refs/tags/*", f"{HEADS}*")
    assert "is pushed without an entry" in said
    refused(team.alice, "STR-P040", LOG)  # and no entry of what does not come
    team.alice.promote("v1", now=None)
    pushed(team.alice)
    refused(team.alice, "STR-P041", f"+{first}:{LOG}")
    refused(team.alice, "STR-P041", f":{LOG}")


def test_entries_that_are_none(alone: Court) -> None:
    alice = alone
    alice.promote("v1", now=None)
    good = alice.repo.git("log", "-1", "--format=%B", LOG).strip() + "\n"
    empty, full = (alice.repo.git("rev-parse", f"{name}^{{tree}}") for name in (LOG, "HEAD"))
    known, stranger = f"-S{alice.keys.alice}", f"-S{alice.keys.add('mallory')}"
    forgeries = {
        "carries no signature of anybody enrolled": ([], empty, good),
        "of anybody enrolled": ([stranger], empty, good),
        "holds files": ([known], full, good),
        "stands in the place of entry 1": ([known], empty, good.replace("Entry 1:", "Entry 2:")),
        "which is none of this repository's": ([known], empty, good.replace(alice.digests[0], "sha256:" + "0" * 64)),
        "does not read as an entry": ([known], empty, good.replace("repository", "repo")),
    }
    for reason, (signing, tree, message) in forgeries.items():
        made = alice.repo.git("commit-tree", *signing, "-F", "-", tree, stdin=message.encode())
        alice.repo.git("update-ref", LOG, made)
        wrong = told(alice)
        assert ("STR-P041", True) in {(rule, reason in message) for rule, message in wrong}, (reason, wrong)
    with pytest.raises(StrataError, match="signed log"):
        alice.promote("v1", now=None)


@pytest.mark.heavy
def test_what_is_pushed_as_a_log_where_none_is_kept_holds_nothing(builder: Builder, keys: Keys) -> None:
    repo = builder("alice")
    workspace_with_models(repo)
    bare = guarded(create(repo.path.with_name("server"), repo.environ, "--bare"))
    repo.git("remote", "add", "origin", bare.path.as_uri())
    repo.git("push", "--quiet", "origin", "main")
    assert "holds files" in refused(Court(repo, keys), "STR-P041", f"main:{LOG}")


def test_nothing_is_kept_unasked(builder: Builder, keys: Keys) -> None:
    court = court_in(builder(), keys)
    court.enact("alice", rules=ladder("alice"))
    court.promote("v1", now=NOW)
    assert court.repo.git("for-each-ref", LOG) == ""
