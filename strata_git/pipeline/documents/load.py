"""One blob to one document: detected, read by its loader, and its text put into the form all documents have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import BinaryIO

from strata_git.pipeline.documents.archive import member_names
from strata_git.pipeline.documents.blob import Blob
from strata_git.pipeline.documents.detect import HEAD, IMAGES, MEDIA_TYPES, Detected, detect
from strata_git.pipeline.documents.document import Document, Loaded, document_id
from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.normalise import normalised
from strata_git.pipeline.documents.refusal import Refused

EXTRAS = {
    # kind: (optional extra, module that shows that it is there)
    "html": ("pipeline", "lxml"), "parquet": ("pipeline", "pyarrow"), "pdf": ("office", "pypdfium2"),
    "docx": ("office", "mammoth"), "pptx": ("office", "pptx"), **dict.fromkeys(IMAGES, ("pipeline", "PIL")),
}  # fmt: skip
_LIBRARIES = {
    "html": ("lxml.etree",), "parquet": ("pyarrow.parquet",), "pdf": ("pypdfium2",), "docx": ("mammoth", "lxml.etree"),
    "pptx": ("pptx",), "image": ("PIL.Image", "PIL.ImageOps", "PIL.PngImagePlugin", "PIL.JpegImagePlugin"),
}  # fmt: skip
_OLE_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


def load(blob: Blob, limits: Limits | None = None, *, read_text: Callable[[bytes], str] | None = None) -> Document:
    """The document that a blob holds. `read_text` reads text out of pictures (see `ocr`).

    Raises Refused, with the reason, for what cannot be read within the limits. A parser that crashes takes this process
    along: `reading.read` is for documents of strangers.
    """
    limits = limits or Limits()
    if blob.bytes > limits.bytes:
        raise Refused("too_large", f"it has {blob.bytes} bytes, more than {limits.bytes}")
    found = detected(blob)
    if blob.bytes == 0:
        loaded = Loaded("", False, {}, ("it is empty",))
    elif found.known:
        loaded = _loaded(blob, found.kind, limits, read_text)
    else:
        raise _not_read(blob, found.kind)
    text = normalised(loaded.text, markdown=loaded.markdown)
    if len(text) > limits.text:
        raise Refused("too_large", f"its text has more than {limits.text} characters")
    return Document(
        id=document_id(blob.name, blob.sha256),
        name=blob.name,
        uri=blob.uri,
        type=found.kind,
        sha256=blob.sha256,
        bytes=blob.bytes,
        text=text,
        modified=_moment(blob.modified),
        metadata={"media_type": MEDIA_TYPES[found.kind], **loaded.metadata},
        notes=(*found.notes, *loaded.notes, *([] if text or loaded.notes else ["it has no text"])),
    )


def detected(blob: Blob) -> Detected:
    """What a blob is, judged by its bytes."""
    with blob.open() as stream:
        head = stream.read(HEAD)
        return detect(blob.name, head, lambda: member_names(stream))


def prepare(kind: str, read_text: Callable[[bytes], str] | None = None) -> None:
    """Load the libraries that a kind of document needs, so that they do not count as the document's memory."""
    from importlib import import_module
    from importlib.util import find_spec

    for module in _LIBRARIES.get("image" if kind in IMAGES else kind, ()):
        if find_spec(module.partition(".")[0]) is not None:
            import_module(module)
    if kind == "parquet" and find_spec("pyarrow") is not None:
        import pyarrow as pa

        pa.set_memory_pool(pa.system_memory_pool())  # the others reserve addresses by the gigabyte
    if kind in IMAGES and read_text is not None:
        load_models = getattr(getattr(read_text, "__self__", None), "load_models", None)
        if load_models is not None:
            load_models()


def _moment(modified: datetime | None) -> str:
    return modified.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if modified else ""


def _loaded(blob: Blob, kind: str, limits: Limits, read_text: Callable[[bytes], str] | None) -> Loaded:
    """The loaders are imported when they are needed: a corpus of text needs none of their packages."""
    _require(kind)
    from strata_git.pipeline.documents.loaders import csv, image, text, xlsx

    try:
        match kind:
            case "text" | "markdown":
                return text.load(blob, limits, markdown=kind == "markdown")
            case "csv":
                return csv.load(blob, limits)
            case "xlsx":
                return xlsx.load(blob, limits)
            case "html":
                from strata_git.pipeline.documents.loaders import html

                return html.load(blob, limits)
            case "parquet":
                from strata_git.pipeline.documents.loaders import parquet

                return parquet.load(blob, limits)
            case "pdf" | "docx" | "pptx":
                from strata_git.pipeline.documents.loaders import office

                return office.load(blob, kind, limits)
            case _:
                return image.load(blob, limits, read_text)
    except RecursionError:
        raise Refused("malformed", "its parts are nested too deeply") from None
    except MemoryError:
        raise Refused("memory", f"reading it takes more than {limits.memory >> 20} MiB") from None


def _require(kind: str) -> None:
    from importlib.util import find_spec

    extra, module = EXTRAS.get(kind, ("", ""))
    if module and find_spec(module) is None:
        raise Refused("missing_extra", f"reading {kind} needs pip install 'git-strata[{extra}]'")


def _not_read(blob: Blob, kind: str) -> Refused:
    if kind == "encrypted-parquet":
        return Refused("encrypted", "it is an encrypted parquet file")
    if kind == "ole":
        with blob.open() as stream:
            if _holds(stream, _OLE_ENCRYPTED):
                return Refused("encrypted", "it is an encrypted office document")
        return Refused("unsupported", "it is a document of old office programs (doc, xls, ppt)")
    return Refused("unsupported", f"it is {kind}")


def _holds(stream: BinaryIO, wanted: bytes) -> bool:
    tail = b""
    while part := stream.read(1 << 20):
        if wanted in tail + part:
            return True
        tail = part[-len(wanted) :]
    return False
