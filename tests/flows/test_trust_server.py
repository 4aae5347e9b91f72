"""A policy on the receiving side: what it has judges, and never what the push brings."""

from __future__ import annotations

import pytest

from tests.flows.server import EVERYTHING, HEAD, Server, guarded
from tests.ledger.court import TRUST, Court, ladder, rule
from tests.support.builder import create

pytestmark = pytest.mark.heavy

STRICT = [rule("experimental", "staging", "alice", "bob"), rule("staging", "production", "alice")]


@pytest.fixture
def court(server: Server) -> Court:
    """Alice is root and signs everything, bob staging alone; the server has the policy and the pin."""
    court = Court(server.repo, server.lab.keys)
    court.enact("bob", rules=STRICT, adopted={"forest": court.oid(HEAD)}, pin=False)
    server.bare.git("config", "strata.trustPin", court.digests[0])
    server.accepts("main")
    return court


def promote_as(court: Court, who: str, version: str, digest: str) -> None:
    """The next moves of v1 and v2 by plain git's means: `promote` with a pin that makes it willing."""
    court.repo.environ["STRATA_TRUST_PIN"] = digest
    try:
        court.promote(version, key=court.keys.fingerprint(who), now=None)
    finally:
        del court.repo.environ["STRATA_TRUST_PIN"]


def forge_production(court: Court, who: str) -> None:
    """v1 from staging to production by stock git, naming the policy as it must."""
    from dataclasses import replace

    from strata_git.ledger.record import format_message

    when = int(court.repo.git("for-each-ref", "--format=%(taggerdate:unix)", "refs/tags/forest#staging#1"))
    record = court.record(policy=court.digests[0])
    prev = record.prev
    for number, tag in ((2, "forest#staging!#2"), (3, "forest#production#3")):
        court.repo.git(
            "tag", "-s", "-u", court.keys.fingerprint(who), "-F", "-", "--cleanup=verbatim", tag, record.commit,
            stdin=format_message("an event", "", replace(record, seq=number, prev=prev)),
            env={"GIT_COMMITTER_DATE": f"{when + number} +0000"},
        )  # fmt: skip
        prev = court.oid(f"refs/tags/{tag}")


def test_who_may_is_let_in(server: Server, court: Court) -> None:
    promote_as(court, "alice", "v1", court.digests[0])
    server.accepts("--atomic", *EVERYTHING)


def test_who_may_not_is_refused_though_the_server_knows_the_key(server: Server, court: Court) -> None:
    forge_production(court, "bob")
    said = server.refuses("STR-P020", "--atomic", "refs/tags/*")
    assert "staging to production asks for 1 of alice" in said


def test_a_policy_is_not_eased_in_the_push_that_needs_it(server: Server, court: Court) -> None:
    """Even signed by its root: what judges is what was there before."""
    forge_production(court, "bob")
    court.enact("bob", rules=ladder("alice", "bob"))
    server.refuses("STR-P020", "--atomic", "main", "refs/tags/*")


def test_an_event_that_names_the_new_policy_comes_after_it(server: Server, court: Court) -> None:
    second = court.enact("bob", rules=ladder("alice", "bob"))
    promote_as(court, "bob", "v1", court.digests[0])
    assert court.state(trust=None).events
    server.refuses("STR-P037", "--atomic", *EVERYTHING)
    server.accepts("main")
    server.accepts("--atomic", *EVERYTHING)
    assert second in court.repo.git("for-each-ref", "--format=%(contents)", "refs/tags/forest#production#3")


def test_a_new_event_by_the_policy_of_yesterday_is_late(server: Server, court: Court) -> None:
    promote_as(court, "alice", "v1", court.digests[0])
    court.enact("bob", rules=STRICT)
    server.accepts("main")
    said = server.refuses("STR-P037", "--atomic", "refs/tags/*")
    assert "version 2 is in force" in said


@pytest.mark.parametrize("deed", ["unsigned", "by a stranger to it", "set back", "taken away", "skipped"])
def test_the_main_branch_holds_no_policy_that_does_not_follow(server: Server, court: Court, deed: str) -> None:
    rules = {"unsigned": "STR-P032", "by a stranger to it": "STR-P032", "skipped": "STR-P031"}
    if deed == "unsigned":
        court.enact("bob", rules=ladder("bob"), signers=())
    elif deed == "by a stranger to it":
        court.enact("bob", rules=ladder("bob"), signers=("bob",))
    elif deed == "skipped":
        court.enact("bob", rules=STRICT, version=5)
    elif deed == "set back":
        court.enact("bob", rules=STRICT)
        server.accepts("main")
        court.repo.git("revert", "--no-edit", "HEAD")
    else:
        court.repo.git("rm", "-rq", TRUST)
        court.repo.commit("No policy")
    server.refuses(rules.get(deed, "STR-P031"), "main")


def test_a_draft_travels_on_a_branch_until_all_have_signed(server: Server, court: Court) -> None:
    data = court.text("bob", roots=("alice", "bob"), threshold=2, rules=STRICT)
    court.repo.git("checkout", "-qb", "draft")
    court.place(data, "alice")
    court.repo.commit("Signed by alice")
    server.accepts("draft")
    server.refuses("STR-P032", "draft:main")
    court.place(data, "alice", "bob")
    court.repo.commit("Signed by bob too")
    server.accepts("draft:main")


def test_several_versions_in_one_push(server: Server, court: Court) -> None:
    court.enact("bob", roots=("alice", "bob"), rules=STRICT, signers=("alice", "bob"))
    court.enact("alice", roots=("bob",), rules=STRICT, signers=("bob",))
    server.accepts("main")


def test_an_old_ledger_moves_to_a_new_server(server: Server, court: Court) -> None:
    """What was recorded elsewhere under earlier versions is taken in by a server that has nothing yet."""
    promote_as(court, "alice", "v1", court.digests[0])
    court.enact("bob", rules=STRICT)
    bare = guarded(create(server.bare.path.with_name("new"), server.repo.environ, "--bare"))
    bare.git("config", "strata.trustPin", court.digests[0])
    moved = Server(bare, server.lab)
    court.repo.git("remote", "set-url", "server", bare.path.as_uri())
    moved.accepts("--atomic", *EVERYTHING)
    assert "forest#production#3" in moved.refs()


def test_the_client_judges_by_what_the_server_has(server: Server, court: Court) -> None:
    court.repo.git("fetch", "--quiet", "server")
    promote_as(court, "alice", "v1", court.digests[0])
    court.repo.environ["STRATA_TRUST_PIN"] = court.digests[0]
    court.enact("bob", rules=STRICT, pin=False)
    court.repo.install_hooks()
    answer = court.repo.try_git("push", "--atomic", "server", *EVERYTHING).clean()
    assert answer.code == 0, str(answer)


def test_a_server_without_a_pin_says_so(server: Server, court: Court) -> None:
    server.bare.git("config", "--unset", "strata.trustPin")
    promote_as(court, "alice", "v1", court.digests[0])
    answer = server.accepts("--atomic", *EVERYTHING)
    assert "STR-P034" in answer.err
    assert "not pinned" in answer.err


def test_a_server_whose_pin_leads_nowhere_takes_no_events(server: Server, court: Court) -> None:
    server.bare.git("config", "strata.trustPin", "sha256:" + "0" * 64)
    promote_as(court, "alice", "v1", court.digests[0])
    server.refuses("STR-P035", "--atomic", *EVERYTHING)
