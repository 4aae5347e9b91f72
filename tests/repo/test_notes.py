"""Notes: lines are added, never lost, never twice."""

from __future__ import annotations

import os
import subprocess
import sys

from strata_git.repo.notes import append_lines, noted, read_lines
from tests.support.fixtures import Builder

APPEND = """
import os, sys
from pathlib import Path
from strata_git.repo.command import Repository
from strata_git.repo.notes import append_lines
repo = Repository.discover(Path.cwd(), dict(os.environ))
for n in range(3):
    append_lines(repo, sys.argv[1], [f'{{"by": {sys.argv[2]}, "n": {n}}}'.encode()])
"""


def test_appending_is_idempotent_and_git_reads_it(builder: Builder) -> None:
    repo = builder()
    head = repo.commit()
    opened = repo.repository()
    assert read_lines(opened, head) == []
    assert noted(opened) == {}
    append_lines(opened, head, [b'{"a":1}'])
    append_lines(opened, head, [b'{"a":1}', b'{"b":2}'])
    tip = repo.git("rev-parse", "refs/notes/strata")
    append_lines(opened, head, [b'{"b":2}'])
    assert repo.git("rev-parse", "refs/notes/strata") == tip
    assert read_lines(opened, head) == [b'{"a":1}', b'{"b":2}']
    assert noted(opened) == {head: [b'{"a":1}', b'{"b":2}']}
    assert repo.git("notes", "--ref", "strata", "show", head) == '{"a":1}\n{"b":2}'


def test_a_tag_object_is_noted_itself(builder: Builder) -> None:
    repo = builder()
    head = repo.commit()
    repo.git("tag", "-a", "-m", "t", "t")
    tag = repo.git("rev-parse", "t")
    append_lines(repo.repository(), tag, [b"line"])
    assert set(noted(repo.repository())) == {tag}
    assert read_lines(repo.repository(), head) == []


def test_eight_processes_at_once_lose_nothing(builder: Builder) -> None:
    repo = builder()
    head = repo.commit()
    environ = os.environ | repo.environ
    started = [
        subprocess.Popen([sys.executable, "-c", APPEND, head, str(by)], cwd=repo.path, env=environ) for by in range(8)
    ]
    assert [process.wait(60) for process in started] == [0] * 8
    wanted = {f'{{"by": {by}, "n": {n}}}'.encode() for by in range(8) for n in range(3)}
    lines = read_lines(repo.repository(), head)
    assert len(lines) == 24
    assert set(lines) == wanted


def test_many_notes_in_gits_fan_out(builder: Builder) -> None:
    """Past some hundred notes git spreads them over directories."""
    repo = builder()
    stream = ["commit refs/notes/strata\ncommitter A <a@b> 1 +0000\ndata 1\nx\n"]
    commits = repo.git("commit-tree", "-m", "c", repo.repository().empty_tree)
    for n in range(300):
        oid = f"{n:040x}"
        stream.append(f"M 100644 inline {oid[:2]}/{oid[2:]}\ndata 2\nl\n\n")
    repo.git("fast-import", "--quiet", stdin="".join(stream).encode())
    assert len(noted(repo.repository())) == 300
    assert commits
