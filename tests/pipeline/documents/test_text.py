"""Bytes become text, and text the form that all documents have."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.pipeline.documents.detect import detect
from strata_git.pipeline.documents.encoding import decoded
from strata_git.pipeline.documents.normalise import fenced, normalised


@pytest.mark.parametrize(
    ("data", "text", "encoding", "noted"),
    [
        (b"plain", "plain", "utf-8", False),
        (codecs.BOM_UTF8 + "ä".encode(), "ä", "utf-8", False),
        (codecs.BOM_UTF16_LE + "ä".encode("utf-16-le"), "ä", "utf-16-le", False),
        (codecs.BOM_UTF32_BE + "ä".encode("utf-32-be"), "ä", "utf-32-be", False),
        ("words without a mark".encode("utf-16-be"), "words without a mark", "utf-16-be", False),
        ("Größe, über".encode("cp1252"), "Größe, über", "cp1252", True),
        ("naïve café ".encode() * 9 + b"\xff", "naïve café " * 9 + "\ufffd", "utf-8", True),
    ],
)
def test_encodings_are_found(data: bytes, text: str, encoding: str, noted: bool) -> None:
    found = decoded(data)
    assert (found.text, found.encoding, bool(found.notes)) == (text, encoding, noted)


def test_a_page_says_its_encoding() -> None:
    page = '<html><meta charset="iso-8859-2"><p>žluťoučký</p>'.encode("iso-8859-2")
    assert "žluťoučký" in decoded(page, declared=True).text
    assert "žluťoučký" not in decoded(page).text


@given(st.binary(max_size=200))
def test_no_bytes_are_too_odd(data: bytes) -> None:
    assert isinstance(decoded(data, declared=True).text, str)
    detect("some.txt", data)


@given(st.text(max_size=200), st.booleans())
def test_normalising_twice_changes_nothing(text: str, markdown: bool) -> None:
    once = normalised(text, markdown=markdown)
    assert normalised(once, markdown=markdown) == once
    assert "\r" not in once
    assert not once or (once.endswith("\n") and not once.startswith("\n"))


def test_text_is_tidied_and_code_is_left_alone() -> None:
    text = "e\u0301te\u0301 \t\r\n\r\n\r\n\r\nbreak  \nhere\x00\n```\ncode   \n\n\n\ne\u0301\n```\nafter   \n"
    assert normalised(text, markdown=True) == "été\n\nbreak  \nhere\n```\ncode   \n\n\n\ne\u0301\n```\nafter\n"
    assert normalised("a  \nb\n") == "a\nb\n"


def test_fences_follow_commonmark() -> None:
    text = "````\n```\nin\n````\nout\n~~~ text\nin\n"
    assert [text[start:end] for start, end in fenced(text)] == ["````\n```\nin\n````", "~~~ text\nin\n"]


@pytest.mark.parametrize(
    ("name", "head", "kind", "noted"),
    [
        ("a.csv", b"a,b\n1,2\n", "csv", False),
        ("a.md", b"<div>\n# Title", "markdown", False),
        ("a", b"<!DOCTYPE HTML><p>x", "html", False),
        ("a.txt", b"<?xml version='1.0'?>\n<!-- x --><html>", "html", True),
        ("a.txt", b"%PDF-1.7", "pdf", True),
        ("a.pdf", b"\n%PDF-1.7", "pdf", False),
        ("a.jpg", b"\x89PNG\r\n\x1a\n", "png", True),
        ("a.jpeg", b"\xff\xd8\xff\xe0", "jpeg", False),
        ("a.parquet", b"PAR1....", "parquet", False),
        ("a.png", b"just words", "text", True),
        ("a.json", b'{"a": 1}', "text", False),
        ("noname", b"words", "text", False),
        ("a.webp", b"RIFF\0\0\0\0WEBPVP8 ", "webp", False),
    ],
)
def test_content_goes_before_names(name: str, head: bytes, kind: str, noted: bool) -> None:
    found = detect(name, head)
    assert (found.kind, found.known, bool(found.notes)) == (kind, True, noted)


def test_archives_are_known_by_their_members() -> None:
    head = b"PK\x03\x04"
    assert detect("a.zip", head, lambda: ("xl/workbook.xml",)).kind == "xlsx"
    assert detect("a.zip", head, lambda: ("word/document.xml",)).kind == "docx"
    assert detect("a.zip", head, lambda: ("ppt/presentation.xml",)).notes == ()
    assert detect("a.docx", head, lambda: ("xl/workbook.xml",)).notes == ("its name says docx, its content is xlsx",)
    assert detect("a.zip", head, lambda: ("a.txt",)).known is False
