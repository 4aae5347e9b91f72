"""Files are there whole or not at all, and a copy shares nothing with its source."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.repo import files
from strata_git.repo.files import copy_file, write_file


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def test_replaced_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with target.open("rb") as reader:
        write_file(target, b"new", 0o755)
        assert reader.read() == b"old"
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    assert names(tmp_path) == {"a"}


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "a").symlink_to("other")
    write_file(tmp_path / "a", b"new")
    assert (tmp_path / "other").read_bytes() == b"other"
    assert not (tmp_path / "a").is_symlink()


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StrataError, match="could not be written: No space left on device") as told:
        write_file(tmp_path / "a", b"new")
    assert "nothing was changed" in told.value.hint
    assert (tmp_path / "a").read_bytes() == b"old"
    with pytest.raises(StrataError):
        copy_file(tmp_path / "a", tmp_path / "b")
    assert names(tmp_path) == {"a"}


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, "漢" * 85], ids=["ascii", "two bytes", "three bytes"])
def test_the_longest_names(tmp_path: Path, name: str) -> None:
    write_file(tmp_path / name, b"x")
    assert names(tmp_path) == {name}


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(StrataError, match="No such file or directory"):
        write_file(tmp_path / "none/a", b"x")


@pytest.mark.parametrize("cloning", [True, False])
def test_a_copy_is_never_a_hard_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloning: bool) -> None:
    if not cloning:
        monkeypatch.setattr(files, "_cloned", lambda *_: False)
    source = tmp_path / "a"
    source.write_bytes(b"x" * 3_000_000)
    assert copy_file(source, tmp_path / "b") == 3_000_000
    assert (tmp_path / "b").stat().st_ino != source.stat().st_ino
    source.write_bytes(b"changed")
    assert (tmp_path / "b").read_bytes() == b"x" * 3_000_000


@pytest.mark.parametrize("kind", ["link", "fifo", "directory", "absent"])
def test_what_is_no_regular_file_is_not_copied(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "a"
    match kind:
        case "link":
            (tmp_path / "real").write_bytes(b"x")
            source.symlink_to("real")
        case "fifo":
            os.mkfifo(source)
        case "directory":
            source.mkdir()
    with pytest.raises(StrataError):
        copy_file(source, tmp_path / "b")
    assert "b" not in names(tmp_path)


def test_nothing_is_overwritten_by_a_copy(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    with pytest.raises(StrataError):
        copy_file(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"b"
