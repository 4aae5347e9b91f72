"""Text is read out of pictures by the engine that is configured; one that is not there is told at once."""

from __future__ import annotations

import io
import os
from pathlib import Path
from shutil import which

import pytest

from strata_git.errors import MissingExtra, StrataError
from strata_git.pipeline.documents.blob import blob_of_bytes
from strata_git.pipeline.documents.load import load
from strata_git.pipeline.documents.ocr import rapidocr
from strata_git.pipeline.documents.ocr.engines import engine
from strata_git.pipeline.documents.refusal import Refused
from tests.support.broken_corpus import png

WORDS = ("Invoice 2026", "Total 41.50", "Thank you")
FAKE = """#!/bin/sh
if [ "$1" = --list-langs ]; then echo "List of languages (2):"; echo deu; echo eng; exit 0; fi
cat > /dev/null
case "$4" in deu) echo "bad picture" >&2; exit 1;; esac
echo "from $1 to $2 in $4"
"""


def written() -> bytes:
    """A picture of three lines."""
    import matplotlib as mpl
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(f"{mpl.get_data_path()}/fonts/ttf/DejaVuSans.ttf", 48)
    picture = Image.new("RGB", (640, 280), "white")
    for place, line in enumerate(WORDS):
        ImageDraw.Draw(picture).text((30, 20 + 80 * place), line, "black", font=font)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def fake(tmp_path: Path) -> dict[str, str]:
    """A program called tesseract, and the environment that finds it."""
    program = tmp_path / "bin" / "tesseract"
    program.parent.mkdir()
    program.write_text(FAKE)
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}"}


def test_tesseract_is_asked_in_its_own_words(fake: dict[str, str]) -> None:
    read = engine("tesseract", ["eng"], 20, fake)
    assert read is not None
    assert read(b"picture") == "from stdin to stdout in eng\n"
    failing = engine("tesseract", ["deu"], 20, fake)
    assert failing is not None
    with pytest.raises(Refused, match="bad picture"):
        failing(b"picture")


def test_what_is_missing_is_told_before_anything_is_read(
    fake: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StrataError, match="no data for the language 'fra'") as missing:
        engine("tesseract", ["fra"], 20, fake)
    assert "It has: deu, eng" in missing.value.hint
    with pytest.raises(StrataError, match="not installed") as absent:
        engine("tesseract", ["eng"], 20, {"PATH": str(tmp_path)})
    assert "apt-get install" in absent.value.hint
    with pytest.raises(StrataError, match="no language"):
        engine("tesseract", ["eng;rm"], 20, fake)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtra):
        engine("rapidocr", [], 20, {})
    assert engine("none", [], 20, {}) is None


@pytest.mark.heavy
@pytest.mark.skipif(which("tesseract") is None, reason="tesseract is not installed: scripts/system-tools.sh names it")
def test_tesseract_reads_a_picture() -> None:
    read = engine("tesseract", ["eng"], 60, dict(os.environ))
    text = load(blob_of_bytes(written(), "a.png"), read_text=read).text
    assert [line for line in text.splitlines() if line] == list(WORDS)


@pytest.mark.heavy
def test_rapidocr_reads_a_picture_and_connects_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refused(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    text = load(blob_of_bytes(written(), "a.png"), read_text=rapidocr.RapidOcr().read).text
    assert text.split() == " ".join(WORDS).split()
    assert load(blob_of_bytes(png(), "b.png"), read_text=rapidocr.RapidOcr().read).text == ""
