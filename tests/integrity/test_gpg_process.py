"""Running gpg: where it comes from, what it sees, and that it ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.integrity import gpg_process
from strata_git.integrity.gpg_process import kept, locate, run


def program(place: Path, text: str) -> str:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"#!/bin/sh\n{text}\n")
    place.chmod(0o755)
    return str(place)


def test_gpg_comes_by_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = program(tmp_path / "here/gpg", ""), program(tmp_path / "there/gpg", "")
    monkeypatch.chdir(tmp_path / "here")
    assert locate(None, f".::{tmp_path}/there", ()) == there
    assert locate(None, f"{tmp_path}/absent", (here,)) == here
    assert locate(here, "") == here
    assert locate("gpg", f"{tmp_path}/there") == there
    (tmp_path / "there/gpg").chmod(0o644)
    for wanted in (None, "gpg", there, "./gpg"):
        with pytest.raises(StrataError, match="not installed"):
            locate(wanted, f".:{tmp_path}/there", ())


def test_gpg_sees_little_of_the_environment() -> None:
    seen = kept({"HOME": "/h", "PATH": "/p", "LD_PRELOAD": "/evil.so", "LANG": "de_DE", "GIT_DIR": "x"})
    assert seen == {"HOME": "/h", "PATH": "/p", "LC_ALL": "C.UTF-8"}


def test_only_the_private_pipe_speaks(tmp_path: Path) -> None:
    fake = program(
        tmp_path / "gpg",
        'fd=${1#--status-fd=}\necho "[GNUPG:] GOODSIG out"\necho "[GNUPG:] GOODSIG err" >&2\n'
        "printf '[GNUPG:] NEWSIG a  b\\nGOODSIG\\n x [GNUPG:] BADSIG\\n[GNUPG:] CUT' > /dev/fd/$fd; exit 1",
    )
    assert run(fake, [], {}, environ=os.environ) == ([[b"NEWSIG", b"a", b"", b"b"]], None)


def test_files_are_handed_over_and_gone(tmp_path: Path) -> None:
    fake = program(
        tmp_path / "gpg", 'cat "$5" "$6" > "${2#--output=}"; test "$4" = -- && echo "$5" > ' + f"{tmp_path}/told"
    )
    assert run(fake, ["x"], {"a": b"one", "b": b"two"}, environ=os.environ, output=True) == ([], b"onetwo")
    assert not Path((tmp_path / "told").read_text().strip()).parent.exists()


CLOSED = "exec /usr/bin/env python3 -c 'import os, time; os.closerange(3, 999); time.sleep(60)'"


@pytest.mark.parametrize("text", ["exec sleep 60", CLOSED])
def test_gpg_that_hangs_is_stopped(tmp_path: Path, text: str) -> None:
    with pytest.raises(StrataError, match="did not finish in time") as refused:
        run(program(tmp_path / "gpg", text), [], {}, environ=os.environ, timeout=0.2)
    assert "gpgconf" in refused.value.hint


def test_gpg_that_floods_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpg_process, "_STATUS_LIMIT", 100)
    fake = program(tmp_path / "gpg", "fd=${1#--status-fd=}; exec yes > /dev/fd/$fd")
    with pytest.raises(StrataError, match="said more"):
        run(fake, [], {}, environ=os.environ)


def test_gpg_that_cannot_be_started(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(StrataError, match="cannot be run"):
        run(str(tmp_path), [], {}, environ={})
    assert len(os.listdir("/proc/self/fd")) == before
