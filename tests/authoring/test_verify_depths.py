"""`verify` at its three depths, over ranges and over all of history."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.lfs_server import LfsServer, serving


def rows(repo: RepositoryBuilder, code: int, *words: str) -> list[dict[str, Any]]:
    found = repo.strata("verify", "--format", "json", *words).expect(code).json()["artifacts"]
    assert isinstance(found, list)
    return found


@pytest.fixture
def history(builder: Builder) -> RepositoryBuilder:
    """iris v1, then v2, then v1 tampered with, then given back, then v2 removed; other@v1 on a branch."""
    repo = builder().workspace()
    repo.dataset()
    repo.commit("v1")
    repo.git("tag", "first")
    repo.dataset("iris", "v2")
    repo.commit("v2")
    good = repo.read("datasets/iris/v1/train.csv")
    repo.commit("tamper", {"datasets/iris/v1/train.csv": "tampered"})
    repo.commit("restore", {"datasets/iris/v1/train.csv": good})
    repo.git("rm", "-rq", "datasets/iris/v2")
    repo.commit("remove v2")
    repo.git("checkout", "-qb", "side", "first")
    repo.dataset("other")
    repo.commit("other")
    repo.git("checkout", "-q", "main")
    return repo


def test_all_of_history_is_verified_each_content_once(history: RepositoryBuilder) -> None:
    found = rows(history, 2, "--all")
    seen = sorted((row["ref"], row["verdict"]) for row in found)
    assert seen == [
        ("datasets/iris@v1", "error"),
        ("datasets/iris@v1", "ok"),
        ("datasets/iris@v2", "ok"),
        ("datasets/other@v1", "ok"),
    ]
    wrong = next(row for row in found if row["verdict"] == "error")
    assert history.git("log", "-1", "--format=%s", wrong["commit"]) == "tamper"
    assert [finding["rule"] for finding in wrong["findings"]] == ["STR-C005"]


def test_a_range_is_what_its_commits_gave(history: RepositoryBuilder) -> None:
    assert [row["ref"] for row in rows(history, 0, "first..main~3")] == ["datasets/iris@v2"]
    assert {row["ref"] for row in rows(history, 2, "--range", "first..main")} == {
        "datasets/iris@v1",
        "datasets/iris@v2",
    }
    assert [row["ref"] for row in rows(history, 0, "iris@v2", "first..main")] == ["datasets/iris@v2"]
    assert rows(history, 0, "main..main") == []
    out = history.strata("verify", "first..side").expect(0).out
    assert "datasets/other@v1 in " in out
    assert "first..side, 1 contents of 1 artifacts: 1 ok" in out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("a..b", "c..d"), 64),
        (("a..b", "--range", "c..d"), 64),
        (("--all", "--at", "HEAD"), 64),
        (("--all", "--range", "a..b"), 64),
        (("..main",), 64),
        (("first...main",), 64),
        (("nosuch..main",), 3),
        (("nosuch", "--all"), 3),
    ],
)
def test_ranges_that_are_none(history: RepositoryBuilder, words: tuple[str, ...], code: int) -> None:
    history.strata("verify", *words).expect(code)


@pytest.mark.parametrize("word", ["./a..b", "..", "../a..b"])
def test_paths_that_look_like_ranges(history: RepositoryBuilder, word: str) -> None:
    assert "range" not in history.strata("verify", word).expect(3, 64).err


def test_history_that_is_not_here_is_a_doubt(history: RepositoryBuilder, builder: Builder) -> None:
    clone = builder("shallow")
    clone.git("fetch", "-q", "--depth=1", f"file://{history.path}", "main")
    clone.git("reset", "-q", "--hard", "FETCH_HEAD")
    done = clone.strata("verify", "--all").expect(1)
    assert "not verified: history before the shallow boundary" in done.out


def test_objects_that_are_not_here_are_a_doubt(history: RepositoryBuilder, builder: Builder) -> None:
    history.git("config", "uploadpack.allowFilter", "true")
    clone = builder("partial")
    clone.git("remote", "add", "origin", f"file://{history.path}")
    clone.git("fetch", "-q", "--filter=blob:none", "origin", "side")
    clone.git("update-ref", "refs/heads/main", "FETCH_HEAD")
    found = rows(clone, 1, "--all")
    assert {(row["depth"], row["verdict"]) for row in found} == {("nothing", "warning")}


def test_an_empty_repository(builder: Builder) -> None:
    assert rows(builder(), 0, "--all") == []


def test_no_large_file_is_needed_for_pointers(lfs: RepositoryBuilder) -> None:
    """With the whole store gone, and nothing checked out, every revision is still verified."""
    lfs.dataset()
    lfs.commit()
    shutil.rmtree(lfs.path / ".git/lfs")
    shutil.rmtree(lfs.path / "datasets")
    for words in (("--at", "HEAD"), ("--all",)):
        (row,) = rows(lfs, 0, "iris", *words)
        assert (row["depth"], row["verdict"], row["unseen"]) == ("pointer", "ok", 0)
    (row,) = rows(lfs, 1, "iris", "--all", "--deep")
    assert (row["depth"], row["unseen"]) == ("pointer", 2)


def test_links_in_place_of_large_files_are_not_followed(lfs: RepositoryBuilder) -> None:
    lfs.dataset()
    lfs.commit()
    (stored,) = [path for path in (lfs.path / ".git/lfs/objects").rglob("*") if path.is_file()][:1]
    elsewhere = lfs.path.parent / "elsewhere"
    stored.rename(elsewhere)
    stored.symlink_to(elsewhere)
    assert "symbolic link" in lfs.strata("verify", "--deep", "--at", "HEAD").expect(3).err


# --- remote


@pytest.fixture
def server() -> Iterator[LfsServer]:
    with serving() as state:
        yield state


def test_a_remote_is_asked_for_what_stock_git_lfs_pushed(
    lfs: RepositoryBuilder, server: LfsServer, builder: Builder
) -> None:
    lfs.dataset()
    lfs.commit()
    lfs.git("remote", "add", "origin", str(builder("server", bare=True).path))
    lfs.git("config", "lfs.url", server.url)
    lfs.git("config", "remote.origin.lfsurl", server.url)
    lfs.git("remote", "set-url", "origin", server.url.removesuffix("/info/lfs"))
    (row,) = rows(lfs, 2, "iris", "--remote")
    assert sorted(one["path"] for one in row["absent_on_remote"]) == [
        "datasets/iris/v1/test.csv",
        "datasets/iris/v1/train.csv",
    ]
    lfs.git(
        "lfs",
        "push",
        "--object-id",
        "origin",
        *(sha256(data).hexdigest() for data in (artifacts.TRAIN, artifacts.TEST)),
    )
    assert len(server.objects) == 2
    answer = lfs.strata("verify", "iris", "--remote=origin", "--format", "json").expect(0).json()
    assert answer["remote"] == {"asked": server.url, "files": 2, "missing": 0}
    del server.objects[sha256(artifacts.TEST).hexdigest()]
    out = lfs.strata("verify", "--all", "--remote").expect(2).out
    assert "test.csv: not on the remote: 404 Object does not exist" in out
    assert f"{server.url}: 1 of 2 large files are there" in out
    assert server.downloads == []


def test_without_being_told_nobody_is_asked(lfs: RepositoryBuilder, server: LfsServer) -> None:
    lfs.dataset()
    lfs.commit()
    lfs.git("remote", "add", "origin", server.url.removesuffix("/info/lfs"))
    lfs.strata("verify").expect(0)
    lfs.strata("verify", "--deep", "--all").expect(0)
    assert server.batches == []
    lfs.strata("verify", "--remote=nosuch").expect(3)
