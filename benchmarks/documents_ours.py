"""One contender of `benchmarks.documents`: `text LIST OUT`, `process LIST OUT JOBS`, or `characters|tokens TEXTS`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))


def main() -> None:
    what, first, *rest = sys.argv[1:]
    {"text": to_text, "process": process}.get(what, chunks)(what, Path(first), *rest)


def to_text(_: str, listed: Path, out: str) -> None:
    """Each file as text, in this process, as the peer does it."""
    from strata_git.pipeline.documents.blob import blob_of_file
    from strata_git.pipeline.documents.load import load

    with open(out, "w", encoding="utf-8") as texts:
        for path in listed.read_text().splitlines():
            texts.write(json.dumps(load(blob_of_file(Path(path))).text) + "\n")


def process(_: str, listed: Path, out: str, jobs: str) -> None:
    """The whole way under guard: copied, hashed, read, cut, written."""
    from strata_git.pipeline.documents.reading import Plan, read
    from strata_git.pipeline.process import Account
    from strata_git.pipeline.sources.local import Local

    wanted = {Path(path).name for path in listed.read_text().splitlines()}
    source = Local("corpus", Path(listed.read_text().splitlines()[0]).parent.resolve())
    Path(out).mkdir(exist_ok=True)
    account = Account(Path(out))
    infos = (info for info in source.list() if info.ref.name in wanted)
    with account.opened() as files:
        for reading in read(source, infos, Plan(), environ=dict(os.environ), jobs=int(jobs)):
            account.add(reading, files)
    print(
        f"  {account.total} documents, {account.chunks} chunks, {account.tokens} tokens, "
        f"{len(account.left_out)} left out"
    )


def chunks(unit: str, texts: Path) -> None:
    """Chunks of texts, with their places."""
    from strata_git.contracts.chain import Chunking
    from strata_git.pipeline.documents.chunking import spans
    from strata_git.pipeline.documents.tokens import tokenizer

    chunking = Chunking(by=unit, max=1000 if unit == "characters" else 250, overlap=0)  # type: ignore[arg-type]
    counter, count = tokenizer(), 0
    with open(texts, encoding="utf-8") as lines:
        for line in lines:
            text = json.loads(line)
            count += sum(1 for start, end in spans(text, chunking, counter) if text[start:end])
    print(f"  {count} chunks")


main()
