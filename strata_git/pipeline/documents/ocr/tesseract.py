"""Tesseract, by its program: what a system's package brings, with a package of data for each language."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from shutil import which

from strata_git.errors import StrataError, printable
from strata_git.pipeline.documents.programs import answer
from strata_git.pipeline.documents.refusal import Refused

_LANGUAGE = re.compile(r"[A-Za-z0-9_/-]{1,40}")


@dataclass(frozen=True, slots=True)
class Tesseract:
    """`program` is its path, `languages` its own codes (`eng`, `deu`)."""

    program: str
    languages: Sequence[str]
    seconds: float
    environ: Mapping[str, str]

    def read(self, picture: bytes) -> str:
        """The text in a picture (PNG). Raises Refused when the program fails on it."""
        command = [self.program, "stdin", "stdout", "-l", "+".join(self.languages)]
        try:
            code, out, err = answer(command, picture, self.seconds, self.environ)
        except TimeoutError as late:
            raise Refused("timeout", str(late)) from None
        except OSError as error:
            raise Refused("unavailable", f"tesseract could not be started: {error.strerror}") from None
        if code:
            lines = err.decode(errors="replace").strip().splitlines() or [f"exit code {code}"]
            raise Refused("malformed", f"tesseract: {lines[-1]}")
        return out.decode("utf-8", "replace")


def engine(languages: Sequence[str], seconds: float, environ: Mapping[str, str]) -> Tesseract:
    """The program as it is installed. Raises StrataError when it, or the data of a language, is not."""
    wrong = [one for one in languages if not _LANGUAGE.fullmatch(one)]
    if wrong:
        raise StrataError(f"processing.ocr.languages: '{printable(wrong[0])}' is no language of tesseract.")
    program = which("tesseract", path=environ.get("PATH"))
    if program is None:
        raise StrataError(
            "processing.ocr.engine is tesseract, which is not installed.",
            hint="apt-get install tesseract-ocr   (or brew install tesseract), or set the engine to rapidocr or none.",
        )
    known = _languages(program, environ)
    missing = [one for one in languages if one not in known]
    if missing:
        raise StrataError(
            f"tesseract has no data for the language '{printable(missing[0])}'.",
            hint=f"It has: {', '.join(known)}. On Debian: apt-get install tesseract-ocr-{printable(missing[0])}",
        )
    return Tesseract(program, tuple(languages), seconds, environ)


def _languages(program: str, environ: Mapping[str, str]) -> list[str]:
    try:
        code, out, err = answer([program, "--list-langs"], b"", 30, environ)
    except (OSError, TimeoutError) as error:
        raise StrataError(f"tesseract cannot be asked for its languages: {printable(str(error))}.") from None
    lines = (out or err).decode(errors="replace").splitlines()
    return [] if code else [line.strip() for line in lines[1:] if line.strip()]
