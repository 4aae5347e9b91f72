"""Documents to text beside markitdown, and chunking beside langchain-text-splitters: the same files, one processor.

`python -m benchmarks.documents [--megabytes N] [--peers PYTHON]` also prints throughput and peak memory of the whole
tree of processes; the row `documents` of `python -m benchmarks` judges the ratios.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Contender, Goal, Samples, interleaved
from benchmarks.repositories import Place, environment

HERE = Path(__file__).parent
OURS, PEERS = HERE / "documents_ours.py", HERE / "documents_peers.py"
SHARES = {"html": 0.35, "md": 0.2, "csv": 0.2, "xlsx": 0.1, "parquet": 0.15}
"""Parts of the corpus, by bytes of the files."""
_PLACES = ("/usr/share/doc", "/usr/share", sys.prefix)
_LARGEST = 4 << 20
GOALS = (
    Goal("markitdown : ours, documents to text", "text: git-strata", "text: markitdown", 1.0, True),
    Goal("langchain : ours, chunks by characters", "characters: git-strata", "characters: langchain", 1.0, True),
    Goal("langchain : ours, chunks by tokens", "tokens: git-strata", "tokens: langchain", 1.0, True),
)


def peers_python() -> str | None:
    """The interpreter that has both peers; None where they are not installed."""
    python = HERE.parent / ".venv-peers" / "bin" / "python"
    words = [str(python), "-c", "import markitdown, langchain_text_splitters, toktok"]
    return str(python) if python.is_file() and subprocess.run(words, capture_output=True).returncode == 0 else None


def documents(base: Path, rounds: int, python: str, *, megabytes: int = 100) -> Samples:
    """Both comparisons, whole processes in turn."""
    corpus, texts = base / "corpus", base / "texts"
    fill(corpus, megabytes << 20)
    place = Place(base, environment(base))
    ours, theirs = (sys.executable, str(OURS)), (python, str(PEERS))
    common = [str(path) for path in sorted(corpus.iterdir()) if path.suffix != ".parquet"]  # markitdown reads none
    listed = base / "common.txt"
    listed.write_text("\n".join(common))
    subprocess.run([*ours, "text", str(listed), str(texts)], check=True, cwd=HERE.parent)
    commands: dict[str, tuple[str, ...]] = {
        "text: git-strata": (*ours, "text", str(listed), str(base / "ours.txt")),
        "text: markitdown": (*theirs, "text", str(listed), str(base / "theirs.txt")),
    }
    for unit in ("characters", "tokens"):
        commands[f"{unit}: git-strata"] = (*ours, unit, str(texts))
        commands[f"{unit}: langchain"] = (*theirs, unit, str(texts))
    contenders = [Contender(name, place, _always(words)) for name, words in commands.items()]
    return interleaved(contenders, rounds, warm=0)


def _always(words: Sequence[str]) -> Callable[[int], Sequence[str]]:
    return lambda _round: words


# --- the corpus


def fill(directory: Path, size: int) -> None:
    """Mixed documents of about `size` bytes: real pages and texts of this machine first, then made ones."""
    if directory.is_dir():
        return
    directory.mkdir(parents=True)
    for kind, share in SHARES.items():
        wanted = int(size * share)
        source = found(kind) if kind in ("html", "md") else iter(())
        for place in range(100_000):
            data = next(source, None) or _MADE[kind](random.Random(f"{kind}{place}"))
            (directory / f"{place:05}.{kind}").write_bytes(data)
            wanted -= len(data)
            if wanted <= 0:
                break


def found(kind: str) -> Iterator[bytes]:
    """Files of that ending on this machine, each content once."""
    seen: set[int] = set()
    for base in _PLACES:
        for path in sorted(Path(base).rglob(f"*.{kind}")):
            try:
                data = path.read_bytes() if path.stat().st_size <= _LARGEST else b""
            except OSError:
                continue
            if len(data) > 500 and hash(data) not in seen:
                seen.add(hash(data))
                yield data


def _words(chosen: random.Random, count: int) -> str:
    return " ".join("".join(chosen.choices("etaoinshrdlu", k=chosen.randint(2, 9))) for _ in range(count))


def _sentences(chosen: random.Random, count: int) -> str:
    return " ".join(_words(chosen, chosen.randint(5, 20)).capitalize() + "." for _ in range(count))


def _markdown(chosen: random.Random) -> bytes:
    parts = [
        f"## {_words(chosen, 4)}\n\n{_sentences(chosen, 8)}\n\n- {_words(chosen, 6)}\n- {_words(chosen, 6)}"
        for _ in range(60)
    ]
    return "\n\n".join(parts).encode()


def _page(chosen: random.Random) -> bytes:
    rows = "".join(f"<tr><td>{_words(chosen, 2)}</td><td>{_words(chosen, 3)}</td></tr>" for _ in range(40))
    parts = "".join(
        f"<h2>{_words(chosen, 4)}</h2><p>{_sentences(chosen, 6)} <a href='x{n}.html'>{_words(chosen, 2)}</a></p>"
        f"<ul><li>{_words(chosen, 5)}<li><b>{_words(chosen, 5)}</b></ul>"
        for n in range(40)
    )
    return f"<!doctype html><html><body>{parts}<table>{rows}</table></body></html>".encode()


def _rows(chosen: random.Random, count: int) -> list[tuple[object, ...]]:
    return [
        (n, chosen.random(), _words(chosen, 3), chosen.choice([True, False]), f"{n} | {n}", _words(chosen, 8))
        for n in range(count)
    ]


_COLUMNS = ("number", "share", "name", "yes", "odd", "words")


def _csv(chosen: random.Random) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    writer.writerows(_rows(chosen, 5_000))
    return out.getvalue().encode()


def _workbook(chosen: random.Random) -> bytes:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    for _ in range(2):
        sheet = book.create_sheet()
        sheet.append(_COLUMNS)
        for row in _rows(chosen, 3_000):
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _parquet(chosen: random.Random) -> bytes:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    out = io.BytesIO()
    write_table(pa.table(dict(zip(_COLUMNS, map(list, zip(*_rows(chosen, 20_000), strict=True)), strict=True))), out)
    return out.getvalue()


_MADE = {"html": _page, "md": _markdown, "csv": _csv, "xlsx": _workbook, "parquet": _parquet}


# --- by hand: throughput and memory


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds on the clock and of processor time, and the most memory (bytes) all processes together had at once."""

    seconds: float
    processor: float
    memory: int


