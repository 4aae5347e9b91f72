"""Events, chain heads, approvals and notes on the server: only forward, only signed, only by keys it knows."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from strata_git.ledger.names import TAGS
from tests.flows.releasing import TAMPERINGS, unchecked
from tests.flows.server import EVERYTHING, HEAD, NOTES, REGISTERED, STAGING, Server
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.environment import remove_home, short_directory
from tests.support.keys import Keys, KeyStore


def later(server: Server) -> str:
    when = server.repo.git("for-each-ref", "--format=%(taggerdate:unix)", STAGING)
    return f"{int(when) + 1} +0000"


def test_another_identity_and_events_of_it(server: Server) -> None:
    server.repo.workspace(settings={"repository": artifacts.REPOSITORY.replace("5", "6")})
    server.repo.commit("Somebody else")
    record = server.lab.record(repo=artifacts.REPOSITORY.replace("5", "6"))
    server.lab.forge("forest#staging!#2", record, date=later(server))
    server.refuses("STR-P005", "main", "forest#staging!#2")


# --- events


def delete_event(server: Server) -> tuple[str, ...]:
    return (f":{STAGING}",)


def delete_registration(server: Server) -> tuple[str, ...]:
    return (f":{REGISTERED}",)


def move_event(server: Server) -> tuple[str, ...]:
    server.lab.move_ref("forest#staging#1", server.lab.oid(REGISTERED))
    return ("--force", STAGING)


def move_event_to_a_commit(server: Server) -> tuple[str, ...]:
    return ("--force", f"HEAD~1:{STAGING}")


def lightweight(server: Server) -> tuple[str, ...]:
    server.repo.git("tag", "forest#production#2")
    return ("forest#production#2",)


def nested(server: Server) -> tuple[str, ...]:
    server.repo.git("tag", "-am", "x", "forest#production#2", STAGING)
    return ("forest#production#2",)


def unsigned(server: Server) -> tuple[str, ...]:
    server.lab.forge("forest#staging!#2", server.lab.record(), sign=False, date=later(server))
    return ("forest#staging!#2",)


def replayed_elsewhere(server: Server) -> tuple[str, ...]:
    server.lab.move_ref("other-model#staging#1", server.lab.oid(STAGING))
    return ("other-model#staging#1",)


def replayed_later(server: Server) -> tuple[str, ...]:
    server.lab.move_ref("forest#production#2", server.lab.oid(STAGING))
    return ("forest#production#2",)


def malformed(server: Server) -> tuple[str, ...]:
    server.lab.move_ref("forest#live#2", server.lab.oid(STAGING))
    return ("forest#live#2",)


def a_number_left_out(server: Server) -> tuple[str, ...]:
    server.lab.forge("forest#staging!#9", server.lab.record(seq=9), date=later(server))
    return ("forest#staging!#9",)


def half_a_move(server: Server) -> tuple[str, ...]:
    server.lab.forge("forest#staging!#2", server.lab.record(), date=later(server))
    return ("forest#staging!#2",)


def another_digest(server: Server) -> tuple[str, ...]:
    record = server.lab.record(digest="sha256:" + "0" * 64)
    server.lab.forge("forest#staging!#2", record, date=later(server))
    return ("forest#staging!#2",)


def second_half_first(server: Server) -> tuple[str, ...]:
    server.lab.promote("v1", now=None)
    return ("forest#production#3",)


def delete_head(server: Server) -> tuple[str, ...]:
    return (f":{HEAD}",)


def head_back(server: Server) -> tuple[str, ...]:
    return ("--force", f"{REGISTERED}:{HEAD}")


def head_to_a_commit(server: Server) -> tuple[str, ...]:
    return ("--force", f"main:{HEAD}")


def head_of_no_model(server: Server) -> tuple[str, ...]:
    return (f"{STAGING}:refs/strata/ledger/birch",)


def move_approval(server: Server) -> tuple[str, ...]:
    server.bare.git("update-ref", "refs/strata/approvals/x", server.lab.oid(STAGING))
    return ("--force", f"{REGISTERED}:refs/strata/approvals/x")


def delete_notes(server: Server) -> tuple[str, ...]:
    return (f":{NOTES}",)


def notes_from_scratch(server: Server) -> tuple[str, ...]:
    server.repo.git("update-ref", "-d", NOTES)
    server.repo.git("notes", "--ref", NOTES, "add", "-m", "x", "HEAD")
    return ("--force", NOTES)


def notes_by_a_branch(server: Server) -> tuple[str, ...]:
    return ("--force", f"main:{NOTES}")


def notes_edited(server: Server) -> tuple[str, ...]:
    """A child of what is there, so a fast-forward; a line is missing."""
    noted = server.repo.git("notes", "--ref", NOTES, "list").split()[1]
    text = server.repo.git("notes", "--ref", NOTES, "show", noted).splitlines()
    server.repo.git("notes", "--ref", NOTES, "add", "-f", "-m", text[0], noted)
    return (NOTES,)


def notes_with_other_files(server: Server) -> tuple[str, ...]:
    tree = server.repo.git("rev-parse", "main^{tree}")
    commit = server.repo.git("commit-tree", "-p", NOTES, "-m", "x", tree)
    return (f"{commit}:{NOTES}",)


def rewind_under_an_event(server: Server) -> tuple[str, ...]:
    server.repo.git("checkout", "-q", "--orphan", "fresh")
    server.repo.git("rm", "-rqf", ".")
    server.repo.workspace()
    server.repo.commit("Anew")
    return ("--force", "HEAD:main")


FORBIDDEN: dict[Callable[[Server], tuple[str, ...]], str] = {
    delete_event: "STR-P017",
    delete_registration: "STR-P017",
    move_event: "STR-P017",
    move_event_to_a_commit: "STR-P017",
    lightweight: "STR-P001",
    nested: "STR-P001",
    unsigned: "STR-P001",
    replayed_elsewhere: "STR-P002",
    replayed_later: "STR-P002",
    malformed: "STR-P002",
    a_number_left_out: "STR-P008",
    half_a_move: "STR-P009",
    another_digest: "STR-P011",
    second_half_first: "STR-P006",
    delete_head: "STR-P017",
    head_back: "STR-P007",
    head_to_a_commit: "STR-P006",
    head_of_no_model: "STR-P006",
    move_approval: "STR-P017",
    delete_notes: "STR-P017",
    notes_from_scratch: "STR-P017",
    notes_by_a_branch: "STR-P017",
    notes_edited: "STR-P017",
    notes_with_other_files: "STR-P018",
    rewind_under_an_event: "STR-P022",
}


@pytest.mark.parametrize("attack", FORBIDDEN, ids=lambda attack: attack.__name__)
def test_forbidden(server: Server, attack: Callable[[Server], tuple[str, ...]]) -> None:
    server.refuses(FORBIDDEN[attack], *attack(server))


def test_the_last_branch_of_an_event_is_not_deleted(server: Server) -> None:
    server.bare.git("config", "receive.denyDeleteCurrent", "ignore")
    server.accepts("main:refs/heads/second")
    server.accepts(":refs/heads/main")
    server.refuses("STR-P022", ":refs/heads/second")


def test_several_forbidden_things_are_all_told(server: Server) -> None:
    TAMPERINGS["one byte"].apply(server.repo)
    unchecked(server.repo)
    said = server.refuses("STR-I001", "main", f":{STAGING}", f":{NOTES}")
    assert said.count("would be deleted on the server") == 2


# --- keys


def test_a_key_that_only_the_client_knows(server: Server, key_store: KeyStore, hermetic: dict[str, str]) -> None:
    home = short_directory()
    try:
        theirs = Keys(home, key_store)
        theirs.add("bob", secret=False)
        server.keyring(home)
        server.lab.promote("v1", now=None)
        said = server.refuses("STR-P004", "--atomic", *EVERYTHING)
        assert "the server's own keyring" in said
        theirs.add("alice", secret=False)
        server.accepts("--atomic", *EVERYTHING)
    finally:
        remove_home(home)


def test_a_revoked_key(server: Server) -> None:
    server.lab.promote("v1", now=None)
    server.lab.keys.revoke("alice")
    server.refuses("STR-P004", "--atomic", *EVERYTHING)


# --- two at once


def test_two_clones_promote_the_same_model(server: Server) -> None:
    """Git itself tells the second that the tags exist; by force the hook tells."""
    other = server.clone("other")
    server.lab.promote("v1", now=None)
    other.promote("v1", now=None, reason="so they say")
    server.accepts("--atomic", *EVERYTHING)
    before = server.refs()
    late = server.push("--atomic", *EVERYTHING, who=other.repo)
    assert late.code != 0
    assert "forest#staging!#2" in late.err
    assert server.refs() == before
    server.refuses("STR-P017", "--force", "refs/tags/*", who=other.repo)


def test_a_fork_under_other_names(server: Server) -> None:
    """Both events follow the same one, and no tag of one push has the name of one of the other."""
    other = server.clone("other")
    server.lab.promote("v1", now=None)
    server.accepts("--atomic", *EVERYTHING)
    other.promote("v2", "staging", now=None)
    tags = sorted(set(tags_of(other.repo)) - set(tags_of(server.bare)))
    server.refuses("STR-P007", *tags, who=other.repo)


def tags_of(repo: RepositoryBuilder) -> list[str]:
    return repo.git("for-each-ref", "--format=%(refname)", TAGS).split()


def test_two_pushes_in_the_same_moment(server: Server) -> None:
    other = server.clone("other")
    server.lab.promote("v1", now=None)
    other.promote("v1", now=None, reason="so they say")
    running = [
        subprocess.Popen(
            ["git", "push", "--no-verify", "--atomic", "server", *EVERYTHING],
            cwd=lab.repo.path, env=lab.repo.environ, stderr=subprocess.PIPE, text=True,
        )
        for lab in (server.lab, other)
    ]  # fmt: skip
    told = [process.communicate(timeout=60)[1] for process in running]
    assert sorted(process.returncode for process in running) == [0, 1], told
    assert "Traceback" not in "".join(told)
    after = server.clone("third")
    assert after.state().production == "v1"
    assert not after.told(now=None)
