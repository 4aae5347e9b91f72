"""An answer is told again only while nothing it follows from has changed, and then for little."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

HEAVY = {"yaml", "pydantic", "sqlite3", "gnupg", "git", "pygit2", "rich", "strata_git.index.build", "strata_git.doctor"}


@pytest.fixture
def story(builder: Builder) -> RepositoryBuilder:
    repo = builder().workspace()
    repo.story()
    repo.commit("Add all")
    return repo


def said(repo: RepositoryBuilder) -> list[Path]:
    place = repo.path / ".git/strata/cache/said"
    return sorted(place.iterdir()) if place.exists() else []


def listed(repo: RepositoryBuilder, *words: str) -> str:
    return repo.strata("list", "models", *words).expect(0).out


def test_asked_again_it_loads_nothing_and_says_the_same(story: RepositoryBuilder) -> None:
    first = listed(story)
    script = (
        "import sys; from strata_git.cli.main import main; code = main(['list', 'models'])\n"
        "print(*sorted(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=story.path, env=story.environ, capture_output=True)
    assert (done.returncode, done.stdout.decode()) == (0, first)
    assert set(done.stderr.decode().split()) & HEAVY == set()


def test_nothing_that_changed_is_told_as_it_was(story: RepositoryBuilder) -> None:
    assert "forest@v1" in listed(story)
    story.model("forest", "v2")
    story.commit("v2")
    assert "forest@v2" in listed(story)
    assert "forest@v2" not in listed(story, "--at", story.git("rev-parse", "HEAD~1"))
    story.git("checkout", "-q", "HEAD~1")
    assert "forest@v2" not in listed(story)
    story.git("checkout", "-q", "main")
    assert "forest@v2" in listed(story)
    story.git("rm", "-rq", "models")
    story.commit("gone")
    answer = story.strata("list", "models").expect(0)
    assert (answer.out, answer.err) == ("", "There are no models at HEAD.\n")
    again = story.strata("list", "models").expect(0)
    assert (again.out, again.err) == (answer.out, answer.err)


def test_other_words_are_another_question(story: RepositoryBuilder) -> None:
    texts = {listed(story), listed(story, "--format", "json"), listed(story, "--columns", "name"), listed(story)}
    assert len(texts) == 3
    assert len(said(story)) == 3


def test_what_may_mean_something_else_tomorrow_is_not_kept(story: RepositoryBuilder) -> None:
    for revision in ("main", "HEAD~0", "@{0}", story.head[:12]):
        listed(story, "--at", revision)
    story.strata("list", "models", "--where", "nothing").expect(3, 64)
    assert said(story) == []


def test_a_damaged_answer_is_asked_anew(story: RepositoryBuilder) -> None:
    true = listed(story)
    (kept,) = said(story)
    whole = kept.read_bytes()
    for data in (b"", whole[:-1], whole.replace(b"forest", b"FOREST"), b"\0" * len(whole), os.urandom(50)):
        kept.write_bytes(data)
        assert listed(story) == true
    other = kept.with_name("0" * 64)
    other.write_bytes(whole)
    kept.unlink()
    kept.symlink_to(other)
    assert listed(story) == true


def test_absent_content_is_not_told_again(story: RepositoryBuilder) -> None:
    story.git("config", "uploadpack.allowFilter", "true")
    partial = story.clone("partial", "--filter=blob:none", "--no-checkout")
    listed(partial)
    assert said(partial) == []
    partial.git("checkout", "-q", "main")
    assert listed(partial) == listed(story)


def test_the_oldest_answers_go(story: RepositoryBuilder) -> None:
    from strata_git.cli import recalled

    place = story.path / ".git/strata/cache/said"
    for number in range(recalled._KEPT + 5):
        recalled._keep(place / f"{number:064}", b"0:")
    assert len(said(story)) == recalled._KEPT
    assert recalled._read(place / f"{number:064}") == b"0:"
