"""Whatever a plugin does, there is one whole and truthful record; before it starts, there is none."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path

import pytest

from strata_git.errors import MissingExtra, StrataError, UsageError
from strata_git.load import load_json
from strata_git.repo.tree import commit_tree
from strata_git.runs.spec import RunSpec
from strata_git.runs.started import Started
from strata_git.runs.tracking_files import FileTracker
from tests.runs.running import NOON, opened, pending, perform, record_of, spec, visible
from tests.support.builder import RepositoryBuilder


def test_a_run_is_recorded_whole(repo: RepositoryBuilder) -> None:
    done = perform(repo)
    record = record_of(repo, done.id)
    assert (done.id, done.status, done.path) == ("run-2026-11-21-001", "succeeded", "runs/run-2026-11-21-001")
    assert dict(done.metrics) == {"rows": 3, "score": 0.1 + 0.2 + 7}
    assert load_json(repo.read(f"{done.path}/metrics.json")).value == dict(done.metrics)
    assert done.digest == "sha256:" + hashlib.sha256(repo.read(f"{done.path}/CHECKSUMS.txt")).hexdigest()
    assert record.code.commit == repo.head
    assert not record.code.dirty
    assert record.code.tree == repo.git("rev-parse", "HEAD^{tree}")
    assert [one.ref for one in record.inputs] == ["datasets/iris@v1"]
    assert [one.path for one in record.outputs] == ["artifacts/note.txt"]
    assert (record.started, record.finished) == ("2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z")
    assert pending(repo) == []
    assert repo.git("status", "--porcelain") == "?? runs/"


def test_the_record_passes_the_doctors_rules(repo: RepositoryBuilder) -> None:
    from strata_git.checks.engine import judge_artifact
    from strata_git.contracts.layout import Artifact

    for mode in ("model", "fail"):
        done = perform(repo, spec(mode))
        repo.commit("Run")
        judged = judge_artifact(commit_tree(opened(repo), repo.head), Artifact("run", done.id))
        assert [one for one in judged.findings if one.severity == "error"] == []


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("fail", "RuntimeError: the oven is cold"),
        ("leave", "SystemExit: 5"),
        ("nan", "metric 'loss' is nan"),
        ("phantom", "absent.bin"),
        ("meddle", "changed while"),
        ("link", "symbolic link"),
    ],
)
def test_a_failure_is_recorded_with_its_reason(repo: RepositoryBuilder, mode: str, said: str) -> None:
    done = perform(repo, spec(mode))
    record = record_of(repo, done.id)
    assert done.status == record.status == "failed"
    assert said in (record.error or "")
    assert pending(repo) == []


def test_what_was_measured_before_a_failure_stays(repo: RepositoryBuilder) -> None:
    done = perform(repo, spec("fail"))
    assert dict(done.metrics) == {"before": 1}
    assert "Traceback" in repo.read(f"{done.path}/logs.txt").decode()


def test_a_request_to_stop_is_recorded_and_handlers_come_back(repo: RepositoryBuilder) -> None:
    before = signal.getsignal(signal.SIGTERM)
    done = perform(repo, spec("stop"))
    record = record_of(repo, done.id)
    assert done.status == record.status == "interrupted"
    assert record.error == "interrupted by SIGTERM"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_was_ignored_stays_ignored(repo: RepositoryBuilder) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert perform(repo, spec("stop", nap=0)).status == "succeeded"
    finally:
        signal.signal(signal.SIGTERM, before)


def test_all_that_is_said_goes_to_the_log_only(repo: RepositoryBuilder, capfd: pytest.CaptureFixture[str]) -> None:
    done = perform(repo, spec("talk"))
    lines = [line.split(" ", 1)[1] for line in repo.read(f"{done.path}/logs.txt").decode().splitlines()]
    assert {"out said aloud", "err 100%", "out no newline", "log WARNING toy: logged"} <= set(lines)
    assert r"log noted \x1b[31m" in lines
    assert capfd.readouterr() == ("", "")
    assert sys.stdout is not None
    print("still here")
    assert capfd.readouterr().out == "still here\n"


def test_seeds_and_specs_decide_the_result(repo: RepositoryBuilder) -> None:
    same, again, other = perform(repo), perform(repo), perform(repo, spec(seed=8))
    assert dict(same.metrics) == dict(again.metrics) != dict(other.metrics)
    assert repo.read(f"{same.path}/config.yaml") == repo.read(f"{again.path}/config.yaml")


def test_artifacts_live_under_the_root_while_working_and_beside_the_record_after(
    repo: RepositoryBuilder, tmp_path: Path
) -> None:
    root = tmp_path / "elsewhere"
    done = perform(repo, CORE_ARTIFACT_ROOT=str(root))
    assert [one.path for one in record_of(repo, done.id).outputs] == ["artifacts/note.txt"]
    assert list(root.iterdir()) == []


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no second file system here")
def test_an_artifact_root_on_another_file_system_is_copied_from(repo: RepositoryBuilder, tmp_path: Path) -> None:
    root = Path("/dev/shm") / tmp_path.name
    if not root.parent.exists() or os.stat(root.parent).st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("no second file system here")
    done = perform(repo, spec("model"), CORE_ARTIFACT_ROOT=str(root))
    names = [one.path for one in record_of(repo, done.id).outputs]
    assert names == ["artifacts/model.bin", "artifacts/model.json", "artifacts/note.txt"]
    assert list(root.iterdir()) == []
    root.rmdir()


def test_an_artifact_root_that_cannot_be_used_leaves_nothing(repo: RepositoryBuilder) -> None:
    repo.write({"file": "x"})
    with pytest.raises(StrataError, match="CORE_ARTIFACT_ROOT"):
        perform(repo, CORE_ARTIFACT_ROOT=str(repo.path / "file"))
    assert (visible(repo), pending(repo)) == ([], [])


def test_dirt_is_recorded_as_the_tree_git_would_write(repo: RepositoryBuilder) -> None:
    repo.write({"code.py": "a = 2\n", "new.py": "b = 1\n", "toy.yaml": None, "untracked.txt": "not code\n"})
    repo.git("add", "new.py")
    done = perform(repo)
    record = record_of(repo, done.id)
    expected = {**repo.environ, "GIT_INDEX_FILE": str(repo.path / ".git/other-index")}
    repo.git("read-tree", "HEAD", env=expected)
    repo.git("add", "-u", env=expected)
    repo.git("update-index", "--add", "new.py", env=expected)
    assert record.code.dirty
    assert record.code.tree == repo.git("write-tree", env=expected)


def test_a_touched_but_equal_file_is_not_dirt(repo: RepositoryBuilder) -> None:
    os.utime(repo.path / "code.py", (1, 1))
    assert not record_of(repo, perform(repo).id).code.dirty


def test_the_environment_is_not_recorded(repo: RepositoryBuilder) -> None:
    done = perform(repo, API_TOKEN="hunter2-of-the-test")
    found = [path for path in (repo.path / done.path).rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    assert found == []


@pytest.mark.extras
@pytest.mark.parametrize(
    ("what", "kind", "said"),
    [
        (RunSpec("e", "absent"), UsageError, "no plugin 'absent'"),
        (RunSpec("e", "broken"), StrataError, "cannot be loaded"),
        (RunSpec("e", "toy", dataset_id="wine@v1"), StrataError, "wine@v1"),
        (RunSpec("e", "sklearn", params={"model": "oracle"}), UsageError, "oracle"),
        (RunSpec("e", "sklearn", params={"model": "random_forest", "trees": 3}), UsageError, "trees"),
        (RunSpec("e", "sklearn", params={"model": "random_forest"}), UsageError, "dataset_id or"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    repo: RepositoryBuilder, what: RunSpec, kind: type[StrataError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        perform(repo, what)
    assert not (repo.path / ".strata").exists()
    assert visible(repo) == []


@pytest.mark.extras
@pytest.mark.parametrize(("module", "extra"), [("mlflow", "runs"), ("sqlalchemy", "runs"), ("skops", "sklearn")])
def test_a_missing_extra_is_named_before_anything_is_written(
    repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch, module: str, extra: str
) -> None:
    from strata_git.config import Settings
    from strata_git.runs.execute import execute

    monkeypatch.setitem(sys.modules, module, None)
    what = RunSpec("e", "sklearn", data_spec={"kind": "synthetic"}, params={"model": "random_forest"})
    with pytest.raises(MissingExtra) as caught:
        execute(opened(repo), Settings(tracking_to="mlflow"), what, repo.environ, NOON)
    assert caught.value.hint == f"pip install 'git-strata[{extra}]'"
    assert not (repo.path / ".strata").exists()


def test_a_repository_without_a_commit_is_refused(repo: RepositoryBuilder) -> None:
    repo.git("checkout", "--quiet", "--orphan", "empty")
    with pytest.raises(StrataError, match="no commit yet"):
        perform(repo, spec(dataset=""))


def test_a_tracker_that_cannot_be_opened_leaves_no_run(repo: RepositoryBuilder) -> None:
    def refuse(_: Started) -> None:
        raise StrataError("the server is away")

    with pytest.raises(StrataError, match="away"):
        perform(repo, tracker=refuse)
    assert (visible(repo), pending(repo)) == ([], [])


def test_a_tracker_that_breaks_midway_does_not_break_the_run(repo: RepositoryBuilder, tmp_path: Path) -> None:
    class Broken(FileTracker):
        def log_metrics(self, metrics: object, step: int | None = None) -> None:
            raise OSError("gone")

    done = perform(repo, tracker=lambda _: Broken(tmp_path / "t"))
    assert (done.status, done.tracked) == ("succeeded", False)
    assert "tracking stopped: OSError: gone" in repo.read(f"{done.path}/logs.txt").decode()
    assert dict(done.metrics) == {"rows": 3, "score": 7.3}


def test_a_tracker_sees_what_the_record_says(repo: RepositoryBuilder, tmp_path: Path) -> None:
    done = perform(repo, spec("model"), tracker=lambda _: FileTracker(tmp_path / "t"))
    lines = [load_json(line).value for line in (tmp_path / "t").read_bytes().splitlines()]
    seen = {k: v for line in lines if isinstance(line, dict) for k, v in line.get("metrics", {}).items()}
    assert seen == dict(done.metrics)
    assert {"artifact": "model.bin", "folder": ""} in lines
    assert lines[-1] == {"status": "succeeded"}


def test_a_name_taken_while_the_run_worked_costs_nothing(repo: RepositoryBuilder) -> None:
    def take(run: Started) -> None:
        (repo.path / "runs" / run.id).mkdir(parents=True)

    with pytest.raises(StrataError, match="appeared while"):
        perform(repo, tracker=take)
    assert pending(repo) == ["run-2026-11-21-001"]
    (repo.path / "runs/run-2026-11-21-001").rmdir()
    later = perform(repo)
    assert (later.id, later.killed) == ("run-2026-11-21-002", ())
    assert record_of(repo, "run-2026-11-21-001").status == "succeeded"
