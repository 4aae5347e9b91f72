"""Repositories of any size, made by `git fast-import` and checked to hold what they claim."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from strata_git.integrity import checksums

FILES = 10
"""Files of one dataset version: metadata.yaml, CHECKSUMS.txt and eight small CSV files."""
CREATED = 1767614400
SETTINGS = b"schema: strata/settings/v1\nrepository: 5f0c2a52-6a35-4c3e-9d55-0d7f6f2a9d01\nlfs: false\n"
ATTRIBUTES = b"datasets/** -text\nmodels/** -text\nprompts/** -text\nruns/** -text\n"
GITCONFIG = """\
[user]
\tname = Ada Measurer
\temail = ada@example.org
[init]
\tdefaultBranch = main
[gc]
\tauto = 0
[maintenance]
\tauto = false
[commit]
\tgpgsign = false
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A repository to measure in. `environ` reaches no file of the person who measures."""

    path: Path
    environ: Mapping[str, str]

    def run(self, *words: str, stdin: bytes = b"") -> bytes:
        """Standard output of a program that must succeed; SystemExit with what it said otherwise."""
        done = subprocess.run(words, cwd=self.path, env=dict(self.environ), input=stdin, capture_output=True)
        if done.returncode != 0:
            told = os.fsdecode(done.stdout + done.stderr)[:2000]
            raise SystemExit(f"{' '.join(words)} failed ({done.returncode}): {told}")
        return done.stdout

    def git(self, *words: str, stdin: bytes = b"") -> bytes:
        """Standard output of a git command."""
        return self.run("git", *words, stdin=stdin)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Put files into the working tree."""
        for name, data in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)


def environment(base: Path) -> dict[str, str]:
    """Variables under which nothing personal is read; this interpreter's programs come first on PATH."""
    home = base / "home"
    home.mkdir(parents=True, exist_ok=True)
    config = base / "gitconfig"
    config.write_text(GITCONFIG)
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    return {
        "PATH": programs, "HOME": str(home), "GIT_CONFIG_GLOBAL": str(config), "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC",
    }  # fmt: skip


def version(name: str, number: int, files: int = FILES) -> dict[str, bytes]:
    """One valid dataset version of ten files (or `files`), without two blobs that any other version has."""
    directory = f"datasets/{name}/v{number}"
    payload = {f"data/part-{part}.csv": _table(name, number, part) for part in range(files - 2)}
    digests = {path: hashlib.sha256(data).hexdigest() for path, data in payload.items()}
    rows = sum(data.count(b"\n") - 1 for data in payload.values())
    size = sum(map(len, payload.values()))
    metadata = f"""\
kind: dataset
name: {name}
version: v{number}
created: "2026-01-05T12:00:00Z"
description: Measurements, number {number}.
licence: CC-BY-4.0
content_hash: {checksums.content_hash(digests, kind="dataset")}
provenance:
  source: https://example.org/{name}
  retrieved: "2026-01-05T12:00:00Z"
  process: none
  parents: []
splits:
  all:
    path: data
    files: {len(payload)}
    rows: {rows}
    bytes: {size}
schema:
  - name: key
    type: int64
  - name: value
    type: string
""".encode()
    digests["metadata.yaml"] = hashlib.sha256(metadata).hexdigest()
    inside = {"metadata.yaml": metadata, **payload, "CHECKSUMS.txt": checksums.render(digests)}
    return {f"{directory}/{path}": data for path, data in inside.items()}


def _table(name: str, number: int, part: int) -> bytes:
    return b"key,value\n" + b"".join(b"%d,%s-%d-%d\n" % (row, name.encode(), number, part) for row in range(3))


def names(count: int) -> list[str]:
    """`count` names of datasets."""
    return [f"set-{number:03}" for number in range(count)]


def stream(datasets: Sequence[str], versions: int) -> Iterator[bytes]:
    """The input of `git fast-import`: the settings, then one commit for each version number, of all datasets."""
    around = {"strata.yaml": SETTINGS, ".gitattributes": ATTRIBUTES, ".gitignore": b".strata/local/\n"}
    yield from _commit("Settings", around, 0)
    for number in range(1, versions + 1):
        files: dict[str, bytes] = {}
        for name in datasets:
            files |= version(name, number)
        yield from _commit(f"Version {number}", files, number)


def _commit(subject: str, files: Mapping[str, bytes], at: int) -> Iterator[bytes]:
    who = f"committer Ada Measurer <ada@example.org> {CREATED + at} +0000\n"
    yield f"commit refs/heads/main\n{who}data {len(subject)}\n{subject}\n".encode()
    for path, data in files.items():
        yield b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)


def create(base: Path, label: str, datasets: int, versions: int) -> Place:
    """A checked-out repository of `datasets` times `versions` artifacts with our hooks installed.

    SystemExit when it does not hold what it should.
    """
    place = Place(base / label, environment(base))
    place.path.mkdir()
    place.git("init", "--quiet")
    with subprocess.Popen(
        ["git", "fast-import", "--quiet", "--done"], cwd=place.path, env=dict(place.environ), stdin=subprocess.PIPE
    ) as importer:
        assert importer.stdin is not None
        importer.stdin.writelines(stream(names(datasets), versions))
        importer.stdin.write(b"done\n")
        importer.stdin.close()
    place.git("reset", "--hard", "--quiet", "main")
    listed = place.git("ls-tree", "-r", "--name-only", "HEAD", "--", "datasets").count(b"\n")
    if listed != datasets * versions * FILES:
        raise SystemExit(f"{label}: {listed} files in place of {datasets * versions * FILES}")
    place.run("git-strata", "install")
    settle(place)
    return place


def settle(place: Place) -> None:
    """Let git see every file once, later than the second in which it was written: no entry is racily clean then."""
    index = place.path / ".git/index"
    place.git("status")
    newest = max((entry.stat().st_mtime_ns for entry in place.path.rglob("*") if entry.is_file()), default=0)
    if index.stat().st_mtime_ns <= newest:
        os.utime(index)
        place.git("update-index", "-q", "--really-refresh")
