"""Messages of commits that exist, in a range: what they say of artifacts is compared with what the commits hold."""

from __future__ import annotations

import pytest

from strata_git.doctor.judge import judge_range
from strata_git.doctor.messages import judge_messages
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    made = builder().workspace()
    made.commit("Workspace")
    return made


def told(repo: RepositoryBuilder, base: str) -> list[tuple[str, str, str]]:
    opened = repo.repository()
    try:
        found = judge_range(opened, base, "HEAD").findings
        return [(f.rule, f.severity, f.commit) for f in found if f.rule.startswith("STR-K")]
    finally:
        opened.close()


def test_a_range_warns_of_what_is_not_true(repo: RepositoryBuilder) -> None:
    base = repo.head
    repo.commit("iris\n\nStrata-Dataset: datasets/iris@v1", artifacts.dataset("iris"))
    repo.commit("Still there\n\nStrata-Dataset: datasets/iris@v1", {"notes.txt": "x"})
    forged = repo.commit("Not mine\n\nStrata-Model: models/forest@v1", {"notes.txt": "y"})
    assert told(repo, base) == [("STR-K002", "warning", forged)]


def test_what_a_commit_takes_away_may_be_named(repo: RepositoryBuilder) -> None:
    repo.commit("iris", artifacts.dataset("iris"))
    base = repo.head
    repo.git("rm", "-rq", "datasets")
    repo.git("commit", "-qm", "Gone\n\nStrata-Dataset: datasets/iris@v1")
    assert told(repo, base) == []
    later = repo.commit("Long gone\n\nStrata-Dataset: datasets/iris@v1", {"notes.txt": "x"})
    assert told(repo, base) == [("STR-K002", "warning", later)]


def test_where_history_is_cut_off_nothing_is_claimed(repo: RepositoryBuilder) -> None:
    repo.commit("iris", artifacts.dataset("iris"))
    repo.git("rm", "-rq", "datasets")
    repo.git("commit", "-qm", "Gone\n\nStrata-Dataset: datasets/iris@v1")
    opened = repo.clone("shallow", "--depth=1").repository()
    try:
        assert judge_messages(opened, [repo.head]) == []
    finally:
        opened.close()


def test_bytes_of_any_kind(repo: RepositoryBuilder) -> None:
    base = repo.head
    repo.git("commit", "--allow-empty", "-qF", "-", stdin=b"x\n\nStrata-Model: \xff\xfe\nStrata-\xff: y\n")
    assert [row[0] for row in told(repo, base)] == ["STR-K001"]
