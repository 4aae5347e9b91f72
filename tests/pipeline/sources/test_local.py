"""Files below a directory: what is found by which pattern, and what is never opened."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from unicodedata import normalize

import pytest

from strata_git.errors import UsageError
from strata_git.pipeline.errors import ConnectorError
from strata_git.pipeline.sources.connector import DataConnector, ResourceRef
from strata_git.pipeline.sources.local import Local
from strata_git.pipeline.sources.patterns import patterns


@pytest.fixture
def source(tmp_path: Path) -> Local:
    root = tmp_path / "docs"
    for name in ("a.md", "b/c.md", "b/d.txt", "b/.hidden.md", "b-2/e.md", ".git/config", "b/x/.git", "z/f.parquet"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return Local("docs", root)


def names(source: DataConnector, *select: str, exclude: tuple[str, ...] = ()) -> list[str]:
    return [info.ref.name for info in source.list(select, exclude)]


@pytest.mark.parametrize(
    ("select", "exclude", "found"),
    [
        ((), (), ["a.md", "b-2/e.md", "b/.hidden.md", "b/c.md", "b/d.txt", "z/f.parquet"]),
        (("**/*.md",), (), ["a.md", "b-2/e.md", "b/.hidden.md", "b/c.md"]),
        (("*.md",), (), ["a.md"]),
        (("b/",), (), ["b/.hidden.md", "b/c.md", "b/d.txt"]),
        (("./b/*.[mt]*", "z/**"), ("**/.*",), ["b/c.md", "b/d.txt", "z/f.parquet"]),
        (("**/*.pdf",), (), []),
    ],
)
def test_patterns_choose(source: Local, select: tuple[str, ...], exclude: tuple[str, ...], found: list[str]) -> None:
    assert names(source, *select, exclude=exclude) == found


def test_settings_and_caller_both_have_their_say(source: Local) -> None:
    narrow = Local("docs", source.root, include=("b/**",), exclude=("**/*.txt",))
    assert names(narrow) == ["b/.hidden.md", "b/c.md"]
    assert names(narrow, "**/c.*", "a.md") == ["b/c.md"]


@pytest.mark.parametrize("pattern", ["/etc/*", "../*", ""])
def test_a_pattern_that_leads_out_is_refused(source: Local, pattern: str) -> None:
    with pytest.raises(UsageError):
        names(source, pattern)


def test_only_what_can_hold_a_match_is_walked(source: Local) -> None:
    seen: list[bytes] = []
    scandir = os.scandir
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "scandir", lambda path: seen.append(path) or scandir(path))
        assert names(source, "b/*.md") == ["b/.hidden.md", "b/c.md"]
    root = os.fsencode(source.root)
    assert seen == [root + b"/", root + b"/b/", root + b"/b/x/"]
    assert patterns(["2026/*/x.md", "2026/07/*"], []).prefixes == ("2026/",)


def test_a_resource_is_described_and_read_as_a_stream(source: Local) -> None:
    (info,) = source.list(["z/*"])
    assert (info.bytes, info.media_type) == (11, "application/vnd.apache.parquet")
    assert info.modified is not None
    assert info.modified.tzinfo is not None
    assert info.ref.uri == (source.root / "z/f.parquet").as_uri()
    assert source.info(info.ref) == info
    with source.open(info.ref) as stream:
        assert stream.read(1) + stream.read() == b"z/f.parquet"
    (source.root / "z/f.parquet").write_text("another content")
    assert source.info(info.ref).etag != info.etag
    assert isinstance(source, DataConnector)


def test_decomposed_names_are_found_by_what_people_type(source: Local) -> None:
    written = normalize("NFD", "z/Übersicht ü%#.md")
    (source.root / written).write_text("x")
    (info,) = source.list(["**/Ü*.md"])
    assert info.ref.name == normalize("NFC", written)
    with source.open(info.ref) as stream:
        assert stream.read() == b"x"


def test_names_that_are_no_text_are_told_apart(source: Local) -> None:
    os.close(os.open(os.fsencode(source.root) + b"/\xff.md", os.O_CREAT | os.O_WRONLY))
    assert "\\xff.md" in names(source, "*.md")
    (info,) = [one for one in source.list(["*.md"]) if one.ref.name == "\\xff.md"]
    assert source.info(info.ref).bytes == 0


def test_links_are_followed_inside_only(source: Local, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    (tmp_path / "docs-2").mkdir()
    (tmp_path / "docs-2/s.md").write_text("secret")
    for name, target in {
        "in.md": "b/c.md", "out.md": "../secret.md", "far.md": "/etc/passwd", "gone.md": "nowhere",
        "loop.md": "loop.md", "dir": "b", "sibling.md": "../docs-2/s.md",
    }.items():  # fmt: skip
        (source.root / name).symlink_to(target)
    assert names(source, "*.md", "dir/**") == ["a.md", "in.md"]
    (linked,) = source.list(["in.md"])
    with source.open(linked.ref) as stream:
        assert stream.read() == b"b/c.md"
    for name in ("out.md", "far.md", "sibling.md"):
        with pytest.raises(ConnectorError, match=r"cannot be read"), source.open(_ref(source, name)):
            pass


def _ref(source: Local, name: str) -> ResourceRef:
    return ResourceRef(name, (source.root / name).as_uri())


def test_a_directory_that_becomes_a_link_is_not_followed(source: Local, tmp_path: Path) -> None:
    (info,) = source.list(["b/c.md"])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/c.md").write_text("secret")
    (source.root / "b").rename(source.root / "b3")
    (source.root / "b").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConnectorError) as caught, source.open(info.ref):
        pass
    assert caught.value.kind == "not_found"


def test_what_is_no_file_is_left_out(source: Local) -> None:
    os.mkfifo(source.root / "pipe.md")
    assert names(source, "*.md") == ["a.md"]
    opened = threading.Thread(target=_refused, args=(source, _ref(source, "pipe.md")), daemon=True)
    opened.start()
    opened.join(10)
    assert not opened.is_alive()


def _refused(source: Local, ref: ResourceRef) -> None:
    with pytest.raises(ConnectorError), source.open(ref):
        pass


@pytest.mark.parametrize("uri", ["file:///etc/passwd", "s3://bucket/a.md", "file://{root}/../secret.md", "{root}/a.md"])
def test_references_of_others_are_refused(source: Local, uri: str) -> None:
    with pytest.raises(ConnectorError, match="is not below"):
        source.info(ResourceRef("a.md", uri.format(root=source.root)))


def test_a_root_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError) as caught:
        list(Local("docs", tmp_path / "nowhere").list())
    assert caught.value.kind == "not_found"
    assert "connectors.docs.root" in caught.value.hint
