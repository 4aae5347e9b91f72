"""What is listed by tree objects is what `git ls-tree` lists."""

from __future__ import annotations

import os

import pytest

from strata_git.errors import StrataError
from strata_git.repo.scan import listed_at, staged_at
from strata_git.repo.tree import commit_tree, index_tree
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

PATHS = (
    "datasets/iris/v1", "datasets/iris", "datasets", "strata.yaml", ".strata/baseline.json", "none", "none/below",
    "strata.yaml/below", "datasets/iris/v1/deep", "datasets/iris/v1/link", "vendor", "vendor/below", "odd",
)  # fmt: skip


@pytest.fixture(params=["sha1", "sha256"])
def repo(builder: Builder, request: pytest.FixtureRequest) -> RepositoryBuilder:
    made = builder(object_format=request.param)
    odd = "odd/" + os.fsdecode(b"\xff \n*")
    files = {"strata.yaml": "a", ".strata/baseline.json": "{}", "datasets/iris/v1/a": "a", odd: "x"}
    made.write({**files, "datasets/iris/v1/deep/er/b": "b", "datasets/iris/v2/a": "a"})
    (made.path / "datasets/iris/v1/link").symlink_to("a")
    (made.path / "datasets/iris/v1/a").chmod(0o755)
    made.git("add", "--all")
    made.git(
        "update-index", "--add", "--cacheinfo", f"160000,{'1' * len(made.git('rev-parse', ':strata.yaml'))},vendor"
    )
    made.git("commit", "-qm", "All sorts")
    return made


@pytest.mark.parametrize("path", PATHS)
def test_one_path(repo: RepositoryBuilder, path: str) -> None:
    opened = repo.repository()
    try:
        head = opened.head()
        assert head is not None
        assert listed_at(opened, head, [path]).under("") == commit_tree(opened, head, [path]).under("")
    finally:
        opened.close()


def test_several_paths_and_what_is_staged_over_them(repo: RepositoryBuilder) -> None:
    repo.write({"datasets/iris/v1/deep/er/b": "changed", "datasets/iris/v3/new": "new"})
    repo.git("add", "--all")
    repo.git("rm", "-q", "--cached", "datasets/iris/v2/a")
    asked = ["datasets/iris/v1", "datasets/iris/v2", "datasets/iris/v3", "strata.yaml"]
    opened = repo.repository()
    try:
        from strata_git.repo.staged import staged_changes

        changes = staged_changes(opened, asked)
        assert changes
        assert staged_at(opened, asked, changes).under("") == index_tree(opened, asked, changes).under("")
    finally:
        opened.close()


def test_before_the_first_commit(builder: Builder) -> None:
    opened = builder().repository()
    assert staged_at(opened, ["datasets"], []).under("") == []
    opened.close()


def test_what_is_not_here_is_told_as_git_tells_it(repo: RepositoryBuilder) -> None:
    tree = repo.git("rev-parse", "HEAD:datasets")
    (repo.path / ".git/objects" / tree[:2] / tree[2:]).unlink()
    opened = repo.repository()
    try:
        head = opened.head()
        assert head is not None
        with pytest.raises(StrataError):
            listed_at(opened, head, ["datasets/iris/v1"])
        assert [entry.path for entry in listed_at(opened, head, ["strata.yaml"]).under("")] == ["strata.yaml"]
    finally:
        opened.close()
