"""Who signed what the index shows, and what a damaged cache does to it."""

from __future__ import annotations

import json
import os
import sqlite3

from strata_git.doctor.judge import open_cache
from strata_git.index.build import build
from strata_git.index.describe import describe
from strata_git.index.export import index_document
from strata_git.index.records import UNVERIFIED, Signature
from strata_git.index.store import PLACE
from strata_git.integrity.gpg import Gpg
from tests.index.opening import indexed, introduced, opened
from tests.support.fixtures import Builder
from tests.support.keys import Keys


def test_signers_of_an_artifact_are_checked(builder: Builder, keys: Keys) -> None:
    repo = builder().workspace()
    model = repo.model("forest")
    signature = keys.sign(repo.read(f"{model.path}/CHECKSUMS.txt"), "alice", "bob")
    repo.commit("Add", {f"{model.path}/SIGNATURE.asc": signature})
    record = indexed(repo).get("models/forest@v1")
    assert record is not None
    assert record.signers == (
        Signature(keys.alice, "Alice Tester <alice@example.org>", "good"),
        Signature(keys.bob, "Bob Tester <bob@example.org>", "good"),
    )
    again = indexed(repo).get("models/forest@v1")  # from the cache now
    assert again is not None
    assert again.signers == record.signers


def test_a_signature_over_other_content_is_bad(builder: Builder, keys: Keys) -> None:
    repo = builder().workspace()
    model = repo.model("forest")
    repo.commit("Add", {f"{model.path}/SIGNATURE.asc": keys.sign(b"something else", "alice")})
    record = indexed(repo).get("models/forest@v1")
    assert record is not None
    assert [signature.status for signature in record.signers] == ["bad"]


def test_a_signed_commit_is_claimed_in_the_index_and_checked_when_described(builder: Builder, keys: Keys) -> None:
    repo = builder().workspace()
    repo.dataset("iris")
    repo.commit("Add", None, f"--gpg-sign={keys.alice}")
    index = indexed(repo)
    record = index.get("datasets/iris@v1")
    assert record is not None
    assert record.introduced is not None
    assert record.introduced.signature == Signature(keys.alice, "", UNVERIFIED)
    gpg = Gpg(None, environ=repo.environ)
    described = describe(opened(repo), index, "iris", gpg).record.introduced
    assert described is not None
    assert described.signature == Signature(keys.alice, "Alice Tester <alice@example.org>", "good")
    unsure = describe(opened(repo), index, "iris", None).record.introduced
    assert unsure == record.introduced


def test_a_damaged_or_missing_cache_changes_nothing(builder: Builder) -> None:
    repo = builder().workspace()
    repo.story()
    repo.commit("Add all")
    cold = index_document(indexed(repo))
    assert index_document(indexed(repo)) == cold
    for kept in opened(repo).cache_dir.iterdir():
        kept.write_bytes(os.urandom(100))
    assert index_document(indexed(repo)) == cold
    assert index_document(build(opened(repo), fresh=True)) == cold


def test_a_rebuild_does_not_believe_the_cache(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("iris")
    repo.commit("Add")
    true = index_document(indexed(repo))
    with sqlite3.connect(opened(repo).cache_dir / "verdicts.sqlite") as db:
        keys = [key for (key,) in db.execute("SELECT key FROM kept")]
    db.close()
    cache = open_cache(opened(repo))
    told = json.dumps(cache.get(keys))
    cache.put(json.loads(told.replace("The dataset iris.", "Forged.")))
    cache.close()
    (opened(repo).cache_dir / PLACE).unlink()
    assert "Forged." in str(index_document(indexed(repo)))
    assert index_document(build(opened(repo), fresh=True)) == true
    assert index_document(indexed(repo)) == true


def test_a_file_where_a_version_would_be_is_no_artifact(builder: Builder) -> None:
    repo = builder().workspace()
    repo.commit("A file", {"datasets/iris/v1": "not a directory"})
    assert indexed(repo).removed == ()
    repo.delete("datasets/iris/v1")
    repo.dataset("iris")
    head = repo.commit("A version")
    assert introduced(indexed(repo), "datasets/iris@v1") == head
