"""Signing what came of making a run again: by GPG and by SSH, read back by stock git, and through the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strata_git.config import Settings
from strata_git.errors import StrataError
from strata_git.ledger.receipt import Receipt
from strata_git.ledger.receipts import read_receipts
from strata_git.ledger.signing import UserKeys
from strata_git.runs.receipt import prepare, sign_receipt
from strata_git.runs.reproduce import reproduce
from tests.runs.running import opened, perform
from tests.support.artifacts import REPOSITORY
from tests.support.builder import RepositoryBuilder
from tests.support.keys import Keys
from tests.support.process import run as run_program

SETTINGS = Settings(repository=REPOSITORY, lfs=False)


def signed(repo: RepositoryBuilder, run: str, *, key: str) -> Receipt:
    there = opened(repo)
    try:
        prepare(there, SETTINGS, key=key)
        return sign_receipt(there, SETTINGS, reproduce(there, run), key=key)
    finally:
        there.close()


def test_by_gpg(repo: RepositoryBuilder, keys: Keys) -> None:
    run = perform(repo).id
    made = signed(repo, run, key=keys.alice)
    there = opened(repo)
    (read,) = read_receipts(there, UserKeys(there), run=run)
    there.close()
    assert (read.ref, read.record, read.signed) == (made.ref, made.record, True)
    assert read.record is not None
    assert (read.record.run, read.record.verdict, read.record.commit) == (run, "identical", repo.head)
    assert read.record.counted["metrics"] == {"same": 2, "differing": 0}
    repo.git("verify-tag", made.ref)
    statement = json.loads(repo.git("cat-file", "tag", made.oid).partition("Strata-Record: ")[2].partition("\n")[0])
    sums = run_program("sha256sum", f"runs/{run}/CHECKSUMS.txt", cwd=repo.path, environ=repo.environ).expect(0).out
    assert statement["subject"] == [{"name": f"runs/{run}", "digest": {"sha256": sums.split()[0]}}]


@pytest.mark.heavy
def test_by_ssh(repo: RepositoryBuilder, tmp_path: Path) -> None:
    key, allowed = tmp_path / "key", tmp_path / "allowed"
    run_program(
        "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key), cwd=tmp_path, environ=repo.environ
    ).expect(0)
    allowed.write_text(f'a@example.org namespaces="git" {key.with_suffix(".pub").read_text()}')
    repo.git("config", "--global", "gpg.format", "ssh")
    repo.git("config", "--global", "gpg.ssh.allowedSignersFile", str(allowed))
    made = signed(repo, perform(repo).id, key=f"{key}.pub")
    assert made.signer.startswith("a@example.org")
    repo.git("verify-tag", made.ref)


def test_without_a_key_nothing_is_computed(repo: RepositoryBuilder) -> None:
    run = perform(repo).id
    with pytest.raises(StrataError):
        signed(repo, run, key="nobody@example.org")
    with pytest.raises(StrataError, match="no UUID"):
        prepare(opened(repo), Settings())
    assert repo.git("for-each-ref", "refs/strata/receipts/") == ""


def test_the_command(repo: RepositoryBuilder, keys: Keys) -> None:
    run = perform(repo).id
    told = repo.strata("reproduce", run, "--receipt", "--key", keys.alice, "--format", "json").expect(0)
    said = json.loads(told.out)
    assert (said["schema"], said["run"], said["verdict"]) == ("strata/reproduction/v1", run, "identical")
    assert repo.git("rev-parse", said["receipt"]["ref"]) == said["receipt"]["oid"]
    repo.commit("The record")
    assert "made again: identical, says Alice" in repo.strata("show", run).expect(0).out
    shown = json.loads(repo.strata("show", run, "--format", "json").expect(0).out)
    assert [(one["verdict"], one["signed"]) for one in shown["receipts"]] == [("identical", True)]
    text = repo.strata("reproduce", f"runs/{run}", "--tolerance", "score=0.5").expect(0)
    assert text.out.splitlines()[0] == f"{run}  identical"
    assert "METRIC=X" in repo.strata("reproduce", run, "--tolerance", "score=-1").expect(64).err
