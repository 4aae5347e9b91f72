"""The engine that settings name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

ReadText = Callable[[bytes], str]


def engine(name: str, languages: Sequence[str], seconds: float, environ: Mapping[str, str]) -> ReadText | None:
    """How pictures (PNG) are read; None for `none`.

    Raises StrataError when the program is not installed, MissingExtra when the package is not.
    """
    if name == "tesseract":
        from strata_git.pipeline.documents.ocr import tesseract

        return tesseract.engine(languages, seconds, environ).read
    if name == "rapidocr":
        from strata_git.pipeline.documents.ocr.rapidocr import RapidOcr

        return RapidOcr().read
    return None
