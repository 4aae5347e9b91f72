"""The index grows, and is never wrong: killed, crowded, not writable, out of room, or with its store in pieces."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from strata_git.index import additions
from strata_git.index.build import build
from strata_git.index.lazy import LazyIndex
from strata_git.index.store import PLACE, UNKEPT
from strata_git.repo.command import Repository
from tests.index.opening import opened
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


def lazily(repo: RepositoryBuilder, revision: str = "HEAD", **options: object) -> LazyIndex:
    index = build(opened(repo), revision, **options)  # type: ignore[arg-type]
    assert isinstance(index, LazyIndex)
    return index


def document(repo: RepositoryBuilder, revision: str = "HEAD") -> bytes:
    return lazily(repo, revision).document()


def anew(repo: RepositoryBuilder, tmp_path: Path, revision: str = "HEAD") -> bytes:
    """The index of a repository of which nothing is remembered."""
    shutil.rmtree(tmp_path / "anew", ignore_errors=True)
    inner = opened(repo)
    inner.__dict__["cache_dir"] = tmp_path / "anew"
    index = build(inner, revision)
    assert isinstance(index, LazyIndex)
    return index.document()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many commits git was asked about, each time."""
    counts: list[int] = []
    real = additions._added_by

    def counted(repo: Repository, commits: list[str], *, whole: bool = False) -> dict[str, list[str]]:
        counts.append(len(commits))
        return real(repo, commits, whole=whole)

    monkeypatch.setattr(additions, "_added_by", counted)
    return counts


@pytest.fixture
def grown(builder: Builder) -> RepositoryBuilder:
    repo = builder().workspace()
    for version in ("v1", "v2", "v3"):
        repo.dataset("iris", version)
        repo.commit(version)
    return repo


def test_a_commit_is_asked_about_once(grown: RepositoryBuilder, asked: list[int], tmp_path: Path) -> None:
    lazily(grown).history  # noqa: B018 - read now
    assert sum(asked) == 3
    lazily(grown).history  # noqa: B018
    grown.git("checkout", "-q", "-b", "side")
    grown.dataset("wine")
    grown.commit("wine")
    lazily(grown).history  # noqa: B018
    lazily(grown, "HEAD~2").history  # noqa: B018 - between tips: walked, and not asked about
    assert sum(asked) == 4
    grown.git("checkout", "-q", "main")
    grown.git("merge", "-q", "--no-ff", "--no-edit", "side")
    assert "datasets/wine/v1" in lazily(grown).history
    assert sum(asked) == 5
    assert document(grown) == anew(grown, tmp_path)
    for older in ("HEAD~2", "side", "HEAD~1"):
        assert lazily(grown, older).removed == ()
        assert document(grown, older) == anew(grown, tmp_path, older)


def test_both_ways_of_asking_say_the_same(builder: Builder) -> None:
    """Merges, roots, odd names and files that look like what git says between commits."""
    repo = builder()
    repo.commit("root", artifacts.dataset("iris") | {"0" * 40: "x", "datasets/x/v1": "a file", "a\nb/c": "x"})
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("side", artifacts.dataset("iris", "v2") | {"\x01" + "1" * 40: "x", "datasets/iris/v1/more.txt": "x"})
    repo.git("checkout", "-q", "main")
    repo.commit("main", artifacts.prompt() | {"src/datasets/iris/v9/x": "x"})
    repo.git("merge", "-q", "--no-commit", "--no-ff", "side")
    merge = repo.commit("evil", artifacts.dataset("wine"))
    commits = repo.git("rev-list", "--reverse", "HEAD").split()
    told = [additions._added_by(repo.repository(), commits, whole=whole) for whole in (False, True)]
    assert told[0] == told[1]
    assert told[0][merge] == ["datasets/wine/v1"]
    assert {path for paths in told[0].values() for path in paths} == {
        "datasets/iris/v1", "datasets/iris/v2", "datasets/wine/v1", "prompts/summarise/v1"
    }  # fmt: skip


