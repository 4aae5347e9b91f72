"""A copy to work in: the history stays where it is, nothing is written there, git sees the same tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.pipeline.deploy.workspace import copied
from tests.pipeline.deploy.function import state
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


def test_the_copy_is_clean_and_has_the_whole_history(builder: Builder, tmp_path: Path) -> None:
    repo = builder()
    repo.write({"a.txt": "a", "deep/b.sh": "#!/bin/sh\n", ".strata/local/x": "own", ".gitignore": ".strata/local/\n"})
    repo.chmod({"deep/b.sh": 0o755}).symlink({"link": "/etc/passwd"})
    first = repo.commit("First")
    borrowed = repo.clone("borrowed", "--shared")  # which has its objects elsewhere itself
    before = state(borrowed.path)
    place = copied(borrowed.path, tmp_path / "copy/workspace")
    copy = RepositoryBuilder(place, repo.environ)
    assert copy.git("status", "--porcelain", "--ignored") == ""
    assert copy.head == first
    copy.git("fsck", "--full", "--strict")
    assert not [path for path in (place / ".git/objects").rglob("*") if path.is_file() and path.name != "alternates"]
    assert (place / "link").is_symlink()
    copy.commit("Second", {"c.txt": "c"})
    assert state(borrowed.path) == before


def test_what_is_of_one_machine_stays(builder: Builder, tmp_path: Path) -> None:
    repo = builder().write({"a": "a", ".strata/local/secret": "x", ".git/hooks/post-checkout": "#!/bin/sh\nexit 1\n"})
    place = copied(repo.path, tmp_path / "copy")
    assert not (place / ".strata/local").exists()
    assert not (place / ".git/hooks").exists()


@pytest.mark.parametrize("kind", ["nothing", "file"])
def test_no_repository_is_told(kind: str, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    if kind == "file":
        (tmp_path / "x/.git").write_text("gitdir: elsewhere\n")
    with pytest.raises(StrataError, match="is no repository"):
        copied(tmp_path / "x", tmp_path / "copy")


def test_a_full_disk_is_told(builder: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(StrataError, match="No space left") as caught:
        copied(builder().path, tmp_path / "copy")
    assert "ephemeral storage" in caught.value.hint
