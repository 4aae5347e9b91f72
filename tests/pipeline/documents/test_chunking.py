"""Chunks are exact slices, none too long, nothing lost, overlapping as asked, always the same."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from semantic_text_splitter import TextSplitter

from strata_git.contracts.chain import Chunking
from strata_git.pipeline.documents.blob import blob_of_bytes
from strata_git.pipeline.documents.chunking import cut, spans
from strata_git.pipeline.documents.document import Document
from strata_git.pipeline.documents.load import load
from strata_git.pipeline.documents.tokens import Tokenizer, tokenizer

WORDS = st.sampled_from(
    ["word", "a", "longerword" * 3, ".", "end. ", "Dr. ", "\n", "\n\n", "\n# Title\n", "```\ncode  x\n```\n", " ", "  ",
     "e\u0301", "👩‍🚀", "中文句子。", "\u200d", "x" * 70, "| a | b |\n", "12345", "\t"]
)  # fmt: skip
TEXTS = st.lists(WORDS, max_size=60).map("".join)
BY = st.sampled_from(["tokens", "markdown", "characters", "sentences", "lines", "document"])
COUNTER = tokenizer()


@settings(max_examples=60)
@given(TEXTS, BY, st.integers(1, 40), st.integers(0, 20))
@example("👩‍🚀" * 9, "tokens", 1, 0)
@example(" " * 50 + "a", "tokens", 3, 2)
@example("a" * 300, "characters", 7, 6)
def test_pieces_cover_and_fit(text: str, by: str, most: int, overlap: int) -> None:
    overlap = min(overlap, most - 1)
    chunking = Chunking(by=by, max=most, overlap=overlap)  # type: ignore[arg-type]
    found = list(spans(text, chunking, COUNTER))
    assert found == list(spans(text, chunking, COUNTER))
    assert bool(found) == bool(text.strip())
    covered = 0
    for place, (start, end) in enumerate(found):
        piece = text[start:end]
        assert piece.strip()
        assert not piece[-1].isspace()
        assert not text[covered:start].strip(), "nothing but blanks is between two pieces"
        assert end > covered, "every piece brings something new"
        if by in ("tokens", "markdown"):
            assert COUNTER.count(piece) <= most or len(piece) == 1
            assert start >= covered or COUNTER.count(text[start:covered]) <= overlap
        elif by == "characters":
            assert end - start <= most
            assert covered - start <= overlap
        if by in ("tokens", "markdown", "characters") and place and not overlap:
            assert start >= covered
        covered = end
    assert not text[covered:].strip()


def test_overlap_is_used_where_there_are_words() -> None:
    text = " ".join(f"word{place}" for place in range(400))
    found = list(spans(text, Chunking(by="tokens", max=50, overlap=20), COUNTER))
    shared = [text[start:end] for (start, _), (_, end) in zip(found[1:], found, strict=False)]
    assert all(15 <= COUNTER.count(one) <= 20 for one in shared)
    assert all(one.startswith("word") for one in shared)


def test_pieces_end_where_a_reader_would_pause() -> None:
    paragraphs = [f"Paragraph {place}. " + "Some words follow here. " * 6 for place in range(20)]
    text = "\n\n".join(one.strip() for one in paragraphs)
    found = list(spans(text, Chunking(by="tokens", max=60), COUNTER))
    assert all(text[end : end + 2] in ("\n\n", "") for _, end in found)


def test_markdown_pieces_begin_with_sections() -> None:
    text = "".join(f"## Section {place}\n\n" + "Words of it. " * 10 + "\n\nMore of it.\n\n" for place in range(12))
    found = [text[start:end] for start, end in spans(text, Chunking(by="markdown", max=60), COUNTER)]
    assert len(found) == 12
    assert all(one.startswith("## Section") for one in found)
    code = "```\n# no heading\n\n# nor this\n```\n"
    assert next(spans(code * 2, Chunking(by="markdown", max=14), COUNTER)) == (0, len(code) - 1)


def test_sentences_and_lines_are_counted() -> None:
    text = "Dr. Who came, e.g. today. He left! Did he? No.\n\nA second paragraph without a stop"
    found = [text[start:end] for start, end in spans(text, Chunking(by="sentences", max=2, overlap=1), COUNTER)]
    assert found == [
        "Dr. Who came, e.g. today. He left!", "He left! Did he?", "Did he? No.",
        "No.\n\nA second paragraph without a stop",
    ]  # fmt: skip
    lines = [*spans("a\n\n  b\nc\n", Chunking(by="lines", max=2), COUNTER)]
    assert lines == [(0, 6), (7, 8)]


def test_chunks_are_named_by_what_they_are() -> None:
    document = load(blob_of_bytes(b"One sentence. " * 100, "a.txt"))
    chunking = Chunking(by="tokens", max=50)
    first, again = list(cut(document, chunking)), list(cut(document, chunking))
    assert first == again
    assert len({chunk.id for chunk in first}) == len(first) > 3
    assert [chunk.index for chunk in first] == list(range(len(first)))
    assert all(document.text[chunk.start : chunk.end] == chunk.text for chunk in first)
    assert all(chunk.exact and chunk.tokens == COUNTER.count(chunk.text) for chunk in first)
    other = list(cut(document, Chunking(by="tokens", max=50, tokenizer="gpt-4")))
    assert first[0].id != other[0].id
    renamed = load(blob_of_bytes(b"One sentence. " * 100, "b.txt"))
    assert renamed.id != document.id


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from(["word ", "Other", "中", "é", "12345 ", ".\n", "'s ", "\n\n", "==="]), max_size=40).map(
        "".join
    )
)
def test_counts_agree_with_another_tokenizer(text: str) -> None:
    """Its tables are its own: what we say fits, fits there, and with one less it does not."""
    text = text.strip()
    for model in ("gpt-4o", "gpt-4"):
        count = tokenizer(model).count(text)
        if count > 1:
            assert len(TextSplitter.from_tiktoken_model(model, count).chunks(text)) == 1
            assert len(TextSplitter.from_tiktoken_model(model, count - 1).chunks(text)) > 1


def test_what_cannot_be_counted_is_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    from strata_git.pipeline.documents import tokens

    assert tokenizer("claude-sonnet-4") == Tokenizer("claude-sonnet-4", "o200k_base", False)
    assert tokenizer("gpt-4-turbo").encoding == "cl100k_base"
    assert tokenizer("gpt-4o-mini").encoding == tokenizer("o3").encoding == "o200k_base"
    monkeypatch.setattr(tokens, "_present", lambda: False)
    absent = tokenizer()
    assert (absent.exact, absent.count("x" * 9), absent.longest("x" * 99, 2)) == (False, 3, 8)
    document = Document("1", "a", "a", "text", "0", 9, "x" * 99 + "\n")
    assert [chunk.exact for chunk in cut(document, Chunking(max=10))] == [False] * 3
