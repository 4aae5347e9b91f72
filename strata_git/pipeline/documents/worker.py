"""What a worker does: one request a line on standard input, one answer a line on standard output, JSON both.

It reads one document after the other within limits that the system keeps (memory, processor time, size of files), and
writes what came of it beside the request, so that only a few numbers travel back. It may be ended at any moment.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from strata_git.contracts.chain import Chunking
from strata_git.pipeline.documents.blob import Blob
from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.load import detected, load, prepare
from strata_git.pipeline.documents.refusal import Refused

DOCUMENT, CHUNKS = "document.jsonl", "chunks.jsonl"
"""What a worker writes for a document it could read."""
_GRACE = 30  # seconds of processor time beyond the limit on the clock, for a worker nobody watches any more


def serve() -> None:
    """Answer requests until there are no more."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    _warm()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out.write('{"status": "ready"}\n')
    out.flush()
    for line in sys.stdin.buffer:
        answer = answered(json.loads(line)) | {"resident": _pages(1)}
        out.write(json.dumps(answer) + "\n")
        out.flush()


def answered(request: Mapping[str, Any]) -> dict[str, object]:
    """The answer to one request: what was made, or why nothing was."""
    limits = Limits(**request["limits"])
    _bound_time(limits.seconds)
    try:
        return _made(request, limits)
    except Refused as refused:
        return {"status": "refused", "why": refused.why, "reason": refused.reason}
    except MemoryError:
        return {"status": "refused", "why": "memory", "reason": f"reading it takes more than {limits.memory >> 20} MiB"}
    except Exception as error:  # noqa: BLE001 - a parser's surprise costs its document, and is told
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return {"status": "refused", "why": "malformed", "reason": reason}


def _made(request: Mapping[str, Any], limits: Limits) -> dict[str, object]:
    from strata_git.pipeline.documents.chunking import cut

    path, into = Path(request["path"]), Path(request["into"])
    blob = Blob(request["name"], request["uri"], lambda: path.open("rb"), request["bytes"], request["sha256"])
    read_text = _engine(json.dumps(request["ocr"]), limits.seconds)
    _bound_memory(0)
    prepare(detected(blob).kind, read_text)
    _bound_memory(limits.memory)
    document = load(blob, limits, read_text=read_text)
    chunks = tokens = 0
    exact = True
    with open(into / CHUNKS, "w", encoding="utf-8", newline="\n") as out:
        for chunk in cut(document, Chunking(**request["chunking"])):
            out.write(_line(chunk.plain()))
            chunks, tokens, exact = chunks + 1, tokens + chunk.tokens, exact and chunk.exact
    (into / DOCUMENT).write_text(_line(document.plain()), encoding="utf-8", newline="\n")
    return {
        "status": "read",
        "id": document.id,
        "type": document.type,
        "characters": len(document.text),
        "chunks": chunks,
        "tokens": tokens,
        "exact": exact,
        "notes": list(document.notes),
    }


def _line(data: Mapping[str, object]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n"


@cache
def _engine(ocr: str, seconds: float) -> Callable[[bytes], str] | None:
    from strata_git.pipeline.documents.ocr.engines import engine

    told = json.loads(ocr)
    return engine(told["engine"], told["languages"], seconds, told["environ"])


def _warm() -> None:
    """Load what most documents need, so that it does not count as their memory."""
    import strata_git.pipeline.documents.chunking
    import strata_git.pipeline.documents.loaders.csv
    import strata_git.pipeline.documents.loaders.xlsx  # noqa: F401
    from strata_git.pipeline.documents.tokens import tokenizer

    tokenizer().count("warm")


def _bound_memory(more: int) -> None:
    """Let this process take `more` bytes beyond what it has now; 0 lifts the bound, to load libraries."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    taken = _pages(5) if more else 0
    bound = taken + more if taken else most
    resource.setrlimit(resource.RLIMIT_DATA, (bound if most < 0 else min(bound, most), most))


def _bound_time(seconds: float) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + int(seconds) + _GRACE, most))


def _pages(column: int) -> int:
    """Bytes this process has in memory (1), or may write to by itself (5); 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as told:
            return int(told.read().split()[column]) * resource.getpagesize()
    except OSError:
        return 0
