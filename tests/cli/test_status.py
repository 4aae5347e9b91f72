"""`git strata status`: each thing that waits is told with its command, and nothing else."""

from __future__ import annotations

import fcntl
import json
import os

import pytest

from strata_git.cli.main import main
from tests.index.test_commands import promote
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys


def status(repo: RepositoryBuilder, capfd: pytest.CaptureFixture[str]) -> dict[str, list[tuple[str, str]]]:
    """Topic -> (what is told, the command)."""
    capfd.readouterr()
    assert main(["-C", str(repo.path), "status", "--format", "json"]) == 0
    value = json.loads(capfd.readouterr().out)
    assert value["schema"] == "strata/status/v1"
    found: dict[str, list[tuple[str, str]]] = {}
    for step in value["steps"]:
        found.setdefault(step["topic"], []).append((step["told"], step["command"]))
    return found


def test_what_waits_is_told_with_its_command(builder: Builder, capfd: pytest.CaptureFixture[str]) -> None:
    repo = builder()
    assert ("there is no strata.yaml", "git strata init .") in status(repo, capfd)["workspace"]
    repo.workspace()
    repo.commit("Begin")
    repo.dataset("iris")
    repo.run(metadata={"status": "failed", "error": "out of memory"})
    found = status(repo, capfd)
    assert found["not committed"] == [
        ("datasets/iris@v1", "git add datasets/iris/v1 && git commit -m 'Add datasets/iris@v1'"),
        (f"{artifacts.RUN} (failed)", f"git add runs/{artifacts.RUN} && git commit -m 'Add {artifacts.RUN}'"),
    ]
    assert found["hooks"][0][1] == "git strata install"
    repo.model("forest")
    repo.model("forest", "v2")
    repo.dataset("wine", replace={"CHECKSUMS.txt": None})
    repo.commit("Add all")
    found = status(repo, capfd)
    assert found["unsigned"] == [("models/forest@v2", "git strata sign models/forest@v2")]
    assert found["not promoted"] == [("models/forest@v2", "git strata promote forest@v2")]
    assert found["not judged"] == [("5 of 5 artifacts here", "git strata doctor")]
    main(["-C", str(repo.path), "doctor", "--at", "HEAD"])
    found = status(repo, capfd)
    assert "not judged" not in found
    assert found["findings"] == [("1 errors and 0 warnings in what is committed", "git strata doctor --at HEAD")]


def test_nothing_to_do_is_said(builder: Builder, capfd: pytest.CaptureFixture[str]) -> None:
    repo = builder().workspace().install_hooks()
    repo.commit("Begin")
    assert status(repo, capfd) == {}
    main(["-C", str(repo.path), "status"])
    assert "Nothing to do." in capfd.readouterr().out


def test_hooks_of_another_version_are_told(builder: Builder, capfd: pytest.CaptureFixture[str]) -> None:
    repo = builder().workspace().install_hooks()
    repo.commit("Begin")
    hook = repo.path / ".git/hooks/commit-msg"
    hook.write_text(hook.read_text().replace("exec", ": ; exec", 1))
    told, command = status(repo, capfd)["hooks"][0]
    assert told.startswith("commit-msg is ")
    assert command == "git strata install"
    hook.unlink()
    assert status(repo, capfd)["hooks"] == [("commit-msg is not ours (absent)", "git strata install")]


def test_events_that_fork_or_are_not_pushed_are_told(
    builder: Builder, keys: Keys, capfd: pytest.CaptureFixture[str]
) -> None:
    repo = builder().workspace()
    repo.story()
    repo.commit("Add all")
    promote(repo, keys)
    assert "not promoted" not in status(repo, capfd)
    assert "not pushed" not in status(repo, capfd)
    server = builder("server", bare=True)
    repo.git("remote", "add", "origin", server.path.as_uri())
    assert status(repo, capfd)["not pushed"][0][1] == "git strata push origin"
    repo.git("push", "--quiet", "origin", "HEAD")
    main(["-C", str(repo.path), "push"])
    assert "not pushed" not in status(repo, capfd)
    twin = repo.git("cat-file", "tag", "forest#production#3").replace("#3", "#4").replace('"seq":3', '"seq":4')
    oid = repo.git("mktag", stdin=f"{twin}\n".encode())
    repo.git("update-ref", "refs/tags/forest#production#4", oid)
    assert status(repo, capfd)["forked events"] == [
        ("forest: the line of events has 2 ends", "git strata resolve forest")
    ]


def test_killed_runs_and_a_stale_index_are_told_and_nothing_is_written(
    builder: Builder, capfd: pytest.CaptureFixture[str]
) -> None:
    repo = builder().workspace()
    repo.commit("Begin")
    owner = repo.path / f".strata/local/pending/{artifacts.RUN}/owner"
    assert "killed run" not in status(repo, capfd)
    assert not owner.parent.exists()
    owner.parent.mkdir(parents=True)
    owner.write_bytes(b"")
    assert "its process is gone" in status(repo, capfd)["killed run"][0][0]
    with open(owner, "rb+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "killed run" not in status(repo, capfd)
    (repo.path / ".git/strata").mkdir(exist_ok=True)
    (repo.path / ".git/strata/index.stale").write_text("merge\n")
    assert status(repo, capfd)["index"] == [("history changed (merge) since it was last read", "git strata index")]


def test_it_is_quick(builder: Builder) -> None:
    """The whole process, git's included, against a start-up that does nothing; both as CPU, whatever else runs."""
    repo = builder().workspace()
    repo.story()
    repo.commit("Add all")
    times = {}
    for word in ("--version", "status", "--version", "status"):
        before = os.times()
        repo.strata(word).expect(0)
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        times[word] = min(spent, times.get(word, spent))
    assert times["status"] < 0.3 or times["status"] < 6 * times["--version"]
