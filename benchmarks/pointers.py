"""Artifacts whose files Git LFS stores: the check of every pointer, beside `git lfs fsck` over the same files."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Contender, Goal, Samples, interleaved
from benchmarks.repositories import CREATED, SETTINGS, Place, environment
from strata_git.integrity import checksums

FILES = 100
"""Files of one dataset version that LFS stores."""
ATTRIBUTES = b"datasets/** -text\ndatasets/**/*.bin filter=lfs diff=lfs merge=lfs -text\n"
GOALS = (
    Goal("git lfs fsck : verify, every pointer (times faster)", "git strata verify", "git lfs fsck", 10.0, True),
    Goal("git lfs fsck : doctor, nothing remembered (times faster)", "doctor, cold", "git lfs fsck", 10.0, True),
)


def check(base: Path, files: int, rounds: int) -> Samples:
    """`git strata verify` and a doctor that remembers nothing, beside git-lfs; SystemExit unless all are judged."""
    place = _stored(base, files)
    cache = place.path / ".git/strata/cache"
    answer = json.loads(place.run("git", "strata", "doctor", "--at", "HEAD", "--format", "json"))
    if answer["artifacts"] != files // FILES or any(each["severity"] == "error" for each in answer["findings"]):
        raise SystemExit(f"{answer['artifacts']} artifacts were judged; {answer['findings'][:3]}")

    def forget(_round: int) -> None:
        shutil.rmtree(cache, ignore_errors=True)

    contenders = [
        Contender("git lfs fsck", place, lambda _round: ("git", "lfs", "fsck")),
        Contender("git strata verify", place, lambda _round: ("git", "strata", "verify"), forget, (0, 1)),
        Contender("doctor, cold", place, lambda _round: ("git", "strata", "doctor", "--at", "HEAD"), forget, (0, 1)),
    ]
    return interleaved(contenders, rounds)


def _stored(base: Path, files: int) -> Place:
    """A bare-minimum clone: commits hold pointers, the objects lie in the LFS store, nothing is checked out."""
    place = Place(base / "pointers", environment(base))
    place.path.mkdir()
    place.git("init", "--quiet")
    place.git("lfs", "install", "--local", "--skip-smudge")
    with subprocess.Popen(
        ["git", "fast-import", "--quiet", "--done"], cwd=place.path, env=dict(place.environ), stdin=subprocess.PIPE
    ) as importer:
        assert importer.stdin is not None
        importer.stdin.writelines(_stream(place, files // FILES))
        importer.stdin.close()
    place.git("reset", "--hard", "--quiet", "main")
    return place


def _stream(place: Place, versions: int) -> Iterator[bytes]:
    yield f"commit refs/heads/main\ncommitter Ada Measurer <ada@example.org> {CREATED} +0000\ndata 6\nStored\n".encode()
    for path, data in {"strata.yaml": SETTINGS.replace(b"false", b"true"), ".gitattributes": ATTRIBUTES}.items():
        yield b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)
    for number in range(1, versions + 1):
        for path, data in _version(place, number).items():
            yield b"M 100644 inline datasets/stored/v%d/%s\ndata %d\n%s\n" % (number, path.encode(), len(data), data)
    yield b"done\n"


def _version(place: Place, number: int) -> dict[str, bytes]:
    """One dataset version: pointers in the commit, the objects they name in the LFS store."""
    digests: dict[str, str] = {}
    pointers: dict[str, bytes] = {}
    size = 0
    for at in range(FILES):
        data = b"%d-%d\n" % (number, at) * 100
        digest = hashlib.sha256(data).hexdigest()
        stored = place.path / ".git/lfs/objects" / digest[:2] / digest[2:4] / digest
        stored.parent.mkdir(parents=True, exist_ok=True)
        stored.write_bytes(data)
        path = f"data/part-{at:03}.bin"
        digests[path], size = digest, size + len(data)
        pointers[path] = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(data)}\n".encode()
    metadata = f"""\
kind: dataset
name: stored
version: v{number}
created: "2026-01-05T12:00:00Z"
description: Recordings, number {number}.
licence: CC-BY-4.0
content_hash: {checksums.content_hash(digests, kind="dataset")}
provenance:
  source: https://example.org/stored
  retrieved: "2026-01-05T12:00:00Z"
  process: none
  parents: []
splits:
  all:
    path: data
    files: {FILES}
    rows: null
    bytes: {size}
""".encode()
    digests["metadata.yaml"] = hashlib.sha256(metadata).hexdigest()
    return {"metadata.yaml": metadata, **pointers, "CHECKSUMS.txt": checksums.render(digests)}
