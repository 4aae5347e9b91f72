"""What is stored may be damaged in any way: it is never believed, and never in the way."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import pytest

from strata_git.index.store import DAMAGED, OTHER, PLACE, SCHEMA, UNKEPT, Store

ROWS = {f"key {number}": os.urandom(number * 7) for number in range(1, 300)}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A store with some rows, on several pages."""
    store = Store(tmp_path / PLACE)
    store.put("rows", ROWS)
    store.close()
    return tmp_path / PLACE


def held(place: Path) -> tuple[dict[str, bytes], list[str]]:
    """What a store gives, and what it says."""
    told: list[str] = []
    store = Store(place, told.append)
    try:
        return store.get(*ROWS, "nothing"), told
    finally:
        store.close()


def test_what_was_put_is_there(place: Path) -> None:
    assert held(place) == (ROWS, [])


def test_the_latest_of_a_sort_stay_and_the_last_writer_wins(place: Path) -> None:
    store = Store(place)
    for number in range(5):
        store.put("slots", {f"slot {number}": b"%d" % number}, keep=2)
    assert store.every("slots") == {"slot 3": b"3", "slot 4": b"4"}
    assert store.latest("slots") == b"4"
    store.put("slots", {"slot 3": b"again"}, keep=2, drop=["key 1"])
    assert store.latest("slots") == b"again"
    assert store.get("key 1", "key 2") == {"key 2": ROWS["key 2"]}
    store.close()


@pytest.mark.parametrize("pattern", [b"\0", b"random"], ids=["zeros", "random"])
def test_no_page_can_be_damaged_into_a_wrong_answer(place: Path, pattern: bytes) -> None:
    whole = place.read_bytes()
    size = 4096
    damage = os.urandom(size) if pattern == b"random" else pattern * size
    for at in range(0, len(whole), size):
        place.write_bytes(whole[:at] + damage + whole[at + size :])
        found, told = held(place)
        assert found.items() <= ROWS.items()
        assert found == ROWS or told in ([DAMAGED], [OTHER])
        assert held(place)[0].items() <= ROWS.items()


def test_no_byte_can(place: Path) -> None:
    whole = place.read_bytes()
    for at in (*range(0, 200, 7), *range(200, len(whole), 4001)):
        place.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        assert held(place)[0].items() <= ROWS.items()


def test_a_file_that_was_cut_off_is_made_anew(place: Path) -> None:
    whole = place.read_bytes()
    for length in (0, 1, 99, 100, 4095, 4096, 5000, len(whole) // 2, len(whole) - 4096, len(whole) - 1):
        place.write_bytes(whole[:length])
        assert held(place)[0].items() <= ROWS.items()
        store = Store(place)
        store.put("rows", {"key 1": b"new"})
        assert store.get("key 1") == {"key 1": b"new"}
        store.close()


def test_a_row_moved_under_another_key_is_no_row(place: Path) -> None:
    with sqlite3.connect(place) as db:
        db.execute("UPDATE kept SET key = 'key 1' WHERE key = 'nothing'")
        db.execute("DELETE FROM kept WHERE key = 'key 1'")
        db.execute("UPDATE kept SET key = 'key 1' WHERE key = 'key 2'")
    db.close()
    assert held(place) == ({}, [DAMAGED])


@pytest.mark.parametrize("schema", [SCHEMA + 1, SCHEMA - 1, -5])
def test_another_schema_is_made_anew(place: Path, schema: int) -> None:
    with sqlite3.connect(place) as db:
        db.execute(f"PRAGMA user_version = {schema}")
    db.close()
    assert held(place) == ({}, [OTHER])
    assert held(place) == ({}, [])


def test_something_else_in_its_place(tmp_path: Path) -> None:
    place = tmp_path / PLACE
    place.write_text("a text\n")
    assert held(place) == ({}, [DAMAGED])
    place.unlink()
    place.mkdir()
    assert held(place)[0] == {}
    place.rmdir()
    place.symlink_to(tmp_path / "nowhere/else")
    assert held(place)[0] == {}


def test_a_journal_of_somebody_else_does_no_harm(place: Path) -> None:
    journal = Path(f"{place}-journal")
    for data in (b"", b"\0" * 512, os.urandom(5000), bytes.fromhex("d9d505f920a163d7") + os.urandom(9000)):
        journal.write_bytes(data)
        assert held(place)[0].items() <= ROWS.items()


def test_what_cannot_be_written_is_read(place: Path) -> None:
    """As an ordinary user; who may write everything writes."""
    place.chmod(0o444)
    place.parent.chmod(0o555)
    try:
        found, told = held(place)
        assert (found, told) == (ROWS, [])
        store = Store(place, told.append)
        store.put("rows", {"key 1": b"new"})
        store.close()
        assert told == []
    finally:
        place.parent.chmod(0o755)


def test_many_write_at_once(place: Path) -> None:
    def write(number: int) -> None:
        store = Store(place)
        for turn in range(20):
            store.put("many", {f"{number}/{turn}": b"%d" % number, "shared": b"%d" % number})
        store.close()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    store = Store(place)
    assert len(store.every("many")) == 6 * 20 + 1
    store.close()
    assert held(place) == (ROWS, [])


def test_a_full_disk_is_told_once_and_is_no_error(tmp_path: Path) -> None:
    """No file may grow beyond a limit, as on a disk that is full."""
    import subprocess
    import sys

    script = f"""
import resource, sys
from pathlib import Path
from strata_git.index.store import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
told = []
store = Store(Path({str(tmp_path / PLACE)!r}), told.append)
for number in range(30):
    store.put("rows", {{f"key {{number}}": bytes(9000)}})
    assert all(value == bytes(9000) for value in store.get(*(f"key {{n}}" for n in range(30))).values())
print(told)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == (str([UNKEPT]), "")