def test_nothing_is_judged_that_was_not_asked_for(grown: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    grown.story()
    grown.commit("story")
    judged: list[str] = []
    import strata_git.checks.engine as engine

    real = engine.judge_artifact
    monkeypatch.setattr(engine, "judge_artifact", lambda tree, one: judged.append(one.reference) or real(tree, one))
    index = lazily(grown)
    assert len(index.held()) == 5
    assert [record.reference for record in index.of_kind("model")] == ["models/forest@v1"]
    assert judged == ["models/forest@v1"]
    assert index.get("datasets/iris@v2") is not None
    assert index.get("datasets/iris@v9") is None
    assert index.get("iris@v2") is None
    assert judged[1:] == ["datasets/iris@v2"]
    assert [record.reference for record in lazily(grown).named("forest")] == ["models/forest@v1"]
    assert len(judged) == 2


def test_asking_one_by_one_says_what_asking_for_all_says(grown: RepositoryBuilder) -> None:
    grown.story()
    for number in range(4, 12):
        grown.dataset("iris", f"v{number}")
    grown.commit("more")
    everything = lazily(grown)
    for _ in range(2):
        singly = lazily(grown)
        assert tuple(singly.get(record.reference) for record in everything.artifacts) == everything.artifacts
        assert singly.named("iris") == everything.named("iris")
        assert singly.citing("datasets/iris@v1") == everything.citing("datasets/iris@v1")
    assert {record.reference for record in everything.citing("datasets/iris@v1")} == {artifacts.RUN, "models/forest@v1"}


def test_the_same_version_on_two_branches_has_one_origin_whatever_was_read_first(
    builder: Builder, tmp_path: Path
) -> None:
    repo = builder().workspace()
    repo.commit("Begin")
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("Between", {"a.txt": "a"})
    repo.dataset("iris")
    later = repo.commit("Add there")
    document(repo)
    repo.git("checkout", "-q", "main")
    repo.dataset("iris")
    nearer = repo.commit("Add here")
    document(repo)
    repo.git("merge", "-q", "--no-ff", "--no-edit", "side")
    record = lazily(repo).get("datasets/iris@v1")
    assert record is not None
    assert record.introduced is not None
    assert record.introduced.commit == nearer != later
    assert document(repo) == anew(repo, tmp_path)


def test_what_other_branches_and_the_past_have(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("iris")
    repo.model("forest")
    first = repo.commit("Add")
    repo.git("rm", "-r", "-q", "models")
    repo.commit("Retire")
    repo.git("checkout", "-q", "-b", "side")
    repo.write(artifacts.dataset("wine", metadata={"description": "of the branch"}))
    side = repo.commit("wine there")
    repo.git("checkout", "-q", "main")
    index = lazily(repo)
    assert [(one.reference, one.introduced.commit) for one in index.elsewhere if one.introduced] == [
        ("datasets/wine@v1", side), ("models/forest@v1", first)
    ]  # fmt: skip
    assert [gone.artifact.reference for gone in index.removed] == ["models/forest@v1"]
    repo.write(artifacts.dataset("wine", metadata={"description": "of main"}))
    repo.commit("wine here")
    told = {(one.reference, one.description) for one in lazily(repo).elsewhere}
    assert told == {("datasets/wine@v1", "of the branch"), ("models/forest@v1", lazily(repo).elsewhere[1].description)}
    repo.git("branch", "-D", "side")
    assert [one.reference for one in lazily(repo).elsewhere] == ["models/forest@v1"]
    repo.git("tag", "kept", side)
    assert len(lazily(repo).elsewhere) == 2


def test_a_signature_that_another_branch_lacks_makes_no_other_content(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("iris")
    repo.commit("Add")
    repo.git("branch", "before")
    repo.commit("Sign", {"datasets/iris/v1/SIGNATURE.asc": "no signature"})
    assert lazily(repo).elsewhere == ()
    assert lazily(repo, "before").elsewhere == ()


def test_a_history_that_was_deepened_is_read_again(grown: RepositoryBuilder, tmp_path: Path) -> None:
    shallow = grown.clone("shallow", "--depth=1")
    before = json.loads(document(shallow))
    assert {one["introduced"] for one in before["artifacts"]} == {None}
    shallow.git("fetch", "-q", "--unshallow")
    after = json.loads(document(shallow))
    assert all(one["introduced"] for one in after["artifacts"])
    assert document(shallow) == anew(shallow, tmp_path) == document(grown)


def test_absent_content_is_not_remembered_as_absent(grown: RepositoryBuilder, tmp_path: Path) -> None:
    grown.git("config", "uploadpack.allowFilter", "true")
    partial = grown.clone("partial", "--filter=blob:none", "--no-checkout")
    assert not any(one["judged"]["complete"] for one in json.loads(document(partial))["artifacts"])
    partial.git("checkout", "-q", "main")
    assert all(one["judged"]["complete"] for one in json.loads(document(partial))["artifacts"])
    assert document(partial) == anew(partial, tmp_path)


def test_reading_goes_on_where_it_was_interrupted(
    grown: RepositoryBuilder, asked: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(additions, "_AT_ONCE", 1)
    monkeypatch.setattr(additions, "_SAMPLE", 1)

    def stop(count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lazily(grown, progress=stop).history  # noqa: B018
    with pytest.raises(KeyboardInterrupt):
        lazily(grown, progress=stop).history  # noqa: B018
    assert asked == [1, 1]
    lazily(grown).history  # noqa: B018
    assert asked == [1, 1, 1]
    monkeypatch.undo()
    assert document(grown) == anew(grown, tmp_path)
    store = lazily(grown)._case.store
    assert store.every("aside") == {}


def test_every_file_of_the_cache_may_be_damaged(grown: RepositoryBuilder, tmp_path: Path) -> None:
    grown.story()
    grown.commit("story")
    true = document(grown)
    assert true == anew(grown, tmp_path)
    cache = opened(grown).cache_dir
    for seed in range(6):
        shake = random.Random(seed)
        for kept in (path for path in cache.rglob("*") if path.is_file()):
            data = bytearray(kept.read_bytes())
            for _ in range(shake.choice([1, 5, 400])):
                data[shake.randrange(len(data))] ^= 1 << shake.randrange(8)
            kept.write_bytes(data[: shake.choice([len(data), len(data) // 2])])
        assert document(grown) == true
    told: list[str] = []
    (cache / PLACE).write_bytes(b"x" * 9000)
    assert lazily(grown, tell=told.append).document() == true
    assert told == ["the stored index was damaged and is made anew"]


def test_a_git_directory_that_cannot_be_written_answers(grown: RepositoryBuilder, tmp_path: Path) -> None:
    """A cache directory that is a file: nothing can be kept, even by root."""
    true = document(grown)
    cache = opened(grown).cache_dir
    shutil.rmtree(cache)
    cache.write_bytes(b"")
    assert document(grown) == true


def _indexing(repo: RepositoryBuilder, *words: str) -> list[str]:
    return [sys.executable, "-m", "strata_git", "index", *words]


def test_two_that_index_at_once_say_the_same(grown: RepositoryBuilder, tmp_path: Path) -> None:
    grown.story()
    grown.commit("story")
    running = [
        subprocess.Popen(_indexing(grown, "--json", f"{number}.json"), cwd=grown.path, env=grown.environ,
                         stderr=subprocess.PIPE)
        for number in range(3)
    ]  # fmt: skip
    for one in running:
        assert one.communicate()[1].count(b"\n") == 1
        assert one.returncode == 0
    written = {(grown.path / f"{number}.json").read_bytes() for number in range(3)}
    assert written == {anew(grown, tmp_path)} == {document(grown)}


@pytest.mark.heavy
def test_one_that_is_killed_leaves_nothing_wrong(builder: Builder, tmp_path: Path) -> None:
    repo = builder().workspace()
    for number in range(1, 25):
        repo.dataset("iris", f"v{number}")
        repo.commit(f"v{number}")
    true = anew(repo, tmp_path)
    shake = random.Random(5)
    for _ in range(25):
        if shake.random() < 0.3:
            shutil.rmtree(opened(repo).cache_dir, ignore_errors=True)
        process = subprocess.Popen(
            _indexing(repo, "--json", "out.json"), cwd=repo.path, env=repo.environ, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        time.sleep(shake.uniform(0.1, 1.2))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if (repo.path / "out.json").exists():
            assert (repo.path / "out.json").read_bytes() == true
        assert document(repo) == true


def test_a_full_disk_answers_and_says_so(grown: RepositoryBuilder, tmp_path: Path) -> None:
    """No file may grow beyond what an answer needs: the answer comes, and that nothing was kept is told."""
    true = anew(grown, tmp_path)
    limit = len(true) + 2000
    script = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}));"
        "from strata_git.cli.main import main; sys.exit(main(['index', '--format', 'json']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=grown.path, env=grown.environ, capture_output=True)
    assert (done.returncode, done.stdout) == (0, true)
    assert done.stderr.decode().splitlines() == [UNKEPT]
    assert document(grown) == true


@pytest.mark.heavy
def test_a_file_system_without_room(grown: RepositoryBuilder, tmp_path: Path) -> None:
    """A real one, as small as it can be; who may not mount is shown the limit on files above."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("only root may mount a small file system")
    try:
        true = anew(grown, tmp_path)
        inner = opened(grown)
        inner.__dict__["cache_dir"] = place / "cache"
        for _ in range(3):
            index = build(inner)
            assert isinstance(index, LazyIndex)
            assert index.document() == true
            index._case.store.close()
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        index = build(inner)
        assert isinstance(index, LazyIndex)
        assert index.document() == true
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)
