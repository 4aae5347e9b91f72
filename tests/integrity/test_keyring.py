"""One text for one state of the keys."""

from __future__ import annotations

import os
from pathlib import Path

from strata_git.integrity.keyring import keyring_state


def test_it_changes_with_the_ring_and_with_other_files(tmp_path: Path) -> None:
    environ = {"GNUPGHOME": str(tmp_path)}
    allowed = tmp_path / "allowed"
    states = [keyring_state(environ, [allowed])]
    (tmp_path / "pubring.kbx").write_bytes(b"one")
    states.append(keyring_state(environ, [allowed]))
    allowed.write_bytes(b"someone")
    states.append(keyring_state(environ, [allowed]))
    os.utime(tmp_path / "pubring.kbx", ns=(1, 1))
    states.append(keyring_state(environ, [allowed]))
    assert len(set(states)) == 4
    assert keyring_state(environ, [allowed]) == states[-1]


def test_without_gnupghome_the_ring_is_at_home(tmp_path: Path) -> None:
    (tmp_path / ".gnupg").mkdir()
    before = keyring_state({"HOME": str(tmp_path)})
    (tmp_path / ".gnupg" / "pubring.gpg").write_bytes(b"x")
    assert keyring_state({"HOME": str(tmp_path)}) != before
    assert keyring_state({}) == keyring_state({"HOME": "/"})
