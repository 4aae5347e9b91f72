"""Unsound files, archives and bombs: refused or named within bounded memory, and looked into as far as they go."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import pickle
import random
import tracemalloc
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path

import pytest

from strata_git.integrity import archives
from strata_git.integrity.opcodes import walk
from strata_git.integrity.scan import scan_file
from tests.integrity import pickles

COMMANDS = pickles.commands(Path("/nonexistent/hit"))


def kinds(name: str, data: bytes) -> set[str]:
    return {danger.kind for danger in scan_file(name, data).dangers}


@pytest.mark.parametrize("cut", [1, 10, 30])
def test_a_pickle_that_breaks_off_is_told(cut: int) -> None:
    whole = pickle.dumps(OrderedDict(a=[1.0, 2.0], b="text"), 4)
    assert kinds("model.pkl", whole) == {"code"}
    assert kinds("model.pkl", whole[:-cut]) == {"code", "broken"}


def test_bombs_are_refused_within_bounded_memory() -> None:
    zeros = bytes(1 << 20)
    machine = zlib.compressobj(9, wbits=31)
    small = b"".join(machine.compress(zeros) for _ in range(300)) + machine.flush()  # 300 MiB in 300 KiB
    tracemalloc.start()
    try:
        assert "unscanned" in kinds("model.joblib", small)
        bomb = gzip.compress(small, mtime=0)  # and that packed once more
        assert kinds("model.joblib", bomb) & {"broken", "unscanned"}
        lying = pickles.zip_of({"a": b"x" * 1000}, zipfile.ZIP_DEFLATED)
        lying = lying.replace((1000).to_bytes(4, "little"), (0xFFFFFFF0).to_bytes(4, "little"))
        assert "broken" in kinds("model.pt", lying)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 600 << 20


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:evil"])
def test_archives_stay_in_their_directory(name: str) -> None:
    assert "broken" in kinds("model.zip", pickles.zip_of({name: b"x"}))
    assert "broken" in kinds("model.tar", pickles.tar_of({name: b"x"}))


def test_archives_that_cannot_be_unpacked() -> None:
    good = pickles.zip_of({"a": b"x" * 100})
    assert kinds("a.zip", good) == set()
    assert kinds("a.zip", good[:-30]) == {"broken"}
    assert kinds("a.zip", good.replace(b"xxxx", b"yyyy", 1)) == {"broken"}  # its checksum tells
    assert kinds("a.gz", gzip.compress(b"x" * 1000)[:-20]) == {"broken"}
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"2")
    assert kinds("a.zip", twice.getvalue()) == {"broken"}


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bz2.compress, lzma.compress])
def test_what_breaks_off_is_looked_into_as_far_as_it_goes(pack: Callable[[bytes], bytes]) -> None:
    """A reader that unpacks as it goes meets the beginning before it meets the end."""
    noise = random.Random(7).randbytes(1_000_000)
    packed = pack(COMMANDS["reduce, protocol 2"] + noise)
    assert "harm" in kinds("m.joblib", packed[: len(packed) * 9 // 10])


def test_what_is_padded_beyond_the_limit_is_looked_into_as_far_as_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives.Budget, "__init__", partialmethod(archives.Budget.__init__, left=100_000))
    padded = COMMANDS["reduce, protocol 2"] + random.Random(7).randbytes(200_000)
    assert {"harm", "unscanned"} <= kinds("m.joblib", gzip.compress(padded))
    assert {"harm", "unscanned"} <= kinds("m.pt", pickles.zip_of({"data.pkl": padded}))


def test_a_dictionary_beyond_measure_is_not_overlooked() -> None:
    packed = bytearray(lzma.compress(COMMANDS["inst"], lzma.FORMAT_ALONE))
    packed[1:5] = (0xC0000000).to_bytes(4, "little")
    assert kinds("m.joblib", bytes(packed)) == {"unscanned"}


def test_a_list_beyond_measure_is_not_made() -> None:
    assert kinds("m.zip", b"PK\x03\x04" + b"PK\x01\x02" * 50_000) == {"unscanned"}


def test_encrypted_and_unknown_members_are_told() -> None:
    good = pickles.zip_of({"a": b"x" * 100})
    at = good.index(b"PK\x01\x02")
    for offset, value in ((8, 1), (10, 97)):
        damaged = bytearray(good)
        damaged[at + offset] = value
        assert kinds("a.zip", bytes(damaged)) == {"broken"}


def test_too_many_members_are_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = archives.Budget(10, members=2)
    with pytest.raises(archives.TooMuch):
        list(archives.zip_members(pickles.zip_of({"a": b"", "b": b"", "c": b""}), budget))
    with pytest.raises(archives.Damaged, match="not understood"):
        archives.unpacked(b"x", "lz4", budget)
    assert archives.unpacked(gzip.compress(b"x") + b"\x1f\x8bjunk", "gzip", archives.Budget(10)) == b"x"


def test_code_beside_the_weights_is_code() -> None:
    assert kinds("m.pt", pickles.zip_of({"archive/code/model.py": b"import os\n"})) == {"code"}
    assert kinds("m.pt", pickles.zip_of({"code.py": COMMANDS["inst"]})) == {"code", "harm"}


def test_the_schema_of_a_skops_file() -> None:
    named = {"content": {"module_path": "os", "function": "system"}, "__module__": 1}
    assert scan_file("m.skops", pickles.zip_of({"schema.json": json.dumps(named).encode()})).types == {"os.system"}
    assert scan_file("m.skops", pickles.zip_of({"schema.json": b"{"})).types == set()


@pytest.mark.parametrize("name", ["a.gguf", "a.safetensors", "a.npz", "a.skops"])
def test_a_format_that_a_name_claims_is_there(name: str) -> None:
    assert kinds(name, b"something else") == {"broken"}
    assert kinds("a.gguf", b"GGUF") == {"broken"}


def test_archives_in_archives_have_an_end() -> None:
    data = COMMANDS["reduce, protocol 0"]
    for _ in range(10):
        data = pickles.zip_of({"a": data})
    assert kinds("a.zip", data) == {"unscanned"}


def test_packings_that_are_not_understood_are_named() -> None:
    assert kinds("model.joblib", b"\x04\x22\x4d\x18" + bytes(20)) == {"unscanned"}
    assert kinds("model.bin", b"\x28\xb5\x2f\xfd" + bytes(20)) == {"unscanned"}


def test_programs_are_code() -> None:
    assert kinds("model.bin", b"\x7fELF" + bytes(60)) == {"code"}
    assert kinds("run", b"#!/bin/sh\nid\n") == {"code"}


def test_a_pickle_without_end_is_not_followed_for_ever() -> None:
    done = walk(b"\x80\x02" + b"N0" * 10_000 + b".", limit=1000)
    assert (done.limited, done.finished) == (True, False)
