"""What is damaged, disguised or dangerous costs one document, and is named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from strata_git.contracts.chain import Chunking
from strata_git.pipeline.documents import programs
from strata_git.pipeline.documents.blob import blob_of_bytes, blob_of_file
from strata_git.pipeline.documents.chunking import cut
from strata_git.pipeline.documents.guard import Guard
from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.load import load
from strata_git.pipeline.documents.reading import Plan, Reading, read
from strata_git.pipeline.documents.refusal import WHYS, Refused
from strata_git.pipeline.sources.local import Local
from tests.support.broken_corpus import Broken, corpus

LIMITS = Limits.of(4 << 20, seconds=20)
CORPUS = corpus()


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(CORPUS) >= 60
    assert {fate for broken in CORPUS.values() for fate in broken.fates} <= {*WHYS, "read"}


@pytest.mark.parametrize("name", CORPUS)
def test_each_meets_its_fate(name: str) -> None:
    broken = CORPUS[name]
    fate, said, text = _met(broken, name)
    assert fate in broken.fates
    assert broken.said in said
    assert "\n" not in said
    assert fate != "read" or broken.text in text


def _met(broken: Broken, name: str) -> tuple[str, str, str]:
    try:
        document = load(blob_of_bytes(broken.data, name), LIMITS)
    except Refused as refused:
        return refused.why, refused.reason, ""
    return "read", " ".join(document.notes), document.text


# --- under guard

SURPRISES = """
import os, time
from strata_git.pipeline.documents import worker
load = worker.load
def surprised(blob, limits, **how):
    name = blob.name
    if name == "segv.txt": os.kill(os.getpid(), 11)
    if name == "exit.txt": os._exit(0)
    if name == "hang.txt": time.sleep(60)
    if name == "eat.txt": bytearray(300 << 20)
    if name == "print.txt": print("noise", flush=True); os.write(1, b"more noise")
    return load(blob, limits, **how)
worker.load = surprised
"""


@pytest.fixture
def surprised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that come to grief over some names."""
    begin = "import sys, json; sys.path[:] = json.loads(sys.argv[1])\n" + SURPRISES
    monkeypatch.setattr(programs, "_BEGIN", f"{begin}\nworker.serve()")


def placed(directory: Path, files: dict[str, bytes]) -> Local:
    for name, data in files.items():
        (directory / name).write_bytes(data)
    return Local("docs", directory)


def readings(source: Local, jobs: int = 1, limits: Limits = LIMITS, **plan: object) -> Iterator[Reading]:
    return read(source, source.list(), Plan(limits=limits, **plan), environ=dict(os.environ), jobs=jobs)  # type: ignore[arg-type]


@pytest.mark.heavy
@pytest.mark.usefixtures("surprised")
def test_a_worker_that_comes_to_grief_costs_one_document(tmp_path: Path) -> None:
    names = ["a.txt", "eat.txt", "exit.txt", "hang.txt", "print.txt", "segv.txt", "z.txt"]
    source = placed(tmp_path, dict.fromkeys(names, b"words"))
    limits = Limits.of(1 << 20, seconds=1.5, memory=150 << 20)
    found = {one.name: (one.why, one.reason) for one in readings(source, limits=limits)}
    assert list(found) == names
    assert found == {
        "a.txt": ("", ""),
        "eat.txt": ("memory", "reading it takes more than 150 MiB"),
        "exit.txt": ("crashed", "the process that read it ended with exit code 0"),
        "hang.txt": ("timeout", "reading it took longer than 1.5 seconds"),
        "print.txt": ("", ""),
        "segv.txt": ("crashed", "the process that read it ended with SIGSEGV"),
        "z.txt": ("", ""),
    }


def test_documents_and_chunks_come_in_order_whoever_reads_them(tmp_path: Path) -> None:
    source = placed(
        tmp_path, {f"{place:03}.md": f"# Title {place}\n\n{'word ' * place}".encode() for place in range(40)}
    )
    chunking = Chunking(by="characters", max=50)
    found = [(one.name, one.document(), list(one.pieces())) for one in readings(source, jobs=2, chunking=chunking)]
    assert [name for name, _, _ in found] == [f"{place:03}.md" for place in range(40)]
    for name, document, chunks in found:
        here = load(blob_of_file(tmp_path / name, uri=document.uri))
        assert (here.id, here.text, here.sha256) == (document.id, document.text, document.sha256)
        assert chunks == list(cut(here, chunking))


def test_nothing_is_left_behind_when_nobody_wants_more(tmp_path: Path) -> None:
    source = placed(tmp_path, {f"{place}.txt": b"words" for place in range(20)})
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    going = read(source, source.list(), Plan(limits=LIMITS), environ=dict(os.environ), scratch=scratch)
    assert next(going).why == ""
    going.close()  # type: ignore[attr-defined]
    assert list(scratch.iterdir()) == []


def test_programs_are_given_a_few_harmless_variables() -> None:
    given = programs.surroundings({"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "canary", "PYTHONPATH": "/x"})
    assert given["PATH"] == "/bin"
    assert not {"AWS_SECRET_ACCESS_KEY", "PYTHONPATH"} & set(given)


@pytest.mark.heavy
def test_workers_get_no_secrets(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "AWS_SECRET_ACCESS_KEY": "canary", "OPENAI_API_KEY": "canary"}
    guard = Guard(tmp_path, environ, LIMITS)
    try:
        guard.ask({"limits": LIMITS.plain(), "ocr": {}})
        process = guard._process
        assert process is not None
        told = Path(f"/proc/{process.pid}/environ").read_bytes()
        assert b"PATH=" in told
        assert b"canary" not in told
    finally:
        guard.close()


@pytest.mark.heavy
def test_the_whole_corpus_goes_through_workers(tmp_path: Path) -> None:
    source = placed(tmp_path, {name: broken.data for name, broken in CORPUS.items()})
    found = {one.name: one.why or "read" for one in readings(source, jobs=2)}
    assert set(found) == set(CORPUS)
    assert {name: fate for name, fate in found.items() if fate not in _broken(name).fates} == {}


def _broken(name: str) -> Broken:
    return CORPUS[name]
