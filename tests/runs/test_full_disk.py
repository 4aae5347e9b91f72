"""A disk that is full, files that may not grow, and places that cannot be written: a clear sentence, nothing lost."""

from __future__ import annotations

import errno
import os
import resource
import signal
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.runs.reproduce import reproduce
from tests.runs.dying import Changes, ended, forked
from tests.runs.running import opened, pending, perform, record_of, visible
from tests.runs.test_crashes import SLOW, changes_of, settled
from tests.support.builder import RepositoryBuilder

STATUSES = {"succeeded", "failed", "killed"}


@pytest.fixture
def untidy(repo: RepositoryBuilder) -> RepositoryBuilder:
    """A work tree that is not as HEAD, so that a run keeps it too."""
    repo.write({"code.py": "a = 2\n", "beside.txt": "not added\n", "plugins/slow.py": SLOW})
    return repo


def on_a_disk_full_since(repo: RepositoryBuilder, change: int) -> str:
    """What a run says when nothing can be written from its n-th change of the disk on (`""`: it ran to its end)."""
    try:
        with Changes(refuse=change).watched():
            perform(repo)
    except StrataError as refused:
        return refused.message
    return ""


@pytest.mark.heavy
def test_a_disk_that_is_full_from_some_moment_on(untidy: RepositoryBuilder, tmp_path: Path) -> None:
    untidy.environ["CORE_ARTIFACT_ROOT"] = str(tmp_path / "artifacts")
    count = len(changes_of(untidy))
    said = set()
    for change in range(1, count + 1):
        before = visible(untidy)
        told = on_a_disk_full_since(untidy, change)
        said.add(told)
        for name in set(visible(untidy)) - set(before):
            record_of(untidy, name)
        new = settled(untidy, before, STATUSES)
        assert told or new, change
    assert any("No space left on device" in each for each in said)
    assert not any("\n" in each for each in said)
    assert list((tmp_path / "artifacts").iterdir()) == []


def test_what_was_computed_is_not_lost(repo: RepositoryBuilder) -> None:
    """The record cannot be completed; when there is room again the next run completes it, as what it was."""
    names = changes_of(repo)
    last = len(names) - names[::-1].index("replace")  # run.yaml and the list of digests are written last
    told = on_a_disk_full_since(repo, last)
    assert "No space left on device" in told
    assert len(pending(repo)) == 1
    (lost,) = pending(repo)
    outcome = perform(repo)
    assert lost in visible(repo)
    record = record_of(repo, lost)
    assert (record.status, record.error) == ("succeeded", None)
    assert [output.path for output in record.outputs] == ["artifacts/note.txt"]
    assert (outcome.status, pending(repo)) == ("succeeded", [])


@pytest.mark.parametrize("limit", [0, 1000])
def test_files_that_may_not_grow(repo: RepositoryBuilder, limit: int, capfd: pytest.CaptureFixture[str]) -> None:
    """A limit that the kernel keeps: every program that is started is under it too."""

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        try:
            perform(repo)
        except StrataError:
            os._exit(3)

    before = visible(repo)
    assert ended(forked(work)) == 3
    assert visible(repo) == before
    settled(repo, before, STATUSES)


def test_an_artifact_root_that_cannot_be_used(repo: RepositoryBuilder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StrataError, match="CORE_ARTIFACT_ROOT") as refused:
        perform(repo, CORE_ARTIFACT_ROOT=str(tmp_path / "file" / "below"))
    assert "directory you may write to" in refused.value.hint
    assert (visible(repo), pending(repo)) == ([], [])


@pytest.mark.parametrize("where", ["runs", ".strata/local", ".git/strata/scratch"])
def test_a_place_that_cannot_be_written(repo: RepositoryBuilder, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write everywhere but on a file system that is read-only, so the system's answer is given here."""
    run = perform(repo).id
    before = visible(repo)
    base = str(repo.path / where)
    real = {name: getattr(os, name) for name in ("mkdir", "open", "rename")}

    def refusing(name: str) -> object:
        def refuse(path: object, *more: object, **options: object) -> object:
            into = str(more[0]) if name == "rename" else str(path)
            writes = name != "open" or bool(int(str(more[0])) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            if writes and into.startswith(base):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), into)
            return real[name](path, *more, **options)

        return refuse

    with monkeypatch.context() as patch:
        for name in real:
            patch.setattr(os, name, refusing(name))
        with pytest.raises(StrataError, match="Read-only file system"):
            reproduce(opened(repo), run) if "scratch" in where else perform(repo)
    assert visible(repo) == before
    assert perform(repo).status == "succeeded"
    assert pending(repo) == []
