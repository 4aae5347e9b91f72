"""A policy that asks for freshness is told of wherever the ledger is read, and a rule that demands it is obeyed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from strata_git.authoring.freshness import declare_fresh
from strata_git.authoring.promote import Refused
from strata_git.errors import StrataError
from strata_git.ledger.assurances import freshness_complaints, freshness_findings
from tests.flows.server import EVERYTHING, Server, guarded, workspace_with_models
from tests.ledger.court import STEPS, Court, court_in, ladder, rule
from tests.ledger.lab import NOW, SETTINGS, Lab
from tests.support.artifacts import REPOSITORY
from tests.support.builder import create
from tests.support.fixtures import Builder
from tests.support.keys import Keys

WEEK = {"max_age_days": 7}
DEMAND = [rule(*step, "alice", requires=["freshness"]) for step in STEPS]


@pytest.fixture
def court(builder: Builder, keys: Keys) -> Court:
    return court_in(builder(), keys)


def declare(court: Court, who: str = "alice", days: int = 7, now: datetime | None = None) -> None:
    repo = court.repo.repository()
    try:
        declare_fresh(repo, SETTINGS, days, key=court.keys.fingerprint(who), now=now)
    finally:
        repo.close()


def told(court: Court, now: datetime) -> set[str]:
    repo = court.repo.repository()
    try:
        ledger = court.ledger()
        complaints = freshness_complaints(repo, ledger.state, ledger.trust, repository=REPOSITORY, now=now)
        assert {each.rule for each in freshness_findings(repo, ledger.trust, now=now)} == {
            each.rule for each in complaints if each.rule == "STR-P027"
        }
        return {complaint.rule for complaint in complaints}
    finally:
        repo.close()


def test_it_is_told_by_every_command_and_is_an_error_where_trust_is_required(court: Court) -> None:
    court.enact("alice", freshness=WEEK)
    assert "of the last 7 days, and there is none" in court.promote("v1", now=None).doubts[0].message
    for command in ("stages", "verify", "doctor"):
        done = court.repo.strata(command, "--require-trust").expect(2)
        assert "STR-P027" in done.out + done.err, command
    assert "STR-P027" in court.repo.strata("stages").expect(0).err
    assert "warning refs/strata/freshness: STR-P027" in court.repo.strata("verify").out
    with pytest.raises(Refused) as refusal:
        court.promote("v1", now=None, require_trust=True)
    assert [finding.rule for finding in refusal.value.findings] == ["STR-P027"]
    declare(court)
    assert "STR-P027" not in court.repo.strata("stages", "--require-trust").expect(0).err
    assert court.promote("v1", now=None, require_trust=True).doubts == ()


def test_a_statement_grows_old(court: Court) -> None:
    court.enact("alice", freshness=WEEK)
    court.promote("v1")
    assert told(court, NOW) == {"STR-P027"}
    declare(court, days=30, now=NOW)
    assert told(court, NOW + timedelta(days=6)) == set()
    assert told(court, NOW + timedelta(days=8)) == {"STR-P027"}


def test_only_people_of_the_policy_in_force_say_it(court: Court) -> None:
    court.enact("bob", roots=("alice",), rules=ladder("alice"), freshness=WEEK)
    court.promote("v1")
    declare(court, "bob", now=NOW)
    assert told(court, NOW) == set()
    ended = {"bob": {"revoked": {"at": "2026-01-31T12:00:00Z", "reason": "a stolen key"}}}
    court.enact("bob", roots=("alice",), rules=ladder("alice"), freshness=WEEK, principals=ended)
    assert told(court, NOW) == {"STR-P026", "STR-P027"}
    with pytest.raises(StrataError, match="would not count"):
        declare(court, "bob", now=NOW)


def test_a_rule_demands_it_of_who_promotes(court: Court) -> None:
    court.enact("alice", rules=DEMAND, freshness=WEEK)
    with pytest.raises(Refused) as refusal:
        court.promote("v1")
    assert {finding.rule for finding in refusal.value.findings} == {"STR-P029"}
    assert "no statement of freshness is in force (rule 1)" in refusal.value.findings[0].message
    declare(court, now=NOW)
    court.promote("v1")
    with pytest.raises(Refused, match="cannot move"):
        court.promote("v1", now=NOW + timedelta(days=8))
    declare(court, days=30, now=NOW + timedelta(days=8))
    court.promote("v1", now=NOW + timedelta(days=8))
    court.repo.git("update-ref", "-d", "refs/strata/freshness/latest")
    assert court.stages() == {"v1": "production"}, "what is recorded stays, whatever happens to the statement"


def test_a_demand_needs_an_age(court: Court) -> None:
    from strata_git.integrity.policy import PolicyError, parse_policy

    with pytest.raises(PolicyError, match="'freshness' says no age"):
        parse_policy(court.text("alice", rules=DEMAND))


@pytest.mark.heavy
def test_the_server_asks_for_it_too(builder: Builder, keys: Keys) -> None:
    repo = builder()
    workspace_with_models(repo)
    court = Court(repo, keys)
    court.enact("alice", rules=DEMAND, freshness=WEEK)
    bare = guarded(create(repo.path.with_name("server"), repo.environ, "--bare"))
    bare.git("config", "strata.trustPin", court.digests[0])
    repo.git("remote", "add", "server", bare.path.as_uri())
    server = Server(bare, Lab(repo, keys))
    server.accepts("main")
    declare(court, now=datetime.now(UTC))
    court.promote("v1", now=None)
    server.refuses("STR-P029", "--atomic", *EVERYTHING)
    latest = "refs/strata/freshness/latest"
    server.accepts("--atomic", *EVERYTHING, latest)
    old = court.oid(latest)
    declare(court, now=datetime.now(UTC) + timedelta(seconds=60))
    server.accepts("--force", latest)
    server.refuses("STR-P026", "--force", f"{old}:{latest}")
    server.refuses("STR-P026", "--force", f"refs/tags/forest@v1.0.0:{latest}")
    server.refuses("STR-P017", f":{latest}")
