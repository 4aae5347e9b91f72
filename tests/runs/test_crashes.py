"""A run that dies at any moment: no wrong record, nothing half there under a final name, the next run unaffected."""

from __future__ import annotations

import random
import time
from collections.abc import Collection
from pathlib import Path

import pytest

from strata_git.runs.spec import RunSpec
from tests.runs.dying import CODE, Changes, ended, forked, killed_after
from tests.runs.running import pending, perform, record_of, visible
from tests.support.builder import RepositoryBuilder

STATES = {"succeeded", "killed"}
SLOW = '''
class SlowPlugin:
    """Writes some files, and takes a little time for each."""
    name = "slow"
    requires = {}

    def run(self, spec, context):
        import time
        for number in range(5):
            (context.artifact_dir / f"{number}.txt").write_text(str(number))
            context.tracking.log_metric("number", number, number)
            context.log(f"wrote {number}")
            time.sleep(0.01)
'''


@pytest.fixture
def untidy(repo: RepositoryBuilder) -> RepositoryBuilder:
    """A work tree that is not as HEAD, so that a run keeps it too."""
    repo.write({"code.py": "a = 2\n", "beside.txt": "not added\n", "plugins/slow.py": SLOW})
    return repo


def settled(repo: RepositoryBuilder, before: list[str], possible: Collection[str] = STATES) -> list[str]:
    """Another run works as if nothing had happened; the runs that are new since `before`, all of them whole."""
    outcome = perform(repo)
    assert (outcome.status, outcome.error) == ("succeeded", None)
    new = [name for name in visible(repo) if name not in before]
    assert new[-1] == outcome.id
    statuses = {name: record_of(repo, name).status for name in new}
    assert {*statuses.values()} <= {*possible}, statuses
    # what had been closed and only lacked its final name is put in place as what it was
    assert {name for name, status in statuses.items() if status == "killed"} <= set(outcome.killed) <= {*new}
    assert pending(repo) == []
    kept = repo.git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/strata/runs/").splitlines()
    assert set(kept) <= set(visible(repo))
    return new


def doomed(repo: RepositoryBuilder, fatal: int) -> int:
    """How a run ended that was to die at a change of the disk."""

    def work() -> None:
        with Changes(fatal).watched():
            perform(repo)

    return ended(forked(work))


def changes_of(repo: RepositoryBuilder) -> list[str]:
    """What a run changes, in its order."""
    perform(repo)  # what is made once is not counted
    counted = Changes()
    with counted.watched():
        perform(repo)
    return counted.names


@pytest.mark.heavy
def test_dying_before_each_change_of_the_disk(untidy: RepositoryBuilder, tmp_path: Path) -> None:
    untidy.environ["CORE_ARTIFACT_ROOT"] = str(tmp_path / "artifacts")
    names = changes_of(untidy)
    assert {"rename", "replace", "mkdir", "fsync", "pwrite", "git"} <= {*names}
    for fatal in range(1, len(names) + 1):
        before = visible(untidy)
        code = doomed(untidy, fatal)
        assert code == CODE, (fatal, names[fatal - 1])
        for name in set(visible(untidy)) - set(before):  # what has its final name is whole already
            record_of(untidy, name)
        new = settled(untidy, before)
        assert 1 <= len(new) <= 2, (fatal, names[fatal - 1])
    assert list((tmp_path / "artifacts").iterdir()) == []


def kills(repo: RepositoryBuilder, times: int, wanted: Collection[str] = ()) -> set[str]:
    """So many runs killed at moments that chance picks; the statuses that came of them. How long a run takes is known
    from one alone, and machines may be busy: while a wanted status is missing, up to so many more, and later ones."""
    chance, slow = random.Random(times), RunSpec("slow", "slow", 7, "iris@v1")
    perform(repo, slow)
    begun = time.monotonic()
    perform(repo, slow)
    usual = time.monotonic() - begun
    found: set[str] = set()
    for number in range(2 * times):
        if number >= times and found >= {*wanted}:
            break
        before = visible(repo)
        latest = 1.2 if number < times else 2.0
        killed_after(lambda: perform(repo, slow), chance.uniform(0.1, latest) * usual)
        for name in set(visible(repo)) - set(before):
            record_of(repo, name)
        new = settled(repo, before)
        assert 1 <= len(new) <= 2
        found |= {record_of(repo, name).status for name in new[:-1]}
    return found


def test_killed_at_moments_that_chance_picks(untidy: RepositoryBuilder) -> None:
    kills(untidy, 8)


@pytest.mark.heavy
def test_killed_fifty_times(untidy: RepositoryBuilder) -> None:
    assert kills(untidy, 50, STATES) == STATES
