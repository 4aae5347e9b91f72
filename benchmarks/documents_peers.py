"""The other contenders of `benchmarks.documents`, run by the interpreter that has them: `text LIST OUT` is markitdown,
`characters|tokens TEXTS` is langchain-text-splitters, with places and, for tokens, the counter that we use too."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    what, first, *rest = sys.argv[1:]
    if what == "text":
        to_text(Path(first), rest[0])
    else:
        chunks(what, Path(first))


def to_text(listed: Path, out: str) -> None:
    from markitdown import MarkItDown

    converter, failed = MarkItDown(), 0
    with open(out, "w", encoding="utf-8") as texts:
        for path in listed.read_text().splitlines():
            try:
                texts.write(json.dumps(converter.convert(path).text_content) + "\n")
            except Exception:  # noqa: BLE001 - counted
                failed += 1
    print(f"  {failed} failed")


def chunks(unit: str, texts: Path) -> None:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    if unit == "characters":
        splitter = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=0, add_start_index=True)
    else:
        from toktok import truncate

        splitter = RecursiveCharacterTextSplitter(
            chunk_size=250,
            chunk_overlap=0,
            add_start_index=True,
            length_function=lambda text: truncate(text, 1 << 62, "o200k_base")[1],
        )
    count = 0
    with open(texts, encoding="utf-8") as lines:
        for line in lines:
            count += len(splitter.create_documents([json.loads(line)]))
    print(f"  {count} chunks")


main()