def watched(words: Sequence[str]) -> Taken:
    """Run a program; its memory and that of all it starts is looked at twenty times a second."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(words, cwd=HERE.parent)
    most = 0

    def look() -> None:
        nonlocal most
        while process.poll() is None:
            most = max(most, _memory(process.pid))
            time.sleep(0.05)

    thread = threading.Thread(target=look)
    thread.start()
    code = process.wait()
    seconds = time.perf_counter() - begun
    thread.join()
    if code:
        raise SystemExit(f"{' '.join(words)} failed ({code})")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Taken(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, most)


def _memory(pid: int) -> int:
    """Resident bytes of a process and its descendants."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                told = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(told[1]), []).append(int(entry))
    total, pending = 0, [pid]
    while pending:
        one = pending.pop()
        pending += parents.get(one, [])
        try:
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            continue
    return total


def main() -> None:
    """Print what the whole corpus takes here, and its part that markitdown reads, there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--peers", default=peers_python())
    parser.add_argument("--directory", help="keep the corpus there (default: a temporary one)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        base = Path(asked.directory or name)
        fill(base / "corpus", asked.megabytes << 20)
        files = sorted((base / "corpus").iterdir())
        for label, chosen in (("all", files), ("without parquet", [one for one in files if one.suffix != ".parquet"])):
            listed = base / "list.txt"
            listed.write_text("\n".join(map(str, chosen)))
            size = sum(one.stat().st_size for one in chosen) / 1e6
            runs = {
                "git-strata, process": (
                    sys.executable,
                    str(OURS),
                    "process",
                    str(listed),
                    str(base / "o"),
                    str(asked.jobs),
                )
            }
            runs["git-strata, text"] = (sys.executable, str(OURS), "text", str(listed), str(base / "texts"))
            if asked.peers and label != "all":
                runs["markitdown, text"] = (asked.peers, str(PEERS), "text", str(listed), str(base / "p"))
                for unit in ("characters", "tokens"):
                    runs[f"git-strata, {unit}"] = (sys.executable, str(OURS), unit, str(base / "texts"))
                    runs[f"langchain, {unit}"] = (asked.peers, str(PEERS), unit, str(base / "texts"))
            for contender, words in runs.items():
                taken = watched(words)
                print(
                    f"{label}: {len(chosen)} files, {size:.1f} MB: {contender:<24}{taken.seconds:8.1f} s"
                    f"{taken.processor:8.1f} s cpu"
                    f"{size / taken.seconds:8.2f} MB/s{taken.memory / (1 << 20):8.0f} MiB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
