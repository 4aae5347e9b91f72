"""Repositories that were not made for us, or against us: the index is made, in bounded time and memory."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from strata_git.index.build import build
from strata_git.index.lazy import LazyIndex
from strata_git.integrity import checksums
from tests.index.opening import indexed, opened
from tests.support import artifacts
from tests.support.builder import FIRST, RepositoryBuilder
from tests.support.fixtures import Builder


def imported(repo: RepositoryBuilder, stream: Iterator[bytes]) -> None:
    done = subprocess.run(
        ["git", "fast-import", "--quiet", "--force"], cwd=repo.path, env=repo.environ, input=b"".join(stream)
    )
    assert done.returncode == 0


def strangers(count: int) -> Iterator[bytes]:
    """Commits of something else, and as many tags that look like events and are none."""
    for number in range(1, count + 1):
        who = f"A <a@example.org> {FIRST + number} +0000"
        yield f"commit refs/heads/main\nmark :{number}\ncommitter {who}\ndata 1\nx\n".encode()
        yield f"M 100644 inline src/f{number % 97}\ndata {len(str(number))}\n{number}\n".encode()
    for number in range(1, count + 1):
        who = f"A <a@example.org> {FIRST + number} +0000"
        name = f"m{number % 50}#production#{number}" if number % 2 else f"m{number % 50}@v{number}.0.0"
        yield f"tag {name}\nfrom :{number}\ntagger {who}\ndata 1\nx\n".encode()


def pointers(names: int, files: int) -> dict[str, bytes]:
    """Dataset versions whose payload Git LFS stores."""
    found: dict[str, bytes] = {}
    for number in range(names):
        payload, sums = {}, {}
        for part in range(files):
            oid = hashlib.sha256(b"%d %d" % (number, part)).hexdigest()
            payload[f"data/{part}.bin"] = (
                f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 1000\n".encode()
            )
            sums[f"data/{part}.bin"] = oid
        place = f"datasets/set-{number}/v1"
        found |= {f"{place}/{name}": data for name, data in payload.items()}
        found |= {
            f"{place}/{name.split('/', 3)[3]}": data
            for name, data in artifacts.dataset(f"set-{number}").items() if name.endswith("metadata.yaml")
        }  # fmt: skip
        sums["metadata.yaml"] = hashlib.sha256(found[f"{place}/metadata.yaml"]).hexdigest()
        found[f"{place}/CHECKSUMS.txt"] = checksums.render(sums)
    return found


def test_tags_that_look_like_ours_are_told_and_nothing_counts(builder: Builder) -> None:
    repo = builder("strangers", bare=True)
    imported(repo, strangers(400))
    index = indexed(repo)
    assert (len(index.events), index.artifacts, index.elsewhere, index.removed) == (400, (), (), ())
    assert not any(event.sound or event.current for event in index.events)


@pytest.mark.heavy
def test_fifty_thousand_of_them(builder: Builder) -> None:
    repo = builder("strangers", bare=True)
    imported(repo, strangers(50_000))
    script = (
        "from strata_git.cli.main import main; main(['index', '--at', 'main'])\n"  # ru_maxrss would count our parent's
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=repo.path, env=repo.environ, capture_output=True)
    told = done.stdout.decode().splitlines()
    assert "50000 stage events" in told[1]
    assert int(told[-1]) < 300 << 10
    assert repo.strata("list", "models", "--at", "main").expect(0).out == ""


@pytest.mark.parametrize(
    ("names", "files"), [(3, 20), pytest.param(150, 100, marks=pytest.mark.heavy)], ids=["some", "15000"]
)
def test_one_pointer_of_many_is_missing(builder: Builder, names: int, files: int) -> None:
    repo = builder().workspace(lfs=True)
    repo.commit("Add", pointers(names, files))
    whole = indexed(repo)
    lost = repo.git("rev-parse", "HEAD:datasets/set-1/v1/data/7.bin")
    (repo.path / ".git/objects" / lost[:2] / lost[2:]).unlink()
    index = build(opened(repo), fresh=True)
    assert [record.reference for record in index.artifacts if not record.complete] == ["datasets/set-1@v1"]
    kept = [record for record in index.artifacts if record.complete]
    assert kept == [record for record in whole.artifacts if record.reference != "datasets/set-1@v1"]
    assert {record.pointers for record in kept} == {files}
    assert isinstance(index, LazyIndex)
    assert len(json.loads(index.document())["artifacts"]) == names


def test_names_that_nobody_should_give(builder: Builder) -> None:
    """Directories that are nearly ours, deep ones, and bytes that are no text."""
    repo = builder().workspace()
    odd = {
        "datasets/Iris/v1/a": "x", "datasets/iris/v0/a": "x", "datasets/iris/v1": "a file", "datasets/a b/v1/x": "x",
        "runs/run-2026-13-99-001/run.yaml": "x", "models/x/v1/" + "d/" * 60 + "deep": "x", "services/s": "a file",
    }  # fmt: skip
    repo.commit("Odd", odd)
    index = indexed(repo)
    assert {record.reference for record in index.artifacts} == {"models/x@v1", "run-2026-13-99-001"}
    assert index.elsewhere == ()
    assert isinstance(index, LazyIndex)
    assert json.loads(index.document())["counts"]["models"] == 1
