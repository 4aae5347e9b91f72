"""PDF, Word and PowerPoint files (extra `office`): PDF by PDFium, the others out of their XML."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from strata_git.pipeline.documents.archive import opened
from strata_git.pipeline.documents.blob import Blob
from strata_git.pipeline.documents.document import Loaded
from strata_git.pipeline.documents.limits import Limits, within
from strata_git.pipeline.documents.refusal import Refused
from strata_git.pipeline.documents.tables import table

_DTD = (b"<!DOCTYPE", b"<!ENTITY")


def load(blob: Blob, kind: str, limits: Limits) -> Loaded:
    """The document's text; `kind` is pdf, docx or pptx."""
    if kind == "pdf":
        return _pdf(blob, limits)
    _judge_archive(blob, limits)
    return _docx(blob, limits) if kind == "docx" else _pptx(blob, limits)


def _pdf(blob: Blob, limits: Limits) -> Loaded:
    import pypdfium2

    try:
        book = pypdfium2.PdfDocument(blob.content(limits))
    except pypdfium2.PdfiumError as error:
        encrypted = "password" in str(error).lower() or "security" in str(error).lower()
        raise Refused("encrypted" if encrypted else "malformed", f"it cannot be opened: {error}") from None
    try:
        pages = len(book)
        if pages > limits.pages:
            raise Refused("too_large", f"it has {pages} pages, more than {limits.pages}")
        texts = list(within(_pages(book), limits.text))
    finally:
        book.close()
    notes = () if any(texts) else ("its pages hold no text: they may be pictures",)
    return Loaded("\n\n".join(one for one in texts if one), False, {"pages": pages}, notes)


def _pages(book: Any) -> Iterator[str]:
    import pypdfium2

    for number in range(len(book)):
        try:
            page = book[number]
            text = page.get_textpage()
            yield text.get_text_bounded().replace("\ufffe", "-").replace("\r\n", "\n").strip()
            text.close()
            page.close()
        except pypdfium2.PdfiumError as error:
            raise Refused("malformed", f"page {number + 1}: {error}") from None


def _judge_archive(blob: Blob, limits: Limits) -> None:
    """Unpack every member once, counting: the libraries below trust what the archive says of itself."""
    with blob.open() as stream, opened(stream, limits) as archive:
        for name in archive.names:
            head = b""
            for part in archive.parts(name):
                head = head or part
            if name.lower().endswith((".xml", ".rels", ".vml")) and any(mark in head for mark in _DTD):
                raise Refused("malformed", f"{name} declares a document type, as only prepared files do")


def _docx(blob: Blob, limits: Limits) -> Loaded:
    import mammoth

    from strata_git.pipeline.documents.loaders.html import convert

    with blob.open() as stream:
        try:
            made = mammoth.convert_to_html(stream, convert_image=mammoth.images.img_element(_no_picture))
        except Exception as error:  # noqa: BLE001 - a damaged file shows as whatever its reader stumbles over
            raise Refused("malformed", f"its text cannot be read: {type(error).__name__}: {error}") from None
    return Loaded(convert(made.value, limits).text(), True, {})


def _no_picture(_: object) -> dict[str, str]:
    """Pictures are left out: they would stand in the text as millions of characters."""
    return {"src": ""}


def _pptx(blob: Blob, limits: Limits) -> Loaded:
    import pptx

    with blob.open() as stream:
        try:
            deck = pptx.Presentation(stream)
            slides = [_slide(number, slide, limits) for number, slide in enumerate(deck.slides, 1)]
        except Refused:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            raise Refused("malformed", f"its slides cannot be read: {type(error).__name__}: {error}") from None
    return Loaded("\n\n".join(within(slides, limits.text)), True, {"slides": len(slides)})


def _slide(number: int, slide: Any, limits: Limits) -> str:
    title = slide.shapes.title
    named = " ".join(title.text_frame.text.split()) if title is not None and title.has_text_frame else ""
    parts = [f"## Slide {number}{': ' + named if named else ''}"]
    parts += [text for shape in slide.shapes if shape != title for text in _shape(shape, limits)]
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        noted = slide.notes_slide.notes_text_frame.text.strip()
        parts += [f"Notes: {noted}"] if noted else []
    return "\n\n".join(parts)


def _shape(shape: Any, limits: Limits) -> Iterator[str]:
    if shape.has_text_frame:
        lines = ["  " * one.level + ("- " if one.level else "") + one.text for one in shape.text_frame.paragraphs]
        text = "\n".join(line for line in lines if line.strip())
        if text:
            yield text
    elif getattr(shape, "has_table", False):
        yield table([[one.text for one in row.cells] for row in shape.table.rows], limits=limits).rstrip()
    elif hasattr(shape, "shapes"):
        for inner in shape.shapes:
            yield from _shape(inner, limits)
