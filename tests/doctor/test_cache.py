"""Verdicts are remembered by what was judged; losing the memory costs time, never truth."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from strata_git.doctor.cache import Cache
from strata_git.doctor.judge import judge_worktree, open_cache
from strata_git.doctor.judgements import judgements
from strata_git.doctor.signatures import FRESH, signature_facts
from strata_git.doctor.subject import commit_subject
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import LONG_AGO, Keys

PLACE = "datasets/iris/v1"


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    made = builder().workspace()
    made.story()
    made.commit("Story")
    return made


def fresh(repo: RepositoryBuilder) -> int:
    return judge_worktree(repo.repository()).fresh


def test_another_path_or_rule_set_is_another_question(repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fresh(repo) == 3
    monkeypatch.setattr("strata_git.doctor.judgements.RULESET", "other")
    assert fresh(repo) == 3
    (repo.path / PLACE).rename(repo.path / "datasets/iris/v2")
    assert judge_worktree(repo.repository(), ["datasets"]).fresh == 1


def test_a_busy_cache_is_not_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.sqlite"
    Cache(path).put({"a": 1})
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **{**k, "timeout": 0.05}))
    holder = real(path)
    holder.execute("BEGIN EXCLUSIVE")
    busy = Cache(path)
    busy.put({"b": 2})
    busy.close()
    holder.rollback()
    holder.close()
    opened = Cache(path)
    assert opened.get(["a"]) == {"a": 1}
    opened.close()


def test_many_keys_at_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c.sqlite")
    values = {f"k{n}": {"n": n} for n in range(2500)}
    cache.put(values)
    assert cache.get(values) == values
    assert cache.get(["none"]) == {}
    cache.close()
    assert cache.get(["k1"]) == {}


# --- signatures


def verdicts(repo: RepositoryBuilder, now: float) -> list[str]:
    opened = repo.repository()
    subject = commit_subject(opened, repo.head)
    cache = open_cache(opened)
    judged, _ = judgements(subject, [a for a in subject.artifacts if a.kind == "dataset"], cache)
    facts = signature_facts(opened, judged, cache, subject, now=now)
    cache.close()
    return [verdict.status for _, found in facts.values() for verdict in found or []]


def test_a_good_signature_is_not_good_for_ever(
    repo: RepositoryBuilder, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys expire without the keyring changing, so a verdict is remembered for an hour only."""
    repo.commit("signed", {f"{PLACE}/SIGNATURE.asc": keys.sign(repo.read(f"{PLACE}/CHECKSUMS.txt"), "alice")})
    assert verdicts(repo, 1000.0) == ["good"]
    asked: list[bytes] = []
    verdicts_of = "strata_git.doctor.signers.Signers.verdicts"
    monkeypatch.setattr(verdicts_of, lambda signers, sums, data: asked.append(data) or [])
    assert verdicts(repo, 1000.0 + FRESH - 1) == ["good"]
    assert asked == []
    assert verdicts(repo, 1000.0 + FRESH) == []
    assert verdicts(repo, 999.0) == []
    assert len(asked) == 2


def test_a_key_that_leaves_the_keyring_is_noticed(repo: RepositoryBuilder, keys: Keys) -> None:
    repo.commit("signed", {f"{PLACE}/SIGNATURE.asc": keys.sign(repo.read(f"{PLACE}/CHECKSUMS.txt"), "alice")})
    assert verdicts(repo, 1000.0) == ["good"]
    keys.gpg("--yes", "--delete-secret-and-public-key", keys.alice)
    assert verdicts(repo, 1001.0) == ["unknown-key"]


def test_an_expired_key(repo: RepositoryBuilder, keys: Keys) -> None:
    keys.expired()
    signature = keys.sign(repo.read(f"{PLACE}/CHECKSUMS.txt"), "expired", at=LONG_AGO)
    repo.commit("signed", {f"{PLACE}/SIGNATURE.asc": signature})
    assert verdicts(repo, 1000.0) == ["expired-key"]


def test_a_list_of_more_than_a_mebibyte_is_verified(repo: RepositoryBuilder, keys: Keys) -> None:
    """As long as the rules read it, the signature over it is checked as well."""
    files = {f"part-{n:05d}-{'x' * 40}.csv": b"" for n in range(9500)}
    repo.dataset("big", files={"train": files})
    sums = repo.read("datasets/big/v1/CHECKSUMS.txt")
    assert len(sums) > 1 << 20
    repo.git("rm", "-rq", "--cached", "datasets/iris")
    repo.write({".gitignore": "datasets/iris\n"})
    repo.commit("big", {"datasets/big/v1/SIGNATURE.asc": keys.sign(sums, "alice")})
    assert verdicts(repo, 1000.0) == ["good"]
