"""The hook on the server: nothing forbidden gets in, whatever the client did, and what is allowed does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.flows.releasing import PLACE, TAMPERINGS, unchecked
from tests.flows.server import EVERYTHING, HEAD, NOTES, REGISTERED, STAGING, Server, guarded, made
from tests.ledger.lab import Lab
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

# --- what is allowed


def test_a_first_push_into_an_empty_repository(server: Server) -> None:
    """The template came through the hook; everything is where it belongs."""
    for name in ("refs/heads/main", STAGING, REGISTERED, HEAD, NOTES):
        assert server.bare.git("rev-parse", name) == server.repo.git("rev-parse", name)


def test_ordinary_work(server: Server) -> None:
    server.repo.commit("Notes", {"NOTES.md": "x"})
    server.repo.commit("tulips", artifacts.dataset("tulips"))
    server.accepts("main", "main:refs/heads/side", "HEAD~1:refs/tags/plain")
    server.accepts(":side", ":refs/tags/plain")
    server.repo.commit("Aside", {"aside.txt": "x"})
    server.accepts("main:feature")
    server.repo.commit("Aside, better", {"aside.txt": "y"}, "--amend")
    server.accepts("--force", "main:feature")
    assert not [place for place in (server.bare.path / "objects").iterdir() if "incoming" in place.name]


def test_events_go_on(server: Server) -> None:
    server.lab.promote("v1", now=None)
    server.accepts("--atomic", *EVERYTHING)
    server.lab.promote("v2", "staging", now=None)
    server.lab.promote("v2", "production", now=None)
    server.accepts("--atomic", *EVERYTHING)
    other = server.clone("other")
    assert other.state().production == "v2"
    assert not other.told(now=None)


def test_a_line_of_events_leads_back_to_an_older_commit(server: Server) -> None:
    """The head is no branch: for git alone it would not be a fast-forward."""
    server.lab.promote("v1", now=None)
    server.lab.promote("v2", "staging", now=None)
    server.accepts("--atomic", *EVERYTHING)
    server.lab.promote("v1", "archived", now=None)
    server.accepts("--atomic", *EVERYTHING)
    assert server.bare.git("rev-parse", HEAD) == server.lab.oid("refs/tags/forest#archived#6")


def test_a_signature_comes_later(server: Server) -> None:
    sums = server.repo.read("models/forest/v1/CHECKSUMS.txt")
    server.repo.commit("Sign", {"models/forest/v1/SIGNATURE.asc": server.lab.keys.sign(sums, "alice")})
    server.accepts("main")


def test_a_broken_cache_is_no_obstacle(server: Server) -> None:
    cache = server.bare.path / "strata/cache"
    shutil.rmtree(cache)
    cache.write_text("a file in its place")
    server.repo.commit("tulips", artifacts.dataset("tulips"))
    server.lab.promote("v1", now=None)
    server.accepts("--atomic", *EVERYTHING)


# --- what the client did is no matter


@pytest.mark.parametrize("way", TAMPERINGS)
def test_tampering(server: Server, way: str) -> None:
    TAMPERINGS[way].apply(server.repo)
    guilty = unchecked(server.repo)
    assert guilty[:7] in server.refuses(TAMPERINGS[way].rule, "main")


def test_past_the_clients_hooks(server: Server) -> None:
    """The client's own hook would have refused; `--no-verify` passes it by, and the server by nothing."""
    server.repo.install_hooks()
    TAMPERINGS["one byte"].apply(server.repo)
    unchecked(server.repo)
    assert "Nothing was pushed." in server.repo.try_git("push", "server", "main").err
    server.refuses("STR-I001", "main")


def test_mutate_and_restore(server: Server) -> None:
    TAMPERINGS["one byte"].apply(server.repo)
    guilty = unchecked(server.repo)
    server.repo.git("checkout", "-q", "HEAD~1", "--", PLACE)
    unchecked(server.repo)
    assert guilty[:7] in server.refuses("STR-I001", "main")


def test_an_evil_merge(server: Server) -> None:
    repo = server.repo
    repo.git("checkout", "-qb", "side")
    repo.commit("aside", {"aside.txt": "x"})
    repo.git("checkout", "-q", "main")
    repo.commit("ahead", {"ahead.txt": "x"})
    repo.git("merge", "-q", "--no-commit", "side")
    TAMPERINGS["one byte"].apply(repo)
    guilty = unchecked(repo, "merge")
    assert guilty[:7] in server.refuses("STR-I001", "main")


def test_history_rewritten_under_a_release(server: Server) -> None:
    """A force push of a history in which the version always was something else."""
    server.repo.git("checkout", "-q", "--orphan", "other")
    server.repo.write(artifacts.dataset("iris", files={"train": {"train.csv": b"a,b\n1,2\n"}}))
    unchecked(server.repo)
    server.refuses("STR-I006", "--force", "HEAD:main")
    server.refuses("STR-I006", "HEAD:elsewhere")


