"""The pointer grammar: what git-lfs writes, and nothing near it."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.repo.lfs import POINTER_LIMIT, format_pointer, looks_like_pointer, parse_pointer
from tests.support.fixtures import Builder

OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
GOOD = format_pointer(OID, 12345)
HEAD = b"version https://git-lfs.github.com/spec/v1\n"
MALFORMED = {
    "extra key": GOOD + b"x-note hi\n",
    "extension": HEAD + b"ext-0-x sha256:" + OID.encode() + b"\n" + GOOD.removeprefix(HEAD),
    "carriage returns": GOOD.replace(b"\n", b"\r\n"),
    "no last newline": GOOD[:-1],
    "two last newlines": GOOD + b"\n",
    "leading space": b" " + GOOD,
    "other order": HEAD + f"size 12345\noid sha256:{OID}\n".encode(),
    "upper case": GOOD.replace(OID.encode(), OID.upper().encode()),
    "short oid": GOOD.replace(OID.encode(), OID[:-1].encode()),
    "md5": GOOD.replace(b"sha256:", b"md5:"),
    "negative size": GOOD.replace(b"12345", b"-1"),
    "signed size": GOOD.replace(b"12345", b"+5"),
    "leading zero": GOOD.replace(b"12345", b"012345"),
    "huge size": GOOD.replace(b"12345", b"9" * 19),
    "old version": GOOD.replace(b"git-lfs.github.com", b"hawser.github.com"),
    "too long": GOOD + b"#" * POINTER_LIMIT,
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "no size": GOOD[: GOOD.index(b"size")],
    "empty": b"",
}  # fmt: skip


def accepted_by_git_lfs(data: bytes) -> bool:
    words = ["git", "lfs", "pointer", "--check", "--strict", "--stdin"]
    return subprocess.run(words, input=data, capture_output=True).returncode == 0


@given(oid=st.from_regex(r"[0-9a-f]{64}", fullmatch=True), size=st.integers(1, 2**63 - 1))
def test_what_is_written_is_read(oid: str, size: int) -> None:
    data = format_pointer(oid, size)
    pointer = parse_pointer(data)
    assert pointer is not None
    assert (pointer.oid, pointer.size) == (oid, size)
    assert looks_like_pointer(data)


@given(at=st.integers(0, len(GOOD) - 1), byte=st.binary(min_size=1, max_size=1))
def test_one_other_byte_never_makes_another_spelling(at: int, byte: bytes) -> None:
    """Whatever is accepted is exactly what would be written for what it says."""
    pointer = parse_pointer(GOOD[:at] + byte + GOOD[at + 1 :])
    assert pointer is None or format_pointer(pointer.oid, pointer.size) == GOOD[:at] + byte + GOOD[at + 1 :]


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed(data: bytes) -> None:
    assert parse_pointer(data) is None


@pytest.mark.parametrize("size", [1, 12345, 2**40, 2**63 - 1])
def test_git_lfs_agrees_with_what_we_accept(size: int) -> None:
    assert parse_pointer(format_pointer(OID, size)) is not None
    assert accepted_by_git_lfs(format_pointer(OID, size))


def test_git_lfs_itself_writes_it(builder: Builder) -> None:
    written = builder().try_git("lfs", "clean", "a.csv", stdin=b"data\n").expect(0).out
    assert parse_pointer(written.encode()) is not None


def test_pretenders_are_known_as_such() -> None:
    assert looks_like_pointer(MALFORMED["extra key"])
    assert looks_like_pointer(MALFORMED["old version"])
    assert not looks_like_pointer(b"version 1\n")
    assert not looks_like_pointer(MALFORMED["too long"])
