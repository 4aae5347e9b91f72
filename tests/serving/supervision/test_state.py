"""The file by which commands know a service that runs, and where it may lie."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from strata_git.checks.services import is_loopback
from strata_git.errors import StrataError, UsageError
from strata_git.serving.supervision.asking import Answer, ask, is_ready
from strata_git.serving.supervision.places import held_alone, service_directory, services_directory, socket_directory
from strata_git.serving.supervision.server import address_of, bind, bind_path
from strata_git.serving.supervision.state import (
    FILE,
    SCHEMA,
    State,
    born,
    is_alive,
    list_states,
    read_state,
    remove_state,
    write_state,
)

STATE = State("bar", os.getpid(), born(os.getpid()), "2026-11-21T00:00:00Z", "local", "http://127.0.0.1:1",
              steps=(("ledger", "passed", ""),), children=(7,), provenance={"model": "forest"})  # fmt: skip


def test_a_state_counts_while_the_very_process_lives(tmp_path: Path) -> None:
    place = service_directory(tmp_path, "bar")
    assert place.stat().st_mode & 0o777 == 0o700
    assert (read_state(tmp_path, "bar"), list_states(tmp_path)) == (None, ())
    write_state(place, STATE)
    assert (place / FILE).stat().st_mode & 0o777 == 0o600
    assert read_state(tmp_path, "bar") == STATE
    assert list_states(tmp_path) == (STATE,)
    for stale in (
        replace(STATE, born="1"),
        replace(STATE, pid=2**22 - 1),
        replace(STATE, born=""),
        replace(STATE, pid=0),
    ):
        assert not is_alive(stale)
        write_state(place, stale)
        assert read_state(tmp_path, "bar") is None
    remove_state(place)
    remove_state(place)
    assert list_states(tmp_path) == ()


@pytest.mark.parametrize(
    "change",
    [{"pid": "1"}, {"pid": True}, {"name": "other"}, {"name": 7}, {"ready": 1}, {"steps": [["a", "b"]]}, {"steps": 3},
     {"children": ["7"]}, {"provenance": []}, {"schema": "strata/other/v1"}, {"url": None}, {"mode": {}}],
)  # fmt: skip
def test_a_forged_state_is_none(tmp_path: Path, change: dict[str, object]) -> None:
    place = service_directory(tmp_path, "bar")
    write_state(place, STATE)
    said = json.loads((place / FILE).read_bytes())
    assert said["schema"] == SCHEMA
    (place / FILE).write_text(json.dumps({**said, "unknown": 1}))
    assert read_state(tmp_path, "bar") == STATE
    (place / FILE).write_text(json.dumps({**said, **change}))
    assert read_state(tmp_path, "bar") is None
    for text in ("", "[", "[" * 5000, "null", json.dumps({"schema": SCHEMA})):
        (place / FILE).write_text(text)
        assert read_state(tmp_path, "bar") is None


def test_no_link_is_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(UsageError):
        service_directory(tmp_path, "../bar")
    assert read_state(tmp_path, "../bar") is None
    services_directory(tmp_path).parent.mkdir(parents=True)
    services_directory(tmp_path).symlink_to(other)
    with pytest.raises(StrataError, match="is not a directory"):
        service_directory(tmp_path, "bar")
    write_state(other, STATE)
    (other / "real.json").write_bytes((other / FILE).read_bytes())
    (other / FILE).unlink()
    services_directory(tmp_path).unlink()
    (service_directory(tmp_path, "bar") / FILE).symlink_to(other / "real.json")
    assert read_state(tmp_path, "bar") is None


def test_one_process_a_service(tmp_path: Path) -> None:
    with held_alone(tmp_path, "bar"), pytest.raises(StrataError, match="bar runs already"), held_alone(tmp_path, "bar"):
        pass
    with held_alone(tmp_path, "bar"):
        pass


def test_sockets_have_short_names_and_are_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with socket_directory() as place:
        assert place.stat().st_mode & 0o777 == 0o700
        assert len(str(place / "12-3")) < 100
        with bind_path(place / "a") as made:
            assert (place / "a").stat().st_mode & 0o777 == 0o660
            assert made.getsockname() == str(place / "a")
        with bind_path(place / "a"):  # one that was left is replaced
            pass
        (place / "file").write_text("")
        with pytest.raises(StrataError, match="no socket"):
            bind_path(place / "file")
    assert not place.exists()


def test_ports() -> None:
    with bind("127.0.0.1", 0) as bound:
        host, port = bound.getsockname()
        assert address_of(bound) == f"{host}:{port}"
        with pytest.raises(StrataError, match=f"Something else listens on 127.0.0.1:{port} already") as error:
            bind("127.0.0.1", port)
        assert "--port 0" in error.value.hint
        assert not is_ready(f"http://127.0.0.1:{port}", seconds=0.05)
    with pytest.raises(StrataError, match="no address of this machine"):
        bind("no such host", 0)
    with pytest.raises(StrataError, match="cannot be listened on"):
        bind("192.0.2.1", 0)
    with pytest.raises(StrataError, match="Nobody answers"):
        ask(f"http://127.0.0.1:{port}", "/ping")
    for url in ("ftp://x", "http://", "http://x:y", "words"):
        with pytest.raises(StrataError, match="no address"):
            ask(url, "/ping")
    if socket.has_ipv6:
        assert is_loopback("[::1]")
    assert is_loopback("127.1.2.3")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("example.org")


def test_what_a_refusal_says() -> None:
    field = json.dumps({"error": {"field": "sepal", "message": "is missing"}}).encode()
    assert Answer(422, {}, field).complaint == "sepal: is missing"
    assert Answer(503, {}, b'{"error": "gone\\u001b[0m"}').complaint == r"gone\x1b[0m"
    for body in (b"", b"{}", b"[" * 5000, b"[1]", b'{"error": null}'):
        assert Answer(500, {}, body).complaint == "HTTP 500"
    assert Answer(200, {"strata-model": "m", "date": "d"}).provenance == {"strata-model": "m"}
