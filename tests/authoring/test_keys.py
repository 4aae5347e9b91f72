"""`git strata key new`: a key by stock tools, where nothing is overwritten and nothing configured unasked."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from strata_git.authoring.keys import FILE, make_key
from strata_git.errors import UsageError
from tests.support.builder import RepositoryBuilder
from tests.support.environment import remove_home, short_directory
from tests.support.fixtures import Builder
from tests.support.keys import Keys
from tests.support.process import run

WHO = ("--name", "Ada Lovelace", "--email", "ada@example.org")


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    return builder().workspace()


def test_an_ssh_key_in_the_user_s_own_places(repo: RepositoryBuilder) -> None:
    done = repo.strata("key", "new", *WHO, "--no-passphrase", "--format", "json").expect(0).json()
    place = Path(repo.environ["HOME"], ".ssh", FILE)
    assert done["place"] == str(place)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    said = run("ssh-keygen", "-l", "-f", f"{place}.pub", cwd=repo.path, environ=repo.environ).expect(0).out
    assert str(done["fingerprint"]) in said
    assert "Ada Lovelace <ada@example.org>" in said
    assert done["key"] == f"ssh:{done['fingerprint']}"
    assert done["configured"] == {}
    assert repo.try_git("config", "--local", "user.signingkey").code == 1
    before = place.read_bytes()
    again = repo.strata("key", "new", *WHO, "--no-passphrase").expect(3)
    assert "is there already; nothing is overwritten" in again.err
    assert place.read_bytes() == before


def test_a_key_that_is_configured_signs(repo: RepositoryBuilder, tmp_path: Path) -> None:
    (tmp_path / "pass").write_text("open sesame\n")
    words = ("--out", str(tmp_path / "safe"), "--passphrase-file", str(tmp_path / "pass"), "--configure")
    told = repo.strata("key", "new", *WHO, *words).expect(0)
    public = tmp_path / "safe" / f"{FILE}.pub"
    assert repo.git("config", "--local", "user.signingkey") == str(public)
    assert repo.git("config", "--local", "gpg.format") == "ssh"
    assert f"git strata trust add ada-lovelace --key {public}" in told.err
    key = str(public.with_suffix(""))
    for phrase, code in (("open sesame", 0), ("", 255), ("closed", 255)):
        opened = run("ssh-keygen", "-y", "-P", phrase, "-f", key, cwd=repo.path, environ=repo.environ)
        assert opened.code == code, phrase


def test_a_gpg_key_in_a_keyring_of_its_own(repo: RepositoryBuilder, keys: Keys) -> None:
    folder = short_directory()
    try:
        ring = folder / "k"
        words = ("key", "new", "--type", "gpg", *WHO, "--no-passphrase", "--expires", "2y", "--out", str(ring))
        done = json.loads(repo.strata(*words, "--format", "json").expect(0).out)
        listed = run("gpg", "--homedir", str(ring), "--with-colons", "-k", cwd=repo.path, environ=repo.environ).out
        assert done["fingerprint"] in listed
        assert "ada@example.org" in listed
        assert stat.S_IMODE(ring.stat().st_mode) == 0o700
        assert (ring / "public.asc").read_text() == done["public"]
        assert not (ring / "S.gpg-agent").exists()
        assert done["fingerprint"] not in keys.gpg("-k", "--with-colons").out
        assert "is not empty" in repo.strata(*words).expect(3).err
        add = repo.strata("trust", "init", "--name", "ada", "--key", str(ring / "public.asc")).expect(0)
        assert "version 1" in add.out
    finally:
        remove_home(folder)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((*WHO,), 3, "no terminal to ask for a passphrase"),
        ((*WHO, "--no-passphrase", "--passphrase-file", "x"), 64, "exclude each other"),
        ((*WHO, "--passphrase-file", "nosuch"), 3, "cannot be read"),
        ((*WHO, "--no-passphrase", "--expires", "2y"), 64, "does not end by itself"),
        (("--name", "Ada", "--email", "nowhere", "--no-passphrase"), 64, "needs a name and an address"),
        (("--name", "Ada\nEve", "--email", "a@b", "--no-passphrase"), 64, "one line of plain text"),
        ((*WHO, "--no-passphrase", "--out", "secrets"), 3, "is in the work tree"),
        ((*WHO, "--no-passphrase", "--type", "x509"), 64, "x509"),
    ],
)
def test_what_is_refused(repo: RepositoryBuilder, words: tuple[str, ...], code: int, message: str) -> None:
    assert message in repo.strata("key", "new", *words).expect(code).err
    assert not Path(repo.environ["HOME"], ".ssh", FILE).exists()
    assert not (repo.path / "secrets").exists()


def test_a_short_passphrase_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 5"):
        make_key(os.environ, "ssh", "Ada", "a@b", passphrase="abcd", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
