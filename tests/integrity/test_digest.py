"""Hashing files: right for every size, never through a link, never hanging."""

from __future__ import annotations

import io
import os
import socket
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.integrity import digest
from strata_git.integrity.digest import LARGE, hash_stream, list_files, sha256_directory, sha256_files

SIZES = [0, 1, 128 << 10, (128 << 10) + 1, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE, 17 << 20]


def content(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for number, size in enumerate(SIZES):
        place = root / ("." if number % 3 == 0 else f"d{number % 2}/e") / f"f{number}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content(size))
    return root


def expected(root: Path) -> list[tuple[str, str, int]]:
    found = [path for path in root.rglob("*") if path.is_file()]
    rows = [(str(p.relative_to(root)), sha256(p.read_bytes()).hexdigest(), p.stat().st_size) for p in found]
    return sorted(rows, key=lambda row: os.fsencode(row[0]))


@pytest.mark.parametrize("threads", [1, 3])
def test_every_size_below_a_root(tree: Path, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(digest, "THREADS", threads)
    told: list[int] = []
    assert sha256_directory(tree, progress=told.append) == expected(tree)
    assert sum(told) == sum(SIZES)


@pytest.mark.parametrize("threads", [1, 3])
def test_paths_without_a_root_keep_order_and_type(tree: Path, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setattr(digest, "THREADS", threads)
    paths = sorted((path for path in tree.rglob("*") if path.is_file()), reverse=True)
    found = sha256_files(paths)
    assert [path for path, _, _ in found] == paths
    assert [hex_ for _, hex_, _ in found] == [sha256(path.read_bytes()).hexdigest() for path in paths]


def test_some_files_can_be_skipped(tree: Path) -> None:
    names = [name for name, _, _ in sha256_directory(tree, skip=frozenset({"f0"}))]
    assert names == [name for name, _, _ in expected(tree) if name != "f0"]


def test_no_descriptor_is_left_open(tree: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    sha256_directory(tree)
    (tree / "link").symlink_to("f0")
    with pytest.raises(StrataError):
        sha256_directory(tree)
    assert len(os.listdir("/proc/self/fd")) == before


def test_nothing_to_hash() -> None:
    assert sha256_files([]) == []


@pytest.mark.parametrize("root", [True, False], ids=["root", "alone"])
@pytest.mark.parametrize("kind", ["link", "broken", "fifo", "socket", "directory", "absent"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, kind: str, root: bool) -> None:
    place = tmp_path / kind
    (tmp_path / "target").write_bytes(b"x")
    match kind:
        case "link":
            place.symlink_to("target")
        case "broken":
            place.symlink_to("nowhere")
        case "fifo":
            os.mkfifo(place)
        case "socket":
            server = socket.socket(socket.AF_UNIX)
            server.bind(os.path.relpath(place))
            server.close()
        case "directory":
            place.mkdir()
    with pytest.raises(StrataError) as refused:
        sha256_files([kind], root=tmp_path) if root else sha256_files([place])
    assert kind in refused.value.message
    if kind in {"link", "broken"}:
        assert "symbolic link" in refused.value.message


def test_a_link_in_a_directorys_place_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(content(2 * LARGE))
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "link").symlink_to(outside)
    for path in ("sub/link/secret", "sub/../../outside/secret", "/etc/passwd", "absent/x"):
        with pytest.raises(StrataError):
            sha256_files([path], root=root)
    assert list_files(root) == ["sub/link"]


def test_a_file_replaced_by_a_link_between_looks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(content(LARGE))
    (tmp_path / "secret").write_bytes(b"s")
    small = digest._small

    def swapping(door: digest._Door, path: str) -> tuple[int, str | None]:
        answer = small(door, path)
        (tmp_path / path).unlink()
        (tmp_path / path).symlink_to("secret")
        return answer

    monkeypatch.setattr(digest, "_small", swapping)
    with pytest.raises(StrataError, match="symbolic link"):
        sha256_files(["a", "b"], root=tmp_path)


def test_undecodable_and_hostile_names(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff")).write_bytes(b"x")
    (tmp_path / "-rf").write_bytes(b"x")
    assert [os.fsencode(name) for name, _, _ in sha256_directory(tmp_path)] == [b"-rf", b"\xff"]


def test_absent_directories_are_told() -> None:
    for action in (list_files, sha256_directory):
        with pytest.raises(StrataError, match="'/nowhere'"):
            action("/nowhere")
    with pytest.raises(StrataError, match="'/nowhere'"):
        sha256_files(["x"], root="/nowhere")


@pytest.mark.parametrize("size", [0, 1, (256 << 10) + 7])
def test_streams(size: int) -> None:
    assert hash_stream(io.BytesIO(content(size)).read) == (sha256(content(size)).hexdigest(), size)


def test_progress_is_told_while_a_slow_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(content(LARGE))
    told: list[int] = []

    def slow(_door: object, path: str, tell: Callable[[int], object]) -> tuple[str, int]:
        tell(7)
        while not told:
            time.sleep(0.01)
        return path, 7

    monkeypatch.setattr(digest, "THREADS", 2)
    monkeypatch.setattr(digest, "_large", slow)
    assert sha256_files(["a", "b"], root=tmp_path, progress=told.append) == [("a", "a", 7), ("b", "b", 7)]
    assert sum(told) == 14
