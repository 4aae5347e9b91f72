"""Objects in bulk: one process, no deadlock, absent ones told, nothing fetched."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from strata_git.repo.scan import parse_tree, render_tree
from strata_git.repo.tree import TooLarge
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

ABSENT = "1" * 40


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    made = builder()
    made.commit("One", {"a": "aaa", "big": b"0123456789" * 30_000})
    return made


def oid(repo: RepositoryBuilder, name: str) -> str:
    return repo.git("rev-parse", f"HEAD:{name}")


def test_read_and_limits(repo: RepositoryBuilder) -> None:
    objects = repo.repository().objects
    assert objects.read(oid(repo, "a")) == ("blob", b"aaa")
    with pytest.raises(TooLarge):
        objects.read(oid(repo, "big"), 299_999)
    assert objects.read(oid(repo, "a"), 3) == ("blob", b"aaa")
    with pytest.raises(KeyError):
        objects.read(ABSENT)
    assert objects.read(oid(repo, "big"), 300_000)[1].endswith(b"789")


def test_digests_are_streamed(repo: RepositoryBuilder) -> None:
    objects = repo.repository().objects
    data = repo.read("big")
    assert objects.digest(oid(repo, "big")) == (hashlib.sha256(data).hexdigest(), len(data), b"")
    assert objects.digest(oid(repo, "a"), keep=3) == (hashlib.sha256(b"aaa").hexdigest(), 3, b"aaa")
    with pytest.raises(KeyError):
        objects.digest(ABSENT)


def test_many_digests_in_one_sweep(repo: RepositoryBuilder) -> None:
    objects = repo.repository().objects
    asked = [oid(repo, "big"), ABSENT, oid(repo, "a")]
    assert list(objects.digest_many(asked, keep=3)) == [
        (asked[0], objects.digest(asked[0])), (ABSENT, None), (asked[2], objects.digest(asked[2], keep=3)),
    ]  # fmt: skip


def test_many_in_order_with_absent_ones_between(repo: RepositoryBuilder) -> None:
    objects = repo.repository().objects
    asked = [oid(repo, "a"), ABSENT, repo.head] * 500
    answers = list(objects.read_many(asked))
    assert [answer[0] for answer in answers] == asked
    assert [answer[1] for answer in answers[:3]] == ["blob", None, "commit"]


def test_a_caller_may_stop_early_and_ask_in_between(repo: RepositoryBuilder) -> None:
    objects = repo.repository().objects
    for _, kind, _ in objects.read_many([oid(repo, "a")] * 900):
        assert kind == "blob"
        assert objects.read(repo.head)[0] == "commit"
        break
    assert objects.read(oid(repo, "a")) == ("blob", b"aaa")


def test_names_are_looked_up(repo: RepositoryBuilder) -> None:
    found = dict(repo.repository().objects.lookup(["HEAD:a", "HEAD:none", f"{ABSENT}:a", "HEAD:"]))
    assert [None if row is None else row[:2] for row in found.values()] == [
        (oid(repo, "a"), "blob"), None, None, (repo.git("rev-parse", "HEAD:"), "tree"),
    ]  # fmt: skip


def test_long_names_do_not_fill_the_pipe(repo: RepositoryBuilder) -> None:
    """Questions and answers that are both larger than a pipe: neither side may wait for the other for ever."""
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from strata_git.repo.command import Repository\n"
        "repo = Repository.discover(Path.cwd(), dict(os.environ))\n"
        "names = [f'HEAD:{\"x/\" * 150}../{\"../\" * 149}big' for _ in range(5)] + ['HEAD:big'] * 5\n"
        "names += ['HEAD:' + 'n' * 1000] * 390\n"
        "print(sum(row is not None for _, row in repo.objects.lookup(names)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=repo.path, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (0, "5\n"), done.stderr


def test_closing_and_opening_again(repo: RepositoryBuilder) -> None:
    opened = repo.repository()
    first = opened.objects
    assert opened.objects is first
    opened.close()
    assert first.closed
    assert opened.objects is not first
    assert opened.objects.read(repo.head)[0] == "commit"


def test_a_damaged_object_is_absent_and_the_next_one_is_read(repo: RepositoryBuilder) -> None:
    """git ends over such an object; what comes after is asked of a new process, not of a broken pipe."""
    damaged = oid(repo, "big")
    file = Path(repo.path, ".git/objects", damaged[:2], damaged[2:])
    file.chmod(0o644)
    whole = b"blob 300000\0" + repo.read("big")
    file.write_bytes(zlib.compress(whole, 0)[:200_000])
    opened = repo.repository()
    for _ in range(20):
        with pytest.raises(KeyError):
            opened.objects.read(damaged)
        assert opened.objects.read(oid(repo, "a")) == ("blob", b"aaa")


def test_objects_are_stored_as_they_are(repo: RepositoryBuilder) -> None:
    repo.git("config", "core.autocrlf", "input")
    opened = repo.repository()
    stored = opened.write_object("blob", b"line\r\n")
    assert opened.objects.read(stored) == ("blob", b"line\r\n")


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_tree_objects_are_parsed_and_rendered(builder: Builder, object_format: str) -> None:
    repo = builder(object_format=object_format)
    repo.commit("One", {"d/x": "x", "d.y": "y", "z w": "z"})
    opened = repo.repository()
    _, data = opened.objects.read(repo.git("rev-parse", "HEAD^{tree}"))
    rows = parse_tree(data, object_format)
    assert [(row.name, row.is_tree) for row in rows] == [("d.y", False), ("d", True), ("z w", False)]
    assert render_tree(rows) == data