def test_one_name_for_two_contents_in_one_push(server: Server) -> None:
    repo = server.repo
    repo.git("checkout", "-qb", "one")
    repo.commit("tulips", artifacts.dataset("tulips"))
    repo.git("checkout", "-qb", "two", "main")
    repo.commit("other tulips", artifacts.dataset("tulips", files={"train": {"train.csv": b"a,b\n1,2\n"}}))
    server.refuses("STR-I006", "one", "two")


@pytest.mark.parametrize("atomic", [(), ("--atomic",)])
def test_one_bad_reference_holds_back_all(server: Server, atomic: tuple[str, ...]) -> None:
    server.repo.git("branch", "good")
    server.repo.git("tag", "-am", "x", "plain")
    TAMPERINGS["one byte"].apply(server.repo)
    unchecked(server.repo)
    server.refuses("STR-I001", *atomic, "good", "plain", "main")


@pytest.mark.parametrize("name", ["refs/tags/plain", "refs/notes/other", "refs/strata/other", "refs/side/door"])
def test_no_side_door(server: Server, name: str) -> None:
    """A commit that gets in under whatever name would count as received later."""
    TAMPERINGS["one byte"].apply(server.repo)
    unchecked(server.repo)
    server.refuses("STR-I001", f"HEAD:{name}")


def test_what_a_forge_keeps_aside_was_not_received(server: Server) -> None:
    """Commits of a pull request lie in the repository before anybody judged them."""
    TAMPERINGS["one byte"].apply(server.repo)
    unchecked(server.repo)
    server.repo.git("checkout", "-q", "HEAD~1", "--", PLACE)
    unchecked(server.repo)
    server.bare.git("fetch", "-q", server.repo.path.as_uri(), "main:refs/pull/1/head")
    server.refuses("STR-I001", "main")


# --- settings come from the server


@pytest.mark.parametrize(
    ("settings", "rule"),
    [({"signing": {"required": True}}, "STR-S003"), ({"lfs": True}, "STR-F001")],
    ids=["signing", "lfs"],
)
def test_a_push_cannot_relax_a_setting_and_use_it(
    builder: Builder, keys: Keys, settings: dict[str, object], rule: str
) -> None:
    repo = builder().workspace(settings=settings)
    repo.commit("Workspace")
    bare = guarded(builder("server", bare=True))
    repo.git("remote", "add", "server", bare.path.as_uri())
    server = Server(bare, Lab(repo, keys))
    server.accepts("main")
    repo.workspace()
    repo.commit("Relax")
    repo.story()
    repo.commit("Use it")
    server.refuses(rule, "main")
    server.refuses(rule, "main:refs/heads/new")
    server.accepts("HEAD~1:refs/heads/main")  # decided by whoever may push there ...
    server.accepts("main")  # ... and in force from the next push on


def test_the_default_branch_decides_and_not_the_one_pushed(builder: Builder, keys: Keys) -> None:
    """HEAD names a branch that is not there; settings relaxed on a side branch are still nobody's settings."""
    repo = builder().workspace(settings={"signing": {"required": True}})
    repo.commit("Workspace")
    bare = guarded(builder("server", bare=True))
    bare.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    repo.git("remote", "add", "server", bare.path.as_uri())
    server = Server(bare, Lab(repo, keys))
    server.accepts("main")
    repo.workspace()
    repo.commit("Relax")
    server.accepts("main:refs/heads/aside")
    repo.story()
    repo.commit("Use it")
    server.refuses("STR-S003", "main:refs/heads/aside")


# --- other object formats and other people's bytes


def test_sha256(tmp_path: Path, hermetic: dict[str, str], keys: Keys) -> None:
    server = made(tmp_path, hermetic, keys, "--object-format=sha256")
    server.lab.promote("v1", now=None)
    server.accepts("--atomic", *EVERYTHING)
    server.refuses("STR-P017", f":{STAGING}")
    TAMPERINGS["one byte"].apply(server.repo)
    unchecked(server.repo)
    server.refuses("STR-I001", "main")


def test_pointers_are_judged_without_their_bytes(lfs: RepositoryBuilder, builder: Builder, keys: Keys) -> None:
    lfs.commit("Workspace")
    lfs.commit("iris", artifacts.dataset("iris"))
    bare = guarded(builder("server", bare=True))
    lfs.git("remote", "add", "server", bare.path.as_uri())
    server = Server(bare, Lab(lfs, keys))
    server.accepts("main")
    lfs.write({f"{PLACE}/train.csv": "tampered\n"})
    unchecked(lfs)
    server.refuses("STR-I001", "main")
    assert not (bare.path / "lfs").exists()


def test_names_that_are_odd(server: Server) -> None:
    server.repo.commit("odd", {"a\nb\x1b[31m": "x"})
    server.accepts("main", "main:refs/heads/odd\u2028name", "main:refs/tags/x\u2028y")
    server.lab.promote("v1", now=None)
    server.accepts("--atomic", *EVERYTHING)
    server.repo.write({"datasets/iris/v1/a\nb\x1b[31m": "x"})
    unchecked(server.repo)
    assert "\x1b" not in server.refuses("STR-L001", "main")
