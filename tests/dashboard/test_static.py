"""Writing a site: only what differs, nothing outside, nothing of anybody else's."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from strata_git.dashboard.site import Site
from strata_git.dashboard.static import MARK, SCHEMA, write_site
from strata_git.errors import StrataError
from tests.dashboard.conftest import opened
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


class Few:
    """Stands in for a site: a few files and what is in them."""

    def __init__(self, **files: str) -> None:
        self.files = {name.replace("__", "/"): (lambda text=text: text.encode()) for name, text in files.items()}
        self.pictures: dict[str, object] = {}


def few(**files: str) -> Site:
    made: object = Few(**{"index.html": "first", **files})
    assert isinstance(made, Few)
    return made  # type: ignore[return-value]


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    repo = builder().workspace()
    repo.story()
    repo.commit("All of it")
    return repo


def stamps(place: Path) -> dict[str, int]:
    return {str(path.relative_to(place)): path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}


def test_a_site_is_written_once_and_then_only_where_it_differs(repo: RepositoryBuilder, place: Path) -> None:
    first = write_site(opened(repo), place)
    assert first.files == first.changed == len(stamps(place)) - 1
    before = stamps(place)
    assert write_site(opened(repo), place).changed == 0
    assert stamps(place) == before
    repo.dataset("wine")
    repo.commit("Add wine")
    again = write_site(opened(repo), place)
    assert again.removed == 0
    after = stamps(place)
    untouched = {name for name, stamp in after.items() if before.get(name) == stamp}
    assert {"models/forest/v1.html", "datasets/iris/v1.html", "runs.html", "assets/strata.css"} <= untouched
    assert "datasets.html" not in untouched
    repo.git("rm", "-r", "--quiet", "datasets/wine")
    repo.commit("Remove wine")
    assert write_site(opened(repo), place).removed == 2
    assert not (place / "datasets" / "wine").exists()
    assert json.loads((place / MARK).read_bytes())["files"] == sorted(set(stamps(place)) - {MARK})


def test_the_command_writes_it(repo: RepositoryBuilder, place: Path) -> None:
    done = repo.strata("dashboard", "--static", str(place), "--title", "Mine").expect(0)
    assert "files" in done.out
    assert f"open {place}/index.html" in done.out
    assert b"<title>Mine</title>" in (place / "index.html").read_bytes()
    assert repo.git("status", "--porcelain") == ""


def test_a_repository_without_a_commit_and_a_bare_one(builder: Builder, repo: RepositoryBuilder, place: Path) -> None:
    empty = builder("empty")
    empty.strata("dashboard", "--static", str(place / "a")).expect(0)
    assert "There is no commit yet" in (place / "a" / "index.html").read_text()
    bare = repo.clone("bare.git", "--bare")
    bare.strata("dashboard", "--static", str(place / "b"), "--title", "repo").expect(0)
    repo.strata("dashboard", "--static", str(place / "c"), "--title", "repo").expect(0)
    name = "models/forest/v1.html"
    assert (place / "b" / name).read_bytes() == (place / "c" / name).read_bytes()


def test_an_earlier_revision(repo: RepositoryBuilder, place: Path) -> None:
    repo.dataset("wine")
    repo.commit("Add wine")
    repo.strata("dashboard", "--static", str(place), "--at", "HEAD~1").expect(0)
    assert not (place / "datasets" / "wine").exists()
    assert repo.strata("dashboard", "--static", str(place), "--at", "nothing").expect(3).err.count("\n") == 2


@pytest.mark.parametrize(
    "marked", [None, b"{}", b"[", b'{"schema": "x", "files": []}', b'{"schema": "strata/dashboard/v1"}']
)
def test_a_directory_that_is_not_ours_is_left_alone(place: Path, marked: bytes | None) -> None:
    place.mkdir()
    (place / "thesis.txt").write_text("mine")
    if marked is not None:
        (place / MARK).write_bytes(marked)
    with pytest.raises(StrataError, match="not empty"):
        write_site(few(), place)
    assert not (place / "index.html").exists()
    assert (place / "thesis.txt").read_text() == "mine"


def test_a_file_is_no_directory(place: Path) -> None:
    place.write_text("x")
    with pytest.raises(StrataError, match="not a directory"):
        write_site(few(), place)


def test_a_mark_that_is_a_link_does_not_count(place: Path, tmp_path: Path) -> None:
    place.mkdir()
    (tmp_path / "mark").write_text(json.dumps({"schema": SCHEMA, "files": []}))
    (place / MARK).symlink_to(tmp_path / "mark")
    with pytest.raises(StrataError, match="not empty"):
        write_site(few(), place)


def test_a_forged_mark_removes_nothing_outside(place: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "victim").write_text("mine")
    place.mkdir()
    (place / "out").symlink_to(tmp_path / "dir")
    names = [
        "../victim",
        "/etc/hostname",
        "out/victim",
        "a/../../victim",
        ".git/config",
        str(tmp_path / "victim"),
        7,
        "",
    ]
    (place / MARK).write_text(json.dumps({"schema": SCHEMA, "files": names}))
    write_site(few(), place)
    assert (tmp_path / "victim").read_text() == (tmp_path / "dir" / "victim").read_text() == "mine"


def test_links_in_the_way_are_replaced_or_refused_and_never_followed(place: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "dir").mkdir()
    write_site(few(), place)
    (place / "index.html").unlink()
    (place / "index.html").symlink_to(tmp_path / "victim")
    write_site(few(), place)
    assert (tmp_path / "victim").read_text() == "mine"
    assert not (place / "index.html").is_symlink()
    (place / "models").symlink_to(tmp_path / "dir")
    with pytest.raises(StrataError, match="in the way"):
        write_site(few(**{"models/x.html": "x"}), place)
    assert list((tmp_path / "dir").iterdir()) == []


@pytest.mark.parametrize("address", ["../x", "/x", "a/../../x", "a//b", ".hidden", "a/.b", "A", "a b", "x\n", ""])
def test_addresses_outside_the_grammar_are_never_written(place: Path, address: str) -> None:
    site = few()
    site.files[address] = lambda: b"x"
    with pytest.raises(ValueError, match="no address"):
        write_site(site, place)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_disk_that_refuses_is_told(place: Path) -> None:
    place.mkdir()
    place.chmod(0o500)
    with pytest.raises(StrataError, match="could not be written"):
        write_site(few(), place)
