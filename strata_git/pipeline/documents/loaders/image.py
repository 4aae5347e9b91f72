"""Pictures: their size, and the text in them where an engine is configured that reads it."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from strata_git.pipeline.documents.blob import Blob
from strata_git.pipeline.documents.document import Loaded
from strata_git.pipeline.documents.limits import Limits
from strata_git.pipeline.documents.refusal import Refused

_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
ReadText = Callable[[bytes], str]
"""An engine: a picture as PNG, grey or in colour, to the text in it."""


def load(blob: Blob, limits: Limits, read_text: ReadText | None = None) -> Loaded:
    """The text that `read_text` finds; without an engine none, and a note. The picture is always decoded, so that a
    damaged one is known as such."""
    import io

    from PIL import Image, UnidentifiedImageError

    data = blob.content(limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                width, height = picture.size
                facts = {
                    "width": width,
                    "height": height,
                    "mode": picture.mode,
                    "format": (picture.format or "").lower(),
                }
                if width * height > limits.pixels:
                    raise Refused("too_large", f"it has {width} x {height} pixels, more than {limits.pixels}")
                picture.load()
                plain = _as_png(picture) if read_text else b""
    except Image.DecompressionBombError as error:
        raise Refused("too_large", str(error)) from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError, TypeError, IndexError) as error:
        reason = "it is no picture that can be read" if isinstance(error, UnidentifiedImageError) else str(error)
        raise Refused("malformed", reason) from None
    if read_text is None:
        return Loaded("", False, facts, ("it is a picture, and no engine reads text from pictures here",))
    return Loaded(read_text(plain), False, facts)


def _as_png(picture: object) -> bytes:
    """The first frame without transparency, as engines like it."""
    import io

    from PIL import Image, ImageOps

    assert isinstance(picture, Image.Image)  # noqa: S101 - for the type checker; opened above
    upright = ImageOps.exif_transpose(picture)
    if upright.mode in ("RGBA", "LA", "P", "PA"):
        colour = upright.convert("RGBA")
        ground = Image.new("RGBA", colour.size, (255, 255, 255, 255))
        upright = Image.alpha_composite(ground, colour).convert("RGB")
    elif upright.mode not in ("L", "RGB"):
        upright = upright.convert("RGB")
    out = io.BytesIO()
    upright.save(out, format="PNG", compress_level=1)
    return out.getvalue()
