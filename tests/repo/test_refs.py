"""References move by compare-and-swap, all of a transaction or none."""

from __future__ import annotations

import pytest

from strata_git.errors import StrataError
from strata_git.repo.refs import RefConflict, Transaction, list_refs, read_ref
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    made = builder()
    made.commit("One")
    made.commit("Two")
    made.git("tag", "old", "HEAD~1")
    made.git("tag", "-a", "-m", "a", "annotated")
    return made


def tags(repo: RepositoryBuilder) -> set[str]:
    return {ref.name for ref in list_refs(repo.repository(), "refs/tags/")}


def test_listed_with_their_types(repo: RepositoryBuilder) -> None:
    assert [(ref.name, ref.kind) for ref in list_refs(repo.repository())] == [
        ("refs/heads/main", "commit"), ("refs/tags/annotated", "tag"), ("refs/tags/old", "commit"),
    ]  # fmt: skip
    assert list_refs(repo.repository(), "refs/none/") == []


def test_a_name_with_an_odd_line_end_breaks_nothing(repo: RepositoryBuilder) -> None:
    repo.git("tag", "odd\u2028name")
    assert "refs/tags/odd\u2028name" in tags(repo)


def test_read_by_full_name_only(repo: RepositoryBuilder) -> None:
    opened = repo.repository()
    assert read_ref(opened, "refs/tags/annotated") == repo.git("rev-parse", "annotated") != repo.head
    assert read_ref(opened, "refs/tags/none") is None
    repo.git("update-ref", "refs/refs/tags/none", repo.head)
    assert read_ref(opened, "refs/tags/none") is None


def test_several_at_once(repo: RepositoryBuilder) -> None:
    step = Transaction(repo.repository())
    step.create("refs/tags/new#1", repo.head)
    step.update("refs/tags/old", repo.head, repo.git("rev-parse", "old"))
    step.delete("refs/tags/annotated", repo.git("rev-parse", "annotated"))
    step.commit("moved")
    assert tags(repo) == {"refs/tags/new#1", "refs/tags/old"}
    assert repo.git("rev-parse", "old") == repo.head


@pytest.mark.parametrize("last", ["create an existing one", "update one that moved", "delete one that moved"])
def test_all_or_nothing(repo: RepositoryBuilder, last: str) -> None:
    first = repo.git("rev-parse", "HEAD~1")
    step = Transaction(repo.repository())
    step.create("refs/tags/new", repo.head)
    match last.split(maxsplit=1)[0]:
        case "create":
            step.create("refs/tags/old", repo.head)
        case "update":
            step.update("refs/heads/main", first, first)
        case _:
            step.delete("refs/heads/main", first)
    before = tags(repo)
    with pytest.raises(RefConflict) as told:
        step.commit()
    assert "Run the command again" in told.value.hint
    assert tags(repo) == before
    assert repo.git("rev-parse", "main") == repo.head


def test_the_null_id_means_not_there_yet(repo: RepositoryBuilder) -> None:
    opened = repo.repository()
    step = Transaction(opened)
    step.update("refs/strata/ledger/forest", repo.head, opened.null_oid)
    step.commit()
    again = Transaction(opened)
    again.update("refs/strata/ledger/forest", repo.head, opened.null_oid)
    with pytest.raises(RefConflict):
        again.commit()


def test_what_git_refuses_otherwise_is_no_conflict(repo: RepositoryBuilder) -> None:
    step = Transaction(repo.repository())
    step.create("refs/tags/bad..name", repo.head)
    with pytest.raises(StrataError, match="git refused the references") as told:
        step.commit()
    assert not isinstance(told.value, RefConflict)
