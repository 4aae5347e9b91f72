"""What must never be pushed, by two doors: the server alone (`--no-verify`), the client alone (a server without hook).

Refused means: git says no, the rule is named, no reference of the server is another than before, and nothing of the
push is left in its object store. What is allowed passes by the same doors.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.flows.releasing import PLACE, TAMPERINGS, unchecked
from tests.flows.server import EVERYTHING, HEAD, NOTES, STAGING, Server, guarded
from tests.flows.test_secrets import SECRET
from tests.flows.test_server_events import (
    delete_event,
    delete_head,
    delete_notes,
    head_back,
    head_of_no_model,
    head_to_a_commit,
    lightweight,
    move_event,
    nested,
    notes_edited,
    notes_from_scratch,
    replayed_elsewhere,
    replayed_later,
    unsigned,
)
from tests.ledger.lab import Lab
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys
from tests.support.process import Completed

Words = tuple[str, ...]
Attack = Callable[[Server], Words]
OTHER = artifacts.dataset("iris", files={"train": {"train.csv": b"a,b\n1,2\n"}})


# --- commits, made past the client's commit hooks


def a_changed_file(server: Server) -> Words:
    TAMPERINGS["one byte"].apply(server.repo)
    unchecked(server.repo)
    return ("main",)


def part_of_a_version_deleted(server: Server) -> Words:
    TAMPERINGS["one file less"].apply(server.repo)
    unchecked(server.repo)
    return ("main",)


def a_file_more(server: Server) -> Words:
    TAMPERINGS["one file more"].apply(server.repo)
    unchecked(server.repo)
    return ("main",)


def another_mode(server: Server) -> Words:
    TAMPERINGS["executable"].apply(server.repo)
    unchecked(server.repo)
    return ("main",)


def changed_and_restored(server: Server) -> Words:
    """The tip is as good as gold."""
    before = server.repo.head
    TAMPERINGS["one byte"].apply(server.repo)
    unchecked(server.repo)
    server.repo.git("checkout", "-q", before, "--", PLACE)
    unchecked(server.repo)
    return ("main",)


def an_evil_merge(server: Server) -> Words:
    """Neither side touched the file."""
    repo = server.repo
    repo.git("checkout", "-qb", "side")
    repo.commit("aside", {"aside.txt": "x"})
    repo.git("checkout", "-q", "main")
    repo.commit("ahead", {"ahead.txt": "x"})
    repo.git("merge", "-q", "--no-commit", "side")
    return a_changed_file(server)


def behind_a_tag(server: Server) -> Words:
    a_changed_file(server)
    server.repo.git("tag", "-am", "x", "plain")
    return ("plain",)


def one_bad_among_many(server: Server) -> Words:
    server.repo.git("branch", "good")
    return ("good", *a_changed_file(server))


def everything_at_once(server: Server) -> Words:
    a_changed_file(server)
    return ("--mirror",)


def the_name_for_other_content(server: Server) -> Words:
    server.repo.git("checkout", "-q", "--orphan", "other")
    server.repo.git("rm", "-rqf", PLACE)
    server.repo.write(OTHER)
    unchecked(server.repo)
    return ("--force", "HEAD:main")


def broken_checksums(server: Server) -> Words:
    server.repo.write(artifacts.dataset("broken", replace={"train.csv": b"not what was listed\n"}))
    unchecked(server.repo)
    return ("main",)


def a_link_out(server: Server) -> Words:
    server.repo.write(artifacts.dataset("linked"))
    server.repo.delete("datasets/linked/v1/test.csv").symlink({"datasets/linked/v1/test.csv": "/etc/passwd"})
    unchecked(server.repo)
    return ("main",)


def a_submodule(server: Server) -> Words:
    server.repo.write(artifacts.dataset("holding"))
    server.repo.git("add", "--all")
    server.repo.git("update-index", "--add", "--cacheinfo", f"160000,{server.repo.head},datasets/holding/v1/inner")
    server.repo.git("commit", "-qnm", "Submodule")
    return ("main",)


def a_secret(server: Server) -> Words:
    server.repo.write({"experiments/x.yaml": f"token: {SECRET}\n"})
    unchecked(server.repo)
    return ("main",)


def a_twin_by_case(server: Server) -> Words:
    server.repo.write({"Datasets/iris/v1/train.csv": "x\n"})
    unchecked(server.repo)
    return ("main",)


# --- a rule switched off in the push that breaks it


def ignoring_the_rule(server: Server) -> Words:
    server.repo.workspace(settings={"doctor": {"ignore": ["STR-C", "STR-D", "STR-I"]}})
    unchecked(server.repo)
    return broken_checksums(server)


def a_baseline_that_knows_it(server: Server) -> Words:
    """Made by the command itself, so it names exactly what is wrong."""
    broken_checksums(server)
    server.repo.strata("doctor", "--baseline").expect(0, 1)
    server.repo.git("add", "--all")
    server.repo.git("commit", "-qn", "--amend", "-m", "With its baseline")
    return ("main",)


def allowing_the_secret(server: Server) -> Words:
    server.repo.workspace(settings={"secrets": {"allow": [SECRET]}})
    unchecked(server.repo)
    return a_secret(server)


# --- notes


def a_stray_note(server: Server) -> Words:
    """A fast-forward of what is there, with a line that repeats no event."""
    server.repo.git("notes", "--ref", NOTES, "append", "-m", '{"promoted": "forest@v9"}', "HEAD")
    return (NOTES,)


COMMITS: dict[Attack, str] = {
    a_changed_file: "STR-I001",
    part_of_a_version_deleted: "STR-I002",
    a_file_more: "STR-I003",
    another_mode: "STR-I004",
    changed_and_restored: "STR-I001",
    an_evil_merge: "STR-I001",
    behind_a_tag: "STR-I001",
    one_bad_among_many: "STR-I001",
    everything_at_once: "STR-I001",
    the_name_for_other_content: "STR-I0",
    broken_checksums: "STR-C005",
    a_link_out: "STR-L008",
    a_submodule: "STR-L009",
    a_secret: "STR-G001",
    a_twin_by_case: "STR-L020",
    ignoring_the_rule: "STR-C005",
    a_baseline_that_knows_it: "STR-C005",
    allowing_the_secret: "STR-G001",
    a_stray_note: "STR-P018",
}
EVENTS: dict[Attack, str] = {
    move_event: "STR-P017",
    delete_event: "STR-P017",
    lightweight: "STR-P001",
    nested: "STR-P001",
    unsigned: "STR-P001",
    replayed_elsewhere: "STR-P002",
    replayed_later: "STR-P002",
    head_to_a_commit: "STR-P006",
    head_of_no_model: "STR-P006",
    head_back: "STR-P007",
    delete_head: "STR-P017",
    delete_notes: "STR-P017",
    notes_from_scratch: "STR-P017",
    notes_edited: "STR-P017",
}
"""The server refuses these and more by `test_server_events`."""
FEW = {
    changed_and_restored, an_evil_merge, ignoring_the_rule, a_twin_by_case, a_stray_note, move_event, lightweight,
    replayed_elsewhere, head_to_a_commit, notes_from_scratch,
}  # fmt: skip
"""What the client is tried with each time; the others in the long round."""
CLIENT = [
    pytest.param(attack, rule, id=attack.__name__, marks=[] if attack in FEW else pytest.mark.heavy)
    for attack, rule in (COMMITS | EVENTS).items()
]


def stored(bare: RepositoryBuilder) -> set[str]:
    """Everything in the object store, quarantines included."""
    return {str(path) for path in (bare.path / "objects").rglob("*") if path.is_file() or "incoming" in path.name}


def refused(server: Server, rule: str, push: Callable[[], Completed]) -> None:
    before, objects = server.refs(), stored(server.bare)
    answer = push()
    assert answer.code != 0, str(answer)
    assert rule in answer.err, str(answer)
    assert server.refs() == before
    assert stored(server.bare) == objects


@pytest.fixture
def other(server: Server) -> Server:
    """The same server, and a second clone from which is pushed."""
    return Server(server.bare, server.clone("other"))


@pytest.mark.parametrize("attack", COMMITS, ids=lambda attack: attack.__name__)
def test_the_server_refuses(other: Server, attack: Attack) -> None:
    words = attack(other)
    refused(other, COMMITS[attack], lambda: other.push(*words))


@pytest.mark.parametrize(("attack", "rule"), CLIENT)
def test_the_client_refuses(other: Server, attack: Attack, rule: str) -> None:
    """The server judges nothing."""
    (other.bare.path / "hooks/pre-receive").unlink()
    words = attack(other)
    other.repo.install_hooks()
    refused(other, rule, lambda: other.repo.try_git("push", "server", *words).clean())


@pytest.mark.parametrize("door", ["server", "client"])
def test_a_large_file_past_git_lfs(builder: Builder, keys: Keys, door: str) -> None:
    """The attributes that would send it there are taken out in the same push; the settings still ask for it."""
    repo = builder().workspace(lfs=True)
    repo.commit("Workspace")
    bare = builder("server", bare=True)
    repo.git("remote", "add", "server", bare.path.as_uri())
    repo.git("push", "-q", "server", "main")
    if door == "server":
        guarded(bare)
    repo.write({".gitattributes": artifacts.workspace()[".gitattributes"]})
    repo.write(artifacts.dataset("iris", files={"train": {"train.csv": b"a,b\n" + b"1,2\n" * 100_000}}))
    unchecked(repo)
    if door == "client":
        repo.install_hooks()
    bypass = ["--no-verify"] if door == "server" else []
    server = Server(bare, Lab(repo, keys))
    refused(server, "STR-F001", lambda: repo.try_git("push", *bypass, "server", "main").clean())


def test_what_is_allowed_passes_both(other: Server) -> None:
    repo = other.repo.install_hooks()
    repo.commit("tulips", artifacts.dataset("tulips", seal=False))
    other.lab.promote("v1", now=None)
    repo.git("push", "-q", "--atomic", "server", *EVERYTHING)
    repo.git("rm", "-rq", "datasets/tulips")
    repo.git("commit", "-qm", "Give tulips up as a whole")
    repo.git("push", "-q", "server", "main", "main:refs/heads/side", "HEAD~1:refs/tags/plain")
    repo.git("push", "-q", "server", ":refs/heads/side", ":refs/tags/plain")
    for name in ("refs/heads/main", STAGING, HEAD, NOTES):
        assert other.bare.git("rev-parse", name) == repo.git("rev-parse", name)
