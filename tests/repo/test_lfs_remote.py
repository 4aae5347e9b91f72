"""What a remote holds: asked once, in parts, and never believed beyond its answer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.repo import lfs_remote
from strata_git.repo.command import Repository
from strata_git.repo.lfs import Pointer
from strata_git.repo.lfs_remote import endpoint_of, local_store, remote_presence
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.lfs_server import LfsServer, serving


def pointer(data: bytes) -> Pointer:
    return Pointer(sha256(data).hexdigest(), len(data))


HERE, GONE = pointer(b"here"), pointer(b"gone")


@pytest.fixture
def server() -> Iterator[LfsServer]:
    with serving() as state:
        state.objects[HERE.oid] = b"here"
        yield state


@pytest.fixture
def made(builder: Builder, server: LfsServer) -> RepositoryBuilder:
    repo = builder()
    repo.git("remote", "add", "origin", server.url.removesuffix("/info/lfs"))
    return repo


def opened(made: RepositoryBuilder, **environ: str) -> Repository:
    return Repository.discover(made.path, {**os.environ, **environ})


def test_the_server_is_asked_and_nothing_is_fetched(made: RepositoryBuilder, server: LfsServer) -> None:
    found = remote_presence(opened(made), "origin", [HERE, GONE, HERE])
    assert (found.place, found.asked) == (server.url, 2)
    assert found.missing == {GONE.oid: "404 Object does not exist"}
    assert server.downloads == []
    assert [batch["operation"] for batch in server.batches] == ["download"]


def test_many_are_asked_for_in_parts(made: RepositoryBuilder, server: LfsServer) -> None:
    told: list[int] = []
    many = [pointer(b"%d" % at) for at in range(250)]
    found = remote_presence(opened(made), "origin", many, progress=told.append)
    assert (len(found.missing), told) == (250, [100, 100, 50])


def test_a_wrong_size_is_told(made: RepositoryBuilder) -> None:
    found = remote_presence(opened(made), "origin", [Pointer(HERE.oid, 99)])
    assert found.missing == {HERE.oid: "has 4 bytes there, 99 are expected"}


@pytest.mark.parametrize("objects", [[], [{"oid": HERE.oid}], [{"oid": HERE.oid, "actions": {}}], [1], None, "x"])
def test_silence_is_not_presence(made: RepositoryBuilder, server: LfsServer, objects: object) -> None:
    server.answer = (200, json.dumps({"objects": objects}).encode())
    assert HERE.oid in remote_presence(opened(made), "origin", [HERE]).missing


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((200, b"<html>"), "not Git LFS"),
        ((200, b"[]"), "not Git LFS"),
        ((200, b"[" * 100_000), "not Git LFS"),
        ((500, b""), "answered 500"),
        ((403, b""), "does not let you in"),
    ],
)
def test_answers_that_are_none(
    made: RepositoryBuilder, server: LfsServer, answer: tuple[int, bytes], told: str
) -> None:
    server.answer = answer
    with pytest.raises(StrataError, match=told):
        remote_presence(opened(made), "origin", [HERE])


def test_a_server_that_is_not_there(made: RepositoryBuilder) -> None:
    made.git("remote", "set-url", "origin", "http://127.0.0.1:1/x")
    with pytest.raises(StrataError, match="cannot be asked"):
        remote_presence(opened(made), "origin", [HERE])


@pytest.mark.parametrize("name", ["nosuch", "", "-x", "origin.url"])
def test_remotes_that_are_not_there(made: RepositoryBuilder, name: str) -> None:
    with pytest.raises(StrataError, match="There is no remote") as caught:
        remote_presence(opened(made), name, [HERE])
    assert "origin" in caught.value.hint


# --- credentials


def test_a_password_in_the_address_is_sent_and_not_shown(made: RepositoryBuilder, server: LfsServer) -> None:
    server.login = "ada:s3cret"
    made.git("config", "remote.origin.lfsurl", server.url.replace("http://", "http://ada:s3cret@"))
    found = remote_presence(opened(made), "origin", [HERE])
    assert (found.missing, found.place) == ({}, server.url)


def test_the_users_own_helpers_are_asked(made: RepositoryBuilder, server: LfsServer, tmp_path: Path) -> None:
    server.login = "ada:s3cret"
    helper = tmp_path / "helper"
    helper.write_text("#!/bin/sh\necho username=ada\necho password=s3cret\n")
    helper.chmod(0o755)
    with pytest.raises(StrataError, match="does not let you in"):
        remote_presence(opened(made), "origin", [HERE])
    made.git("config", "--global", "credential.helper", str(helper))
    assert remote_presence(opened(made), "origin", [HERE]).missing == {}


def test_a_helper_that_the_repository_names_is_never_run(
    made: RepositoryBuilder, server: LfsServer, tmp_path: Path
) -> None:
    server.login = "ada:s3cret"
    helper, hit = tmp_path / "helper", tmp_path / "hit"
    helper.write_text(f"#!/bin/sh\ntouch '{hit}'\n")
    helper.chmod(0o755)
    for key in ("credential.helper", f"credential.{server.url.partition('/team')[0]}.helper"):
        made.git("config", key, str(helper))
    made.git("config", "core.askPass", str(helper))
    with pytest.raises(StrataError, match="does not let you in"):
        remote_presence(opened(made), "origin", [HERE])
    assert not hit.exists()


# --- where to ask


def test_addresses() -> None:
    assert endpoint_of("https://example.org/a") == "https://example.org/a.git/info/lfs"
    assert endpoint_of("https://example.org/a.git/") == "https://example.org/a.git/info/lfs"


@pytest.mark.parametrize("key", ["lfs.url", "remote.origin.lfsurl"])
def test_a_configured_address_counts(made: RepositoryBuilder, server: LfsServer, key: str) -> None:
    made.git("remote", "set-url", "origin", "https://example.invalid/x.git")
    made.git("config", key, server.url)
    assert remote_presence(opened(made), "origin", [HERE]).place == server.url


def test_the_file_lfsconfig_counts(made: RepositoryBuilder, server: LfsServer) -> None:
    made.git("remote", "set-url", "origin", "https://example.invalid/x.git")
    made.write({".lfsconfig": f"[lfs]\n\turl = {server.url}\n"})
    assert remote_presence(opened(made), "origin", [HERE]).place == server.url


def test_a_remote_on_this_machine_is_looked_into(made: RepositoryBuilder, builder: Builder) -> None:
    bare, other = builder("bare", bare=True), builder("other")
    for store, base in ((bare.path / "lfs", bare.path), (other.path / ".git/lfs", other.path)):
        file = store / "objects" / HERE.oid[:2] / HERE.oid[2:4] / HERE.oid
        file.parent.mkdir(parents=True)
        file.write_bytes(b"here")
        for url in (str(base), f"file://{base}"):
            made.git("remote", "set-url", "origin", url)
            found = remote_presence(opened(made), "origin", [HERE, GONE, Pointer(HERE.oid, 4)])
            assert found.missing == {GONE.oid: "is not there"}
    file.write_bytes(b"short")
    assert "5 bytes there" in remote_presence(opened(made), "origin", [HERE]).missing[HERE.oid]
    with pytest.raises(StrataError, match="is not there"):
        local_store("/nonexistent/x", made.path)


def ssh(made: RepositoryBuilder, script: str) -> Repository:
    """A program called ssh, first on PATH."""
    folder = made.path.parent / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(f"#!/bin/sh\necho \"$*\" >'{folder}/said'\n{script}\n")
    (folder / "ssh").chmod(0o755)
    return opened(made, PATH=f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("git@example.org:team/models.git", "-- git@example.org git-lfs-authenticate team/models.git download"),
        (
            "ssh://git@example.org:2222/team/x.git",
            "-p 2222 -- git@example.org git-lfs-authenticate /team/x.git download",
        ),
        ("example.org:it's", "-- example.org git-lfs-authenticate 'it'\"'\"'s' download"),
    ],
)
def test_ssh_remotes_tell_where(made: RepositoryBuilder, server: LfsServer, url: str, said: str) -> None:
    made.git("remote", "set-url", "origin", url)
    server.login = "ada:s3cret"
    header = {"Authorization": "Basic YWRhOnMzY3JldA=="}
    repo = ssh(made, f"echo '{json.dumps({'href': server.url, 'header': header})}'")
    assert remote_presence(repo, "origin", [HERE]).missing == {}
    assert (made.path.parent / "bin/said").read_text().strip() == f"-o BatchMode=yes {said}"


@pytest.mark.parametrize(
    "script", ["exit 255", "echo", "echo '[]'", 'echo \'{"href": "ftp://x"}\'', 'echo \'{"href": 1, "header": []}\'']
)
def test_ssh_remotes_that_tell_nothing(made: RepositoryBuilder, script: str) -> None:
    made.git("remote", "set-url", "origin", "git@example.org:x.git")
    with pytest.raises(StrataError, match="tell"):
        remote_presence(ssh(made, script), "origin", [HERE])


@pytest.mark.parametrize("url", ["ssh://-oProxyCommand=x/y", "-oProxyCommand=x:y", "ext::sh", "ssh://", "git://x/y"])
def test_addresses_that_are_options_or_nothing(made: RepositoryBuilder, url: str) -> None:
    made.git("config", "remote.origin.url", url)
    with pytest.raises(StrataError):
        remote_presence(ssh(made, "exit 1"), "origin", [HERE])
    assert not (made.path.parent / "bin/said").exists()


def test_proxies_come_from_the_snapshot(made: RepositoryBuilder, server: LfsServer) -> None:
    with pytest.raises(StrataError, match="cannot be asked"):
        remote_presence(opened(made, http_proxy="http://127.0.0.1:1"), "origin", [HERE])
    assert lfs_remote.AT_ONCE == 100
