"""Commit messages of commits made from other commits: amended, picked, reverted, merged, rebased."""

from __future__ import annotations

from tests.hooks.messaging import IRIS, ROSE, editor, message, stage
from tests.support.builder import RepositoryBuilder


def test_amending_repeats_nothing_and_forgets_nothing(repo: RepositoryBuilder) -> None:
    stage(repo, "iris")
    repo.git("commit", "-qsm", "Add")
    stage(repo, "rose")
    repo.git("commit", "-q", "--amend", "--no-edit")
    assert message(repo) == ["Add", "", "Signed-off-by: Ada Tester <ada@example.org>", IRIS, ROSE]
    repo.git("commit", "-q", "--amend", "-m", "Anew")
    assert message(repo) == ["Anew", "", IRIS, ROSE]
    repo.git("rm", "-rq", "datasets/iris")
    repo.git("commit", "-q", "--amend", "--no-edit")
    assert message(repo) == ["Anew", "", ROSE]


def test_a_message_that_looks_like_an_option(repo: RepositoryBuilder) -> None:
    stage(repo, "iris")
    repo.git("commit", "-qm", "Add")
    stage(repo, "rose")
    repo.git("commit", "-qm", "--amend")
    assert message(repo) == ["--amend", "", ROSE]


def test_the_same_message_again_is_no_amending(repo: RepositoryBuilder) -> None:
    stage(repo, "iris")
    repo.git("commit", "-qm", "Add")
    stage(repo, "rose")
    repo.git("commit", "-qC", "HEAD")
    assert message(repo)[-1] == ROSE
    assert message(repo, "HEAD^") == ["Add", "", IRIS]


def test_cherry_pick_and_revert(repo: RepositoryBuilder) -> None:
    repo.git("checkout", "-qb", "side")
    stage(repo, "iris")
    repo.git("commit", "-qm", "Add")
    repo.git("checkout", "-q", "main")
    repo.commit("Ahead", {"ahead.txt": "x"})
    repo.git("cherry-pick", "-x", "side")
    assert message(repo)[:3] == ["Add", "", IRIS]
    repo.git("revert", "--no-edit", "HEAD")
    assert message(repo)[-1] == IRIS
    assert len([line for line in message(repo) if line.startswith("Strata-")]) == 1


def test_merges(repo: RepositoryBuilder) -> None:
    repo.git("checkout", "-qb", "side")
    stage(repo, "iris")
    repo.git("commit", "-qm", "Add")
    repo.git("checkout", "-q", "main")
    repo.commit("Ahead", {"ahead.txt": "x"})
    repo.git("merge", "-q", "--no-edit", "side")
    assert message(repo) == ["Merge branch 'side'", "", IRIS]
    repo.git("reset", "-q", "--hard", "HEAD^")
    repo.git("merge", "-q", "--squash", "side")
    repo.git("commit", "-q", env=editor(repo, ""))
    assert message(repo)[-1] == IRIS
    assert message(repo).count(IRIS) == 1


def test_a_conflicted_merge(repo: RepositoryBuilder) -> None:
    repo.git("checkout", "-qb", "side")
    stage(repo, "iris")
    repo.commit("Add", {"notes.txt": "theirs\n"})
    repo.git("checkout", "-q", "main")
    repo.commit("Ahead", {"notes.txt": "ours\n"})
    assert repo.try_git("merge", "side").code == 1
    repo.write({"notes.txt": "both\n"})
    repo.git("add", "notes.txt")
    repo.git("commit", "-q", "--no-edit")
    assert message(repo) == ["Merge branch 'side'", "", "# Conflicts:", "#\tnotes.txt", "", IRIS]  # so git keeps it


def test_rebase_keeps_and_squashes(repo: RepositoryBuilder) -> None:
    for name in ("iris", "rose"):
        stage(repo, name)
        repo.git("commit", "-qm", f"Add {name}")
    ways = {"GIT_SEQUENCE_EDITOR": "sed -i '2s/^pick/squash/'", **editor(repo, "")}
    repo.git("rebase", "-qi", "HEAD~2", env=ways)
    assert [line for line in message(repo) if line] == ["Add iris", IRIS, "Add rose", ROSE]
    repo.git("rebase", "-qi", "HEAD^", env={"GIT_SEQUENCE_EDITOR": "sed -i 's/^pick/reword/'", **editor(repo, "")})
    assert {IRIS, ROSE} <= set(message(repo))
    assert repo.git("status", "--porcelain") == ""
